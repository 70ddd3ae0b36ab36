"""What a table column must be to hold a frame's column, where nobody declared it.

======================================  ===================================================================
frame                                   table
======================================  ===================================================================
signed integers                         the same width; 128 bits: ``decimal(38,0)``
unsigned integers                       the next wider signed type; 64 bits: ``decimal(20,0)``, 128 bits:
                                        ``decimal(38,0)``
floats                                  ``float`` (16 and 32 bits) or ``double``
text, categories, enums                 ``string``
timestamps of any unit                  ``timestamp`` with a zone, ``timestamp_ntz`` without
lists, fixed lists                      ``array``
maps                                    ``map``
times of day, durations, objects        refused: Delta has no such type, and each substitute loses something
nothing but nulls                       no column yet, until a value comes: `void` can't be read by many
                                        engines, and any other type would be a guess that later values break
======================================  ===================================================================
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import polars as pl

from lakehouse.delta.schema import (
    BINARY,
    BOOLEAN,
    BYTE,
    DATE,
    DOUBLE,
    FLOAT,
    INTEGER,
    LONG,
    SHORT,
    STRING,
    TIMESTAMP,
    TIMESTAMP_NTZ,
    ArrayType,
    DataType,
    DecimalType,
    MapType,
    StructField,
    StructType,
)
from lakehouse.errors import DataError

_SIMPLE: Final[Mapping[type[pl.DataType], DataType]] = {
    pl.Boolean: BOOLEAN,
    pl.Int8: BYTE,
    pl.Int16: SHORT,
    pl.Int32: INTEGER,
    pl.Int64: LONG,
    pl.Int128: DecimalType(38, 0),
    pl.UInt8: SHORT,
    pl.UInt16: INTEGER,
    pl.UInt32: LONG,
    pl.UInt64: DecimalType(20, 0),
    pl.UInt128: DecimalType(38, 0),
    pl.Float16: FLOAT,
    pl.Float32: FLOAT,
    pl.Float64: DOUBLE,
    pl.String: STRING,
    pl.Categorical: STRING,
    pl.Enum: STRING,
    pl.Binary: BINARY,
    pl.Date: DATE,
}


def infer_type(dtype: pl.DataType, *, column: str) -> DataType | None:  # noqa: PLR0911 - one way out per type
    """Finds the Delta type that holds all values of a Polars type.

    Args:
        dtype: The type of a frame's column.
        column: The column's name, for the error.

    Returns:
        The type; None where the column holds nothing but nulls so far. Fields of structs of which that is
        true are left out of the struct.

    Raises:
        DataError: Delta has no such type.
    """
    match dtype:
        case pl.Null():
            return None
        case pl.Decimal():
            return DecimalType(dtype.precision or 38, dtype.scale)
        case pl.Datetime():
            return TIMESTAMP_NTZ if dtype.time_zone is None else TIMESTAMP
        case pl.List() | pl.Array():
            element = infer_type(part_type(dtype.inner), column=f"{column}.element")
            return None if element is None else ArrayType(element)
        case pl.Map():
            key = infer_type(part_type(dtype.key), column=f"{column}.key")
            value = infer_type(part_type(dtype.value), column=f"{column}.value")
            return None if key is None or value is None else MapType(key, value)
        case pl.Struct():
            fields = [
                (item.name, infer_type(part_type(item.dtype), column=f"{column}.{item.name}"))
                for item in dtype.fields
            ]
            known = tuple(StructField(name, found) for name, found in fields if found is not None)
            return StructType(known) if known else None
    found = _SIMPLE.get(type(dtype))
    if found is None:
        raise DataError(
            f"column {column} has the type {dtype}, which Delta tables can't hold",
            advice="cast it first, for example a time of day or a duration to a number or a text",
        )
    return found


def part_type(dtype: object) -> pl.DataType:
    """The type of a part of a nested type.

    Args:
        dtype: What Polars keeps there: a type, or its class.

    Returns:
        The type.
    """
    found = dtype() if isinstance(dtype, type) else dtype
    assert isinstance(found, pl.DataType)  # noqa: S101 - for the type checker: polars knows no others
    return found
