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

_MAGIC: Final = {
    "mask": b"\x00lakehouse-sealed\x00",
    "shred": b"\x00lakehouse-sealed:shred\x00",
}
"""How sealed records begin, by the purpose of their key."""

_NONCE: Final = 12


@dataclass(frozen=True, slots=True)
class KeySeal:
    """The `lakehouse.merge.quarantine.Seal` of a table: AES-GCM (NIST SP 800-38D) under a key of the lake.

    A sealed record begins with a magic word, which tells the purpose of the key, and its version: older ones
    open after a rotation, and after the table's way of keeping clear values out has changed.

    Args:
        table: The table; records of one can't be passed off as those of another.
        ring: Gives the keys.
        purpose: Of the key: the one that what is stored in the same table is made with, ``mask`` or
            ``shred``.
    """

    table: str
    ring: Callable[[], KeyRing]
    purpose: str = "mask"

    def close(self, raw: bytes) -> bytes:
        """See `Seal.close`."""
        key = self.ring().current(self.purpose)
        nonce = os.urandom(_NONCE)
        head = _MAGIC[self.purpose] + key.version.to_bytes(4)
        return head + nonce + AESGCM(key.derive("quarantine")).encrypt(nonce, raw, head + self.table.encode())

    def open(self, sealed: bytes) -> bytes:
        """See `Seal.open`."""
        purpose = next((name for name, magic in _MAGIC.items() if sealed.startswith(magic)), None)
        if purpose is None:
            return sealed
        start = len(_MAGIC[purpose]) + 4
        head, rest = sealed[:start], sealed[start:]
        key = self.ring().version(purpose, int.from_bytes(head[-4:]))
        try:
            cipher = AESGCM(key.derive("quarantine"))
            return cipher.decrypt(rest[:_NONCE], rest[_NONCE:], head + self.table.encode())
        except InvalidTag:
            raise KeysError(
                f"a rejected record of table {self.table} can't be opened with version {key.version} of the "
                f"key {purpose}: it was sealed with another one, or was changed",
                advice="put the key in place that was there when the record was rejected",
            ) from None

    def digest(self, content: bytes) -> bytes:
        """See `Seal.digest`: always by the first version, so that a second delivery is known as one."""
        key = self.ring().version(self.purpose, 1)
        return hmac.new(key.derive("quarantine id"), content, hashlib.sha256).digest()
