"""Columns whose type nobody declared: the values themselves say what they are.

=====================================  =====================================================================
values of a column                     becomes
=====================================  =====================================================================
true, false                            Boolean
whole numbers                          Int64; Decimal(38, 0) where one needs more; text beyond 38 digits
numbers with a fraction, or mixed      Float64 (text where a whole number among them would lose digits)
the same with NaN, Infinity as text    Float64
text                                   String
lists, objects                         List, Struct of all fields that occur, by the same rules inside
only nulls                             Null: the type is not known yet
anything mixed otherwise               String: text as it is, the rest as compact JSON
=====================================  =====================================================================

Python's own dates, datetimes, times, decimals and bytes keep their types.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from decimal import Decimal
from functools import partial
from typing import Final

import polars as pl

from lakehouse.cdc.formats.values.decimals import decimal_series, plain, unscaled_at
from lakehouse.cdc.formats.values.decoded import json_text, kinds
from lakehouse.cdc.formats.values.nested import list_series, struct_series
from lakehouse.cdc.formats.values.numbers import NOT_FINITE
from lakehouse.delta.datatypes import DecimalType

_EXACT_FLOAT: Final = 2**53
_MISSING: Final = frozenset({"NoneType", "NAType", "NaTType"})
_DEEPEST: Final = 32
_LARGEST: Final = 2**1000
_JSON_KINDS: Final = frozenset({bool, int, float, str, list, dict})
_NUMBERS: Final = frozenset({int, float})
_PYTHON: Final = (dt.datetime, dt.date, dt.time, dt.timedelta, Decimal, bytes, str, int, float)
_WIDEST: Final = DecimalType(38, 0)


def infer(values: Sequence[object], *, depth: int = 0) -> pl.Series:
    """Makes a column of values of unknown type.

    Args:
        values: JSON or Python values.
        depth: How deep inside other values they are; what is more than 32 levels deep becomes text.

    Returns:
        The column; every value fits, at the price of becoming text where a column is mixed.
    """
    found = kinds(values)
    if not found <= _JSON_KINDS:
        values = [_plain(value) for value in values]
        found = kinds(values)
    if not found:
        return pl.Series(values, dtype=pl.Null)
    if len(found) == 1:
        return _uniform(values, next(iter(found)), depth)
    if found == _NUMBERS:
        return _numbers(values)
    if found <= {int, float, str} and _only_special_text(values):
        return _numbers([NOT_FINITE[value] if isinstance(value, str) else value for value in values])
    if found <= {int, float, Decimal}:
        return _decimals([Decimal(str(value)) if value is not None else None for value in values])
    return _text(values)


def _uniform(values: Sequence[object], kind: type, depth: int) -> pl.Series:
    if kind is int:
        return _whole(values)
    if kind in (list, dict):
        return _nested(values, kind, depth)
    if kind is Decimal:
        return _decimals(values)
    if kind is dt.datetime:
        return _datetimes(values)
    types: Mapping[type, pl.DataType] = {
        bool: pl.Boolean(),
        float: pl.Float64(),
        str: pl.String(),
        bytes: pl.Binary(),
        dt.date: pl.Date(),
        dt.time: pl.Time(),
        dt.timedelta: pl.Duration("us"),
    }
    dtype = types.get(kind)
    return _text(values) if dtype is None else pl.Series(values, dtype=dtype)


def _whole(values: Sequence[object]) -> pl.Series:
    try:
        return pl.Series(values, dtype=pl.Int64, strict=True)
    except (TypeError, OverflowError):
        pass
    numbers = [value if isinstance(value, int) else None for value in values]
    if all(number is None or abs(number) < 10**_WIDEST.precision for number in numbers):
        return decimal_series(numbers, _WIDEST)
    return _text(values)


def _numbers(values: Sequence[object]) -> pl.Series:
    numbers = [float(value) if isinstance(value, (int, float)) and _fits(value) else None for value in values]
    if sum(number is None for number in numbers) == sum(value is None for value in values):
        return pl.Series(numbers, dtype=pl.Float64)
    return _text(values)


def _fits(value: float) -> bool:
    """Whether a number is the same as a 64-bit floating number."""
    if not isinstance(value, int) or abs(value) <= _EXACT_FLOAT:
        return True
    return abs(value) < _LARGEST and int(float(value)) == value


def _only_special_text(values: Sequence[object]) -> bool:
    return all(value in NOT_FINITE for value in values if isinstance(value, str))


def _decimals(values: Sequence[object]) -> pl.Series:
    numbers = [value if isinstance(value, Decimal) and value.is_finite() else None for value in values]
    scales = [
        -exponent for number in numbers if number and isinstance(exponent := number.as_tuple().exponent, int)
    ]
    scale = max([0, *scales])
    if scale <= _WIDEST.precision:
        unscaled = [None if number is None else unscaled_at(number, scale) for number in numbers]
        if all(number is None or abs(number) < 10**_WIDEST.precision for number in unscaled):
            return decimal_series(unscaled, DecimalType(_WIDEST.precision, scale))
    return _text([None if number is None else plain(number) for number in numbers])


def _datetimes(values: Sequence[object]) -> pl.Series:
    moments = [value for value in values if isinstance(value, dt.datetime)]
    aware = {moment.tzinfo is not None for moment in moments}
    if len(aware) > 1:
        return _text([value.isoformat() if isinstance(value, dt.datetime) else None for value in values])
    if aware == {False}:
        return pl.Series(values, dtype=pl.Datetime("us"))
    utc = [value.astimezone(dt.UTC) if isinstance(value, dt.datetime) else None for value in values]
    return pl.Series(utc, dtype=pl.Datetime("us", "UTC"))


def _nested(values: Sequence[object], kind: type, depth: int) -> pl.Series:
    make = partial(infer, depth=depth + 1)
    if depth >= _DEEPEST:
        return _text(values)
    if kind is list:
        return list_series(values, make)
    names = dict.fromkeys(str(name) for value in values if isinstance(value, dict) for name in value)
    return struct_series(values, dict.fromkeys(names, make)) if names else _text(values)


def _text(values: Sequence[object]) -> pl.Series:
    return pl.Series([json_text(value) for value in values], dtype=pl.String)


def _plain(value: object) -> object:
    """A value of some library's type as a plain Python value."""
    if type(value).__name__ in _MISSING:
        return None
    if type(value) in _JSON_KINDS or isinstance(value, _PYTHON):
        return _base(value)
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, (tuple, set, frozenset)):
        return list(value)
    if isinstance(value, (bytearray, memoryview)):
        return bytes(value)
    listed = getattr(value, "tolist", None)  # numpy's scalars and arrays
    return _plain(listed()) if callable(listed) else str(value)


def _base(value: object) -> object:
    """A value of a subclass (pandas, numpy, enumerations) as its plain Python type."""
    if isinstance(value, dt.datetime):
        if value != value:  # noqa: PLR0124 - a missing timestamp of pandas is not equal to itself
            return None
        return dt.datetime.combine(value.date(), value.timetz())
    if isinstance(value, str):
        return str(value)
    if isinstance(value, bool):
        return value
    if isinstance(value, int):
        return int(value)
    return float(value) if isinstance(value, float) else value
