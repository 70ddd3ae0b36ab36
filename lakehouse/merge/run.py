"""Carries a merge out: plans, writes new objects, commits, and goes on from what others committed first."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Final

import polars as pl

from lakehouse.cdc.changes import ChangeBatch, Rejected
from lakehouse.delta.actions import CommitInfo
from lakehouse.delta.aftercare import look_after
from lakehouse.delta.conflicts import Finding, ReadSet, check
from lakehouse.delta.features import ensure_readable, ensure_writable
from lakehouse.delta.log import Commit
from lakehouse.delta.snapshot import Snapshot, load_snapshot
from lakehouse.delta.transaction import Committed, Conflicted, commit
from lakehouse.errors import (
    CommitUnknownError,
    ConflictError,
    CorruptTableError,
    DataError,
    LakehouseError,
    NotFoundError,
    UsageError,
)
from lakehouse.merge.after import mode_of
from lakehouse.merge.commit import commit_info, millis, write
from lakehouse.merge.company import gave_up, pause, winners
from lakehouse.merge.decide import Decision, decide, decide_on_nothing
from lakehouse.merge.finder import Finder
from lakehouse.merge.last_look import looking, looking_once
from lakehouse.merge.offset import Offset
from lakehouse.merge.report import result_of, result_on_nothing
from lakehouse.merge.result import MergeResult
from lakehouse.merge.shredded import refuse_clear
from lakehouse.merge.tables import make_table
from lakehouse.merge.target import ErasedMeanwhileError, MergeTarget, Suppressing
from lakehouse.merge.timer import Timer
from lakehouse.merge.written import Written

# What reading a file that is gone ends in.
_FILES_GONE: Final = (CorruptTableError, NotFoundError, OSError, pl.exceptions.PolarsError)


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
        ConflictError: Other writers were faster in all tries; it names the last of them.
        CommitUnknownError: The commit's answer was lost and could not be looked up.
        KeysError: People were erased, and the key is not there by which they are known again.
    """
    timer = timer or Timer()
    _refuse_unmasked(target, snapshot)
    if dry_run and target.masks is not None:
        target = replace(target, masks=target.masks.trying())
    suppressing = target.suppression() if target.suppression is not None else None
    with timer.phase("steps"):
        for step in target.steps:
            batch = step(batch)
    if snapshot is None and not dry_run and not batch.frame.is_empty():
        snapshot = _create(target, batch, timer=timer, suppressing=suppressing)
    if snapshot is None:
        return _on_nothing(target, batch, suppressing, dry_run=dry_run, timer=timer), None
    work = _Work(
        target, batch, snapshot, suppressing=suppressing, offset=offset, dry_run=dry_run, timer=timer
    )
    for attempt in range(1, target.max_attempts + 1):
        done = work.attempt(attempt)
        if done is not None:
            return done
        sleep(pause(attempt))
        work.catch_up()
        if not all(finding.rebase for finding in work.findings):
            break
    work.clean_up()
    raise gave_up(target.name, tries=attempt, winner=work.winner, findings=work.findings)


def _on_nothing(
    target: MergeTarget,
    batch: ChangeBatch,
    suppressing: Suppressing | None,
    *,
    dry_run: bool,
    timer: Timer,
) -> MergeResult:
    """A merge that makes no table: there are no rows, or it is a dry run."""
    for _ in range(target.max_attempts):
        result = result_on_nothing(target, batch, timer, suppressing=suppressing)
        if dry_run:
            return result
        try:
            _keep(target, result.problems, None, timer=timer, last_look=looking(suppressing))
        except ErasedMeanwhileError:
            continue
        return result
    raise gave_up(target.name, tries=target.max_attempts, winner=None)


@dataclass(frozen=True, slots=True)
class _Proposal:
    """A commit as it is ready to be made.

    Args:
        decision: What the batch does.
        written: The objects and actions for it.
        info: What the log says of it.
        reads: What it was worked out from.
        read_version: The version that it was worked out on.
    """

    decision: Decision
    written: Written
    info: CommitInfo
    reads: ReadSet
    read_version: int


@dataclass(slots=True)
class _Work:
    """One merge, try after try.

    Args:
        target: The table.
        batch: The changes.
        snapshot: The newest version that is known.
        suppressing: Keeps erased people out; None where nobody can be erased.
        offset: How far the source has come.
        dry_run: Whether to write nothing.
        timer: Counts phases.
        winner: The last commit of somebody else that was in the way.
        findings: Why the proposal does not stand after the winners' commits; none where it does.
        rebased: How many conflicts left the proposal as it was.
    """

    target: MergeTarget
    batch: ChangeBatch
    snapshot: Snapshot
    suppressing: Suppressing | None = field(kw_only=True)
    offset: Offset | None = field(kw_only=True)
    dry_run: bool = field(kw_only=True)
    timer: Timer = field(kw_only=True)
    winner: Commit | None = None
    findings: list[Finding] = field(default_factory=list)
    rebased: int = 0
    _proposal: _Proposal | None = None
    _stands: bool = False
    _finder: Finder = field(default_factory=Finder)

    def attempt(self, number: int) -> tuple[MergeResult, Snapshot] | None:
        """One try on the newest version. None where another writer took the next version first.

        None too where somebody was erased since the batch was looked at: then it is looked at again.

        Args:
            number: How many tries this makes.
        """
        try:
            return self._attempt(number)
        except ErasedMeanwhileError:
            # Nothing was sent, so what was written can go; it may say what must not stay.
            self.clean_up()
            self._stands = False
            if self.suppressing is None:
                raise
            return None

    def _attempt(self, number: int) -> tuple[MergeResult, Snapshot] | None:
        if not self._stands:
            if self.offset is not None and self.offset.seen_by(self.snapshot):
                self.clean_up()
                return self._repeated(number), self.snapshot
            try:
                idle = self._propose(number)
            except _FILES_GONE:
                if not self._overtaken():
                    raise
                return None
            if idle is not None:
                return idle, self.snapshot
        proposal = self._proposal
        assert proposal is not None  # noqa: S101 - made just now, or by the try before
        outcome = self._commit(proposal)
        if isinstance(outcome, Conflicted):
            return None
        with self.timer.phase("commit"):
            after = look_after(self.target.storage, base=self.snapshot, done=outcome)
        decision, changes = proposal.decision, proposal.written.total
        result = result_of(
            self.target,
            decision,
            version=outcome.version,
            written=changes,
            attempts=number,
            rebased=self.rebased,
            timer=self.timer,
        )
        return result, after

    def catch_up(self) -> None:
        """Looks at what others committed, and whether the proposal stands after it."""
        before, proposal = self.snapshot, self._proposal
        self.snapshot = load_snapshot(self.target.storage, base=before)
        with self.timer.phase("rebase"):
            found = winners(self.target.storage, since=before, until=self.snapshot)
            self._stands, self.findings = False, []
            if found is None or proposal is None:
                return
            self.winner = found[-1]
            self.findings = check(proposal.written.actions, found, reads=proposal.reads)
            self._stands = not self.findings
            self.rebased += self._stands

    def _overtaken(self) -> bool:
        """Whether others made a version meanwhile: then a vacuum may have taken files of the one before.

        What was found in that one is forgotten, since nobody knows how far it got.
        """
        self._finder = Finder()
        with suppress(LakehouseError):
            return load_snapshot(self.target.storage, base=self.snapshot).version > self.snapshot.version
        return False

    def clean_up(self) -> None:
        """Takes away what was written for commits that did not happen."""
        if self._proposal is not None:
            self._proposal.written.clean_up(self.target.storage)
            self._proposal = None

    def _propose(self, number: int) -> MergeResult | None:
        """Works the commit out. A result where there is nothing to commit."""
        target, snapshot = self.target, self.snapshot
        before = self._proposal.written if self._proposal is not None else None
        try:
            ensure_readable(snapshot)
            ensure_writable(snapshot)
            decision = decide(
                target,
                snapshot,
                self.batch,
                finder=self._finder,
                timer=self.timer,
                suppressing=self.suppressing,
            )
            rejected = decision.conformed.batch.rejected
            if self.dry_run or (decision.plan.changes_nothing and self.offset is None):
                self.clean_up()
                if not self.dry_run:
                    self._keep(rejected)
                return result_of(
                    target, decision, version=snapshot.version, attempts=number, timer=self.timer
                )
            with self.timer.phase("write"):
                written = write(target, snapshot, decision, offset=self.offset, before=before)
        except BaseException:
            self.clean_up()
            raise
        if before is not None:
            before.clean_up(target.storage, but=written)
        if written.after.anew:
            self._finder.trust_nothing()
        info = commit_info(snapshot, decision, written, mode=mode_of(target, snapshot))
        self._proposal = _Proposal(decision, written, info, self._finder.reads(snapshot), snapshot.version)
        try:
            # Before the commit: whoever dies in between leaves a record twice named, never one that is lost.
            self._keep(rejected)
        except BaseException:
            self.clean_up()
            raise
        return None

    def _keep(self, rejected: Sequence[Rejected]) -> None:
        look = looking(self.suppressing)
        _keep(self.target, rejected, self.snapshot.version, timer=self.timer, last_look=look)

    def _commit(self, proposal: _Proposal) -> Committed | Conflicted:
        # What a failed commit leaves is not cleaned up: a request that seemed lost can still arrive.
        try:
            with self.timer.phase("commit"):
                outcome = commit(
                    self.target.storage,
                    version=self.snapshot.version + 1,
                    actions=proposal.written.actions,
                    commit_info=proposal.info,
                    base=self.snapshot,
                    now_ms=lambda: millis(self.target),
                    last_look=looking_once(self.target.last_look, looking(self.suppressing)),
                )
        except CommitUnknownError:
            self.target.outcomes.note("unknown")
            raise
        self.target.outcomes.note("committed" if isinstance(outcome, Committed) else "conflicted")
        return outcome

    def _repeated(self, number: int) -> MergeResult:
        """The result of a batch whose offset the table has already."""
        return MergeResult(
            table=self.target.name,
            version=self.snapshot.version,
            duplicate=self.batch.total,
            attempts=number - 1,
            seconds=self.timer.seconds,
        )


def _keep(
    target: MergeTarget,
    rejected: Sequence[Rejected],
    version: int | None,
    *,
    timer: Timer,
    last_look: Callable[[], None],
) -> None:
    """Puts the rejected records into the quarantine, if the merge has one."""
    if target.rejects is not None:
        with timer.phase("quarantine"):
            target.rejects.keep(rejected, version=version, last_look=last_look)


def _create(
    target: MergeTarget, batch: ChangeBatch, *, timer: Timer, suppressing: Suppressing | None
) -> Snapshot:
    """Makes the table from the batch and the config; somebody else may be faster, which is fine."""
    # Judged before, so that a batch which is refused leaves no table.
    conformed = decide_on_nothing(target, batch, timer=timer, suppressing=suppressing).conformed
    unknown = [name for name in target.config.key if name not in conformed.schema]
    if unknown:
        raise DataError(
            f"table {target.name} can't be made: nothing tells the type of key column {', '.join(unknown)}",
            advice="declare it under `schema` in the table's section, or merge rows first",
        )
    with suppress(ConflictError):
        make_table(target, conformed.schema)
    return load_snapshot(target.storage)


def _refuse_unmasked(target: MergeTarget, snapshot: Snapshot | None) -> None:
    """Refuses a table that was opened without what keeps clear values out of it."""
    if target.config.mask_at == "merge" and target.config.pii and target.masks is None:
        raise UsageError(
            f"tables.{target.name} says `mask_at: merge`, and this table was opened without its masks",
            advice="open it by `Lakehouse.open(...).table(...)`, which knows keys and operators",
        )
    refuse_clear(target, snapshot)
