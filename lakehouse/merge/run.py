"""Carries a merge out: plans, writes new objects, commits, and begins again where others were faster."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

import polars as pl

from lakehouse.cdc.changes import DELETE, OP, ChangeBatch, Rejected
from lakehouse.delta.actions import Action, CommitInfo, SetTransaction
from lakehouse.delta.checkpoint import checkpoint_if_due
from lakehouse.delta.features import ensure_readable, ensure_writable
from lakehouse.delta.snapshot import Snapshot, load_snapshot
from lakehouse.delta.transaction import Committed, commit
from lakehouse.errors import (
    ConflictError,
    DataError,
    LakehouseError,
    NotBuiltError,
    UsageError,
)
from lakehouse.merge.counts import count
from lakehouse.merge.decide import Decision, decide, decide_on_nothing
from lakehouse.merge.files import FileChanges
from lakehouse.merge.plan import MergePlan
from lakehouse.merge.result import MergeResult
from lakehouse.merge.tables import make_table
from lakehouse.merge.target import MergeTarget, Mode
from lakehouse.merge.timer import Timer
from lakehouse.merge.tombstones import APP_ID as TOMBSTONES
from lakehouse.merge.tombstones import Manifest
from lakehouse.merge.verdicts import ABSENT, INSERT, UPDATE
from lakehouse.merge.writing import mode_of, write_commit
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
            snapshot = _create(target, batch, timer=timer)
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
        result = _on_nothing(target, batch, timer)
        if not dry_run:
            _keep(target, result.problems, version=None, timer=timer)
        return result, None
    decision = decide(target, snapshot, batch, timer=timer)
    plan = decision.plan
    rejected = decision.conformed.batch.rejected
    if dry_run or (plan.changes_nothing and offset is None):
        if not dry_run:
            _keep(target, rejected, version=snapshot.version, timer=timer)
        return _result(target, decision, version=snapshot.version, attempts=attempt, timer=timer), snapshot
    written = FileChanges()
    try:
        with timer.phase("write"):
            actions = write_commit(
                target, snapshot, decision, tail=_offset_action(target, offset), changes=written
            )
        # Before the commit: whoever dies in between leaves a record twice named, never one that is lost.
        _keep(target, rejected, version=snapshot.version, timer=timer)
    except BaseException:
        _clean_up(target.storage, written)
        raise
    # What a failed commit leaves is not cleaned up: a request that seemed lost can still arrive.
    with timer.phase("commit"):
        outcome = commit(
            target.storage,
            version=snapshot.version + 1,
            actions=actions,
            commit_info=_commit_info(snapshot, decision, written, mode=mode_of(target, snapshot)),
            base=snapshot,
            now_ms=lambda: _millis(target),
        )
    if not isinstance(outcome, Committed):
        _clean_up(target.storage, written)
        return None
    with timer.phase("commit"):
        after = _look_after(target, snapshot, outcome)
    result = _result(
        target, decision, version=outcome.version, written=written, attempts=attempt, timer=timer
    )
    return result, after


def _keep(target: MergeTarget, rejected: Sequence[Rejected], *, version: int | None, timer: Timer) -> None:
    """Puts the rejected records into the quarantine, if the merge has one."""
    if target.rejects is not None:
        with timer.phase("quarantine"):
            target.rejects.keep(rejected, version=version)


def _look_after(target: MergeTarget, snapshot: Snapshot, done: Committed) -> Snapshot:
    """Reads the version just made, and sees to checkpoints. The merge is done, whatever fails now."""
    try:
        after = load_snapshot(target.storage, base=snapshot, known={done.version: done.content})
    except LakehouseError:
        return snapshot
    checkpoint_if_due(target.storage, done.version, after.metadata, last=after.checkpoint_version)
    return after


def _create(target: MergeTarget, batch: ChangeBatch, *, timer: Timer) -> Snapshot:
    """Makes the table from the batch and the config; somebody else may be faster, which is fine."""
    # Judged before, so that a batch which is refused leaves no table.
    conformed = decide_on_nothing(target, batch, timer=timer).conformed
    unknown = [name for name in target.config.key if name not in conformed.schema]
    if unknown:
        raise DataError(
            f"table {target.name} can't be made: nothing tells the type of key column {', '.join(unknown)}",
            advice="declare it under `schema` in the table's section, or merge rows first",
        )
    with suppress(ConflictError):
        make_table(target, conformed.schema)
    return load_snapshot(target.storage)


def _offset_action(target: MergeTarget, offset: Offset | None) -> list[Action]:
    if offset is None:
        return []
    return [
        SetTransaction(app_id=offset.source, version=offset.position, last_updated=_millis(target)),
    ]


def _refuse_unbuilt(target: MergeTarget) -> None:
    """Refuses what the config asks of a merge and this release does not do: silence would be a lie."""
    config = target.config
    wanted = {"pii": bool(config.pii)}
    for section, used in wanted.items():
        if used:
            raise NotBuiltError(
                f"tables.{target.name}.{section} can't be carried out by a merge of this release",
                advice=f"take `{section}` out of the table's section, or wait for the release that has it",
            )


def _commit_info(snapshot: Snapshot, decision: Decision, changes: FileChanges, *, mode: Mode) -> CommitInfo:
    """What the log says of the merge: counts and the way it was done, never values."""
    plan = decision.plan
    inserted = int((plan.row_verdicts == INSERT).sum())
    updated = int((plan.row_verdicts == UPDATE).sum())
    metrics = {
        "numSourceRows": sum(decision.counts.values()),
        "numTargetRowsInserted": inserted,
        "numTargetRowsUpdated": updated,
        "numTargetRowsDeleted": changes.rows_removed - updated,
        "numTargetRowsCopied": changes.rows_copied,
        "numOutputRows": plan.rows.height + changes.rows_copied,
        "numTargetFilesAdded": changes.added,
        "numTargetFilesRemoved": changes.removed,
        "numTargetDeletionVectorsAdded": changes.vectors,
    }
    for each in decision.expectations:
        metrics[f"expectation.{each.name}.checked"] = each.checked
        metrics[f"expectation.{each.name}.failed"] = each.failed
    return CommitInfo(
        operation="MERGE",
        operation_parameters={"mode": mode},
        operation_metrics=metrics,
        read_version=snapshot.version,
        is_blind_append=False,
    )


def _on_nothing(target: MergeTarget, batch: ChangeBatch, timer: Timer) -> MergeResult:
    """The result of a batch for which no table is made: it is empty, or it is a dry run."""
    begun = decide_on_nothing(target, batch, timer=timer)
    collapsed = begun.collapsed
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
    counts = count(begun.conformed.batch, collapsed, plan)
    decision = Decision(begun.conformed, plan, counts, expectations=begun.expectations)
    return _result(target, decision, timer=timer)


def _repeated(target: MergeTarget, batch: ChangeBatch, snapshot: Snapshot, timer: Timer) -> MergeResult:
    """The result of a batch whose offset the table has already."""
    return MergeResult(
        table=target.name, version=snapshot.version, duplicate=batch.total, seconds=timer.seconds
    )


def _result(
    target: MergeTarget,
    decision: Decision,
    *,
    timer: Timer,
    version: int | None = None,
    written: FileChanges | None = None,
    attempts: int = 0,
) -> MergeResult:
    changes = written or FileChanges()
    conformed, counts = decision.conformed, decision.counts
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
        widened=tuple(conformed.widened),
        expectations=decision.expectations,
    )


def _clean_up(storage: Storage, changes: FileChanges) -> None:
    """Takes away what a commit that did not happen has written; what stays is an orphan for vacuum."""
    with suppress(LakehouseError):
        storage.delete(changes.written)


def _millis(target: MergeTarget) -> int:
    return int(target.clock().timestamp() * 1000)
