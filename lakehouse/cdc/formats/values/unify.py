"""One column of the parts that were read with different schemas."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import polars as pl

from lakehouse.cdc.formats.values.decoded import json_text

_WHOLE_DIGITS: Final = ((pl.Int8, (3, 0)), (pl.Int16, (5, 0)), (pl.Int32, (10, 0)), (pl.Int64, (19, 0)))


def unify(parts: Sequence[tuple[pl.Series, Sequence[int]]], length: int) -> pl.Series:
    """Puts parts of a column together.

    Args:
        parts: Each part with the rows that its values belong to.
        length: How many rows there are; rows of no part are null.

    Returns:
        The column, of a type that holds every part without loss: the wider number, decimals with digits
        enough for both, a timestamp for a date and a timestamp, and text where nothing else does.
    """
    if not parts:
        return pl.Series([None] * length, dtype=pl.Null)
    if len(parts) == 1 and len(parts[0][1]) == length:
        return parts[0][0]
    wanted = parts[0][0].dtype
    for series, _ in parts[1:]:
        wanted = common(wanted, series.dtype)
    places = pl.concat([pl.Series(rows, dtype=pl.Int64) for _, rows in parts])
    values = pl.concat([_as(series, wanted).alias("values") for series, _ in parts])
    frame = pl.DataFrame([places.alias("place"), values]).sort("place")
    every = pl.DataFrame({"place": pl.Series(range(length), dtype=pl.Int64)})
    return every.join(frame, on="place", how="left", maintain_order="left")["values"]


def common(one: pl.DataType, other: pl.DataType) -> pl.DataType:
    """The type that holds the values of two types without loss.

    Args:
        one: A type.
        other: Another.

    Returns:
        The common type; String where there is none but text.
    """
    if pl.Null in (one, other):
        return other if one == pl.Null else one
    if one == other:
        return one
    if one.is_numeric() and other.is_numeric():
        return _common_number(one, other)
    if {one.base_type(), other.base_type()} == {pl.Date, pl.Datetime}:
        return one if isinstance(one, pl.Datetime) else other
    return pl.String()


def _common_number(one: pl.DataType, other: pl.DataType) -> pl.DataType:
    if one.is_decimal() or other.is_decimal():
        return _common_decimal(one, other)
    if one.is_integer() and other.is_integer():
        return pl.Int64()
    exact = all(item.is_float() or item in (pl.Int8, pl.Int16, pl.Int32) for item in (one, other))
    return pl.Float64() if exact else pl.String()


def _common_decimal(one: pl.DataType, other: pl.DataType) -> pl.DataType:
    widths = [_digits(item) for item in (one, other)]
    if None in widths:
        return pl.String()
    left = max(width[0] for width in widths if width)
    right = max(width[1] for width in widths if width)
    return pl.Decimal(left + right, right) if left + right <= 38 else pl.String()


def _digits(dtype: pl.DataType) -> tuple[int, int] | None:
    """Digits left and right of the dot; None for a type that is no exact number."""
    if isinstance(dtype, pl.Decimal):
        return (dtype.precision or 38) - dtype.scale, dtype.scale
    return next((width for kind, width in _WHOLE_DIGITS if dtype == kind), None)


def _as(series: pl.Series, wanted: pl.DataType) -> pl.Series:
    if series.dtype == wanted:
        return series
    if wanted == pl.String and not (series.dtype.is_integer() or series.dtype.is_decimal()):
        return pl.Series([json_text(value) for value in series.to_list()], dtype=pl.String)
    return series.cast(wanted, strict=True)
