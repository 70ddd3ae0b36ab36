"""What values look like, without what they are: ``a***@e***.com``, ``+99 999 9999999``."""

from __future__ import annotations

import random
import re
from typing import Final

import polars as pl

from lakehouse.pii.scan.texts import MOST_CHARS

_MOST: Final = 40
_WORD: Final = re.compile(r"[^\W\d_]+")
_ENDING: Final = re.compile(r"(?<=\.)(?:com|org|net|edu|gov|info|biz|io|[a-z]{2})$")
_LONGEST_SIGNS: Final = re.compile(r"[^\w\s]{4,}")


def shape(value: str) -> str:
    """The shape of a value. Many values have the same one, and none can be told from it.

    Args:
        value: A value.

    Returns:
        Digits as 9; of each word of ASCII letters the first one, then three stars whatever its length; other
        words and those of one or two letters as stars alone. The end of a domain stays.
    """
    text = value.strip()
    ending = _ENDING.search(text)
    kept = ending.group() if ending is not None and ("@" in text or "/" in text) else ""
    body = text[: len(text) - len(kept)] if kept else text
    body = _LONGEST_SIGNS.sub(lambda found: found.group()[:3], re.sub(r"\s+", " ", body))
    masked = _WORD.sub(_masked, re.sub(r"\d", "9", body)) + kept
    return masked if len(masked) <= _MOST else f"{masked[:_MOST]}…"


def examples_of(texts: pl.Series, *, most: int = 3, seed: int = 0) -> tuple[str, ...]:
    """The shapes of a few values.

    Args:
        texts: Distinct values.
        most: So many.
        seed: Chooses them.

    Returns:
        Different shapes.
    """
    known: list[str] = texts.str.slice(0, MOST_CHARS).to_list()
    chosen = random.Random(seed).sample(known, min(len(known), 4 * most))  # noqa: S311 - no secret
    return tuple(dict.fromkeys(shape(each) for each in chosen))[:most]


def _masked(found: re.Match[str]) -> str:
    word = found.group()
    if len(word) <= 2 or not word.isascii():
        return "*" * min(len(word), 3)
    return f"{word[0]}***"
