"""Partition values as the log writes them, and the folders that are named after them.

Delta protocol, section "Partition Value Serialization"; the folders follow the convention of Hive, which
the protocol mentions but does not ask for: what counts is the log.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Context, Decimal, InvalidOperation
from typing import Any, Final
from urllib.parse import quote

import polars as pl

from lakehouse.delta.schema import (
    DataType,
    DecimalType,
    PrimitiveType,
    StructType,
    type_string,
    type_to_polars,
)
from lakehouse.errors import CorruptTableError, DataError, UnsupportedFeatureError

HIVE_NULL: Final = "__HIVE_DEFAULT_PARTITION__"

_ESCAPED_BYTES: Final = re.compile(r"(?:\\u[0-9A-Fa-f]{4})+")
_WHOLE_NUMBERS: Final = frozenset({"long", "integer", "short", "byte"})
_FLOATS: Final = frozenset({"float", "double"})
_LONGEST_NAME: Final = 255
# More than the 38 of the widest decimal: Python's own context rounds at 28.
_DIGITS: Final = 76


def serialize_value(value: object, data_type: DataType) -> str | None:
    """Write one partition value as the log holds it.

    Args:
        value: A Python value of the type, or None.
        data_type: The partition column's type.

    Returns:
        Its text; None for null and for the empty text, which the protocol can't tell from null.
        Timestamps are ISO 8601 in UTC; an aware datetime is converted, a naive one is taken as UTC.

    Raises:
        DataError: The value has no text (bytes that are no UTF-8).
        UnsupportedFeatureError: Tables can't be partitioned by this type.
    """
    if value is None or (isinstance(value, str | bytes) and not value):
        return None
    match data_type:
        case DecimalType(_, scale):
            return f"{_decimal(value):.{scale}f}"
        case PrimitiveType(name) if name in _WRITERS:
            return _WRITERS[name](value)
        case _:
            raise _unsupported(data_type)


def parse_value(text: str | None, data_type: DataType) -> Any:
    """Read one partition value of the log.

    Args:
        text: As in the log; None and the empty text mean null.
        data_type: The partition column's type.

    Returns:
        A Python value: ``str int float bool bytes date datetime Decimal``, or None. A ``timestamp`` is in
        UTC (one without zone is taken as UTC, since the writer's zone is not known), a ``timestamp_ntz``
        naive.

    Raises:
        CorruptTableError: The text is no value of the type.
        UnsupportedFeatureError: Tables can't be partitioned by this type.
    """
    if not text:
        return None
    try:
        match data_type:
            case DecimalType(_, scale):
                return Decimal(text).quantize(Decimal(1).scaleb(-scale), context=Context(prec=_DIGITS))
            case PrimitiveType(name) if name in _READERS:
                return _READERS[name](text)
    except (ValueError, InvalidOperation) as error:
        raise CorruptTableError(f"a partition value in the log is no {type_string(data_type)}") from error
    raise _unsupported(data_type)


def literal(text: str | None, data_type: DataType) -> pl.Expr:
    """A partition value as a constant column.

    Args:
        text: As in the log.
        data_type: The partition column's type.

    Returns:
        A literal of the column's Polars type.

    Raises:
        CorruptTableError: The text is no value of the type.
    """
    return pl.lit(parse_value(text, data_type), dtype=type_to_polars(data_type))


def serialize_values(
    values: Sequence[object], *, columns: Sequence[str], schema: StructType
) -> dict[str, str | None]:
    """Write the partition values of one file.

    Args:
        values: One Python value for each partition column.
        columns: Display names of the partition columns, in order.
        schema: The table's schema.

    Returns:
        Column to text, in the columns' order. Names are the display names.

    Raises:
        DataError: A value has no text.
    """
    return {
        name: serialize_value(value, schema.field(name).type)
        for name, value in zip(columns, values, strict=True)
    }


def folder(values: Mapping[str, str | None]) -> str:
    """The folder for files of one partition.

    Args:
        values: Column to serialised value, in the partition columns' order.

    Returns:
        Such as ``country=DE/day=2024-01-01``, not percent-encoded for the log. Empty without partitions, and
        where a value is too long for the name of a folder: then only the log knows it.
    """
    parts = [f"{escape(name)}={escape(text) if text else HIVE_NULL}" for name, text in values.items()]
    return "" if any(len(part.encode()) > _LONGEST_NAME for part in parts) else "/".join(parts)


def escape(text: str) -> str:
    """Escape a name or value for a partition folder.

    Hive and Spark escape less; every reader of such folders undoes all of it, and with nothing left that a
    URL would escape, readers that take a URL for a path find the file all the same.

    Args:
        text: Any text.

    Returns:
        The text with all but letters, digits, ``-``, ``.``, ``_`` and ``~`` as ``%XX`` of its UTF-8 bytes.
    """
    return quote(text, safe="")


def _decimal(value: object) -> Decimal:
    return value if isinstance(value, Decimal) else Decimal(str(value))


def _write_float(number: Any) -> str:
    if math.isnan(number):
        return "NaN"
    if math.isinf(number):
        return "Infinity" if number > 0 else "-Infinity"
    return repr(float(number))


def _write_bytes(value: object) -> str:
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError:
            pass
    raise DataError(
        "a binary partition value is no UTF-8, so the log can't hold it",
        advice="partition by a text instead, such as the base64 or hex form",
    )


def _datetime(value: object) -> datetime:
    if not isinstance(value, datetime):
        raise DataError(f"a partition value is a {type(value).__name__}, not a datetime")
    return value


def _write_timestamp(value: object) -> str:
    moment = _datetime(value)
    moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    return moment.replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def _write_timestamp_ntz(value: object) -> str:
    moment = _datetime(value).replace(tzinfo=None)
    return moment.isoformat(sep=" ", timespec="microseconds" if moment.microsecond else "seconds")


def _read_bool(text: str) -> bool:
    match text.lower():
        case "true":
            return True
        case "false":
            return False
        case _:
            raise ValueError("neither true nor false")


def _read_bytes(text: str) -> bytes:
    if _ESCAPED_BYTES.fullmatch(text):
        return bytes(int(code, 16) & 0xFF for code in text.split("\\u")[1:])
    return text.encode()


def _read_timestamp(text: str) -> datetime:
    moment = datetime.fromisoformat(text.strip())
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _read_timestamp_ntz(text: str) -> datetime:
    return datetime.fromisoformat(text.strip()).replace(tzinfo=None)


def _unsupported(data_type: DataType) -> UnsupportedFeatureError:
    name = type_string(data_type)
    return UnsupportedFeatureError(
        f"a table can't be partitioned by a column of the type {name}",
        features=(name,),
        advice="partition by a text, number, date or timestamp",
    )


_WRITERS: Final[Mapping[str, Callable[[Any], str]]] = {
    "string": str,
    "boolean": lambda value: "true" if value else "false",
    "date": lambda value: value.isoformat(),
    "timestamp": _write_timestamp,
    "timestamp_ntz": _write_timestamp_ntz,
    "binary": _write_bytes,
    **dict.fromkeys(_WHOLE_NUMBERS, str),
    **dict.fromkeys(_FLOATS, _write_float),
}
_READERS: Final[Mapping[str, Callable[[str], Any]]] = {
    "string": str,
    "boolean": _read_bool,
    "date": lambda text: date.fromisoformat(text.strip()[:10]),
    "timestamp": _read_timestamp,
    "timestamp_ntz": _read_timestamp_ntz,
    "binary": _read_bytes,
    **dict.fromkeys(_WHOLE_NUMBERS, int),
    **dict.fromkeys(_FLOATS, float),
}
