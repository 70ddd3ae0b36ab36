"""Seals the rejected records of tables that mask their rows before they are stored."""

from __future__ import annotations

import hashlib
import hmac
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from lakehouse.errors import KeysError
from lakehouse.pii.keys.ring import KeyRing

PURPOSE: Final = "mask"
"""The purpose of the key: the one that the masks of the same table are made with."""

_MAGIC: Final = b"\x00lakehouse-sealed\x00"
_NONCE: Final = 12


@dataclass(frozen=True, slots=True)
class KeySeal:
    """The `lakehouse.merge.quarantine.Seal` of a table: AES-GCM (NIST SP 800-38D) under a key of the lake.

    A sealed record begins with a magic word and the version of the key, so that older ones open after a
    rotation.

    Args:
        table: The table; records of one can't be passed off as those of another.
        ring: Gives the keys.
    """

    table: str
    ring: Callable[[], KeyRing]

    def close(self, raw: bytes) -> bytes:
        """See `Seal.close`."""
        key = self.ring().current(PURPOSE)
        nonce = os.urandom(_NONCE)
        head = _MAGIC + key.version.to_bytes(4)
        return head + nonce + AESGCM(key.derive("quarantine")).encrypt(nonce, raw, head + self.table.encode())

    def open(self, sealed: bytes) -> bytes:
        """See `Seal.open`."""
        if not sealed.startswith(_MAGIC):
            return sealed
        head, rest = sealed[: len(_MAGIC) + 4], sealed[len(_MAGIC) + 4 :]
        key = self.ring().version(PURPOSE, int.from_bytes(head[-4:]))
        try:
            cipher = AESGCM(key.derive("quarantine"))
            return cipher.decrypt(rest[:_NONCE], rest[_NONCE:], head + self.table.encode())
        except InvalidTag:
            raise KeysError(
                f"a rejected record of table {self.table} can't be opened with version {key.version} of the "
                f"key {PURPOSE}: it was sealed with another one, or was changed",
                advice="put the key in place that was there when the record was rejected",
            ) from None

    def digest(self, content: bytes) -> bytes:
        """See `Seal.digest`: always by the first version, so that a second delivery is known as one."""
        key = self.ring().version(PURPOSE, 1)
        return hmac.new(key.derive("quarantine id"), content, hashlib.sha256).digest()
