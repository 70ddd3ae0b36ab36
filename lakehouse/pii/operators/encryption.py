"""``encrypt``: a text that only the key opens, and that says nothing of which values are equal."""

from __future__ import annotations

import hmac
import os
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Final

import polars as pl
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from lakehouse.config.models.operators import EncryptSettings
from lakehouse.errors import KeysError
from lakehouse.pii.keys.ring import KeyRing
from lakehouse.pii.operators.common import Basic, as_bytes, each_text
from lakehouse.pii.operators.keyed import key_for

_SEALED: Final = re.compile(r"enc_([1-9][0-9]{0,9})_([A-Za-z0-9_-]{38,})")
_NONCE: Final = 12
_AES: Final = 32


class Encrypt(Basic):
    """AES-256-GCM (NIST SP 800-38D), the entity as associated data.

    A mask is ``enc_<version of the key>_<base64url of the nonce, the ciphertext and the tag>``.

    **The nonce.** With a nonce by chance, a change that is delivered twice would look like two contents of
    one row. So where ``row`` says which row a value is in, the nonce is the first 96 bits of
    HMAC-SHA256(entity, row, value) under a key of its own: the same row with the same value gives the same
    text, whenever and wherever it comes, and any other row or value gives another nonce. A nonce is thereby
    only ever used again to make exactly the same ciphertext, which tells no more than that the row did not
    change. Without ``row`` (a table without a key) the nonce is random. Either way it has 96 bits, so that
    one version of a key should encrypt no more than 2³² values: rotate it before.
    """

    name = "encrypt"
    deterministic = False
    reversible = True
    per_row = True

    def __init__(self, settings: EncryptSettings, *, ring: KeyRing, pinned: bool = False) -> None:
        self._key = key_for(settings, ring=ring, use="encrypt", first=pinned, length=2 * _AES)

    def mask(
        self,
        values: pl.Series,
        *,
        entity: str,
        person: pl.Series | None = None,  # noqa: ARG002
        row: pl.Series | None = None,
    ) -> pl.Series:
        """Encrypts values; an empty text stays empty. See `Operator.mask`."""
        material = self._key.material
        cipher, about = AESGCM(material[:_AES]), entity.encode()
        nonces = _nonces(material[_AES:], about, row)
        head = f"enc_{self._key.version}_"

        def sealed(value: bytes, at: int) -> str:
            nonce = nonces(value, at)
            return head + urlsafe_b64encode(nonce + cipher.encrypt(nonce, value, about)).rstrip(b"=").decode()

        given = as_bytes(values)
        found = [
            None if value is None else sealed(value, at) if value else "" for at, value in enumerate(given)
        ]
        return pl.Series(values.name, found, dtype=pl.String)

    def back(self, values: pl.Series, *, entity: str) -> pl.Series:
        """Decrypts values."""
        about = entity.encode()

        def back(text: str) -> str:
            found = _SEALED.fullmatch(text)
            if found is None:
                return text
            version, body = int(found[1]), urlsafe_b64decode(found[2] + "=" * (-len(found[2]) % 4))
            cipher = AESGCM(self._key.of_version(version)[:_AES])
            try:
                return cipher.decrypt(body[:_NONCE], body[_NONCE:], about).decode()
            except InvalidTag:
                raise KeysError(
                    f"an encrypted value of version {version} was not made with this key for {entity}",
                    advice="look whether the entity and `key` are those that it was masked with",
                ) from None

        return each_text(values, back)


class _Nonces:
    """Nonces from the row and the value, or by chance."""

    def __init__(self, key: bytes, about: bytes, rows: list[bytes | None] | None) -> None:
        self._key = key
        self._about = about
        self._rows = rows

    def __call__(self, value: bytes, at: int) -> bytes:
        row = None if self._rows is None else self._rows[at]
        if row is None:
            return os.urandom(_NONCE)
        lengths = len(self._about).to_bytes(4) + len(row).to_bytes(8)
        return hmac.digest(self._key, lengths + self._about + row + value, "sha256")[:_NONCE]


def _nonces(key: bytes, about: bytes, row: pl.Series | None) -> _Nonces:
    return _Nonces(key, about, None if row is None else as_bytes(row))
