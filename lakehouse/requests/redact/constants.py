"""Neutral values as a Parquet file stores them."""

from __future__ import annotations

import struct
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, Final, TypeAlias

import pyarrow as pa

from lakehouse.delta.parquet_edit import footer as f
from lakehouse.delta.parquet_edit import small
from lakehouse.delta.parquet_edit.footer import Node
from lakehouse.delta.parquet_edit.problems import CantEditError

Plain: TypeAlias = str | bytes | bool | int | float | Decimal | date | datetime | None

_EPOCH: Final = date(1970, 1, 1)
_JULIAN_EPOCH: Final = 2_440_588
_DAY_MICROS: Final = 86_400_000_000
_LOGICAL_TIMESTAMP: Final = 8
_MILLIS: Final = 1
_NANOS: Final = 3
_CONVERTED_MILLIS: Final = 9


def stored(node: Node, value: Plain) -> pa.Scalar:
    """A value as the pages of a leaf hold it.

    Args:
        node: A leaf of the file's schema.
        value: The value.

    Returns:
        It, of the type that `raw.read_column` gives.

    Raises:
        CantEditError: It does not fit.
    """
    if node.children:
        raise CantEditError("a neutral value is given for a column with other columns in it")
    kind = int(node.element[f.TYPE].value)
    try:
        if kind in _TYPES:
            return pa.scalar(_plain(node, kind, value), _TYPES[kind])
        width = small.width(node)
        found = _bytes(node, kind, value, width)
    except (pa.ArrowException, TypeError, ValueError, OverflowError, struct.error):
        raise _misfit() from None
    if len(found) != width:
        raise _misfit()
    return pa.scalar(found, pa.binary(width))


def zero(node: Node) -> pa.Scalar:
    """What stands for nothing in a leaf that can't be null: an empty text, 0, the beginning of 1970.

    Args:
        node: A leaf of the file's schema.

    Returns:
        It, of the type that `raw.read_column` gives.
    """
    kind = int(node.element[f.TYPE].value)
    if kind == small.BYTE_ARRAY:
        # A decimal number needs a byte at least.
        return pa.scalar(b"\0" if f.SCALE in node.element else b"", pa.binary())
    if kind == small.INT96:
        return pa.scalar(struct.pack("<qi", 0, _JULIAN_EPOCH), pa.binary(small.INT96_BYTES))
    if kind == small.FIXED:
        width = small.width(node)
        return pa.scalar(bytes(width), pa.binary(width))
    return pa.scalar(False if kind == small.BOOLEAN else 0, _TYPES[kind])


_TYPES: Final = {
    small.BOOLEAN: pa.bool_(),
    small.INT32: pa.int32(),
    small.INT64: pa.int64(),
    small.FLOAT: pa.int32(),
    small.DOUBLE: pa.int64(),
    small.BYTE_ARRAY: pa.binary(),
}


def _plain(node: Node, kind: int, value: Plain) -> Any:
    match kind:
        case small.BOOLEAN:
            return value if isinstance(value, bool) else _no()
        case small.FLOAT:
            return struct.unpack("<i", struct.pack("<f", value))[0]
        case small.DOUBLE:
            return struct.unpack("<q", struct.pack("<d", value))[0]
        case small.BYTE_ARRAY if isinstance(value, str):
            return value.encode()
        case small.BYTE_ARRAY:
            return value if isinstance(value, bytes) else _no()
        case small.INT32 | small.INT64:
            return _number(node, value)
    raise TypeError


def _number(node: Node, value: Plain) -> int:
    match value:
        case bool():
            raise TypeError
        case Decimal():
            return _unscaled(node, value)
        case datetime():
            return _counted(node, _micros(value))
        case date():
            return (value - _EPOCH).days
        case int():
            scale = node.element.get(f.SCALE)
            return value * pow(10, int(scale.value)) if scale is not None else value
        case _:
            raise TypeError


def _bytes(node: Node, kind: int, value: Plain, width: int) -> bytes:
    match value:
        case datetime() if kind == small.INT96:
            days, rest = divmod(_micros(value), _DAY_MICROS)
            return struct.pack("<qi", rest * 1000, days + _JULIAN_EPOCH)
        case Decimal():
            return _unscaled(node, value).to_bytes(width, "big", signed=True)
        case bytes():
            return value
        case _:
            raise _misfit()


def _unscaled(node: Node, value: Decimal) -> int:
    scale = node.element.get(f.SCALE)
    found = value.scaleb(int(scale.value) if scale is not None else 0)
    if found != found.to_integral_value():
        raise _misfit()
    return int(found)


def _micros(value: datetime) -> int:
    aware = value if value.tzinfo is not None else value.replace(tzinfo=UTC)
    step = aware - datetime(1970, 1, 1, tzinfo=UTC)
    return (step.days * 86_400 + step.seconds) * 1_000_000 + step.microseconds


def _counted(node: Node, micros: int) -> int:
    """Microseconds in the unit of a column of times."""
    logical = node.element.get(f.LOGICAL)
    if logical is not None and _LOGICAL_TIMESTAMP in logical.value:
        unit = logical.value[_LOGICAL_TIMESTAMP].value[2].value
        return micros // 1_000 if _MILLIS in unit else micros * 1_000 if _NANOS in unit else micros
    converted = node.element.get(f.CONVERTED)
    return micros // 1_000 if converted is not None and converted.value == _CONVERTED_MILLIS else micros


def _no() -> Any:
    raise TypeError


def _misfit() -> CantEditError:
    return CantEditError("a neutral value is not of its column's type")
