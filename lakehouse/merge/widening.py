"""Wider and larger types of columns that a table has already: how it is read, and what becomes of its files.

Two ways (see docs/decisions): the files are written anew in the wider type, in the commit of the merge, which
every reader understands; or the table tells of the change and keeps its files (Delta protocol, section "Type
Widening"), which needs readers that know the feature.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Literal

from lakehouse.cdc.cells import CELLS
from lakehouse.cdc.conform import Conformed
from lakehouse.delta.schema import ArrayType, DataType, MapType, StructType
from lakehouse.delta.snapshot import Snapshot
from lakehouse.delta.type_changes import traced, widens_by_metadata
from lakehouse.merge.target import MergeTarget

Way = Literal["rewrite", "metadata", "never"]


def way_of(target: MergeTarget, snapshot: Snapshot | None) -> Way:
    """How columns of a table are widened.

    Args:
        target: The table.
        snapshot: The version to build on.

    Returns:
        What the table itself has chosen, else what the config says. The events of a full history are kept in
        lists that only a rewrite widens.
    """
    way: Way = target.config.changes.widen
    if snapshot is None or target.config.changes.schema_policy != "evolve" or way == "never":
        return "never"
    if widens_by_metadata(snapshot.protocol, snapshot.metadata):
        way = "metadata"
    return "never" if way == "metadata" and target.config.history.mode == "full" else way


def widened_schema(snapshot: Snapshot, conformed: Conformed) -> StructType:
    """The columns that a version has, in the types that they have after the merge.

    Args:
        snapshot: The version.
        conformed: The batch, and the schema that it needs.

    Returns:
        The same columns, those of the lake's own included.
    """
    wanted = {item.name: item.type for item in conformed.schema.fields}
    sequence = {name: wanted[name] for name in conformed.batch.sequence if name in conformed.widened}
    fields = []
    for item in snapshot.schema.fields:
        if item.name == CELLS and sequence:
            fields.append(replace(item, type=_with_ages(item.type, sequence)))
        else:
            fields.append(replace(item, type=wanted.get(item.name, item.type)))
    return StructType(tuple(fields))


def seen_as(snapshot: Snapshot, conformed: Conformed) -> Snapshot:
    """The same version, read in the types that its columns have after the merge.

    Args:
        snapshot: The version.
        conformed: The batch, and the schema that it needs.

    Returns:
        The version with that view of its columns; itself where no type changes.
    """
    schema = traced(snapshot.schema, widened_schema(snapshot, conformed))
    return snapshot if schema == snapshot.schema else replace(snapshot, schema=schema)


def grows_inside(known: DataType, wanted: DataType, *, inside: bool = False) -> bool:
    """Whether structs in lists or maps get more fields.

    delta-rs can't read lists and maps of files whose structs lack fields that the table has.

    Args:
        known: The table's schema, or a type in it.
        wanted: The same after the merge.
        inside: Whether it is inside of a list or map.
    """
    match known, wanted:
        case StructType(), StructType():
            if inside and set(wanted.names) - set(known.names):
                return True
            there = ((known.get(item.name), item) for item in wanted.fields)
            return any(
                old is not None and grows_inside(old.type, new.type, inside=inside) for old, new in there
            )
        case ArrayType(), ArrayType():
            return grows_inside(known.element, wanted.element, inside=True)
        case MapType(), MapType():
            grows = grows_inside(known.key, wanted.key, inside=True)
            return grows or grows_inside(known.value, wanted.value, inside=True)
        case _:
            return False


def _with_ages(cells: DataType, sequence: Mapping[str, DataType]) -> DataType:
    """The ages of cells are told in the type of the sequence (see `lakehouse.cdc.cells`)."""
    match cells:
        case ArrayType():
            return replace(cells, element=_with_ages(cells.element, sequence))
        case StructType(fields):
            return StructType(
                tuple(
                    replace(item, type=sequence.get(item.name, _with_ages(item.type, sequence)))
                    for item in fields
                )
            )
        case _:
            return cells
