"""A table's schema: reading it from the log, and everything else that other rooms ask about types.

Delta protocol, section "Schema Serialization Format". The types themselves live in `datatypes`, their
names for people in `type_names`, their Arrow and Polars counterparts in `arrow_types`; all of it can be
imported from here.
"""

from __future__ import annotations

import re

import orjson

from lakehouse.delta.arrow_types import (
    from_arrow,
    to_arrow,
    to_polars,
    type_from_arrow,
    type_to_arrow,
    type_to_polars,
)
from lakehouse.delta.datatypes import (
    BINARY,
    BOOLEAN,
    BYTE,
    DATE,
    DOUBLE,
    FLOAT,
    INTEGER,
    LONG,
    PRIMITIVES,
    SHORT,
    STRING,
    TIMESTAMP,
    TIMESTAMP_NTZ,
    VARIANT,
    VOID,
    ArrayType,
    DataType,
    DecimalType,
    Json,
    MapType,
    OpaqueType,
    PrimitiveType,
    StructField,
    StructType,
    type_to_json,
    walk,
)
from lakehouse.delta.type_names import parse_type, type_string
from lakehouse.errors import CorruptTableError

__all__ = [
    "BINARY",
    "BOOLEAN",
    "BYTE",
    "DATE",
    "DOUBLE",
    "FLOAT",
    "INTEGER",
    "LONG",
    "PRIMITIVES",
    "SHORT",
    "STRING",
    "TIMESTAMP",
    "TIMESTAMP_NTZ",
    "VARIANT",
    "VOID",
    "ArrayType",
    "DataType",
    "DecimalType",
    "Json",
    "MapType",
    "OpaqueType",
    "PrimitiveType",
    "StructField",
    "StructType",
    "from_arrow",
    "parse_schema",
    "parse_type",
    "to_arrow",
    "to_polars",
    "type_from_arrow",
    "type_string",
    "type_to_arrow",
    "type_to_json",
    "type_to_polars",
    "walk",
]

_DECIMAL = re.compile(r"decimal\((\d{1,2}),\s*(-?\d{1,2})\)")


def parse_schema(text: str) -> StructType:
    """Read the ``schemaString`` of a ``metaData`` action.

    Args:
        text: JSON of a struct.

    Returns:
        The schema. Types that are not known here come as `OpaqueType`.

    Raises:
        CorruptTableError: The text is no schema.
    """
    try:
        value: Json = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise CorruptTableError("the table's schema is not valid JSON") from error
    parsed = _parse_type(value)
    if not isinstance(parsed, StructType):
        raise CorruptTableError("the table's schema is not a struct")
    return parsed


def _parse_type(value: Json) -> DataType:
    if isinstance(value, str):
        return _parse_name(value)
    if not isinstance(value, dict):
        raise CorruptTableError("a type in the table's schema is neither a name nor an object")
    match value.get("type"):
        case "struct":
            return StructType(tuple(_parse_field(item) for item in _items(value.get("fields"))))
        case "array":
            return ArrayType(_parse_type(value.get("elementType")), value.get("containsNull") is not False)
        case "map":
            return MapType(
                _parse_type(value.get("keyType")),
                _parse_type(value.get("valueType")),
                value.get("valueContainsNull") is not False,
            )
        case _:
            return OpaqueType(orjson.dumps(value).decode())


def _parse_name(name: str) -> DataType:
    if name in PRIMITIVES:
        return PrimitiveType(name)
    # "decimal" alone is what Spark writes for its default width; "null" is what old Spark wrote for void.
    if name == "decimal":
        return DecimalType(10, 0)
    if name == "null":
        return VOID
    found = _DECIMAL.fullmatch(name)
    if found is None:
        return OpaqueType(orjson.dumps(name).decode())
    precision, scale = int(found[1]), int(found[2])
    if not (1 <= precision <= 38 and 0 <= scale <= precision):
        raise CorruptTableError(f"the table's schema has an impossible type {name}")
    return DecimalType(precision, scale)


def _parse_field(value: Json) -> StructField:
    if not isinstance(value, dict):
        raise CorruptTableError("a field in the table's schema is not an object")
    name, metadata = value.get("name"), value.get("metadata")
    if not isinstance(name, str) or "type" not in value:
        raise CorruptTableError("a field in the table's schema lacks its name or type")
    return StructField(
        name=name,
        type=_parse_type(value["type"]),
        nullable=value.get("nullable") is not False,
        metadata=metadata if isinstance(metadata, dict) else {},
    )


def _items(value: Json) -> list[Json]:
    if not isinstance(value, list):
        raise CorruptTableError("a struct in the table's schema has no list of fields")
    return value
