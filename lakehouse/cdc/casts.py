"""Casts of simple values that lose nothing: what does not survive the way there and back becomes null.

Numbers go from any numeric type to any other as long as the value is the same: 3.0 fits an integer and 3.5
does not, 12.5 (a double from JSON) fits a ``decimal(10,2)`` and 12.505 does not. A double fits a ``float`` if
it is exactly that float, or is written with the same digits (0.1). Instants fit only columns of instants,
and wall-clock times only columns without a zone: which instant a wall-clock time is would be a guess. Text
is read as a date, timestamp or decimal, since JSON has no other way to write them exactly (ISO 8601, plain
or with an exponent); as a number or Boolean only if the source is textual (CSV), where there is nothing else.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Final

import polars as pl

from lakehouse.delta.schema import DecimalType, PrimitiveType, type_to_polars

_EXACT: Final = 2**53
"""Up to here every integer is a double of its own."""

_MAX_DIGITS: Final = 38
_DATE: Final = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$"
_CLOCK: Final = (
    r"^([0-9]{4}-[0-9]{2}-[0-9]{2})[T ]([01][0-9]|2[0-3]):([0-5][0-9]):([0-5][0-9])(\.[0-9]{1,6}0*)?"
)
_ZONE: Final = r"(Z|z|[+-][0-9]{2}(:?[0-9]{2})?)$"
_NUMBER: Final = r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)$"
_WITH_EXPONENT: Final = r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)[eE][+-]?[0-9]{1,3}$"


def cast_exactly(  # noqa: PLR0911 - one way out per type
    values: pl.Series, target: PrimitiveType | DecimalType, *, textual: bool = False
) -> pl.Series | None:
    """Casts values to a simple type.

    Args:
        values: A column, not of nested type.
        target: A type without parts.
        textual: Whether text may be read as a number or Boolean.

    Returns:
        The values in the Polars type of the target, null where a value does not fit; None where no value of
        that column's type can ever fit.
    """
    dtype = type_to_polars(target)
    if values.dtype == dtype:
        return values
    if values.dtype == pl.Null:
        return values.cast(dtype)
    if isinstance(dtype, pl.Decimal):
        return _to_decimal(values, dtype)
    if dtype.is_integer():
        return _to_integer(values, dtype, textual=textual)
    if dtype.is_float():
        return _to_float(values, dtype, textual=textual)
    if isinstance(dtype, pl.Datetime):
        return _to_timestamp(values, dtype)
    if dtype == pl.Date:
        return _to_date(values)
    if dtype == pl.String and isinstance(values.dtype, pl.Categorical | pl.Enum):
        return values.cast(pl.String)
    if dtype == pl.Boolean and values.dtype == pl.String and textual:
        words = {"true": True, "false": False}
        return values.str.to_lowercase().replace_strict(words, default=None, return_dtype=pl.Boolean)
    return None


def _only(result: pl.Series, keep: pl.Series) -> pl.Series:
    """Null wherever ``keep`` is not true."""
    return result.set(~keep.fill_null(value=False), None)


def _to_integer(values: pl.Series, dtype: pl.DataType, *, textual: bool) -> pl.Series | None:
    source = values.dtype
    if source.is_integer():
        return values.cast(dtype, strict=False)
    if source.is_float():
        wide = values.cast(pl.Float64)
        cut = wide.cast(dtype, strict=False)
        return _only(cut, (cut.cast(pl.Float64) == wide) & (wide.abs() <= _EXACT))
    if source.is_decimal():
        cut = values.cast(dtype, strict=False)
        return _only(cut, cut.cast(source, strict=False) == values)
    if source == pl.String and textual:
        return _only(values.cast(dtype, strict=False), values.str.contains(r"^[+-]?[0-9]+$"))
    return None


def _to_float(values: pl.Series, dtype: pl.DataType, *, textual: bool) -> pl.Series | None:
    source = values.dtype
    if source.is_integer():
        cut = values.cast(dtype)
        return _only(cut, cut.cast(pl.Float64).cast(source, strict=False) == values)
    if source.is_float():
        cut = values.cast(dtype)
        same = cut.cast(pl.Float64) == values.cast(pl.Float64)
        return _only(cut, same | (cut.cast(pl.String) == values.cast(pl.String)))
    if source.is_decimal():
        cut = values.cast(pl.String).cast(dtype)
        return _only(cut, cut.cast(pl.String).cast(source, strict=False) == values)
    if source == pl.String and textual:
        cut = values.str.strip_chars().cast(dtype, strict=False)
        return _only(cut, cut.is_finite() | values.str.contains("(?i)^[+-]?(inf|infinity|nan)$"))
    return None


def _to_decimal(values: pl.Series, dtype: pl.Decimal) -> pl.Series | None:
    source = values.dtype
    if source.is_integer() or source.is_decimal():
        cut = values.cast(dtype, strict=False)
        return _only(cut, cut.cast(source, strict=False) == values)
    if source.is_float():
        # The digits that the number is written with, not those of its binary value.
        cut = values.cast(pl.String).cast(dtype, strict=False)
        return _only(cut, cut.cast(pl.String).cast(source) == values)
    if source == pl.String:
        text = _plain(values)
        fraction = text.str.extract(r"\.([0-9]*?)0*$").str.len_chars().fill_null(0)
        return _only(text.cast(dtype, strict=False), text.str.contains(_NUMBER) & (fraction <= dtype.scale))
    return None


def _plain(values: pl.Series) -> pl.Series:
    """Writes numbers with an exponent without it."""
    rows = pl.arg_where(values.str.contains(_WITH_EXPONENT).fill_null(value=False), eager=True)
    if rows.is_empty():
        return values
    numbers = [Decimal(text) for text in values.gather(rows).to_list()]
    plain = [format(number, "f") if abs(number.adjusted()) <= 2 * _MAX_DIGITS else None for number in numbers]
    return values.scatter(rows, pl.Series(plain, dtype=pl.String))


def _to_date(values: pl.Series) -> pl.Series | None:
    if isinstance(values.dtype, pl.Datetime) and values.dtype.time_zone is None:
        cut = values.cast(pl.Date)
        return _only(cut, cut.cast(values.dtype) == values)
    if values.dtype == pl.String:
        return _only(values.str.to_date("%Y-%m-%d", strict=False), values.str.contains(_DATE))
    return None


def _to_timestamp(values: pl.Series, dtype: pl.Datetime) -> pl.Series | None:
    source, zoned = values.dtype, dtype.time_zone is not None
    if isinstance(source, pl.Datetime) and (source.time_zone is not None) == zoned:
        instants = values.dt.convert_time_zone("UTC") if zoned else values
        cut = instants.cast(dtype, strict=False)
        return _only(cut, cut.cast(instants.dtype, strict=False) == instants)
    if source == pl.Date and not zoned:
        return values.cast(dtype)
    if source == pl.String:
        return _read_timestamps(values, zoned=zoned)
    return None


def _read_timestamps(values: pl.Series, *, zoned: bool) -> pl.Series:
    """Reads ISO 8601: date, ``T`` or a blank, time with seconds; an offset exactly where there is a zone."""
    known = values.str.contains(_CLOCK + (_ZONE if zoned else "$"))
    text = values.str.replace(" ", "T", literal=True).str.replace(r"(\.[0-9]{6})0+", "$1")
    if not zoned:
        return _only(text.str.to_datetime("%Y-%m-%dT%H:%M:%S%.f", time_unit="us", strict=False), known)
    text = text.str.replace("[Zz]$", "+00:00").str.replace(r"([+-][0-9]{2})$", "$1:00")
    text = text.str.replace(r"([+-][0-9]{2})([0-9]{2})$", "$1:$2")
    return text.set(~known.fill_null(value=False), None).str.to_datetime(
        "%Y-%m-%dT%H:%M:%S%.f%:z", time_unit="us", time_zone="UTC", strict=False
    )
