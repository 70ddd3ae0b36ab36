"""What of a Parquet file's footer matters here: where everything lies, and every text and number in it.

Apache Parquet, "parquet.thrift" (FileMetaData, ColumnChunk, ColumnMetaData, PageHeader, ColumnIndex).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import IO, Any, Final

from lakehouse.requests.search.opening import read_at
from lakehouse.requests.search.thrift import DamagedError, Struct, read_struct

MAGIC: Final = b"PAR1"
ENCRYPTED: Final = b"PARE"
_TRAILER: Final = 8

_FIXED: Final = {1: ("<i", 4), 2: ("<q", 8), 4: ("<f", 4), 5: ("<d", 8)}
"""Physical types of one length: BOOLEAN (0) and INT96 (3) say nothing here."""


@dataclass(frozen=True, slots=True)
class Span:
    """A part of a file.

    Args:
        start: Its first byte.
        length: Bytes.
    """

    start: int
    length: int

    @property
    def end(self) -> int:
        """The first byte behind it."""
        return self.start + self.length


@dataclass(frozen=True, slots=True)
class Chunk:
    """A column of a row group.

    Args:
        path: The column, nested ones with dots between, as Parquet has it.
        group: The row group.
        kind: The number of its physical type.
        codec: The number of its compression.
        values: How many values, nulls included.
        span: Its pages.
        statistics: As Thrift has them.
        metadata: Keys and values.
        column_index: Where the page index keeps its smallest and greatest values.
        offset_index: Where it keeps the places of pages.
        bloom: Where its Bloom filter begins; its length is not always told.
    """

    path: str
    group: int
    kind: int
    codec: int
    values: int
    span: Span
    statistics: Struct
    metadata: list[Any]
    column_index: Span | None
    offset_index: Span | None
    bloom: Span | None


@dataclass(frozen=True, slots=True)
class Footer:
    """A footer.

    Args:
        span: Where it lies, with the trailer.
        rows: Rows of the file.
        metadata: Keys and values.
        chunks: All column chunks.
        raw: All of it, as Thrift has it.
        spare: Bytes between its end and the trailer.
    """

    span: Span
    rows: int
    metadata: tuple[tuple[bytes, bytes], ...]
    chunks: tuple[Chunk, ...]
    raw: Struct
    spare: bytes


class EncryptedError(DamagedError):
    """The file's footer is encrypted."""


def read_footer(file: IO[bytes], size: int) -> Footer:
    """Reads the footer of a Parquet file.

    Args:
        file: The file.
        size: Its bytes.

    Raises:
        EncryptedError: It can be read by those only who have the key.
        DamagedError: It is no Parquet, or damaged.
    """
    trailer = read_at(file, max(size - _TRAILER, 0), _TRAILER)
    if trailer[-4:] == ENCRYPTED:
        raise EncryptedError("the file is encrypted")
    if size < _TRAILER + len(MAGIC) or trailer[-4:] != MAGIC:
        raise DamagedError("the file has no Parquet footer")
    length = int(struct.unpack("<I", trailer[:4])[0])
    if length > size - _TRAILER - len(MAGIC):
        raise DamagedError("the file's footer is longer than the file")
    data = read_at(file, size - _TRAILER - length, length)
    raw, end = read_struct(data)
    try:
        chunks = [
            _chunk(column, group) for group, each in enumerate(raw.get(4, [])) for column in each.get(1, [])
        ]
        pairs = tuple((each[1], each.get(2, b"")) for each in raw.get(5, []))
        rows = int(raw.get(3, 0))
    except (KeyError, TypeError, AttributeError, IndexError):
        raise DamagedError("the file's footer is not as Parquet says") from None
    span = Span(size - _TRAILER - length, length + _TRAILER)
    return Footer(span, rows, pairs, tuple(chunks), raw, data[end:])


def _chunk(column: Struct, group: int) -> Chunk:
    about = column.get(3)
    if about is None:
        raise EncryptedError("a column is encrypted")
    starts = [about[9]]
    # Some writers say 0 where there is no dictionary.
    if about.get(11, 0) > 0:
        starts.append(about[11])
    return Chunk(
        path=".".join(part.decode("utf-8", "replace") for part in about[3]),
        group=group,
        kind=about[1],
        codec=about[4],
        values=about[5],
        span=Span(min(starts), about[7]),
        statistics=about.get(12, {}),
        metadata=about.get(8, []),
        column_index=_span(column.get(6), column.get(7)),
        offset_index=_span(column.get(4), column.get(5)),
        bloom=_span(about.get(14), about.get(15, 0)),
    )


def _span(start: int | None, length: int | None) -> Span | None:
    return None if start is None or length is None else Span(start, length)


def number_of(kind: int, data: bytes) -> int | float | None:
    """A number as statistics and dictionaries have it.

    Args:
        kind: The number of the physical type.
        data: Its bytes.

    Returns:
        The number; None for other types.
    """
    form, length = _FIXED.get(kind, ("", 0))
    return struct.unpack(form, data)[0] if length and len(data) == length else None
