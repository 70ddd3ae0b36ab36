"""What decoding a column gives: a series, and the places whose value did not fit."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import polars as pl

from lakehouse.cdc.documents import as_text, dump

BAD_VALUE: Final = "bad_value"
"""Reason: a value is not of the column's type, or not written as the settings say."""

_JSON: Final = (bool, int, float, list, tuple, dict)

OUT_OF_RANGE: Final = "out_of_range"
"""Reason: a value is of the type, but larger or smaller than the type can hold."""


class OutOfRangeError(ValueError):
    """A converter's way to say that a value is too large or too small; it never leaves this package."""


@dataclass(frozen=True, slots=True, eq=False)
class Decoded:
    """A decoded column.

    Args:
        series: One value per input; null where the input was null or did not fit (of a nested value
            perhaps only the part that did not fit).
        misfits: Reason by index, for the inputs that did not fit.
    """

    series: pl.Series
    misfits: Mapping[int, str] = field(default_factory=dict)


def kinds(values: Sequence[object]) -> set[type]:
    """The Python types among some values, null aside.

    Args:
        values: Any values.

    Returns:
        Their exact types (a bool is no int here).
    """
    return set(map(type, values)) - {type(None)}


def by_value(values: Sequence[object], convert: Callable[[object], object], dtype: pl.DataType) -> Decoded:
    """Converts one value after the other: the slow way, for columns that are not all of one kind.

    Args:
        values: The values; None stays null.
        convert: Gives a Python value that fits the type, None for null; raises ValueError,
            TypeError, ArithmeticError or LookupError where the value does not fit.
        dtype: The type of the series.

    Returns:
        The column and its misfits.
    """
    found: list[object] = []
    misfits: dict[int, str] = {}
    for index, value in enumerate(values):
        converted = None
        if value is not None:
            try:
                converted = convert(value)
            except (OutOfRangeError, OverflowError):
                misfits[index] = OUT_OF_RANGE
            except (ValueError, TypeError, ArithmeticError, LookupError):
                misfits[index] = BAD_VALUE
        found.append(converted)
    return Decoded(pl.Series(found, dtype=dtype, strict=True), misfits)


def null_misfits(values: Sequence[object], series: pl.Series, reason: str = BAD_VALUE) -> dict[int, str]:
    """Finds the places where a vectorised conversion gave null for something that was not null.

    Args:
        values: What was converted.
        series: What came out, null for everything that did not fit.
        reason: The reason to give.

    Returns:
        Reason by index.
    """
    if series.null_count() == 0:
        return {}
    nulls: list[int] = series.is_null().arg_true().to_list()
    return {index: reason for index in nulls if values[index] is not None}


def json_text(value: object) -> str | None:
    """A value as text: text as it is, everything else as compact JSON.

    Args:
        value: Any value.

    Returns:
        The text, or None for None.
    """
    if value is None or isinstance(value, str):
        return value
    return dump(value).decode() if isinstance(value, _JSON) else as_text(value)
