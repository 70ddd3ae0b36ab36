"""Check digits: what tells a number that was issued from one that only looks like it.

Each takes a number as it was found; spaces, dots, slashes and hyphens in it do not count.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

_SEPARATORS: Final = re.compile(r"[\s./\-]+")
_LETTERS_AND_DIGITS: Final = re.compile(r"[0-9A-Z]+")
_DIGITS: Final = re.compile(r"[0-9]+")
_DIGITS_AND_X: Final = re.compile(r"[0-9]+X?")

# The dihedral group of order ten and the powers of its permutation (Verhoeff, 1969).
_PRODUCT: Final = (
    (0, 1, 2, 3, 4, 5, 6, 7, 8, 9),
    (1, 2, 3, 4, 0, 6, 7, 8, 9, 5),
    (2, 3, 4, 0, 1, 7, 8, 9, 5, 6),
    (3, 4, 0, 1, 2, 8, 9, 5, 6, 7),
    (4, 0, 1, 2, 3, 9, 5, 6, 7, 8),
    (5, 9, 8, 7, 6, 0, 4, 3, 2, 1),
    (6, 5, 9, 8, 7, 1, 0, 4, 3, 2),
    (7, 6, 5, 9, 8, 2, 1, 0, 4, 3),
    (8, 7, 6, 5, 9, 3, 2, 1, 0, 4),
    (9, 8, 7, 6, 5, 4, 3, 2, 1, 0),
)
_STEP: Final = (1, 5, 7, 6, 2, 8, 3, 0, 9, 4)


def luhn(text: str) -> bool:
    """The check of card numbers (ISO/IEC 7812-1, annex B): every second digit doubled.

    Args:
        text: The number, its check digit last.

    Returns:
        Whether the sum is a multiple of 10; False for what is no number.
    """
    digits = _bare(text)
    if _DIGITS.fullmatch(digits) is None:
        return False
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) << (place & 1)
        total += value - 9 if value > 9 else value
    return total % 10 == 0


def mod97(text: str) -> bool:
    """The check of bank accounts (ISO 13616, ISO/IEC 7064 MOD 97-10), the first four characters last.

    Args:
        text: An IBAN or any number made like it: two characters, two check digits, the rest.

    Returns:
        Whether the remainder is 1.
    """
    plain = _bare(text)
    if len(plain) < 5 or _LETTERS_AND_DIGITS.fullmatch(plain) is None:
        return False
    turned = plain[4:] + plain[:4]
    return int("".join(str(int(character, 36)) for character in turned)) % 97 == 1


def mod11(text: str) -> bool:
    """The check of books (ISO 2108) and many national numbers: digits weighted 1, 2, 3 … from the right.

    Args:
        text: The number, its check digit last; an ``X`` there stands for ten.

    Returns:
        Whether the weighted sum is a multiple of 11.
    """
    plain = _bare(text)
    if len(plain) < 2 or _DIGITS_AND_X.fullmatch(plain) is None:
        return False
    values = (10 if character == "X" else int(character) for character in reversed(plain))
    return sum(weight * value for weight, value in enumerate(values, 1)) % 11 == 0


def verhoeff(text: str) -> bool:
    """The check of Aadhaar and other numbers that finds every single slip and swap (Verhoeff, 1969).

    Args:
        text: The number, its check digit last.

    Returns:
        Whether it holds; False for what is no number.
    """
    digits = _bare(text)
    if _DIGITS.fullmatch(digits) is None:
        return False
    check = 0
    for place, character in enumerate(reversed(digits)):
        value = int(character)
        for _ in range(place % 8):
            value = _STEP[value]
        check = _PRODUCT[check][value]
    return check == 0


CHECKSUMS: Final[Mapping[str, Callable[[str], bool]]] = MappingProxyType(
    {"luhn": luhn, "mod97": mod97, "mod11": mod11, "verhoeff": verhoeff}
)
"""By the name that the config has for it."""


def _bare(text: str) -> str:
    return _SEPARATORS.sub("", text).upper()
