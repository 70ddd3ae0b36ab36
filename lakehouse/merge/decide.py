"""From a batch and a version of the table to what is to be done: fits, orders, plans, counts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from lakehouse.cdc.cells import CELLS
from lakehouse.cdc.changes import TIME, ChangeBatch
from lakehouse.cdc.conform import Conformed, conform
from lakehouse.cdc.order import Collapsed, collapse
from lakehouse.cdc.timeline import VERSION_COLUMNS
from lakehouse.delta.schema import StructField, StructType
from lakehouse.delta.snapshot import Snapshot
from lakehouse.merge.constraints import find_violations, reject_violations, rules_of
from lakehouse.merge.counts import count, count_events
from lakehouse.merge.finder import Finder
from lakehouse.merge.history import (
    history_fields,
    in_order_of_arrival,
    plan_history,
    shape_of,
    with_time,
)
from lakehouse.merge.picture import changes_of
from lakehouse.merge.plan import MergePlan, plan_merge
from lakehouse.merge.tables import declared_schema
from lakehouse.merge.target import MergeTarget
from lakehouse.merge.timer import Timer


@dataclass(frozen=True, slots=True)
class Decision:
    """What a batch does to one version of a table.

    Args:
        conformed: The batch in the table's types, without the records that were rejected on the way.
        plan: The rows that go and come.
        counts: What became of each record.
        fields: Columns that the table needs beside those of the changes.
    """

    conformed: Conformed
    plan: MergePlan
    counts: Mapping[str, int]
    fields: tuple[StructField, ...] = ()


def decide(
    target: MergeTarget, snapshot: Snapshot, batch: ChangeBatch, *, finder: Finder, timer: Timer
) -> Decision:
    """Works out what a batch does.

    Args:
        target: The table.
        snapshot: The version to build on.
        batch: The changes in normal form.
        finder: Finds the keys; it notes what the outcome depends on.
        timer: Counts the phases ``order``, ``locate`` and ``decide``.

    Raises:
        DataError: The batch as a whole can't be used.
        UnsupportedFeatureError: The table has a rule that can't be checked here.
    """
    finder.begin()
    if batch.full:
        finder.read_everything()
    if target.config.history.mode == "full":
        return _full_history(target, snapshot, batch, finder=finder, timer=timer)
    with timer.phase("order"):
        conformed = _compared(target, snapshot, fit(target, batch, snapshot))
        collapsed = collapse(conformed.batch)
    rules = rules_of(conformed.schema, configuration(snapshot))
    # Until no row would break a rule of the table: records that make one are rejected on the way.
    while True:
        plan = plan_merge(
            target.storage, snapshot, collapsed, schema=conformed.schema, finder=finder, timer=timer
        )
        misfits = find_violations(plan, collapsed, rules, schema=conformed.schema)
        if not misfits:
            return Decision(conformed, plan, count(conformed.batch, collapsed, plan))
        conformed = replace(conformed, batch=conformed.batch.reject(misfits))
        collapsed = collapse(conformed.batch)


def decide_on_nothing(
    target: MergeTarget, batch: ChangeBatch, *, timer: Timer
) -> tuple[Conformed, Collapsed]:
    """Fits and orders a batch for which there is no table.

    Args:
        target: The table.
        batch: The changes in normal form.
        timer: Counts the phase ``order``.
    """
    with timer.phase("order"):
        conformed = fit(target, batch, None)
        return conformed, collapse(conformed.batch)


def fit(target: MergeTarget, batch: ChangeBatch, snapshot: Snapshot | None) -> Conformed:
    """Casts a batch to the table's types, and takes out what breaks the table's rules by itself.

    Args:
        target: The table.
        batch: The changes in normal form.
        snapshot: The version to build on; None where there is no table yet.
    """
    declared = target.config.column_schema
    conformed = conform(
        batch,
        schema=_visible(snapshot.schema) if snapshot is not None else None,
        declared=declared_schema(declared) if declared else None,
        policy=target.config.changes.schema_policy,
        table=target.name,
    )
    rules = rules_of(conformed.schema, configuration(snapshot))
    return replace(conformed, batch=reject_violations(conformed.batch, rules))


def _compared(target: MergeTarget, snapshot: Snapshot, conformed: Conformed) -> Conformed:
    """Makes changes of a full picture; other batches stay as they are."""
    if not conformed.batch.full:
        return conformed
    share = 1.0 if target.allow_deletes else target.config.changes.max_deletes
    batch = changes_of(target.storage, snapshot, conformed.batch, max_deletes=share, table=target.name)
    return replace(conformed, batch=batch)


def configuration(snapshot: Snapshot | None) -> Mapping[str, str]:
    """The table's properties; none where there is no table."""
    return snapshot.configuration if snapshot is not None else {}


def _visible(schema: StructType) -> StructType:
    """The columns that changes can speak of."""
    hidden = {CELLS, *VERSION_COLUMNS}
    return StructType(tuple(field for field in schema.fields if field.name not in hidden))


def _full_history(
    target: MergeTarget, snapshot: Snapshot, batch: ChangeBatch, *, finder: Finder, timer: Timer
) -> Decision:
    with timer.phase("order"):
        conformed = _compared(target, snapshot, fit(target, batch, snapshot))
        if not batch.sequence:
            # Arrival goes on where the table is, even if the clock of this host does not.
            now_ms = max(int(target.clock().timestamp() * 1000), snapshot.timestamp_ms + 1)
            conformed = in_order_of_arrival(conformed, now_ms=now_ms)
        conformed = replace(conformed, batch=with_time(conformed.batch))
        time = conformed.batch.frame.schema[TIME]
        shape = shape_of(conformed.batch, conformed.schema, history=target.config.history, time=time)
    found = plan_history(
        target.storage,
        snapshot,
        conformed.batch,
        shape=shape,
        moments=bool(batch.sequence),
        finder=finder,
        timer=timer,
    )
    return Decision(conformed, found.plan, count_events(conformed.batch, found.fates), history_fields(shape))
