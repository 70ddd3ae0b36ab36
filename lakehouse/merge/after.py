"""What a merge makes of the table itself: columns, types, protocol, and the way rows are taken out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from lakehouse.cdc.cells import CELLS
from lakehouse.cdc.generations import GENERATION
from lakehouse.delta import column_mapping, protocol_changes, protocols
from lakehouse.delta.actions import Action
from lakehouse.delta.schema import INTEGER, StructField, StructType, parse_schema, type_from_arrow
from lakehouse.delta.snapshot import Snapshot
from lakehouse.delta.type_changes import enable_type_widening, traced
from lakehouse.merge.decide import Decision
from lakehouse.merge.history import same_type
from lakehouse.merge.target import MergeTarget, Mode
from lakehouse.merge.widening import grows_inside, way_of, widened_schema


@dataclass(frozen=True, slots=True)
class After:
    """The table as a commit leaves it.

    Args:
        snapshot: The version that the commit builds on, with the schema and properties that it gives it.
        reading: The same, in which columns tell how their types changed, so that older files can be read.
        mode: How rows are taken out.
        anew: Whether all files are written anew, in wider types.
        head: The actions that tell of it.
    """

    snapshot: Snapshot
    reading: Snapshot
    mode: Mode
    anew: bool
    head: tuple[Action, ...]


def table_after(target: MergeTarget, snapshot: Snapshot, decision: Decision) -> After:
    """Works out what the table is after a merge: pure.

    Args:
        target: The table.
        snapshot: The version that the commit builds on.
        decision: What the merge does.
    """
    schema = _schema_after(snapshot, decision)
    by_metadata = way_of(target, snapshot) == "metadata"
    # All files get the new types, since other readers don't know what is older than the schema.
    anew = not by_metadata and (bool(decision.conformed.widened) or grows_inside(snapshot.schema, schema))
    mode: Mode = "on_write" if anew else mode_of(target, snapshot)
    after = _after(
        snapshot,
        schema,
        vectors=mode == "on_read" and bool(decision.plan.dead),
        traces=by_metadata and bool(decision.conformed.widened),
        properties={**decision.generations.properties(), **_masks(target, snapshot, schema)},
    )
    head: list[Action] = [after.protocol] if after.protocol is not snapshot.protocol else []
    head += [after.metadata] if after.metadata is not snapshot.metadata else []
    reading = replace(after, schema=traced(snapshot.schema, after.schema))
    return After(after, reading, mode, anew, tuple(head))


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


def _masks(target: MergeTarget, snapshot: Snapshot, schema: StructType) -> Mapping[str, str]:
    return {} if target.masks is None else target.masks.properties(schema, snapshot.configuration)


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
    if decision.generations.newest or GENERATION in snapshot.schema.names:
        fields.append(known.get(GENERATION, StructField(GENERATION, INTEGER)))
    return StructType(tuple(fields))


def _after(
    snapshot: Snapshot, schema: StructType, *, vectors: bool, traces: bool, properties: Mapping[str, str]
) -> Snapshot:
    """The version with what the merge changes of the table: new columns, wider types, vectors switched on."""
    protocol, metadata = snapshot.protocol, snapshot.metadata
    if traces:
        schema = traced(snapshot.schema, schema)
        protocol, metadata = enable_type_widening(protocol, metadata)
    if schema != snapshot.schema:
        metadata = column_mapping.with_new_columns(metadata, schema)
        protocol = protocol_changes.with_types_of(protocol, schema)
    metadata = protocol_changes.with_properties(metadata, properties)
    if vectors:
        protocol, metadata = protocol_changes.enable_deletion_vectors(protocol, metadata)
    return replace(
        snapshot, protocol=protocol, metadata=metadata, schema=parse_schema(metadata.schema_string)
    )
