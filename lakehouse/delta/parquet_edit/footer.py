"""A Parquet file's footer: its schema as a tree, its row groups and column chunks, as they lie in Thrift.

Source: Apache Parquet format, ``parquet.thrift``. The numbers are the field ids there.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from lakehouse.delta.parquet_edit import thrift
from lakehouse.delta.parquet_edit.problems import CantEditError
from lakehouse.delta.parquet_edit.thrift import Buffer, Fields, Value
from lakehouse.errors import CorruptTableError

MAGIC: Final = b"PAR1"
TRAILER: Final = 8
_ENCRYPTED: Final = b"PARE"

# FileMetaData
SCHEMA: Final = 2
FILE_ROWS: Final = 3
ROW_GROUPS: Final = 4
KEY_VALUES: Final = 5
_ENCRYPTION: Final = 8
_SIGNING: Final = 9
# SchemaElement
TYPE: Final = 1
TYPE_LENGTH: Final = 2
REPETITION: Final = 3
NAME: Final = 4
CHILDREN: Final = 5
CONVERTED: Final = 6
SCALE: Final = 7
FIELD_ID: Final = 9
LOGICAL: Final = 10
# RowGroup
COLUMNS: Final = 1
BYTES: Final = 2
ROWS: Final = 3
SORTING: Final = 4
GROUP_OFFSET: Final = 5
COMPRESSED: Final = 6
# ColumnChunk
FILE_PATH: Final = 1
CHUNK_OFFSET: Final = 2
META: Final = 3
_INDEXES: Final = (4, 5, 6, 7)
_CRYPTO: Final = (8, 9)
# ColumnMetaData
M_TYPE: Final = 1
M_ENCODINGS: Final = 2
M_PATH: Final = 3
M_CODEC: Final = 4
M_VALUES: Final = 5
M_UNCOMPRESSED: Final = 6
M_COMPRESSED: Final = 7
M_KEY_VALUES: Final = 8
M_DATA: Final = 9
M_INDEX: Final = 10
M_DICTIONARY: Final = 11
M_STATISTICS: Final = 12
M_ENCODING_STATS: Final = 13
M_BLOOM: Final = (14, 15)
M_SIZES: Final = 16
M_GEO: Final = 17

REQUIRED: Final = 0
OPTIONAL: Final = 1
REPEATED: Final = 2

# ConvertedType and LogicalType
_CONVERTED_KINDS: Final = {1: "map", 2: "map", 3: "list"}
_LOGICAL_KINDS: Final = {2: "map", 3: "list"}


@dataclass(slots=True, eq=False)
class Node:
    """One element of the schema.

    Args:
        element: Its Thrift fields.
        parent: What it is in; None for the root.
        children: What is in it; none for leaves.
        leaf: The number of the leaf among all leaves, -1 for groups.
        definition: The highest definition level of what is here.
        repetition: The highest repetition level.
    """

    element: Fields
    parent: Node | None
    children: list[Node] = field(default_factory=list)
    leaf: int = -1
    definition: int = 0
    repetition: int = 0

    @property
    def name(self) -> str:
        """Its name in the file."""
        return str(self.element[NAME].value.decode("utf-8", "replace"))

    @property
    def field_id(self) -> int | None:
        """Its field id, where it has one."""
        found = _plain(self.element, FIELD_ID)
        return None if found is None else int(found)

    @property
    def repeats(self) -> int:
        """Required, optional or repeated."""
        found = _plain(self.element, REPETITION)
        return REQUIRED if found is None else found

    @property
    def kind(self) -> str:
        """``list``, ``map``, ``group`` or ``leaf``."""
        if not self.children:
            return "leaf"
        logical = self.element.get(LOGICAL)
        if logical is not None:
            return next((_LOGICAL_KINDS[key] for key in logical.value if key in _LOGICAL_KINDS), "group")
        return _CONVERTED_KINDS.get(_plain(self.element, CONVERTED) or 0, "group")

    def leaves(self) -> Iterator[Node]:
        """All leaves here, in order."""
        if not self.children:
            yield self
        for child in self.children:
            yield from child.leaves()

    def ancestors(self) -> list[Node]:
        """From the top-level column down to this one, itself included."""
        found: list[Node] = []
        node: Node | None = self
        while node is not None and node.parent is not None:
            found.append(node)
            node = node.parent
        return found[::-1]


@dataclass(slots=True)
class Chunk:
    """Where a column chunk lies.

    Args:
        meta: Its ``ColumnMetaData``.
        start: Where its first page starts.
        length: Its bytes.
    """

    meta: Fields
    start: int
    length: int


@dataclass(slots=True)
class Footer:
    """The footer of a file.

    Args:
        fields: Its ``FileMetaData``.
        root: The schema.
        start: Where the footer starts in the file.
    """

    fields: Fields
    root: Node
    start: int

    @property
    def groups(self) -> list[Fields]:
        """The row groups."""
        found: list[Fields] = self.fields[ROW_GROUPS].value
        return found

    def rows(self) -> list[int]:
        """How many rows each row group has."""
        return [int(group[ROWS].value) for group in self.groups]

    def chunk(self, group: int, leaf: int) -> Chunk:
        """One column chunk.

        Args:
            group: Which row group.
            leaf: Which leaf.
        """
        meta: Fields = self.groups[group][COLUMNS].value[leaf][META].value
        start = int(meta[M_DATA].value)
        dictionary = _plain(meta, M_DICTIONARY)
        # Some old writers say 0 where there is no dictionary.
        if dictionary is not None and 0 < dictionary < start:
            start = dictionary
        length = int(meta[M_COMPRESSED].value)
        if start < len(MAGIC) or length < 0 or start + length > self.start:
            raise CorruptTableError("a column chunk of a Parquet file lies outside of the file")
        return Chunk(meta, start, length)


def read_footer(data: Buffer) -> Footer:
    """Read the footer of a whole file.

    Args:
        data: The file.

    Returns:
        Its footer.

    Raises:
        CorruptTableError: It is no Parquet file, or a damaged one.
        CantEditError: It is encrypted, or its chunks lie in other files.
    """
    size = len(data)
    end = bytes(data[-TRAILER:])
    if size < TRAILER + len(MAGIC) or end[4:] not in (MAGIC, _ENCRYPTED):
        raise CorruptTableError("it is no Parquet file")
    if end[4:] == _ENCRYPTED:
        raise _encrypted()
    start = size - TRAILER - struct.unpack("<I", end[:4])[0]
    if start < len(MAGIC):
        raise CorruptTableError("the footer of a Parquet file is longer than the file")
    fields, _ = thrift.read_struct(memoryview(data)[start : size - TRAILER])
    if _ENCRYPTION in fields or _SIGNING in fields:
        raise _encrypted()
    try:
        footer = Footer(fields, _tree(fields[SCHEMA].value), start)
        _check(footer)
    except (KeyError, AttributeError, TypeError, IndexError):
        raise CorruptTableError("the footer of a Parquet file lacks what it must hold") from None
    return footer


def _check(footer: Footer) -> None:
    leaves = sum(1 for _ in footer.root.leaves())
    for number, group in enumerate(footer.groups):
        columns: list[Fields] = group[COLUMNS].value
        if len(columns) != leaves:
            raise CorruptTableError("a row group of a Parquet file has not one chunk for each column")
        for column in columns:
            if any(number in column for number in _CRYPTO):
                raise _encrypted()
            if FILE_PATH in column:
                raise CantEditError("its column chunks lie in other files")
        for leaf in range(leaves):
            footer.chunk(number, leaf)


def _tree(elements: list[Fields]) -> Node:
    rest = iter(elements)
    root = Node(next(rest), None)
    count = 0

    def grow(node: Node) -> None:
        nonlocal count
        for _ in range(_plain(node.element, CHILDREN) or 0):
            try:
                child = Node(next(rest), node)
            except StopIteration:
                raise CorruptTableError("the schema of a Parquet file is cut off") from None
            child.definition = node.definition + (child.repeats != REQUIRED)
            child.repetition = node.repetition + (child.repeats == REPEATED)
            node.children.append(child)
            grow(child)
        if not node.children and node.parent is not None:
            node.leaf, count = count, count + 1

    grow(root)
    return root


def bare_chunk(column: Fields) -> None:
    """Takes from a chunk's entry whatever speaks of places that move: indexes and bloom filters.

    Args:
        column: Its ``ColumnChunk``; changed.
    """
    for number in _INDEXES:
        column.pop(number, None)
    column[CHUNK_OFFSET] = thrift.i64(0)
    for number in M_BLOOM:
        column[META].value.pop(number, None)


def _plain(fields: Fields, number: int) -> Any:
    found: Value | None = fields.get(number)
    return None if found is None else found.value


def _encrypted() -> CantEditError:
    return CantEditError("it is encrypted")
