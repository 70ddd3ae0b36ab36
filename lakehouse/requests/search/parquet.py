"""One Parquet file: all pages, decoded where they do not tell by themselves, and all that lies between."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import IO, Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from lakehouse.requests.search.about import (
    look_at_footer,
    look_at_statistics,
    look_at_typed_statistics,
    without_lists,
)
from lakehouse.requests.search.cells import leaves, look_at
from lakehouse.requests.search.footer import (
    MAGIC,
    Chunk,
    Footer,
    Span,
    read_footer,
)
from lakehouse.requests.search.opening import read_at
from lakehouse.requests.search.pages import Page, between, pages_of, pieces, texts_of, unpacked
from lakehouse.requests.search.tally import Tally
from lakehouse.requests.search.thrift import DamagedError, binaries, read_struct
from lakehouse.requests.search.unpacked import Flat, flat_columns, values_without_finds
from lakehouse.requests.search.values import Values
from lakehouse.requests.search.walking import look_through

_BATCH: Final = 1 << 17
_BATCH_BYTES: Final = 64 << 20
_FEWEST: Final = 1 << 8
_PIECE: Final = 8 << 20
_OVERLAP: Final = 1 << 14
_BLOOM_HEADER: Final = 64
_BYTE_ARRAY: Final = 6
_WIDTHS: Final[dict[int, np.dtype[Any]]] = {
    1: np.dtype("<i4"),
    2: np.dtype("<i8"),
    4: np.dtype("<f4"),
    5: np.dtype("<f8"),
}
_CANT_DECODE: Final = (pa.ArrowException, OSError, ValueError, NotImplementedError)


@dataclass(slots=True)
class _File:
    """A file while it is searched.

    Args:
        file: Its bytes.
        size: How many.
        tally: Where finds are noted.
        covered: The parts that were read as what they are.
        mixed: Columns of which some pages hold values, not only numbers of values in a dictionary.
        flat: Columns whose pages can be looked through as they are.
        done: Row groups and columns of which the pages told that nobody is in them.
    """

    file: IO[bytes]
    size: int
    tally: Tally
    covered: list[Span] = field(default_factory=list)
    mixed: set[str] = field(default_factory=set)
    flat: dict[str, Flat] = field(default_factory=dict)
    done: set[tuple[int, str]] = field(default_factory=set)


def look_at_parquet(file: IO[bytes], size: int, tally: Tally, *, rows_as_documents: bool = False) -> None:
    """Looks through a Parquet file. What can't be read is noted, and its bytes are searched as they are.

    Args:
        file: The file.
        size: Its bytes.
        tally: Where finds are noted.
        rows_as_documents: For checkpoints: rows are looked through value by value too, JSON in them unpacked.
    """
    if not size:
        return
    work = _File(file, size, tally)
    try:
        footer = read_footer(file, size)
    except DamagedError as error:
        tally.fail(error.message)
        _raw(work, [Span(0, size)], "bytes")
        return
    work.covered += [Span(0, len(MAGIC)), footer.span]
    tally.rows += footer.rows
    if not rows_as_documents:
        work.flat = _flat(work)
    look_at_footer(footer, tally)
    for chunk in footer.chunks:
        _chunk(work, chunk)
    _raw(work, between(work.covered, size), "bytes between pages")
    _values(work, footer, rows_as_documents=rows_as_documents)


def _chunk(work: _File, chunk: Chunk) -> None:
    """Reads all pages and the dictionary of a column chunk, and its part of the page index."""
    data = memoryview(read_at(work.file, chunk.span.start, chunk.span.length))
    column = work.tally.column(without_lists(chunk.path))
    pages, found = [], False
    try:
        for page in pages_of(chunk, data):
            work.covered.append(page.span)
            pages.append(page)
            look_at_statistics(chunk, list(binaries(page.header)), work.tally)
            if page.is_dictionary:
                found |= _dictionary(chunk, page, data, work.tally)
            elif not page.by_dictionary:
                work.mixed.add(chunk.path)
        if not found and chunk.path in work.flat:
            _pages(work, chunk, pages, data)
    except DamagedError as error:
        work.mixed.add(chunk.path)
        work.tally.fail(f"pages of column {column}: {error.message}")
    for span in (chunk.column_index, chunk.offset_index):
        if span is None:
            continue
        try:
            index, length = read_struct(read_at(work.file, span.start, span.length))
        except DamagedError:
            work.tally.fail(f"the page index of column {column} can't be read")
            continue
        work.covered.append(Span(span.start, length))
        look_at_statistics(chunk, list(binaries(index)), work.tally)
    _bloom(work, chunk)


def _pages(work: _File, chunk: Chunk, pages: list[Page], data: memoryview) -> None:
    values = values_without_finds(chunk, work.flat[chunk.path], pages, data, work.tally)
    if values is not None:
        work.tally.cells += values
        work.done.add((chunk.group, chunk.path))


def _bloom(work: _File, chunk: Chunk) -> None:
    # Its bits are hashes: nothing can be read in them. They are left out of what is searched as it is.
    if chunk.bloom is None:
        return
    try:
        header, begin = read_struct(read_at(work.file, chunk.bloom.start, _BLOOM_HEADER))
    except DamagedError:
        return
    if isinstance(header.get(1), int):
        work.covered.append(Span(chunk.bloom.start, begin + header[1]))
        work.tally.limit("a Bloom filter tells who may have been in a column, and can't be searched")


def _dictionary(chunk: Chunk, page: Page, data: memoryview, tally: Tally) -> bool:
    """Values that no row has any more are in dictionaries too; decoded rows do not show them.

    Returns:
        Whether rows have to tell what is in them: anything was found, even a part of a word, or can't be
        looked for.
    """
    column = tally.column(without_lists(chunk.path))
    place = f"dictionary of column {column}"
    content = unpacked(chunk, page, data)
    if content is None:
        tally.fail(f"the dictionary of column {column} is compressed in a way that is not known")
        return True
    values = tally.columns.get(column)
    if chunk.kind == _BYTE_ARRAY:
        short = values is not None and values.has_short
        if short or tally.sought.in_bytes(content):
            texts = texts_of(content)
            tally.note(tally.sought.in_texts(texts, binary=True), place)
            if values is not None and short:
                _short(texts, values, tally, place)
            return True
    elif chunk.kind > _BYTE_ARRAY:
        tally.note(tally.sought.in_bytes(content), place)
        return True
    elif values is not None and chunk.kind in _WIDTHS:
        width = _WIDTHS[chunk.kind]
        numbers = np.frombuffer(content[: len(content) // width.itemsize * width.itemsize], dtype=width)
        there = numbers[np.isin(numbers, values.whole())].tolist()
        for number in there:
            for equal in values.of(number):
                tally.hit(equal, place)
        return bool(there)
    return False


def _short(texts: list[bytes], values: Values, tally: Tally, place: str) -> None:
    for text in texts:
        for number in values.of(text.decode("utf-8", "replace")):
            tally.hit(number, place)


def _raw(work: _File, spans: Any, place: str) -> None:
    for span in spans:
        for piece in pieces(work.file, span, length=_PIECE, overlap=_OVERLAP):
            # Padding is zeros.
            if piece.strip(b"\0"):
                work.tally.note(work.tally.sought.in_bytes(piece), place)


def _opened(work: _File, read_dictionary: list[str]) -> Any:
    work.file.seek(0)
    return pq.ParquetFile(
        work.file,
        read_dictionary=read_dictionary,
        thrift_string_size_limit=1 << 30,
        thrift_container_size_limit=1 << 30,
    )


def _flat(work: _File) -> dict[str, Flat]:
    try:
        return flat_columns(_opened(work, []))
    except _CANT_DECODE:
        # It is told where rows are decoded.
        return {}


def _values(work: _File, footer: Footer, *, rows_as_documents: bool) -> None:
    """Decodes what is left of it, and compares each value."""
    tally = work.tally
    # Columns that are dictionaries throughout stay so: each value is looked at once for each row group.
    flat = {chunk.path for chunk in footer.chunks if chunk.kind == _BYTE_ARRAY and "." not in chunk.path}
    left: dict[int, dict[str, None]] = {}
    for chunk in footer.chunks:
        if (chunk.group, chunk.path) not in work.done:
            left.setdefault(chunk.group, {})[chunk.path] = None
    try:
        parquet = _opened(work, sorted(flat - work.mixed))
        for group in range(parquet.num_row_groups):
            look_at_typed_statistics(parquet.metadata.row_group(group), tally)
            for batch in _batches(parquet, group, list(left.get(group, ()))):
                _batch(batch, tally, rows_as_documents=rows_as_documents)
    except _CANT_DECODE as error:
        # The library's words can have values in them.
        tally.fail(f"rows can't be decoded ({type(error).__name__})")
        _raw(work, [Span(0, work.size)], "bytes")


def _batches(parquet: Any, group: int, columns: list[str]) -> Iterator[Any]:
    """Some rows at a time: fewer where they are wide."""
    if not columns:
        return
    about = parquet.metadata.row_group(group)
    width = about.total_byte_size // max(about.num_rows, 1) + 1
    rows = min(max(_BATCH_BYTES // width, _FEWEST), _BATCH)
    yield from parquet.iter_batches(batch_size=rows, row_groups=[group], columns=columns, use_threads=False)


def _batch(batch: Any, tally: Tally, *, rows_as_documents: bool) -> None:
    shown = tally.counts()
    if rows_as_documents:
        look_through(batch.to_pylist(), tally)
        shown = tally.counts() - shown
    plainly = tally.apart()
    for name, column in zip(batch.schema.names, batch.columns, strict=True):
        for path, array in leaves(column, name):
            plainly.cells += len(array) - array.null_count
            look_at(array, path, plainly)
    tally.take(plainly, unless=shown if rows_as_documents else ())
    if not rows_as_documents:
        tally.cells += plainly.cells
        tally.inside += plainly.inside
