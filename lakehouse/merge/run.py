"""Carries a merge out: plans, writes new objects, commits, and begins again where others were faster."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace

import polars as pl

from lakehouse.cdc.cells import CELLS
from lakehouse.cdc.changes import DELETE, OP, ChangeBatch
from lakehouse.cdc.conform import Conformed
from lakehouse.delta import column_mapping, protocols
from lakehouse.delta.actions import Action, CommitInfo, Metadata, Protocol, SetTransaction
from lakehouse.delta.checkpoint import checkpoint_if_due
from lakehouse.delta.features import ensure_readable, ensure_writable
from lakehouse.delta.schema import StructField, StructType, parse_schema, type_from_arrow
from lakehouse.delta.snapshot import Snapshot, load_snapshot
from lakehouse.delta.transaction import Committed, commit
from lakehouse.errors import (
    ConflictError,
    DataError,
    LakehouseError,
    NotBuiltError,
    RefusedError,
    UsageError,
)
from lakehouse.merge.counts import count
from lakehouse.merge.decide import Decision, decide, decide_on_nothing, fit
from lakehouse.merge.feed import write_feed
from lakehouse.merge.files import FileChanges, FileWriter
from lakehouse.merge.history import same_type
from lakehouse.merge.plan import MergePlan
from lakehouse.merge.result import MergeResult
from lakehouse.merge.tables import make_table
from lakehouse.merge.target import MergeTarget, Mode
from lakehouse.merge.timer import Timer
from lakehouse.merge.together import write_together
from lakehouse.merge.tombstones import APP_ID as TOMBSTONES
from lakehouse.merge.tombstones import Manifest, remember
from lakehouse.merge.verdicts import ABSENT, INSERT, UPDATE
from lakehouse.storage import Storage

FIRST_PAUSE = 0.02
LONGEST_PAUSE = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Offset:
    """How far a source has been read: makes a merge exactly-once.

    Delta protocol, section "Transaction Identifiers".

    Args:
        source: The source's name.
        position: How far, rising.

    Raises:
        UsageError: The log can't hold such a position, or the name is taken.
    """

    source: str
    position: int

    def __post_init__(self) -> None:
        # Of another type they would make a commit that nobody can read.
        for value, kind, what in (
            (self.position, int, "an offset is a whole number"),
            (self.source, str, "a source's name is a text"),
        ):
            if type(value) is not kind:
                raise UsageError(f"{what}, not {type(value).__name__}")
        if not 0 <= self.position < 2**63:
            raise UsageError(
                f"the offset {self.position} can't be: offsets are whole numbers from 0 to 2^63 - 1"
            )
        if not self.source or self.source == TOMBSTONES:
            raise UsageError(f"a source can't be called {self.source!r}", advice="choose another name")

    def seen_by(self, snapshot: Snapshot) -> bool:
        """Whether a version already holds what the source had at this position."""
        known = snapshot.transactions.get(self.source)
        return known is not None and known.version >= self.position


def merge(
    target: MergeTarget,
    batch: ChangeBatch,
    *,
    snapshot: Snapshot | None,
    offset: Offset | None = None,
    dry_run: bool = False,
    timer: Timer | None = None,
    sleep: Callable[[float], None] = time.sleep,
) -> tuple[MergeResult, Snapshot | None]:
    """Brings a batch into a table in one commit.

    Args:
        target: The table.
        batch: The changes in normal form.
        snapshot: The newest version that is known; None where the table has not been made.
        offset: Makes the merge exactly-once.
        dry_run: Counts and writes nothing.
        timer: Goes on counting phases that were begun before.
        sleep: How to wait between tries.

    Returns:
        The result, and the newest snapshot that is known afterwards (None only for a dry run on no table).

    Raises:
        DataError: The batch as a whole can't be used.
        UnsupportedFeatureError: The table needs a feature that is not known here.
        RefusedError: The table is append-only and rows would go.
        ConflictError: Other writers were faster in all tries.
        CommitUnknownError: The commit's answer was lost and could not be looked up.
    """
    timer = timer or Timer()
    _refuse_unbuilt(target)
    with timer.phase("steps"):
        for step in target.steps:
            batch = step(batch)
    for attempt in range(1, target.max_attempts + 1):
        if snapshot is not None and offset is not None and offset.seen_by(snapshot):
            return _repeated(target, batch, snapshot, timer), snapshot
        if snapshot is None and not dry_run and not batch.frame.is_empty():
            snapshot = _create(target, batch)
        outcome = _try_once(
            target, batch, snapshot, offset=offset, dry_run=dry_run, attempt=attempt, timer=timer
        )
        if outcome is not None:
            return outcome
        sleep(min(LONGEST_PAUSE, FIRST_PAUSE * 2**attempt) * random.uniform(0.5, 1.0))  # noqa: S311
        snapshot = load_snapshot(target.storage, base=snapshot)
    raise ConflictError(
        f"table {target.name} was changed by other writers in each of {target.max_attempts} tries",
        advice="try again; if it happens often, let fewer writers work on the table at once",
    )


def _try_once(
    target: MergeTarget,
    batch: ChangeBatch,
    snapshot: Snapshot | None,
    *,
    offset: Offset | None,
    dry_run: bool,
    attempt: int,
    timer: Timer,
) -> tuple[MergeResult, Snapshot | None] | None:
    """One try on one version. None where another writer took the next version first."""
    if snapshot is not None:
        ensure_readable(snapshot)
        ensure_writable(snapshot)
    if snapshot is None:
        return _on_nothing(target, batch, timer), None
    decision = decide(target, snapshot, batch, timer=timer)
    conformed, plan, counts = decision.conformed, decision.plan, decision.counts
    idle = plan.changes_nothing and offset is None
    if dry_run or idle:
        return _result(
            target, conformed, counts, version=snapshot.version, attempts=attempt, timer=timer
        ), snapshot
    written = FileChanges()
    try:
        with timer.phase("write"):
            actions = _write(target, snapshot, decision, offset=offset, changes=written)
    except BaseException:
        _clean_up(target.storage, written)
        raise
    # What a failed commit leaves is not cleaned up: a request that seemed lost can still arrive.
    with timer.phase("commit"):
        outcome = commit(
            target.storage,
            version=snapshot.version + 1,
            actions=actions,
            commit_info=_commit_info(snapshot, counts, written, plan, mode=_mode(target, snapshot)),
            base=snapshot,
            now_ms=lambda: _millis(target),
        )
    if not isinstance(outcome, Committed):
        _clean_up(target.storage, written)
        return None
    with timer.phase("commit"):
        after = _look_after(target, snapshot, outcome)
    result = _result(
        target, conformed, counts, version=outcome.version, written=written, attempts=attempt, timer=timer
    )
    return result, after


def _look_after(target: MergeTarget, snapshot: Snapshot, done: Committed) -> Snapshot:
    """Reads the version just made, and sees to checkpoints. The merge is done, whatever fails now."""
    try:
        after = load_snapshot(target.storage, base=snapshot, known={done.version: done.content})
    except LakehouseError:
        return snapshot
    checkpoint_if_due(target.storage, done.version, after.metadata, last=after.checkpoint_version)
    return after


def _create(target: MergeTarget, batch: ChangeBatch) -> Snapshot:
    """Makes the table from the batch and the config; somebody else may be faster, which is fine."""
    conformed = fit(target, batch, None)
    unknown = [name for name in target.config.key if name not in conformed.schema]
    if unknown:
        raise DataError(
            f"table {target.name} can't be made: nothing tells the type of key column {', '.join(unknown)}",
            advice="declare it under `schema` in the table's section, or merge rows first",
        )
    with suppress(ConflictError):
        make_table(target, conformed.schema)
    return load_snapshot(target.storage)


def _write(
    target: MergeTarget,
    snapshot: Snapshot,
    decision: Decision,
    *,
    offset: Offset | None,
    changes: FileChanges,
) -> list[Action]:
    """Writes the new objects and gives the actions of the commit."""
    plan = decision.plan
    now_ms = _millis(target)
    if (plan.dead or plan.dropped) and protocols.append_only(snapshot.protocol, snapshot.metadata):
        raise RefusedError(
            f"table {target.name} is append-only (delta.appendOnly), and the batch would change its rows",
            advice="merge only new keys, or take the property off the table",
        )
    mode = _mode(target, snapshot)
    head = _table_actions(snapshot, decision, vectors=mode == "on_read" and bool(plan.dead))
    metadata = next((action for action in head if isinstance(action, Metadata)), snapshot.metadata)
    protocol = next((action for action in head if isinstance(action, Protocol)), snapshot.protocol)
    after = replace(
        snapshot, protocol=protocol, metadata=metadata, schema=parse_schema(metadata.schema_string)
    )
    writer = FileWriter(storage=target.storage, after=after, now_ms=now_ms)
    for add in plan.dropped:
        writer.drop(changes, add)

    def remove(part: FileChanges) -> None:
        writer.remove_rows(part, plan.dead, files=plan.files, mode=mode, dead_share=target.rewrite_share)

    def append(part: FileChanges) -> None:
        writer.append(part, plan.rows)

    def feed(part: FileChanges) -> None:
        write_feed(target.storage, before=snapshot, after=after, plan=plan, changes=part)

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
    tail: list[Action] = []
    if offset is not None:
        tail.append(SetTransaction(app_id=offset.source, version=offset.position, last_updated=now_ms))
    return [*head, *changes.actions, *tail]


def _table_actions(snapshot: Snapshot, decision: Decision, *, vectors: bool) -> list[Action]:
    """Protocol and metadata, where the merge changes them: new columns, vectors switched on."""
    protocol, metadata = snapshot.protocol, snapshot.metadata
    plan, fields = decision.plan, list(decision.conformed.schema.fields)
    known = {field.name: field for field in snapshot.schema.fields}
    fields += [
        known[field.name] if same_type(known.get(field.name), field) else field for field in decision.fields
    ]
    if CELLS in plan.rows.columns or CELLS in snapshot.schema.names:
        fields.append(
            known.get(CELLS) or StructField(CELLS, type_from_arrow(plan.rows[CELLS].to_arrow().type))
        )
    schema = StructType(tuple(fields))
    if schema != snapshot.schema:
        metadata = column_mapping.with_new_columns(metadata, schema)
        protocol = protocols.with_types_of(protocol, schema)
    if vectors:
        protocol, metadata = protocols.enable_deletion_vectors(protocol, metadata)
    changed: list[Action] = [protocol] if protocol is not snapshot.protocol else []
    return [*changed, metadata] if metadata is not snapshot.metadata else changed


def _mode(target: MergeTarget, snapshot: Snapshot) -> Mode:
    """How rows are taken out: by vectors or by rewriting.

    ``auto`` uses vectors where the table has them, and does not switch them on in a table that it did not
    make: older readers of it would be locked out.
    """
    if target.config.merge == "auto":
        return "on_read" if protocols.deletion_vectors(snapshot.protocol, snapshot.metadata) else "on_write"
    return target.config.merge


def _refuse_unbuilt(target: MergeTarget) -> None:
    """Refuses what the config asks of a merge and this release does not do: silence would be a lie."""
    config = target.config
    wanted = {
        "pii": bool(config.pii),
        "expect": any(rule.check for rule in config.expect),
    }
    for section, used in wanted.items():
        if used:
            raise NotBuiltError(
                f"tables.{target.name}.{section} can't be carried out by a merge of this release",
                advice=f"take `{section}` out of the table's section, or wait for the release that has it",
            )


def _commit_info(
    snapshot: Snapshot, counts: Mapping[str, int], changes: FileChanges, plan: MergePlan, *, mode: Mode
) -> CommitInfo:
    """What the log says of the merge: counts and the way it was done, never values."""
    inserted = int((plan.row_verdicts == INSERT).sum())
    updated = int((plan.row_verdicts == UPDATE).sum())
    metrics = {
        "numSourceRows": sum(counts.values()),
        "numTargetRowsInserted": inserted,
        "numTargetRowsUpdated": updated,
        "numTargetRowsDeleted": changes.rows_removed - updated,
        "numTargetRowsCopied": changes.rows_copied,
        "numOutputRows": plan.rows.height + changes.rows_copied,
        "numTargetFilesAdded": changes.added,
        "numTargetFilesRemoved": changes.removed,
        "numTargetDeletionVectorsAdded": changes.vectors,
    }
    return CommitInfo(
        operation="MERGE",
        operation_parameters={"mode": mode},
        operation_metrics=metrics,
        read_version=snapshot.version,
        is_blind_append=False,
    )


def _on_nothing(target: MergeTarget, batch: ChangeBatch, timer: Timer) -> MergeResult:
    """The result of a batch for which no table is made: it is empty, or it is a dry run."""
    conformed, collapsed = decide_on_nothing(target, batch, timer=timer)
    is_delete = collapsed.frame[OP] == DELETE
    plan = MergePlan(
        files=(),
        dead={},
        dropped=(),
        rows=collapsed.frame.clear(),
        row_verdicts=pl.Series(dtype=pl.Int8),
        updates=pl.DataFrame(),
        tombstones=pl.DataFrame(),
        truncate=None,
        verdict=is_delete.cast(pl.Int8).replace_strict({0: INSERT, 1: ABSENT}, return_dtype=pl.Int8),
        conflicting=is_delete & ~is_delete,
        truncate_outcome="deleted" if collapsed.truncate else None,
        manifest=Manifest(),
    )
    return _result(target, conformed, count(conformed.batch, collapsed, plan), timer=timer)


def _repeated(target: MergeTarget, batch: ChangeBatch, snapshot: Snapshot, timer: Timer) -> MergeResult:
    """The result of a batch whose offset the table has already."""
    return MergeResult(
        table=target.name, version=snapshot.version, duplicate=batch.total, seconds=timer.seconds
    )


def _result(
    target: MergeTarget,
    conformed: Conformed,
    counts: Mapping[str, int],
    *,
    timer: Timer,
    version: int | None = None,
    written: FileChanges | None = None,
    attempts: int = 0,
) -> MergeResult:
    changes = written or FileChanges()
    return MergeResult(
        table=target.name,
        version=version,
        committed=written is not None,
        inserted=counts["inserted"],
        updated=counts["updated"],
        deleted=counts["deleted"],
        unchanged=counts["unchanged"],
        stale=counts["stale"],
        duplicate=counts["duplicate"],
        conflicting=counts["conflicting"],
        rejected=counts["rejected"],
        suppressed=counts["suppressed"],
        rows_removed=changes.rows_removed,
        files_added=changes.added,
        files_removed=changes.removed,
        vectors_written=changes.vectors,
        bytes_written=changes.bytes_written,
        attempts=attempts,
        seconds=timer.seconds,
        problems=conformed.batch.rejected,
        discarded=conformed.discarded,
        new_columns=conformed.added,
    )


def _clean_up(storage: Storage, changes: FileChanges) -> None:
    """Takes away what a commit that did not happen has written; what stays is an orphan for vacuum."""
    with suppress(LakehouseError):
        storage.delete(changes.written)


def _millis(target: MergeTarget) -> int:
    return int(target.clock().timestamp() * 1000)
