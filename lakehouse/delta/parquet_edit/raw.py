"""Column chunks as plain values, and back, whatever the column means.

A chunk is put into a small file of its own, whose schema has the same levels but no logical types: texts
are bytes, decimals and times the numbers or bytes that they are stored as, floating point numbers whole
numbers of the same bits, and the 96-bit times of old writers twelve bytes. So nothing is lost or changed by
reading and writing, and PyArrow does both.

A repeated element is read as a list that can't be null of structs that can't; written again, that has the
same definition and repetition levels as the original, also where lists are of one of the older shapes.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from lakehouse.delta.parquet_edit import footer as f
from lakehouse.delta.parquet_edit import thrift
from lakehouse.delta.parquet_edit.footer import Chunk, Footer, Node
from lakehouse.delta.parquet_edit.problems import CantEditError
from lakehouse.delta.parquet_edit.small import arrow_type, shape, small_file
from lakehouse.delta.parquet_edit.thrift import Buffer, Fields


@dataclass(frozen=True, slots=True)
class Encoded:
    """A column chunk that was written anew.

    Args:
        data: Its pages.
        meta: Its ``ColumnMetaData``, with places counted from its first page.
    """

    data: Buffer
    meta: Fields


@dataclass(frozen=True, slots=True)
class Encoding:
    """How chunks are written.

    Args:
        codec: PyArrow's name.
        level: Of compression, where the codec has some.
        dictionary: Whether values are written once and pointed at.
        encoding: PyArrow's name of another encoding, used in the place of plain values.
    """

    codec: str
    level: int | None = None
    dictionary: bool = True
    encoding: str | None = None


def read_column(data: Buffer, footer: Footer, node: Node, group: int) -> pa.Array:
    """Read a column, or a part of one, of one row group.

    Args:
        data: The file.
        footer: Its footer.
        node: An element of the schema; only the chunks of its leaves are read.
        group: Which row group.

    Returns:
        One element a row: the values below structs and lists that lead to them.

    Raises:
        CantEditError: It can't be read.
    """
    chunks = [footer.chunk(group, leaf.leaf) for leaf in node.leaves()]
    content = small_file(data, node, chunks, rows=footer.rows()[group])
    try:
        table = pq.ParquetFile(pa.BufferReader(content)).read(use_threads=False)
    except (pa.ArrowException, OSError, ValueError):
        # The cause is not kept: its message could show values.
        raise CantEditError("one of its columns can't be decoded") from None
    column = table.column(0)
    if column.num_chunks == 1:
        return column.chunk(0)
    if column.nbytes >= 2**31:
        raise CantEditError("a row group holds more than two gigabytes of one column")
    return column.combine_chunks() if column.num_chunks else pa.array([], column.type)


def write_column(values: pa.Array, node: Node, encoding: Encoding) -> list[Encoded]:
    """Write a column, or a part of one, of one row group.

    Args:
        values: As `read_column` gives them.
        node: The same element of the schema.
        encoding: How.

    Returns:
        A chunk for each of the element's leaves.

    Raises:
        CantEditError: What comes out is of another shape than the file's schema.
    """
    out = io.BytesIO()
    nullable = node.ancestors()[0].repeats == f.OPTIONAL
    schema = pa.schema([pa.field("n0", values.type, nullable=nullable)])
    settings: dict[str, Any] = {"use_dictionary": encoding.dictionary}
    leaves = list(node.leaves())
    if encoding.encoding is not None:
        paths = _paths(schema)
        settings = {"use_dictionary": False, "column_encoding": dict.fromkeys(paths, encoding.encoding)}
    pq.write_table(
        pa.table([values], schema=schema),
        out,
        compression=encoding.codec,
        compression_level=encoding.level,
        write_statistics=False,
        store_schema=False,
        row_group_size=max(len(values), 1),
        **settings,
    )
    content = out.getbuffer()
    made = f.read_footer(content)
    found = list(made.root.leaves())
    if len(made.groups) != 1 or [shape(leaf) for leaf in found] != [shape(leaf) for leaf in leaves]:
        raise CantEditError("one of its columns is nested in a way that can't be written again")
    chunks = [made.chunk(0, number) for number in range(len(found))]
    return [_taken(content, chunk) for chunk in chunks]


def read_dictionary(data: Buffer, chunk: Chunk, leaf: Node) -> pa.Array:
    """Read the dictionary page of a chunk: values that its rows can point at, and need not.

    Args:
        data: The file.
        chunk: The chunk.
        leaf: Its leaf.

    Returns:
        The values; none where the chunk has no dictionary.

    Raises:
        CantEditError: It can't be read.
    """
    page = memoryview(data)[chunk.start : chunk.start + chunk.length]
    header, end = thrift.read_struct(page)
    if header[_PAGE_TYPE].value != _DICTIONARY_PAGE:
        return pa.array([], arrow_type(leaf))
    count = int(header[_DICTIONARY_HEADER].value[1].value)
    body = bytes(page[end : end + int(header[_PAGE_COMPRESSED].value)])
    # The same bytes as a page of plain values of a column that can't be null.
    data_header = thrift.write_struct(
        {
            1: thrift.i32(0),
            2: header[_PAGE_UNCOMPRESSED],
            3: thrift.i32(len(body)),
            5: thrift.struct({1: thrift.i32(count), 2: thrift.i32(0), 3: thrift.i32(3), 4: thrift.i32(3)}),
        }
    )
    pages = data_header + body
    meta: Fields = {
        **chunk.meta,
        f.M_VALUES: thrift.i64(count),
        f.M_COMPRESSED: thrift.i64(len(pages)),
        f.M_UNCOMPRESSED: thrift.i64(len(data_header) + int(header[_PAGE_UNCOMPRESSED].value)),
        f.M_DATA: thrift.i64(0),
        f.M_ENCODINGS: thrift.listed(thrift.I32, [0, 3]),
    }
    meta.pop(f.M_DICTIONARY, None)
    flat = Node({**leaf.element, f.REPETITION: thrift.i32(f.REQUIRED)}, None)
    flat.parent = Node({}, None)
    content = small_file(pages, flat, [Chunk(meta, 0, len(pages))], rows=count)
    try:
        column = pq.ParquetFile(pa.BufferReader(content)).read(use_threads=False).column(0)
    except (pa.ArrowException, OSError, ValueError):
        raise CantEditError("the dictionary of one of its columns can't be decoded") from None
    return column.combine_chunks()


_CARRIED: Final = (
    f.M_ENCODINGS,
    f.M_CODEC,
    f.M_VALUES,
    f.M_UNCOMPRESSED,
    f.M_COMPRESSED,
    f.M_DATA,
    f.M_DICTIONARY,
)
_PAGE_TYPE: Final = 1
_PAGE_UNCOMPRESSED: Final = 2
_PAGE_COMPRESSED: Final = 3
_DICTIONARY_HEADER: Final = 7
_DICTIONARY_PAGE: Final = 2


def _taken(content: Buffer, chunk: Chunk) -> Encoded:
    meta = {number: value for number, value in chunk.meta.items() if number in _CARRIED}
    for number in (f.M_DATA, f.M_DICTIONARY):
        if number in meta:
            meta[number] = thrift.i64(int(meta[number].value) - chunk.start)
    return Encoded(memoryview(content)[chunk.start : chunk.start + chunk.length], meta)


def _paths(schema: pa.Schema) -> list[str]:
    """What PyArrow calls the leaves that it writes for a schema."""
    out = io.BytesIO()
    pq.write_table(schema.empty_table(), out)
    names = pq.ParquetFile(pa.BufferReader(out.getbuffer())).schema
    return [names.column(number).path for number in range(len(names))]
