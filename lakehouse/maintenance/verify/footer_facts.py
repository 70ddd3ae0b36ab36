"""Whether the rows of a row group are those that the file's own footer describes.

Bytes that rotted often still decode, to other values. The footer's statistics were written together with the
pages: where both disagree, the file is damaged, and the log's statistics are no evidence for anything.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

_INTEGERS: Final = frozenset({"INT32", "INT64"})
_FLOATS: Final = frozenset({"FLOAT", "DOUBLE"})
_WIDE: Final = 64


@dataclass(slots=True)
class _Leaf:
    """A column chunk that is no part of a list or map, and what was seen of it."""

    path: tuple[str, ...]
    stated: Any
    kind: str
    nulls: int = 0
    low: Any = None
    high: Any = None

    def take_in(self, values: pa.Array) -> None:
        self.nulls += values.null_count
        if not self.kind or values.null_count == len(values):
            return
        if self.kind == "integer" and not pa.types.is_integer(values.type):
            values = values.view(pa.int64() if values.type.bit_width == _WIDE else pa.int32())
        elif self.kind == "text":
            # Some writers have views read back, of which PyArrow finds no smallest one.
            values = values.cast(pa.large_string())
        found = pc.min_max(values)
        low, high = found["min"].as_py(), found["max"].as_py()
        self.low = low if self.low is None else min(self.low, low)
        self.high = high if self.high is None else max(self.high, high)

    def differs(self) -> bool:
        """Whether the footer says something else."""
        stated = self.stated
        if stated.has_null_count and stated.null_count != self.nulls:
            return True
        if not self.kind or not stated.has_min_max or self.low is None:
            return False
        if self.kind == "integer":
            return bool(self.low != stated.min_raw or self.high != stated.max_raw)
        # Texts may be cut off, and NaN is left out.
        return bool(self.low < stated.min or self.high > stated.max)


class FooterFacts:
    """Compares one row group with what the footer says of it.

    Args:
        footer: The file's ``pyarrow.parquet.FileMetaData``.
        group: The row group's number.
    """

    def __init__(self, footer: Any, group: int) -> None:
        self._leaves = list(_leaves(footer, group))

    def take_in(self, batch: pa.RecordBatch) -> None:
        """Look at some of its rows.

        Args:
            batch: Under the file's own names.
        """
        for leaf in self._leaves:
            values = batch.column(leaf.path[0])
            if len(leaf.path) > 1:
                values = pc.struct_field(values, list(leaf.path[1:]))
            leaf.take_in(values)

    def differing(self) -> list[str]:
        """The columns that hold something else than the footer says, once all rows were seen.

        Returns:
            The file's own names.
        """
        return [".".join(leaf.path) for leaf in self._leaves if leaf.differs()]


def _leaves(footer: Any, group: int) -> Iterator[_Leaf]:
    chunks, schema = footer.row_group(group), footer.schema
    fields = schema.to_arrow_schema()
    for number in range(chunks.num_columns):
        described, chunk = schema.column(number), chunks.column(number)
        path = tuple(described.path.split("."))
        if described.max_repetition_level or not chunk.is_stats_set or not _leads_to_leaf(fields, path):
            continue
        stated = chunk.statistics
        logical = described.logical_type.type
        kind = ""
        if stated.physical_type in _INTEGERS and logical in ("NONE", "INT", "DATE", "TIMESTAMP"):
            kind = "integer"
        elif stated.physical_type in _FLOATS:
            kind = "number"
        elif stated.physical_type == "BYTE_ARRAY" and logical == "STRING":
            kind = "text"
        yield _Leaf(path, stated, kind)


def _leads_to_leaf(fields: pa.Schema, path: tuple[str, ...]) -> bool:
    """Whether the names lead through structs to a value; names with dots in them don't, and are left out."""
    if path[0] not in fields.names or fields.names.count(path[0]) > 1:
        return False
    kind = fields.field(path[0]).type
    for name in path[1:]:
        if not pa.types.is_struct(kind) or kind.get_field_index(name) < 0:
            return False
        kind = kind.field(name).type
    return not pa.types.is_nested(kind) and not pa.types.is_dictionary(kind)
