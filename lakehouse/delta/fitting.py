"""Bringing rows into exactly the types that a table's files must have."""

from __future__ import annotations

import contextlib

import polars as pl

from lakehouse.delta.schema import (
    ArrayType,
    DataType,
    MapType,
    PrimitiveType,
    StructField,
    StructType,
    type_string,
    type_to_polars,
)
from lakehouse.errors import DataError, UnsupportedFeatureError


def conform(frame: pl.DataFrame, schema: StructType) -> pl.DataFrame:
    """Bring rows into exactly a schema's types.

    Args:
        frame: The rows, under display names.
        schema: The columns wanted; those of the type ``void`` are left out, as files don't hold them.

    Returns:
        The columns in the schema's order; maps as Polars' maps. Columns of the frame that are not wanted
        are left out.

    Raises:
        DataError: A value does not fit its column, or is null where it must not be.
        UnsupportedFeatureError: A column's type can't be written.
    """
    columns = []
    for item in schema.fields:
        if item.type == PrimitiveType("void"):
            continue
        values = conform_column(frame, item)
        if not item.nullable and values.null_count():
            raise DataError(
                f"column {item.name!r} must not be null, and is in {values.null_count()} of "
                f"{frame.height} rows",
                advice="give it a value, or allow nulls in the table's schema",
            )
        columns.append(values)
    return pl.DataFrame(columns, height=frame.height)


def conform_column(frame: pl.DataFrame, item: StructField) -> pl.Series:
    """Bring one column into its type.

    Args:
        frame: The rows.
        item: The column wanted; null where the frame lacks it.

    Returns:
        Its values.

    Raises:
        DataError: A value does not fit.
        UnsupportedFeatureError: The type can't be written.
    """
    wanted = file_type(item.type, item.name)
    if item.name not in frame.columns:
        return pl.Series(item.name, [None], dtype=wanted).new_from_index(0, frame.height)
    values = frame[item.name]
    if values.dtype == wanted:
        return values
    # The cause of a failure is not kept: its message shows values.
    with contextlib.suppress(pl.exceptions.PolarsError):
        fitting = values.cast(wanted)
        # Polars cuts off fractions without a word.
        if fitting.cast(values.dtype).equals(values):
            return fitting
    raise DataError(
        f"column {item.name!r} has values that don't fit its type {type_string(item.type)}",
        advice="correct them, or widen the column's type",
    )


def file_type(data_type: DataType, column: str) -> pl.DataType:
    """The Polars type that becomes the right Parquet: as the table's, but maps are maps.

    Args:
        data_type: A column's type.
        column: The column's name, for the error.

    Returns:
        The type.

    Raises:
        UnsupportedFeatureError: It can't be written.
    """
    match data_type:
        case StructType(fields):
            return pl.Struct({item.name: file_type(item.type, column) for item in fields})
        case ArrayType(element, _):
            return pl.List(file_type(element, column))
        case MapType(key, value, _):
            return pl.Map(file_type(key, column), file_type(value, column))
        case PrimitiveType("void" | "variant" as name):
            raise UnsupportedFeatureError(
                f"column {column!r} has or contains the type {name}, which can't be written",
                features=(name,),
                advice="write this table with an engine that knows the type",
            )
        case _:
            return type_to_polars(data_type)
