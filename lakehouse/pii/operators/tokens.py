"""``tokenize``: the same readable token for the same value, which the key turns back."""

from __future__ import annotations

import re
from base64 import urlsafe_b64decode
from typing import Final

import polars as pl
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

from lakehouse.config.models.operators import KeyedSettings, TokenizeSettings
from lakehouse.errors import KeysError
from lakehouse.pii.keys.ring import KeyRing
from lakehouse.pii.operators.common import Basic, each_text
from lakehouse.pii.operators.keyed import key_for
from lakehouse.pii.operators.siv import sealed

FORM: Final = "tok_([1-9][0-9]{0,9})_([A-Za-z0-9_-]{22,})"
"""The form of a token: the version of its key, and its body."""

TOKEN: Final = re.compile(rf"{FORM}\Z")
_KEY_BYTES: Final = 64


class Tokenize(Basic):
    """AES-SIV (RFC 5297) with a 512-bit key, the entity as associated data.

    A token is ``tok_<version of the key>_<base64url of the 16-byte synthetic IV and the ciphertext>``,
    without padding: it has no character that a URL, CSV or file name would mind, and says which version turns
    it back. Equal values of one entity have equal tokens wherever they stand, in a column of their own or in
    a text, so that tables join on them; values of different entities don't. Values are taken exactly as they
    are: ``A@b.example`` and ``a@b.example`` have different tokens. A token is as long as its value, times
    4/3, plus 28: the length of a value is no secret.
    """

    name = "tokenize"
    injective = True
    reversible = True

    def __init__(self, settings: TokenizeSettings, *, ring: KeyRing, pinned: bool = False) -> None:
        self._key = key_for(settings, ring=ring, use="tokenize", first=pinned, length=_KEY_BYTES)

    @classmethod
    def of(cls, settings: KeyedSettings, *, ring: KeyRing) -> Tokenize:
        """Tokens for what another operator can't mask, under the first version of its key.

        Args:
            settings: Of the other operator.
            ring: The keys of the lake.
        """
        return cls(TokenizeSettings(key=settings.key, version=settings.version), ring=ring, pinned=True)

    def looks_for_equal(self, values: pl.Series) -> bool:  # noqa: ARG002
        """Masks are made faster than equal values are found."""
        return False

    def on_values(self, values: pl.Series, *, entity: str) -> pl.Series:
        """Makes tokens; an empty text stays empty."""
        head = f"tok_{self._key.version}_"
        return sealed(values, key=self._key.material, associated=entity.encode(), head=head)

    def back(self, values: pl.Series, *, entity: str) -> pl.Series:
        """Turns tokens back."""
        about = [entity.encode()]
        ciphers: dict[int, AESSIV] = {}

        def back(text: str) -> str:
            found = TOKEN.match(text)
            if found is None:
                return text
            version = int(found[1])
            if version not in ciphers:
                ciphers[version] = AESSIV(self._key.of_version(version))
            body = urlsafe_b64decode(found[2] + "=" * (-len(found[2]) % 4))
            try:
                return ciphers[version].decrypt(body, about).decode()
            except InvalidTag:
                raise _foreign(version, entity) from None

        return each_text(values, back)


def _foreign(version: int, entity: str) -> KeysError:
    return KeysError(
        f"a token of version {version} was not made with this key for {entity}",
        advice="look whether the entity and `key` are those that it was masked with",
    )
