"""Writes what a merge decided: new objects that nobody sees yet, and the actions that make them seen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from pyroaring import BitMap64

from lakehouse.cdc.cells import CELLS
from lakehouse.delta import column_mapping, protocols
from lakehouse.delta.actions import Action
from lakehouse.delta.schema import StructField, StructType, parse_schema, type_from_arrow
from lakehouse.delta.snapshot import Snapshot
from lakehouse.delta.type_changes import enable_type_widening, traced
from lakehouse.errors import RefusedError
from lakehouse.merge.decide import Decision
from lakehouse.merge.feed import write_feed
from lakehouse.merge.files import FileChanges, FileWriter
from lakehouse.merge.history import same_type
from lakehouse.merge.plan import MergePlan
from lakehouse.merge.target import MergeTarget, Mode
from lakehouse.merge.together import write_together
from lakehouse.merge.tombstones import remember
from lakehouse.merge.widening import grows_inside, way_of, widened_schema


def write_commit(
    target: MergeTarget,
    snapshot: Snapshot,
    decision: Decision,
    *,
    tail: Sequence[Action],
    changes: FileChanges,
) -> list[Action]:
    """Writes the new objects of a commit.

    Args:
        target: The table.
        snapshot: The version that the commit builds on.
        decision: What the merge does.
        tail: Actions to end with.
        changes: Where all that is written is noted, also where a later step fails.

    Returns:
        The actions of the commit.

    Raises:
        RefusedError: The table is append-only and rows would go.
    """
    plan, view = decision.plan, decision.view or snapshot
    if (plan.dead or plan.dropped) and protocols.append_only(snapshot.protocol, snapshot.metadata):
        raise RefusedError(
            f"table {target.name} is append-only (delta.appendOnly), and the batch would change its rows",
            advice="merge only new keys, or take the property off the table",
        )
    schema = _schema_after(snapshot, decision)
    by_metadata = way_of(target, snapshot) == "metadata"
    # All files get the new types, since other readers don't know what is older than the schema.
    anew = not by_metadata and (bool(decision.conformed.widened) or grows_inside(snapshot.schema, schema))
    mode: Mode = "on_write" if anew else mode_of(target, snapshot)
    after = _after(
        snapshot,
        schema,
        vectors=mode == "on_read" and bool(plan.dead),
        traces=by_metadata and bool(decision.conformed.widened),
    )
    now_ms = int(target.clock().timestamp() * 1000)
    reading = replace(after, schema=traced(snapshot.schema, after.schema))
    writer = FileWriter(storage=target.storage, after=after, reading=reading, now_ms=now_ms)
    dead = {number: plan.dead.get(number, BitMap64()) for number in _staying(plan)} if anew else plan.dead
    for add in plan.dropped:
        writer.drop(changes, add)

    def remove(part: FileChanges) -> None:
        writer.remove_rows(part, dead, files=plan.files, mode=mode, dead_share=target.rewrite_share)

    def append(part: FileChanges) -> None:
        writer.append(part, plan.rows)

    def feed(part: FileChanges) -> None:
        write_feed(target.storage, before=view, after=after, plan=plan, changes=part, rewritten=anew)

    def bury(part: FileChanges) -> None:
        pointer = remember(
            target.storage,
            plan.manifest,
            deletes=plan.tombstones,
            truncate=plan.truncate,
            now_ms=now_ms,
            keep=target.config.changes.tombstones,
            written=part.written,
        )
        part.actions += [pointer] if pointer is not None else []

    write_together(changes, [remove, append, feed, bury], storage=target.storage)
    head: list[Action] = [after.protocol] if after.protocol is not snapshot.protocol else []
    head += [after.metadata] if after.metadata is not snapshot.metadata else []
    return [*head, *changes.actions, *tail]


def mode_of(target: MergeTarget, snapshot: Snapshot) -> Mode:
    """How rows are taken out: by vectors or by rewriting.

    ``auto`` uses vectors where the table has them, and does not switch them on in a table that it did not
    make: older readers of it would be locked out.

    Args:
        target: The table.
        snapshot: The version that the commit builds on.
    """
    if target.config.merge == "auto":
        return "on_read" if protocols.deletion_vectors(snapshot.protocol, snapshot.metadata) else "on_write"
    return target.config.merge


def _staying(plan: MergePlan) -> list[int]:
    """The numbers of the files that do not go whole."""
    return [number for number, add in enumerate(plan.files) if add not in plan.dropped]


def _schema_after(snapshot: Snapshot, decision: Decision) -> StructType:
    """The table's columns after the merge, those of the lake's own included."""
    plan, fields = decision.plan, list(decision.conformed.schema.fields)
    known = {field.name: field for field in snapshot.schema.fields}
    fields += [
        known[field.name] if same_type(known.get(field.name), field) else field for field in decision.fields
    ]
    if CELLS in plan.rows.columns or CELLS in snapshot.schema.names:
        fields.append(
            widened_schema(snapshot, decision.conformed).get(CELLS)
            or StructField(CELLS, type_from_arrow(plan.rows[CELLS].to_arrow().type))
        )
    return StructType(tuple(fields))


def _after(snapshot: Snapshot, schema: StructType, *, vectors: bool, traces: bool) -> Snapshot:
    """The version with what the merge changes of the table: new columns, wider types, vectors switched on."""
    protocol, metadata = snapshot.protocol, snapshot.metadata
    if traces:
        schema = traced(snapshot.schema, schema)
        protocol, metadata = enable_type_widening(protocol, metadata)
    if schema != snapshot.schema:
        metadata = column_mapping.with_new_columns(metadata, schema)
        protocol = protocols.with_types_of(protocol, schema)
    if vectors:
        protocol, metadata = protocols.enable_deletion_vectors(protocol, metadata)
    return replace(
        snapshot, protocol=protocol, metadata=metadata, schema=parse_schema(metadata.schema_string)
    )
