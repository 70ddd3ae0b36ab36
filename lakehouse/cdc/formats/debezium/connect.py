"""Kafka Connect's schemas: how the JSON converter writes each type, and what it becomes in Delta.

=======================================  ==================================================================
semantic type                            Delta type
=======================================  ==================================================================
Connect Decimal                          decimal(precision, scale); 38 digits where no precision is given;
                                         string where it is larger than 38
VariableScaleDecimal                     string (PostgreSQL's ``numeric`` without precision has no limit)
Timestamp, MicroTimestamp,               timestamp_ntz (nanoseconds are cut off)
NanoTimestamp, IsoTimestamp
ZonedTimestamp                           timestamp
Date, IsoDate, Connect Date              date
Time, MicroTime, NanoTime, IsoTime       string ``HH:MM:SS.ffffff``: Delta has no time of day
ZonedTime                                string, as it is
MicroDuration, NanoDuration              long, the number of micro- or nanoseconds
Interval, Json, Xml, Uuid, Enum,         string
EnumSet, Ltree, TsVector
Bits                                     binary, least significant byte first (Debezium's order)
Geometry, Point, Geography               struct
=======================================  ==================================================================

The names are those of Debezium's "Data type mappings" and of Kafka Connect's ``data`` package. Plain
types keep their width; bytes are base64.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from lakehouse.cdc.formats.values.codec import INFER, Codec
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
    ArrayType,
    DataType,
    DecimalType,
    MapType,
    StructField,
    StructType,
)

_PLAIN: Final[Mapping[str, DataType]] = {
    "int8": BYTE,
    "int16": SHORT,
    "int32": INTEGER,
    "int64": LONG,
    "float": FLOAT,
    "float32": FLOAT,
    "double": DOUBLE,
    "float64": DOUBLE,
    "boolean": BOOLEAN,
    "string": STRING,
}
_CONNECT: Final = "org.apache.kafka.connect.data."
_DECIMAL: Final = f"{_CONNECT}Decimal"
_VARIABLE: Final = "io.debezium.data.VariableScaleDecimal"
_NAMED: Final[Mapping[str, Codec]] = {
    "io.debezium.time.Timestamp": Codec(type=TIMESTAMP_NTZ, unit="ms"),
    "io.debezium.time.MicroTimestamp": Codec(type=TIMESTAMP_NTZ, unit="us"),
    "io.debezium.time.NanoTimestamp": Codec(type=TIMESTAMP_NTZ, unit="ns"),
    "io.debezium.time.IsoTimestamp": Codec(type=TIMESTAMP_NTZ),
    "io.debezium.time.ZonedTimestamp": Codec(type=TIMESTAMP),
    f"{_CONNECT}Timestamp": Codec(type=TIMESTAMP_NTZ, unit="ms"),
    "io.debezium.time.Date": Codec(type=DATE, unit="d"),
    "io.debezium.time.IsoDate": Codec(type=DATE, unit="d"),
    f"{_CONNECT}Date": Codec(type=DATE, unit="d"),
    "io.debezium.time.Time": Codec(type=STRING, text="time", unit="ms"),
    "io.debezium.time.MicroTime": Codec(type=STRING, text="time", unit="us"),
    "io.debezium.time.NanoTime": Codec(type=STRING, text="time", unit="ns"),
    "io.debezium.time.IsoTime": Codec(type=STRING, text="time"),
    f"{_CONNECT}Time": Codec(type=STRING, text="time", unit="ms"),
    _VARIABLE: Codec(type=STRING, text="unscaled", scale=0),
}
_MAX_DIGITS: Final = 38


def codecs_of(fields: Sequence[Mapping[str, object]]) -> dict[str, Codec]:
    """The codecs of a row's columns.

    Args:
        fields: The fields of the row's Kafka Connect schema.

    Returns:
        Codec by column.
    """
    return {str(field.get("field")): codec_of_field(field) for field in fields}


def codec_of_field(field: Mapping[str, object]) -> Codec:
    """The codec of one field.

    Args:
        field: A Kafka Connect schema.

    Returns:
        Its codec; `INFER` for a type that is not known here.
    """
    name = field.get("name")
    if name == _DECIMAL:
        return _decimal(_parameters(field))
    if isinstance(name, str) and name in _NAMED:
        return _NAMED[name]
    kind = field.get("type")
    if kind == "bytes":
        return Codec(type=BINARY, text="base64")
    if isinstance(kind, str) and kind in _PLAIN:
        return Codec(type=_PLAIN[kind])
    return _nested(kind, field)


def _nested(kind: object, field: Mapping[str, object]) -> Codec:
    if kind == "array":
        element = _part(field.get("items"))
        return INFER if element.type is None else Codec(type=ArrayType(element.type), parts=(element,))
    if kind == "map":
        key, value = _part(field.get("keys")), _part(field.get("values"))
        if key.type is None or value.type is None:
            return INFER
        return Codec(type=MapType(key.type, value.type), parts=(key, value))
    fields = field.get("fields")
    if kind != "struct" or not isinstance(fields, list):
        return INFER
    parts = codecs_of(fields)
    types = [StructField(name, part.type) for name, part in parts.items() if part.type is not None]
    if len(types) != len(parts):
        return INFER
    return Codec(type=StructType(tuple(types)), parts=tuple(parts.values()))


def _part(schema: object) -> Codec:
    return codec_of_field(schema) if isinstance(schema, dict) else INFER


def _decimal(parameters: Mapping[str, object]) -> Codec:
    scale = int(str(parameters.get("scale", 0)))
    precision = int(str(parameters.get("connect.decimal.precision", _MAX_DIGITS)))
    if precision > _MAX_DIGITS or not 0 <= scale <= precision:
        return Codec(type=STRING, text="unscaled", scale=scale)
    return Codec(type=DecimalType(precision, scale), text="unscaled", scale=scale)


def _parameters(field: Mapping[str, object]) -> Mapping[str, object]:
    parameters = field.get("parameters")
    return parameters if isinstance(parameters, dict) else {}
