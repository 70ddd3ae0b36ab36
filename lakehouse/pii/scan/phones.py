"""Phone numbers by the rules of their countries, with the library that Presidio uses too."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from importlib.util import find_spec
from typing import Final

import polars as pl

from lakehouse.pii.scan.facts import PhoneFacts
from lakehouse.pii.scan.patterns import PHONE

_REGIONS: Final = ("US", "GB", "DE", "FR", "ES", "IT", "NL", "PL", "SE", "BR", "IN", "AU")
_MOST: Final = 60
_DATE: Final = r"^\d{4}[-./]\d{1,2}[-./]\d{1,2}|^\d{1,2}[-./]\d{1,2}[-./]\d{2,4}$"
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
    grouped = [value for value in chosen if not value.startswith(("+", "00")) and not value.isdecimal()]
    return PhoneFacts(
        looks=share,
        international=share * sum(_is_valid(value, None) for value in abroad) / len(chosen),
        national=share * _best_region(grouped) / len(chosen),
    )


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
