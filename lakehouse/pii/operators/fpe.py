"""``fpe``: format-preserving encryption, FF1 of NIST SP 800-38G; the limits are those of its revision 1."""

from __future__ import annotations

import re
import string
from collections.abc import Callable, Sequence
from itertools import combinations
from typing import Any, Final

import polars as pl

from lakehouse.config.models.operators import ALPHABETS, FpeSettings
from lakehouse.pii.keys.ring import KeyRing
from lakehouse.pii.operators.common import Basic
from lakehouse.pii.operators.keyed import key_for
from lakehouse.pii.operators.packages import needed
from lakehouse.pii.operators.tokens import TOKEN, Tokenize

SMALLEST_DOMAIN: Final = 1_000_000
"""What SP 800-38G rev. 1 asks for: a domain of at least a million values."""

_KINDS: Final = (string.digits, string.ascii_lowercase, string.ascii_uppercase)
_FEW_DIGITS: Final = 6
# The time that FF1 takes grows with the square of the length.
_LONGEST: Final = 1_000
_LARGEST: Final = {pl.Int64: (1 << 63) - 1, pl.Int32: (1 << 31) - 1}
_NEVER: Final = re.compile(r"(?!)")
_Cipher = Callable[[str, str], str]
"""From an alphabet and a text of its characters to a text of the same length."""


class Fpe(Basic):
    """FF1 under AES-256, the entity as tweak: digits become digits, and the rest of the format stays.

    *Texts.* What is encrypted are the characters of ``alphabet``; all others stay where they are. Without
    ``alphabet`` those are ASCII letters and digits, and the mask has the same kinds of them (digits, small
    letters, capitals) in the same number, though not at the same places; separators stay. There have to be at
    least a million texts that it could become: six digits are enough. For shorter texts, for those of more
    than 1,000 such characters, and for those with letters or digits beyond ASCII where no ``alphabet`` is
    given, there is no such encryption: they become tokens as `Tokenize` makes them, so that they still join
    and can be turned back.

    *Integers.* The sign and the number of digits stay; numbers below a million become numbers below a
    million. Narrower integers than 32 bits have too few values and are refused.

    All of it is a permutation, by cycle walking (FF1 is applied until the result has the right form, Black
    and Rogaway 2002): different values never get the same mask.

    A mask does not say which version of the key made it. So the first version is used, also after a rotation,
    unless ``version`` names another.
    """

    name = "fpe"
    injective = True
    reversible = True

    def __init__(self, settings: FpeSettings, *, ring: KeyRing, pinned: bool = False) -> None:  # noqa: ARG002
        _ff1()
        self._key = key_for(settings, ring=ring, use="fpe", first=True)
        self._short = Tokenize.of(settings, ring=ring)
        self._alphabet = ALPHABETS.get(settings.alphabet or "", settings.alphabet)

    def takes(self, kind: pl.DataType) -> bool:
        """Texts, longs and integers."""
        return kind == pl.String or kind in _LARGEST

    def on_values(self, values: pl.Series, *, entity: str) -> pl.Series:
        """Encrypts values; an empty text stays empty."""
        return self._each(values, entity, _ff1().encrypt, self._short.on_values, _NEVER)

    def back(self, values: pl.Series, *, entity: str) -> pl.Series:
        """Decrypts values."""
        return self._each(values, entity, _ff1().decrypt, self._short.back, TOKEN)

    def _each(
        self,
        values: pl.Series,
        entity: str,
        function: Callable[[str, str, str, str], str],
        short: Callable[..., pl.Series],
        tokens: re.Pattern[str],
    ) -> pl.Series:
        key, tweak = self._key.material.hex(), entity.encode().hex()

        def cipher(alphabet: str, text: str) -> str:
            return function(key, tweak, alphabet, text)

        if values.dtype != pl.String:
            largest = next(most for kind, most in _LARGEST.items() if kind == values.dtype)
            numbers = [None if each is None else _number(each, largest, cipher) for each in values.to_list()]
            return pl.Series(values.name, numbers, dtype=values.dtype)
        domains = _Domains()
        texts = [
            each if not each else None if tokens.match(each) else self._text(each, cipher, domains)
            for each in values.to_list()
        ]
        done = pl.Series(values.name, texts, dtype=pl.String)
        left = done.is_null() & values.is_not_null()
        if not left.any():
            return done
        return done.scatter(left.arg_true(), short(values.filter(left), entity=entity))

    def _text(self, text: str, cipher: _Cipher, domains: _Domains) -> str | None:
        """The mask of a text; None where there is none of its format."""
        alphabet = self._alphabet
        inside = _inside(text, alphabet)
        if not 1 < len(inside) <= _LONGEST:
            return None
        if alphabet is None:
            mask = _of_kinds(inside, cipher, domains)
        else:
            large = len(alphabet) ** len(inside) >= SMALLEST_DOMAIN
            mask = cipher(alphabet, inside) if large else None
        if mask is None or len(inside) == len(text):
            return mask
        chars, wanted = iter(mask), frozenset(inside)
        return "".join(next(chars) if char in wanted else char for char in text)


def _ff1() -> Any:
    return needed("fastfpe.ff1", operator=Fpe.name)


def _inside(text: str, alphabet: str | None) -> str:
    """The characters that are encrypted; none where the text has letters or digits that can't be."""
    if alphabet is not None:
        return "".join(char for char in text if char in alphabet)
    inside = text if text.isalnum() else "".join(filter(str.isalnum, text))
    return inside if inside.isascii() else ""


def _of_kinds(text: str, cipher: _Cipher, domains: _Domains) -> str | None:
    """The mask of a text of ASCII letters and digits that has the same kinds of them."""
    if text.isdigit():
        return cipher(string.digits, text) if len(text) >= _FEW_DIGITS else None
    chars = frozenset(text)
    kinds = tuple(kind for kind in _KINDS if not chars.isdisjoint(kind))
    if not domains.is_large(kinds, len(text)):
        return None
    alphabet = "".join(kinds)
    if len(kinds) == 1:
        return cipher(alphabet, text)
    while True:
        text = cipher(alphabet, text)
        chars = frozenset(text)
        if not any(chars.isdisjoint(kind) for kind in kinds):
            return text


class _Domains:
    """Which forms of texts have enough values; each is worked out once."""

    def __init__(self) -> None:
        self._known: dict[tuple[tuple[str, ...], int], bool] = {}

    def is_large(self, kinds: tuple[str, ...], length: int) -> bool:
        """Whether texts of a length with characters of each kind are as many as there must be."""
        found = self._known.get((kinds, length))
        if found is None:
            found = self._known[kinds, length] = _others(kinds, length) >= SMALLEST_DOMAIN
        return found


def _others(kinds: Sequence[str], length: int) -> int:
    """How many texts of a length have characters of each kind: by inclusion and exclusion."""
    total = 0
    for size in range(len(kinds) + 1):
        for some in combinations(kinds, size):
            total += (-1) ** (len(kinds) - size) * sum(map(len, some)) ** length
    return total


def _number(value: int, largest: int, cipher: _Cipher) -> int:
    """The mask of a number: same sign, same number of digits, below a million where it was."""
    if value < 0:
        # One less than none is none: -1 … -2³¹ are as many as 0 … 2³¹ - 1.
        return -1 - _number(-1 - value, largest, cipher)
    text = str(value)
    if len(text) <= _FEW_DIGITS:
        return int(cipher(string.digits, text.zfill(_FEW_DIGITS)))
    while True:
        text = cipher(string.digits, text)
        if text[0] != "0" and int(text) <= largest:
            return int(text)
