"""Delta types and their counterparts in Arrow and Polars.

Delta protocol, section "Delta Data Type to Parquet Type Mappings": timestamps are microseconds, UTC
where the type is ``timestamp`` and without zone where it is ``timestamp_ntz``.
"""

from __future__ import annotations

from typing import Final

import polars as pl
import pyarrow as pa

from lakehouse.delta.datatypes import (
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
    VOID,
    ArrayType,
    DataType,
    DecimalType,
    MapType,
    OpaqueType,
    PrimitiveType,
    StructField,
    StructType,
)
from lakehouse.delta.type_names import type_string
from lakehouse.errors import DataError, UnsupportedFeatureError

_MAX_DIGITS: Final = 38


def to_arrow(schema: StructType) -> pa.Schema:
    """A table's schema for Arrow.

    Args:
        schema: A schema.

    Returns:
        The Arrow schema: same names, order and nullability. Maps are Arrow maps; ``void`` is Arrow's null
        type; ``variant`` is the struct of its two binary parts, metadata and value.

    Raises:
        UnsupportedFeatureError: A column's type is not known here.
    """
    return pa.schema([_field_to_arrow(item) for item in schema.fields])


def to_polars(schema: StructType) -> pl.Schema:
    """A table's schema for Polars.

    Args:
        schema: A schema.

    Returns:
        The Polars schema. Polars has no maps: they are lists of structs of ``key`` and ``value``.

    Raises:
        UnsupportedFeatureError: A column's type is not known here.
    """
    return pl.Schema({item.name: type_to_polars(item.type) for item in schema.fields})


def from_arrow(schema: pa.Schema) -> StructType:
    """The table schema that holds what an Arrow schema describes.

    Args:
        schema: An Arrow schema.

    Returns:
        The schema. Unsigned integers become the next wider signed type (``uint64`` a ``decimal(20,0)``);
        dictionaries become their values; timestamps of any unit become microseconds.

    Raises:
        DataError: A column's type has no counterpart in Delta.
    """
    return StructType(tuple(_field_from_arrow(item, item.name) for item in schema))


def type_to_arrow(data_type: DataType) -> pa.DataType:
    """One type for Arrow; see `to_arrow`.

    Args:
        data_type: Any type.

    Returns:
        Its Arrow type.

    Raises:
        UnsupportedFeatureError: It is not known here.
    """
    match data_type:
        case PrimitiveType("variant"):
            return pa.struct([pa.field("metadata", pa.binary()), pa.field("value", pa.binary())])
        case PrimitiveType(name):
            return _primitive_to_arrow(name)
        case DecimalType(precision, scale):
            return pa.decimal128(precision, scale)
        case ArrayType(element, contains_null):
            return pa.list_(pa.field("element", type_to_arrow(element), nullable=contains_null))
        case MapType(key, value, value_contains_null):
            return pa.map_(
                pa.field("key", type_to_arrow(key), nullable=False),
                pa.field("value", type_to_arrow(value), nullable=value_contains_null),
            )
        case StructType(fields):
            return pa.struct([_field_to_arrow(item) for item in fields])
        case OpaqueType():
            raise _unknown(data_type)


def type_to_polars(data_type: DataType) -> pl.DataType:
    """One type for Polars; see `to_polars`.

    Args:
        data_type: Any type.

    Returns:
        Its Polars type.

    Raises:
        UnsupportedFeatureError: It is not known here.
    """
    match data_type:
        case PrimitiveType("variant"):
            return pl.Struct({"metadata": pl.Binary(), "value": pl.Binary()})
        case PrimitiveType(name):
            return _primitive_to_polars(name)
        case DecimalType(precision, scale):
            return pl.Decimal(precision, scale)
        case ArrayType(element, _):
            return pl.List(type_to_polars(element))
        case MapType(key, value, _):
            return pl.List(pl.Struct({"key": type_to_polars(key), "value": type_to_polars(value)}))
        case StructType(fields):
            return pl.Struct({item.name: type_to_polars(item.type) for item in fields})
        case OpaqueType():
            raise _unknown(data_type)


def type_from_arrow(arrow: pa.DataType, *, column: str = "") -> DataType:
    """The Delta type that holds an Arrow type; see `from_arrow`.

    Args:
        arrow: An Arrow type.
        column: The column's name, for the error.

    Returns:
        The Delta type.

    Raises:
        DataError: It has no counterpart in Delta.
    """
    if isinstance(arrow, pa.BaseExtensionType):
        return type_from_arrow(arrow.storage_type, column=column)
    if pa.types.is_dictionary(arrow) or pa.types.is_run_end_encoded(arrow):
        return type_from_arrow(arrow.value_type, column=column)
    if pa.types.is_decimal(arrow):
        return _decimal_from_arrow(arrow, column)
    found = _nested_from_arrow(arrow, column) or _simple_from_arrow(arrow)
    if found is None:
        raise DataError(
            f"column {column!r} has the type {arrow}, which Delta tables can't hold",
            advice="cast it first, for example a duration or a time of day to a number or a text",
        )
    return found


def _nested_from_arrow(arrow: pa.DataType, column: str) -> DataType | None:
    if pa.types.is_struct(arrow):
        return StructType(tuple(_field_from_arrow(item, f"{column}.{item.name}") for item in arrow.fields))
    if pa.types.is_map(arrow):
        key, value = (type_from_arrow(part, column=column) for part in (arrow.key_type, arrow.item_type))
        return MapType(key, value, bool(arrow.item_field.nullable))
    if _is_list(arrow):
        return ArrayType(type_from_arrow(arrow.value_type, column=column), bool(arrow.value_field.nullable))
    return None


def _primitive_to_arrow(name: str) -> pa.DataType:
    return {
        "string": pa.string(),
        "long": pa.int64(),
        "integer": pa.int32(),
        "short": pa.int16(),
        "byte": pa.int8(),
        "float": pa.float32(),
        "double": pa.float64(),
        "boolean": pa.bool_(),
        "binary": pa.binary(),
        "date": pa.date32(),
        "timestamp": pa.timestamp("us", tz="UTC"),
        "timestamp_ntz": pa.timestamp("us"),
        "void": pa.null(),
    }[name]


def _primitive_to_polars(name: str) -> pl.DataType:
    types: dict[str, pl.DataType] = {
        "string": pl.String(),
        "long": pl.Int64(),
        "integer": pl.Int32(),
        "short": pl.Int16(),
        "byte": pl.Int8(),
        "float": pl.Float32(),
        "double": pl.Float64(),
        "boolean": pl.Boolean(),
        "binary": pl.Binary(),
        "date": pl.Date(),
        "timestamp": pl.Datetime("us", "UTC"),
        "timestamp_ntz": pl.Datetime("us"),
        "void": pl.Null(),
    }
    return types[name]


def _simple_from_arrow(arrow: pa.DataType) -> DataType | None:
    types = pa.types
    rules = (
        (types.is_boolean, BOOLEAN),
        (types.is_int8, BYTE),
        (lambda found: types.is_int16(found) or types.is_uint8(found), SHORT),
        (lambda found: types.is_int32(found) or types.is_uint16(found), INTEGER),
        (lambda found: types.is_int64(found) or types.is_uint32(found), LONG),
        (types.is_uint64, DecimalType(20, 0)),
        (lambda found: types.is_float16(found) or types.is_float32(found), FLOAT),
        (types.is_float64, DOUBLE),
        (lambda found: types.is_string(found) or types.is_large_string(found), STRING),
        (types.is_string_view, STRING),
        (lambda found: types.is_binary(found) or types.is_large_binary(found), BINARY),
        (lambda found: types.is_binary_view(found) or types.is_fixed_size_binary(found), BINARY),
        (types.is_date, DATE),
        (lambda found: types.is_timestamp(found) and found.tz is None, TIMESTAMP_NTZ),
        (types.is_timestamp, TIMESTAMP),
        (types.is_null, VOID),
    )
    return next((delta for holds, delta in rules if holds(arrow)), None)


def _decimal_from_arrow(arrow: pa.DataType, column: str) -> DecimalType:
    precision, scale = int(arrow.precision), int(arrow.scale)
    if scale < 0:
        precision, scale = precision - scale, 0
    precision = max(precision, scale)
    if precision > _MAX_DIGITS:
        raise DataError(
            f"column {column!r} has the type {arrow}, wider than the 38 digits that Delta holds",
            advice="cast it to a decimal of at most 38 digits",
        )
    return DecimalType(precision, scale)


def _is_list(arrow: pa.DataType) -> bool:
    types = pa.types
    return bool(
        types.is_list(arrow)
        or types.is_large_list(arrow)
        or types.is_fixed_size_list(arrow)
        or types.is_list_view(arrow)
        or types.is_large_list_view(arrow)
    )


def _field_to_arrow(item: StructField) -> pa.Field:
    return pa.field(item.name, type_to_arrow(item.type), nullable=item.nullable)


def _field_from_arrow(item: pa.Field, column: str) -> StructField:
    return StructField(item.name, type_from_arrow(item.type, column=column), bool(item.nullable))


def _unknown(data_type: OpaqueType) -> UnsupportedFeatureError:
    name = type_string(data_type)
    return UnsupportedFeatureError(
        f"a column has the type {name}, which is not known here",
        features=(name,),
        advice="read the other columns by name, or use an engine that knows this type",
    )
