"""Text whose type nobody declared, as a file of text has it: the column's values say what it is."""

from __future__ import annotations

from typing import Final

import polars as pl

_TRUTH: Final = r"^(?i:true|false)$"
_WHOLE: Final = r"^-?(?:0|[1-9][0-9]*)$"
_NUMBER: Final = r"^-?(?:(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]{1,3})?|inf|Infinity|NaN)$"
_LONG_WHOLE: Final = r"^-?[0-9]{16,}$"


def typed_text(text: pl.Series) -> pl.Series:
    """Reads a column of text as the narrowest kind that holds all its values without loss.

    Args:
        text: A String column; null is null.

    Returns:
        Boolean for true and false; Int64 for whole numbers, or Decimal(38, 0) where one needs more;
        Float64 for numbers; Null where no value tells; otherwise the text. Numbers with leading zeros
        are text (they are codes), and so are numbers of which a floating number would lose digits.
    """
    if text.null_count() == text.len():
        return text.cast(pl.Null)
    if _all(text, _TRUTH):
        return text.str.to_lowercase() == "true"
    if _all(text, _WHOLE):
        return _whole(text)
    if _all(text, _NUMBER) and not text.str.contains(_LONG_WHOLE).any():
        return text.str.replace("Infinity", "inf", literal=True).cast(pl.Float64)
    return text


def _whole(text: pl.Series) -> pl.Series:
    for dtype in (pl.Int64(), pl.Decimal(38, 0)):
        number = text.cast(dtype, strict=False)
        if number.null_count() == text.null_count():
            return number
    return text


def _all(text: pl.Series, pattern: str) -> bool:
    return bool(text.str.contains(pattern).all(ignore_nulls=True))
