"""Which wider type a column needs so that all values of a batch fit.

Only the steps that the Delta protocol knows (section "Type Widening") and that lose nothing: byte to short to
integer to long, float to double, a decimal to one with more digits, date to timestamp without zone.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import polars as pl

from lakehouse.cdc.fitting import Rules, entries_of, fit
from lakehouse.delta.schema import (
    BYTE,
    DATE,
    DOUBLE,
    FLOAT,
    INTEGER,
    LONG,
    SHORT,
    TIMESTAMP_NTZ,
    ArrayType,
    DataType,
    DecimalType,
    MapType,
    PrimitiveType,
    StructType,
)

ORDERED_ALIKE: Final = (SHORT, INTEGER, LONG, DOUBLE)
"""Wider types whose values compare with those of the narrower ones, as keys and sequences must."""

_INTEGERS: Final = (BYTE, SHORT, INTEGER, LONG)
_MAX_DIGITS: Final = 38


def widen(values: pl.Series, known: DataType, *, rules: Rules) -> DataType | None:
    """Finds the narrowest wider type in which more values fit than in the known one.

    Args:
        values: The column of the batch.
        known: The table's type.
        rules: How strictly values are taken.

    Returns:
        The type; None where the known type is as good.
    """
    if values.dtype.is_nested():
        return _widen_parts(values, known, rules)
    best, fewest = None, _misfits(values, known, rules)
    for candidate in _wider(values, known) if fewest else ():
        lost = _misfits(values, candidate, rules)
        if lost < fewest:
            best, fewest = candidate, lost
    return best


def _widen_parts(values: pl.Series, known: DataType, rules: Rules) -> DataType | None:
    """The same for what is inside of structs, lists and maps."""
    if isinstance(values.dtype, pl.Array):
        values = values.arr.to_list()
    match known:
        case StructType(fields) if isinstance(values.dtype, pl.Struct):
            there = {item.name for item in values.dtype.fields}
            found = [
                widen(values.struct.field(item.name), item.type, rules=rules) if item.name in there else None
                for item in fields
            ]
            parts = [
                replace(item, type=wider) if wider is not None else item
                for item, wider in zip(fields, found, strict=True)
            ]
            return StructType(tuple(parts)) if any(each is not None for each in found) else None
        case ArrayType() if isinstance(values.dtype, pl.List):
            wider = widen(_elements(values), known.element, rules=rules)
            return None if wider is None else replace(known, element=wider)
        case MapType() if (entries := entries_of(values)) is not None:
            inner = _elements(entries)
            key = widen(inner.struct.field("key"), known.key, rules=rules)
            value = widen(inner.struct.field("value"), known.value, rules=rules)
            if key is None and value is None:
                return None
            return replace(known, key=key or known.key, value=value or known.value)
        case _:
            return None


def _elements(lists: pl.Series) -> pl.Series:
    return lists.explode(empty_as_null=False, keep_nulls=False)


def _misfits(values: pl.Series, target: DataType, rules: Rules) -> int:
    return sum(int(lost.sum()) for lost, _ in fit(values, target, column="", rules=rules).misfits)


def _wider(values: pl.Series, known: DataType) -> tuple[DataType, ...]:
    if known in _INTEGERS and isinstance(known, PrimitiveType):
        return _INTEGERS[_INTEGERS.index(known) + 1 :]
    if known == FLOAT:
        return (DOUBLE,)
    if known == DATE:
        return (TIMESTAMP_NTZ,)
    if isinstance(known, DecimalType):
        return _wider_decimal(values, known)
    return ()


def _wider_decimal(values: pl.Series, known: DecimalType) -> tuple[DecimalType, ...]:
    """A decimal with room for the digits that the values have, if 38 digits are enough for that."""
    dtype = values.dtype
    if not (dtype.is_integer() or dtype.is_decimal() or dtype.is_float() or dtype == pl.String):
        return ()
    text = values.cast(pl.String).drop_nulls()
    plain = text.filter(text.str.contains(r"^[+-]?[0-9]+\.?[0-9]*$"))
    whole = plain.str.extract(r"^[+-]?0*([0-9]*)").str.len_chars().max()
    fraction = plain.str.extract(r"\.([0-9]*?)0*$").str.len_chars().max()
    scale = max(known.scale, _count(fraction))
    digits = max(known.precision - known.scale, _count(whole))
    if digits + scale > _MAX_DIGITS:
        return ()
    return (DecimalType(digits + scale, scale),)


def _count(found: object) -> int:
    return found if isinstance(found, int) else 0
