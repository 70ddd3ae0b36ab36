"""The pages of a Parquet file: their headers, what dictionaries hold, and what lies between."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import IO, Final

import pyarrow as pa

from lakehouse.requests.search.footer import Chunk, Span
from lakehouse.requests.search.opening import read_at
from lakehouse.requests.search.thrift import DamagedError, Struct, read_struct

_DATA, _INDEX, _DICTIONARY, _DATA_2 = 0, 1, 2, 3
_BY_DICTIONARY: Final = frozenset({2, 8})
_BYTE_ARRAY: Final = 6
_CODECS: Final = {1: "snappy", 2: "gzip", 4: "brotli", 6: "zstd", 7: "lz4_raw"}


@dataclass(frozen=True, slots=True)
class Page:
    """A page.

    Args:
        header: As Thrift has it.
        span: Header and content together.
        content: Where the content lies in the chunk's bytes.
    """

    header: Struct
    span: Span
    content: Span

    @property
    def is_dictionary(self) -> bool:
        """Whether it holds a column's distinct values."""
        return self.header.get(1) == _DICTIONARY

    @property
    def is_data(self) -> bool:
        """Whether it holds values of rows."""
        return self.header.get(1) in (_DATA, _DATA_2)

    @property
    def values(self) -> int:
        """Values of rows, nulls included."""
        return int(self._about.get(1, 0))

    @property
    def encoding(self) -> int | None:
        """The number of the encoding of its values."""
        return self._about.get(4) if 8 in self.header else self._about.get(2)

    @property
    def by_dictionary(self) -> bool:
        """Whether it holds only numbers of values in the dictionary."""
        return self.encoding in _BY_DICTIONARY

    @property
    def level_encoding(self) -> int | None:
        """The number of the encoding of what tells nulls, in pages of the first version."""
        return self._about.get(3)

    @property
    def level_bytes(self) -> int | None:
        """How many bytes before what is packed tell nulls and lists; None in pages of the first version."""
        return int(self._about.get(5, 0)) + int(self._about.get(6, 0)) if 8 in self.header else None

    @property
    def _about(self) -> Struct:
        about: Struct = self.header.get(5) or self.header.get(8) or {}
        return about


def pages_of(chunk: Chunk, data: memoryview) -> Iterator[Page]:
    """The pages of a column chunk.

    Args:
        chunk: The chunk.
        data: Its bytes.

    Raises:
        DamagedError: Where a page should be is none.
    """
    at = values = 0
    while at < len(data) and values < chunk.values:
        header, begin = read_struct(data, at)
        length = header.get(3)
        if header.get(1) not in (_DATA, _INDEX, _DICTIONARY, _DATA_2) or not isinstance(length, int):
            raise DamagedError("a page's header is not as Parquet says")
        end = begin + length
        if length < 0 or end > len(data):
            raise DamagedError("a page is longer than its column")
        page = Page(header, Span(chunk.span.start + at, end - at), Span(begin, length))
        yield page
        values += page.values
        at = end


def unpacked(chunk: Chunk, page: Page, data: memoryview) -> memoryview | None:
    """What a page holds, without what tells nulls where that lies before what is packed.

    Args:
        chunk: The column chunk.
        page: The page.
        data: The chunk's bytes.

    Returns:
        It, not compressed; None for compressions that are not known here.

    Raises:
        DamagedError: It can't be unpacked.
    """
    levels = page.level_bytes or 0
    packed = data[page.content.start + levels : page.content.end]
    about = page.header.get(8)
    if chunk.codec == 0 or (about is not None and about.get(7) is False):
        return packed
    name = _CODECS.get(chunk.codec)
    if name is None:
        return None
    try:
        size = int(page.header.get(2, 0)) - levels
        return memoryview(pa.Codec(name).decompress(packed, decompressed_size=size)).cast("B")
    except (pa.ArrowException, OSError, ValueError, TypeError):
        raise DamagedError("a page can't be unpacked") from None


def texts_of(content: memoryview) -> list[bytes]:
    """The texts of a dictionary: each with its length before it.

    Args:
        content: The unpacked page.

    Raises:
        DamagedError: They do not fill it.
    """
    texts, at = [], 0
    while at < len(content):
        if at + 4 > len(content):
            raise DamagedError("a dictionary ends within a length")
        (length,) = struct.unpack_from("<I", content, at)
        at += 4
        if at + length > len(content):
            raise DamagedError("a dictionary ends within a value")
        texts.append(bytes(content[at : at + length]))
        at += length
    return texts


def between(spans: Iterable[Span], size: int) -> Iterator[Span]:
    """What of a file no part of it covers.

    Args:
        spans: The parts; they may overlap.
        size: The file's bytes.
    """
    at = 0
    for span in sorted(spans, key=lambda each: each.start):
        if span.start > at:
            yield Span(at, span.start - at)
        at = max(at, span.end)
    if at < size:
        yield Span(at, size - at)


def pieces(file: IO[bytes], span: Span, *, length: int, overlap: int) -> Iterator[bytes]:
    """A part of a file piece by piece, so that nothing that lies across two is missed.

    Args:
        file: The file.
        span: The part.
        length: Bytes of a piece.
        overlap: Bytes that a piece has in common with the one before.
    """
    at = span.start
    while at < span.end:
        yield read_at(file, at, min(length, span.end - at))
        at += length
        if at < span.end:
            at -= overlap
