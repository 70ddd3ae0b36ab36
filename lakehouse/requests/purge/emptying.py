"""Emptying people's rows in old files: which cells of which rows, and what stands there then."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Final

import polars as pl

from lakehouse.cdc.timeline import EVENTS
from lakehouse.delta.column_mapping import mode
from lakehouse.delta.parquet_edit.footer import Node, read_footer
from lakehouse.delta.parquet_edit.places import Step
from lakehouse.delta.parquet_edit.problems import CantEditError
from lakehouse.delta.schema import STRING, DataType, DecimalType, PrimitiveType, StructField, StructType
from lakehouse.delta.snapshot import Snapshot
from lakehouse.merge.feed import CHANGE_TYPE
from lakehouse.pii.paths import ColumnPath, parse_path
from lakehouse.requests.emptying import field_at
from lakehouse.requests.find import RULE, Found
from lakehouse.requests.locate import FILE, POSITION
from lakehouse.requests.purge.plan import Going
from lakehouse.requests.redact.columns import in_files
from lakehouse.requests.redact.constants import Plain
from lakehouse.requests.redact.files import Cells
from lakehouse.requests.redact.replace import Part, Replaced, empty_parts_in_place
from lakehouse.storage import Storage

_ZEROS: Final[dict[str, Plain]] = {
    "string": "",
    "binary": b"",
    "boolean": False,
    "byte": 0,
    "short": 0,
    "integer": 0,
    "long": 0,
    "float": 0.0,
    "double": 0.0,
    "date": date(1970, 1, 1),
    "timestamp": datetime(1970, 1, 1, tzinfo=UTC),
    "timestamp_ntz": datetime(1970, 1, 1, tzinfo=UTC),
}


def empty(
    storage: Storage, found: Found, file: Going, *, before: Callable[[Replaced], None]
) -> Replaced | None:
    """Empties the rows of people in one file, where it lies.

    Args:
        storage: The table's folder.
        found: Where they are.
        file: The file, with its number.
        before: Called right before it is replaced.

    Returns:
        What was done; None where there was nothing left to empty.

    Raises:
        CantEditError: It can't be done; nothing was changed.
        NotFoundError: The file is gone.
        CorruptTableError: It is no Parquet file, or not of the size that the log says.
        StorageError: The store failed.
    """
    rows = found.going.filter(pl.col(FILE) == file.number)

    def parts(data: bytes) -> list[Part]:
        return _parts(data, found, rows)

    return empty_parts_in_place(storage, file.path, size=file.bytes, parts=parts, before=before)


def _parts(data: bytes, found: Found, rows: pl.DataFrame) -> list[Part]:
    deleting = [number for number, rule in enumerate(found.rules) if rule.do == "delete"]
    parts: list[Part] = []
    whole = rows.filter(pl.col(RULE).is_in(deleting))
    if whole.height:
        columns = [cells for node in read_footer(data).root.children for cells in _whole(node, found)]
        parts.append((whole[POSITION].to_numpy(), columns))
    for (number,), some in (
        rows.filter(~pl.col(RULE).is_in(deleting)).partition_by(RULE, as_dict=True).items()
    ):
        parts.append((some[POSITION].to_numpy(), list(_named(found, number))))
    return parts


def _named(found: Found, number: int) -> Iterator[Cells]:
    """The cells that an anonymizing rule empties."""
    newest = found.past.newest
    for name in (*found.rules[number].columns, EVENTS):
        way = _before_maps(parse_path(name, columns=newest.schema.names))
        if way.column not in newest.schema:
            continue
        item, path = field_at(newest.schema.field(way.column), way.steps), in_files(way, newest)
        if item is not None and path is not None:
            full = not item.nullable and item.type == STRING
            yield Cells(path, neutral="" if full else None)


def _before_maps(path: ColumnPath) -> ColumnPath:
    """Of maps all goes: a key can be a person's value, and can't be empty alone."""
    ends = [at for at, step in enumerate(path.steps) if step.kind in {"key", "value"}]
    return ColumnPath(path.column, path.steps[: ends[0]]) if ends else path


def _whole(node: Node, found: Found) -> Iterator[Cells]:
    """All cells of a column, whatever the table calls it now, or if it has been dropped."""
    if node.name == CHANGE_TYPE:
        return
    newest = found.past.newest
    item = next((each for each in newest.schema.fields if _is_of(node, each, newest)), None)
    yield from [Cells((node.name,), or_zero=True)] if item is None else _cells((node.name,), item)


def _is_of(node: Node, item: StructField, newest: Snapshot) -> bool:
    kind = mode(newest.metadata, protocol=newest.protocol)
    if kind == "id" and node.field_id is not None and item.column_id is not None:
        return node.field_id == item.column_id
    return node.name == (item.name if kind == "none" else item.physical_name)


def _cells(path: Sequence[Step], item: StructField) -> Iterator[Cells]:
    if item.nullable:
        yield Cells(tuple(path), or_zero=True)
    elif isinstance(item.type, StructType):
        for each in item.type.fields:
            yield from _cells((*path, each.physical_name), each)
    else:
        yield Cells(tuple(path), neutral=_zero(item.type), or_zero=True)


def _zero(kind: DataType) -> Plain:
    if isinstance(kind, DecimalType):
        return Decimal(0)
    found = _ZEROS.get(kind.name) if isinstance(kind, PrimitiveType) else None
    if found is None:
        raise CantEditError("a column that must not be null has no neutral value")
    return found
