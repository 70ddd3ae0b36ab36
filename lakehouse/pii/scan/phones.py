"""Phone numbers by the rules of their countries, with the library that Presidio uses too."""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Sequence
from importlib.util import find_spec
from typing import Final

import polars as pl

from lakehouse.pii.scan.facts import PhoneFacts
from lakehouse.pii.scan.patterns import PHONE

_REGIONS: Final = ("US", "GB", "DE", "FR", "ES", "IT", "NL", "PL", "SE", "BR", "IN", "AU")
_MOST: Final = 60
_FEWEST: Final = 3
_NUMBER: Final = re.compile(r"\d+(?:\.\d+)?")
"""Amounts are no phones, even where some country has such a number."""
_DATE: Final = r"^\d{4}[-./]\d{1,2}[-./]\d{1,2}|^\d{1,2}[-./]\d{1,2}[-./]\d{2,4}$"
# In texts a date or an address of a machine must not be taken for one, so dots do not count.
_IN_TEXT: Final = r"(?:\+|\b00|\(|\b)[0-9][0-9 ()/-]{5,20}[0-9]\b"
_BEFORE: Final = 16
_BEHIND_WORDS: Final = r"^\p{L}[^0-9+@]{2,40}(\+[0-9][0-9 ()./-]{6,20}[0-9])\)?$"


def phone_facts(texts: pl.Series, counts: pl.Series, *, seed: int) -> PhoneFacts:
    """Looks at values as phone numbers.

    Args:
        texts: Distinct values.
        counts: How often each was there.
        seed: Chooses which are looked up, where there are many.

    Returns:
        Without the library, only how they look.
    """
    total = int(counts.sum())
    digits = texts.str.replace_all(r"\D", "").str.len_chars()
    looks = (
        texts.str.contains(f"^(?:{PHONE})$".replace(r"\d", "[0-9]"))
        & digits.is_between(7, 17)
        & ~texts.str.contains(_DATE)
    )
    share = int(counts.filter(looks).sum()) / total
    if find_spec("phonenumbers") is None:
        return PhoneFacts(looks=share)
    if share < 0.05:
        return PhoneFacts(looks=share, behind=_behind(texts, counts, seed=seed))
    chosen: list[str] = texts.filter(looks).to_list()
    if len(chosen) > _MOST:
        chosen = random.Random(seed).sample(chosen, _MOST)  # noqa: S311 - no secret
    abroad = [value for value in chosen if value.startswith(("+", "00"))]
    grouped = [
        value for value in chosen if not value.startswith(("+", "00")) and not _NUMBER.fullmatch(value)
    ]
    return PhoneFacts(
        looks=share,
        international=share * sum(_is_valid(value, None) for value in abroad) / len(chosen),
        national=share * _best_region(grouped) / len(chosen),
    )


def texts_with_phones(texts: Sequence[str], *, excluded: re.Pattern[str]) -> list[bool]:
    """Which texts have a phone number in them, by how it is written and by the rules of its country.

    Args:
        texts: Texts.
        excluded: What stands right before numbers that are none.

    Returns:
        One for each text: it has a number that begins with ``+`` or ``00`` and is valid, or one in groups
        where nearly all of these, over all texts, are valid in one country.
    """
    if find_spec("phonenumbers") is None:
        return [False] * len(texts)
    pieces = [
        (at, found.group())
        for at, text in enumerate(texts)
        for found in re.finditer(_IN_TEXT, text)
        if _can_be_one(found.group())
        and not excluded.search(text[max(0, found.start() - _BEFORE) : found.start()])
    ]
    abroad = {at for at, piece in pieces if piece.startswith(("+", "00")) and _is_valid(piece, None)}
    grouped = [(at, piece) for at, piece in pieces if not piece.startswith(("+", "00"))]
    there = set(abroad)
    if len(grouped) >= _FEWEST and _best_region([piece for _, piece in grouped]) >= 0.8 * len(grouped):
        there |= {at for at, _ in grouped}
    return [at in there for at in range(len(texts))]


def _can_be_one(piece: str) -> bool:
    digits = sum(sign.isdecimal() for sign in piece)
    if piece.startswith(("+", "00")):
        return 7 <= digits <= 15
    # Shorter ones, and those in two groups, could be two numbers beside each other.
    groups = len(re.findall(r"\d+", piece))
    return groups >= 3 and 9 <= digits <= 12 and re.match(_DATE, piece) is None


def _behind(texts: pl.Series, counts: pl.Series, *, seed: int) -> float:
    """The share of values that are words and a number behind them, as ``Ann Example, +49 30 1234567``."""
    numbers = texts.str.extract(_BEHIND_WORDS)
    there = numbers.is_not_null()
    share = int(counts.filter(there).sum()) / int(counts.sum())
    if share < 0.5:
        return 0.0
    chosen: list[str] = numbers.filter(there).to_list()
    if len(chosen) > _MOST:
        chosen = random.Random(seed).sample(chosen, _MOST)  # noqa: S311 - no secret
    return share * sum(_is_valid(value, None) for value in chosen) / len(chosen)


def _best_region(values: Sequence[str]) -> int:
    found = Counter(region for value in values for region in _REGIONS if _is_valid(value, region))
    return max(found.values(), default=0)


def _is_valid(value: str, region: str | None) -> bool:
    import phonenumbers  # noqa: PLC0415 - only where personal data is looked for

    if region is None and value.startswith("00"):
        value = f"+{value[2:]}"
    try:
        return bool(phonenumbers.is_valid_number(phonenumbers.parse(value, region)))
    except phonenumbers.NumberParseException:
        return False
