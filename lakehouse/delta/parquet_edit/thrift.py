"""Thrift's compact protocol, read into plain values and written back, whatever the fields mean.

Source: Apache Thrift, "Thrift Compact protocol encoding". Parquet keeps its footers and page headers in it.
What is not known here is carried along, so that nothing that a writer said is lost.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from lakehouse.errors import CorruptTableError

Buffer: TypeAlias = bytes | memoryview
Fields: TypeAlias = dict[int, "Value"]

TRUE: Final = 1
FALSE: Final = 2
BYTE: Final = 3
I16: Final = 4
I32: Final = 5
I64: Final = 6
DOUBLE: Final = 7
BINARY: Final = 8
LIST: Final = 9
SET: Final = 10
STRUCT: Final = 12

_LONG_LIST: Final = 15
_MOST_DEPTH: Final = 32


@dataclass(slots=True)
class Value:
    """One value with its wire type.

    Args:
        kind: The wire type.
        value: bool, int, the eight bytes of a double, bytes, `Fields` of a struct, or for lists and sets a
            list of plain values of the kind ``element``.
        element: The wire type of a list's elements.
    """

    kind: int
    value: Any
    element: int = 0


def i32(number: int) -> Value:
    """A 32-bit number."""
    return Value(I32, number)


def i64(number: int) -> Value:
    """A 64-bit number."""
    return Value(I64, number)


def binary(data: bytes) -> Value:
    """Bytes, or a text in UTF-8."""
    return Value(BINARY, data)


def struct(fields: Fields) -> Value:
    """A struct."""
    return Value(STRUCT, fields)


def listed(element: int, items: list[Any]) -> Value:
    """A list of plain values of one wire type."""
    return Value(LIST, items, element)


def read_struct(data: Buffer, at: int = 0) -> tuple[Fields, int]:
    """Read a struct.

    Args:
        data: Holds it.
        at: Where it starts.

    Returns:
        Its fields by id, and where it ends.

    Raises:
        CorruptTableError: There is none.
    """
    reader = _Reader(data, at)
    try:
        return reader.struct(0), reader.at
    except IndexError:
        raise _damaged() from None


def write_struct(fields: Fields) -> bytes:
    """Write a struct.

    Args:
        fields: Its fields by id.

    Returns:
        Its bytes; fields by ascending id.
    """
    out = bytearray()
    _put_struct(out, fields)
    return bytes(out)


class _Reader:
    def __init__(self, data: Buffer, at: int) -> None:
        self.data = data
        self.at = at

    def byte(self) -> int:
        found = self.data[self.at]
        self.at += 1
        return found

    def varint(self) -> int:
        found = shift = 0
        while True:
            part = self.byte()
            found |= (part & 0x7F) << shift
            if part < 0x80:
                return found
            shift += 7
            if shift > 63:
                raise _damaged()

    def number(self) -> int:
        found = self.varint()
        return (found >> 1) ^ -(found & 1)

    def take(self, length: int) -> bytes:
        end = self.at + length
        if end > len(self.data):
            raise _damaged()
        found = bytes(self.data[self.at : end])
        self.at = end
        return found

    def struct(self, depth: int) -> Fields:
        if depth > _MOST_DEPTH:
            raise _damaged()
        fields: Fields = {}
        last = 0
        while True:
            head = self.byte()
            if head == 0:
                return fields
            kind = head & 0x0F
            last = last + (head >> 4) if head >> 4 else self.number()
            fields[last] = self.field(kind, depth)

    def field(self, kind: int, depth: int) -> Value:
        if kind in (TRUE, FALSE):
            return Value(TRUE, kind == TRUE)
        if kind in (LIST, SET):
            head = self.byte()
            count = head >> 4
            if count == _LONG_LIST:
                count = self.varint()
            element = head & 0x0F
            if count > len(self.data) - self.at:
                raise _damaged()
            return Value(kind, [self.plain(element, depth) for _ in range(count)], element)
        return Value(kind, self.plain(kind, depth))

    def plain(self, kind: int, depth: int) -> Any:  # noqa: PLR0911 - one for each wire type
        match kind:
            case 1 | 2:  # in lists a byte of its own says which
                return self.byte() == TRUE
            case 3:
                return self.byte()
            case 4 | 5 | 6:
                return self.number()
            case 7:
                return self.take(8)
            case 8:
                return self.take(self.varint())
            case 9 | 10:
                return self.field(kind, depth + 1)
            case 12:
                return self.struct(depth + 1)
            case _:
                raise _damaged()


def _put_struct(out: bytearray, fields: Fields) -> None:
    last = 0
    for number in sorted(fields):
        value = fields[number]
        kind = (TRUE if value.value else FALSE) if value.kind == TRUE else value.kind
        step = number - last
        if 0 < step <= 15:
            out.append(step << 4 | kind)
        else:
            out.append(kind)
            _put_number(out, number)
        last = number
        if value.kind != TRUE:
            _put(out, value)
    out.append(0)


def _put(out: bytearray, value: Value) -> None:
    if value.kind not in (LIST, SET):
        _put_plain(out, value.kind, value.value)
        return
    count = len(value.value)
    if count < _LONG_LIST:
        out.append(count << 4 | value.element)
    else:
        out.append(0xF0 | value.element)
        _put_varint(out, count)
    for item in value.value:
        _put_plain(out, value.element, item)


def _put_plain(out: bytearray, kind: int, value: Any) -> None:
    match kind:
        case 1 | 2:
            out.append(TRUE if value else FALSE)
        case 3:
            out.append(value & 0xFF)
        case 4 | 5 | 6:
            _put_number(out, value)
        case 7:
            out += value
        case 8:
            _put_varint(out, len(value))
            out += value
        case 9 | 10:
            _put(out, value)
        case _:
            _put_struct(out, value)


def _put_number(out: bytearray, value: int) -> None:
    _put_varint(out, (value << 1) ^ (value >> 63))


def _put_varint(out: bytearray, value: int) -> None:
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)


def _damaged() -> CorruptTableError:
    return CorruptTableError("the metadata of a Parquet file can't be read")
