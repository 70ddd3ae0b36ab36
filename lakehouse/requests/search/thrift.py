"""Reads Thrift's compact protocol, as far as Parquet uses it: page headers, footers, page indexes.

Apache Thrift, "Thrift Compact protocol" (doc/specs/thrift-compact-protocol.md).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any, Final

from lakehouse.errors import DataError

_STOP, _TRUE, _FALSE, _BYTE, _DOUBLE, _BINARY = 0, 1, 2, 3, 7, 8
_WHOLE: Final = frozenset({4, 5, 6})
_LIST: Final = frozenset({9, 10})
_MAP, _STRUCT = 11, 12
_DEEPEST: Final = 64

Struct = dict[int, Any]


class DamagedError(DataError):
    """Bytes that are not what they should be."""


def read_struct(data: bytes | memoryview, at: int = 0) -> tuple[Struct, int]:
    """Reads one struct.

    Args:
        data: The bytes.
        at: Where it begins.

    Returns:
        Its fields by their ids (numbers, truths, bytes, lists, structs), and where it ends.

    Raises:
        DamagedError: It ends too early, or is none.
    """
    reader = _Reader(data, at)
    try:
        return reader.struct(0), reader.at
    except (IndexError, struct.error):
        raise DamagedError("a Thrift struct ends too early") from None


def binaries(value: Any) -> Iterator[bytes]:
    """All texts and bytes in a struct, however deep.

    Args:
        value: What was read.
    """
    if isinstance(value, bytes):
        yield value
    elif isinstance(value, dict):
        for each in value.values():
            yield from binaries(each)
    elif isinstance(value, list | tuple):
        for each in value:
            yield from binaries(each)


class _Reader:
    def __init__(self, data: bytes | memoryview, at: int) -> None:
        self._data = data
        self.at = at

    def struct(self, depth: int) -> Struct:
        if depth > _DEEPEST:
            raise DamagedError("a Thrift struct is too deep")
        fields: Struct = {}
        last = 0
        while True:
            head = self._byte()
            if head == _STOP:
                return fields
            kind, step = head & 0x0F, head >> 4
            last = last + step if step else self._zigzag()
            fields[last] = kind == _TRUE if kind in (_TRUE, _FALSE) else self._value(kind, depth)

    def _value(self, kind: int, depth: int) -> Any:
        if kind in _WHOLE:
            return self._zigzag()
        if kind in (_BYTE, _TRUE, _FALSE):
            return self._byte()
        if kind in (_BINARY, _DOUBLE):
            return self._bytes(self._varint()) if kind == _BINARY else struct.unpack("<d", self._bytes(8))[0]
        return self._several(kind, depth)

    def _several(self, kind: int, depth: int) -> Any:
        if kind == _STRUCT:
            return self.struct(depth + 1)
        if kind in _LIST:
            return self._list(depth)
        if kind == _MAP:
            return self._map(depth)
        raise DamagedError("a Thrift struct has a field of an unknown type")

    def _list(self, depth: int) -> list[Any]:
        head = self._byte()
        count = head >> 4 if head >> 4 != 15 else self._varint()
        if count > len(self._data) - self.at:
            raise DamagedError("a Thrift list is longer than what there is")
        return [self._value(head & 0x0F, depth + 1) for _ in range(count)]

    def _map(self, depth: int) -> list[Any]:
        count = self._varint()
        if not count:
            return []
        kinds = self._byte()
        if count > len(self._data) - self.at:
            raise DamagedError("a Thrift map is longer than what there is")
        return [
            (self._value(kinds >> 4, depth + 1), self._value(kinds & 0x0F, depth + 1)) for _ in range(count)
        ]

    def _byte(self) -> int:
        byte = self._data[self.at]
        self.at += 1
        return byte

    def _bytes(self, length: int) -> bytes:
        end = self.at + length
        if end > len(self._data):
            raise DamagedError("a Thrift struct ends too early")
        part = bytes(self._data[self.at : end])
        self.at = end
        return part

    def _varint(self) -> int:
        result = shift = 0
        while True:
            byte = self._byte()
            result |= (byte & 0x7F) << shift
            if byte < 0x80:
                return result
            shift += 7
            if shift > 70:
                raise DamagedError("a Thrift number is too long")

    def _zigzag(self) -> int:
        number = self._varint()
        return number >> 1 ^ -(number & 1)
