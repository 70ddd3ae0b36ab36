"""From a batch and a version of the table to what is to be done: fits, orders, plans, counts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import polars as pl

from lakehouse.cdc.cells import CELLS
from lakehouse.cdc.changes import BEFORE, OP, TIME, UPSERT, ChangeBatch
from lakehouse.cdc.conform import Conformed, conform
from lakehouse.cdc.generations import GENERATION, Generations, generations_of
from lakehouse.cdc.order import Collapsed, collapse
from lakehouse.cdc.timeline import EVENTS, VERSION_COLUMNS
from lakehouse.delta.protocols import change_feed
from lakehouse.delta.schema import StructField, StructType
from lakehouse.delta.snapshot import Snapshot
from lakehouse.errors import RefusedError, UnsupportedFeatureError
from lakehouse.merge.constraints import (
    find_violations,
    find_violations_of_versions,
    reject_violations,
    rules_of,
)
from lakehouse.merge.counts import count, count_events
from lakehouse.merge.expectations import ExpectationResult, Judgement, judgement
from lakehouse.merge.finder import Finder
from lakehouse.merge.generated import Generated, generated_of, regenerate, state_generated
from lakehouse.merge.history import (
    check_dates,
    history_fields,
    in_order_of_arrival,
    plan_history,
    shape_of,
    with_time,
)
from lakehouse.merge.known import generations_after
from lakehouse.merge.masked import refuse_beside_masks
from lakehouse.merge.picture import changes_of
from lakehouse.merge.plan import MergePlan, plan_merge
from lakehouse.merge.reserved import refuse_reserved
from lakehouse.merge.tables import declared_schema
from lakehouse.merge.target import MergeTarget, Suppressing
from lakehouse.merge.timer import Timer
from lakehouse.merge.widening import seen_as, way_of


@dataclass(frozen=True, slots=True)
class Decision:
    """What a batch does to one version of a table.

    Args:
        conformed: The batch in the table's types, without the records that were rejected on the way.
        plan: The rows that go and come.
        counts: What became of each record.
        view: The version, read in the types that its columns have afterwards; None where there is none.
        fields: Columns that the table needs beside those of the changes.
        expectations: How the expectations of the config fared.
        generations: Since when the columns count, after the merge.
    """

    conformed: Conformed
    plan: MergePlan
    counts: Mapping[str, int]
    view: Snapshot | None = None
    fields: tuple[StructField, ...] = ()
    expectations: tuple[ExpectationResult, ...] = ()
    generations: Generations = field(default_factory=Generations)


@dataclass(frozen=True, slots=True)
class Beginning:
    """What a batch would be to a table that is not there.

    Args:
        conformed: The batch in the types that the table would have.
        collapsed: One change per key.
        expectations: How the expectations of the config fared.
    """

    conformed: Conformed
    collapsed: Collapsed
    expectations: tuple[ExpectationResult, ...]


def decide(
    target: MergeTarget,
    snapshot: Snapshot,
    batch: ChangeBatch,
    *,
    finder: Finder,
    timer: Timer,
    suppressing: Suppressing | None = None,
) -> Decision:
    """Works out what a batch does.

    Args:
        target: The table.
        snapshot: The version to build on.
        batch: The changes in normal form.
        finder: Finds the keys; it notes what the outcome depends on.
        timer: Counts the phases ``order``, ``locate`` and ``decide``.
        suppressing: Keeps erased people out; None where nobody can be erased.

    Raises:
        DataError: The batch as a whole can't be used, or an expectation refuses it.
        KeysError: People were erased, and the key is not there by which they are known again.
        UsageError: An expectation can't be read.
        UnsupportedFeatureError: The table has a rule that can't be checked here.
        RefusedError: The table has versions of its rows, and the config keeps none.
    """
    finder.begin()
    if batch.full:
        finder.trust_nothing()
    if target.config.history.mode == "none" and EVENTS in snapshot.schema and snapshot.files:
        raise RefusedError(
            f"table {target.name} has versions of its rows, and its config keeps only current ones",
            advice="set `history: full` again, or merge into a new table",
        )
    full = target.config.history.mode == "full"
    way = _full_history if full else _current_rows
    found = way(target, snapshot, batch, finder=finder, timer=timer, suppressing=suppressing)
    if suppressing is None or not found.conformed.batch.rejected:
        return found
    return replace(found, conformed=_kept_empty(found.conformed, suppressing))


def _kept_empty(conformed: Conformed, suppressing: Suppressing) -> Conformed:
    """Takes out of rejected records what they say of erased people, before somebody keeps them."""
    batch = conformed.batch
    return replace(conformed, batch=replace(batch, rejected=suppressing.emptied(batch.rejected)))


def _current_rows(
    target: MergeTarget,
    snapshot: Snapshot,
    batch: ChangeBatch,
    *,
    finder: Finder,
    timer: Timer,
    suppressing: Suppressing | None,
) -> Decision:
    with timer.phase("order"):
        conformed, judged = fit(target, batch, snapshot, suppressing=suppressing)
        view = seen_as(snapshot, conformed)
        conformed = _compared(target, view, conformed)
        conformed = replace(conformed, batch=conformed.batch.reject(judged.stated(conformed.batch)))
        collapsed = collapse(conformed.batch)
    rules = rules_of(conformed.schema, configuration(snapshot))
    generated = generated_of(conformed.schema)
    if generated or conformed.widened:
        finder.trust_nothing()
    generations = generations_after(snapshot, batch, conformed, finder=finder)
    # Until no row would break a rule: records that make one are rejected on the way.
    while True:
        plan = plan_merge(
            target.storage,
            view,
            collapsed,
            schema=conformed.schema,
            generations=generations,
            finder=finder,
            timer=timer,
        )
        plan = regenerate(plan, generated, schema=conformed.schema)
        misfits = find_violations(plan, collapsed, rules, schema=conformed.schema)
        misfits = misfits or judged.outcome(plan.rows, collapsed.frame, on=collapsed.key)
        if not misfits:
            counts = count(conformed.batch, collapsed, plan)
            return Decision(
                conformed,
                plan,
                counts,
                view=view,
                expectations=judged.results(),
                generations=generations,
            )
        conformed = replace(conformed, batch=conformed.batch.reject(misfits))
        collapsed = collapse(conformed.batch)


def decide_on_nothing(
    target: MergeTarget, batch: ChangeBatch, *, timer: Timer, suppressing: Suppressing | None = None
) -> Beginning:
    """Fits, judges and orders a batch for which there is no table.

    Args:
        target: The table.
        batch: The changes in normal form.
        timer: Counts the phase ``order``.
        suppressing: Keeps erased people out; None where nobody can be erased.

    Raises:
        DataError: The batch as a whole can't be used, or an expectation refuses it.
        UsageError: An expectation can't be read.
    """
    with timer.phase("order"):
        conformed, judged = fit(target, batch, None, suppressing=suppressing)
        misfits = judged.stated(conformed.batch)
        while True:
            conformed = replace(conformed, batch=conformed.batch.reject(misfits))
            collapsed = collapse(conformed.batch)
            rows = collapsed.frame.filter(pl.col(OP) == UPSERT).select(conformed.batch.columns)
            misfits = judged.outcome(rows, collapsed.frame, on=collapsed.key)
            if not misfits:
                if suppressing is not None:
                    conformed = _kept_empty(conformed, suppressing)
                return Beginning(conformed, collapsed, judged.results())


def fit(
    target: MergeTarget,
    batch: ChangeBatch,
    snapshot: Snapshot | None,
    *,
    suppressing: Suppressing | None = None,
) -> tuple[Conformed, Judgement]:
    """Casts a batch to the table's types, masks it, and takes out what breaks the table's rules by itself.

    Erased people are left out of clear values, before anything else is judged or masked.

    Args:
        target: The table.
        batch: The changes in normal form.
        snapshot: The version to build on; None where there is no table yet.
        suppressing: Keeps erased people out; None where nobody can be erased.

    Returns:
        The batch, and the judge of its expectations, which has judged what only clear values can tell.

    Raises:
        DataError: The batch as a whole can't be used, or a column has a name that is taken.
        UsageError: An expectation can't be read.
        RefusedError: The table has rows that are not masked as the config says.
    """
    declared = target.config.column_schema
    conformed = conform(
        batch,
        schema=_visible(snapshot.schema) if snapshot is not None else None,
        declared=declared_schema(declared) if declared else None,
        policy=target.config.changes.schema_policy,
        widen=way_of(target, snapshot) != "never",
        fixed=snapshot.metadata.partition_columns if snapshot is not None else (),
        untyped=generations_of(configuration(snapshot)).untyped,
        table=target.name,
    )
    refuse_reserved(conformed.schema.names, table=target.name, feed=_has_feed(target, snapshot))
    conformed = replace(conformed, batch=_without_erased(conformed, suppressing))
    judged = _judgement(target, batch, conformed)
    arrived = conformed.batch
    # In each try: somebody may have masked the table since the one before.
    refuse_beside_masks(target, snapshot)
    if target.masks is not None:
        if snapshot is not None:
            target.masks.check(snapshot)
        arrived = target.masks(arrived.reject(judged.arriving(arrived)), schema=conformed.schema)
    fitting = state_generated(arrived, _generated(target, conformed))
    rules = rules_of(conformed.schema, configuration(snapshot))
    return replace(conformed, batch=reject_violations(fitting, rules)), judged


def _without_erased(conformed: Conformed, suppressing: Suppressing | None) -> ChangeBatch:
    batch = conformed.batch
    if suppressing is not None:
        batch = suppressing(batch, schema=conformed.schema)
    told = [name for name in batch.frame.columns if name.startswith(BEFORE)]
    return replace(batch, frame=batch.frame.drop(told)) if told else batch


def _has_feed(target: MergeTarget, snapshot: Snapshot | None) -> bool:
    if snapshot is None:
        return target.config.change_feed
    return change_feed(snapshot.protocol, snapshot.metadata)


def _generated(target: MergeTarget, conformed: Conformed) -> tuple[Generated, ...]:
    found = generated_of(conformed.schema)
    if found and target.config.history.mode == "full":
        raise UnsupportedFeatureError(
            f"the table's columns {', '.join(one.name for one in found)} are generated from others, which a "
            "table with full history can't have",
            features=("generatedColumns",),
            advice="write the history to a table of its own",
        )
    return found


def _judgement(target: MergeTarget, batch: ChangeBatch, conformed: Conformed) -> Judgement:
    # A column of nothing but nulls is left out until it says something; a condition may speak of it.
    untold = [name for name in batch.columns if batch.frame[name].null_count() == batch.frame.height]
    return judgement(
        target.config.expect,
        schema=conformed.schema,
        untold=untold,
        masked=target.masks.columns(conformed.schema) if target.masks is not None else (),
        table=target.name,
    )


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
    hidden = {CELLS, GENERATION, *VERSION_COLUMNS}
    return StructType(tuple(field for field in schema.fields if field.name not in hidden))


def _full_history(
    target: MergeTarget,
    snapshot: Snapshot,
    batch: ChangeBatch,
    *,
    finder: Finder,
    timer: Timer,
    suppressing: Suppressing | None,
) -> Decision:
    with timer.phase("order"):
        conformed, judged = fit(target, batch, snapshot, suppressing=suppressing)
        view = seen_as(snapshot, conformed)
        conformed = _compared(target, view, conformed)
        if not batch.sequence:
            # Arrival goes on where the table is, even if the clock of this host does not.
            now_ms = max(int(target.clock().timestamp() * 1000), snapshot.timestamp_ms + 1)
            conformed = in_order_of_arrival(conformed, now_ms=now_ms)
        conformed = replace(conformed, batch=with_time(conformed.batch))
        misfits = judged.stated(conformed.batch)
    if conformed.widened:
        finder.trust_nothing()
    generations = generations_after(snapshot, batch, conformed, finder=finder)
    rules = rules_of(conformed.schema, configuration(snapshot))
    while True:
        conformed = replace(conformed, batch=conformed.batch.reject(misfits))
        time = conformed.batch.frame.schema[TIME]
        shape = shape_of(
            conformed.batch,
            conformed.schema,
            history=target.config.history,
            time=time,
            generations=generations,
        )
        check_dates(view, shape)
        found = plan_history(
            target.storage,
            view,
            conformed.batch,
            shape=shape,
            schema=conformed.schema,
            moments=bool(batch.sequence),
            finder=finder,
            timer=timer,
        )
        # A row finds the change that began it; versions that others began were judged when they came.
        begun = list(dict.fromkeys((*conformed.batch.key, *conformed.batch.sequence)))
        rows, changes = found.plan.rows, conformed.batch.frame
        misfits = find_violations_of_versions(rows, changes, rules, schema=conformed.schema, on=begun)
        misfits = misfits or judged.outcome(rows, changes, on=begun)
        if not misfits:
            counts = count_events(conformed.batch, found.fates)
            return Decision(
                conformed,
                found.plan,
                counts,
                view=view,
                fields=history_fields(shape),
                expectations=judged.results(),
                generations=generations,
            )
