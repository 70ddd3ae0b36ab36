"""A column chunk as a Parquet file of its own, without names and meaning."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import pyarrow as pa

from lakehouse.delta.parquet_edit import footer as f
from lakehouse.delta.parquet_edit import thrift
from lakehouse.delta.parquet_edit.footer import Chunk, Node
from lakehouse.delta.parquet_edit.thrift import Buffer, Fields

# Type
BOOLEAN: Final = 0
INT32: Final = 1
INT64: Final = 2
INT96: Final = 3
FLOAT: Final = 4
DOUBLE: Final = 5
BYTE_ARRAY: Final = 6
FIXED: Final = 7

INT96_BYTES: Final = 12
# What is read and written in the place of a type, bit by bit the same in its pages.
_AS: Final = {FLOAT: INT32, DOUBLE: INT64, INT96: FIXED}
_VERSION: Final = 2


def small_file(data: Buffer, node: Node, chunks: Sequence[Chunk], *, rows: int) -> bytes:
    """A Parquet file that holds nothing but some chunks.

    Args:
        data: Where they are now.
        node: An element of the schema; its leaves are the chunks'.
        chunks: One for each leaf.
        rows: How many there are.

    Returns:
        The file: one row group, one column, named by numbers and with no logical types.
    """
    schema: list[Fields] = [{f.NAME: thrift.binary(b"root"), f.CHILDREN: thrift.i32(1)}]
    names = _bare_elements(node, schema)
    view = memoryview(data)
    parts: list[Buffer] = [f.MAGIC]
    columns: list[Fields] = []
    at = len(f.MAGIC)
    for chunk, leaf, path in zip(chunks, node.leaves(), names, strict=True):
        parts.append(view[chunk.start : chunk.start + chunk.length])
        move = at - chunk.start
        meta: Fields = {
            number: chunk.meta[number]
            for number in (f.M_ENCODINGS, f.M_CODEC, f.M_VALUES, f.M_UNCOMPRESSED, f.M_COMPRESSED)
        }
        meta[f.M_TYPE] = thrift.i32(raw_type(leaf))
        meta[f.M_PATH] = thrift.listed(thrift.BINARY, path)
        meta[f.M_DATA] = thrift.i64(int(chunk.meta[f.M_DATA].value) + move)
        if chunk.start != int(chunk.meta[f.M_DATA].value):
            meta[f.M_DICTIONARY] = thrift.i64(chunk.start + move)
        columns.append({f.CHUNK_OFFSET: thrift.i64(at), f.META: thrift.struct(meta)})
        at += chunk.length
    group: Fields = {
        f.COLUMNS: thrift.listed(thrift.STRUCT, columns),
        f.BYTES: thrift.i64(sum(int(chunk.meta[f.M_UNCOMPRESSED].value) for chunk in chunks)),
        f.ROWS: thrift.i64(rows),
    }
    end = thrift.write_struct(
        {
            1: thrift.i32(_VERSION),
            f.SCHEMA: thrift.listed(thrift.STRUCT, schema),
            f.FILE_ROWS: thrift.i64(rows),
            f.ROW_GROUPS: thrift.listed(thrift.STRUCT, [group]),
        }
    )
    return b"".join([*parts, end, len(end).to_bytes(4, "little"), f.MAGIC])


def _bare_elements(node: Node, schema: list[Fields]) -> list[list[bytes]]:
    """Adds the way to an element and all below it, without names and meaning; returns its leaves' paths."""
    paths: list[list[bytes]] = []

    def add(element: Node, children: int) -> bytes:
        name = f"n{len(schema) - 1}".encode()
        bare: Fields = {f.REPETITION: thrift.i32(element.repeats), f.NAME: thrift.binary(name)}
        if children:
            bare[f.CHILDREN] = thrift.i32(children)
        else:
            kind = raw_type(element)
            bare[f.TYPE] = thrift.i32(kind)
            if kind == FIXED:
                bare[f.TYPE_LENGTH] = thrift.i32(width(element))
        schema.append(bare)
        return name

    def descend(element: Node, before: list[bytes]) -> None:
        here = [*before, add(element, len(element.children))]
        if not element.children:
            paths.append(here)
        for child in element.children:
            descend(child, here)

    descend(node, [add(above, 1) for above in node.ancestors()[:-1]])
    return paths


def raw_type(leaf: Node) -> int:
    """The physical type under which a leaf is read and written.

    Args:
        leaf: A leaf.
    """
    kind = int(leaf.element[f.TYPE].value)
    return _AS.get(kind, kind)


def width(leaf: Node) -> int:
    """How many bytes a value of a type of fixed length has.

    Args:
        leaf: A leaf of that type.
    """
    if int(leaf.element[f.TYPE].value) == INT96:
        return INT96_BYTES
    return int(leaf.element[f.TYPE_LENGTH].value)


def arrow_type(leaf: Node) -> pa.DataType:
    """The Arrow type under which a leaf is read and written.

    Args:
        leaf: A leaf.
    """
    kind = raw_type(leaf)
    kinds = {BOOLEAN: pa.bool_(), INT32: pa.int32(), INT64: pa.int64(), BYTE_ARRAY: pa.binary()}
    return kinds[kind] if kind in kinds else pa.binary(width(leaf))


def shape(leaf: Node) -> tuple[int, int, int, int]:
    """What a leaf's pages depend on: type, length, and the highest levels.

    Args:
        leaf: A leaf.
    """
    kind = raw_type(leaf)
    return kind, width(leaf) if kind == FIXED else 0, leaf.definition, leaf.repetition
