"""Carries the plan of a table out in one commit, and goes on from what others committed meanwhile.

A plan stands as long as every file that it takes rows of is in the table as it was, vectors included; what
others append, or do to other files, changes nothing about it. Where it does not stand it is made again: the
rules are the same, the clock is the same, the table is not. A plan that somebody was shown is only carried
out if the new one takes exactly the same rows.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final
from uuid import uuid4

from lakehouse.delta.aftercare import look_after
from lakehouse.delta.log import Commit
from lakehouse.delta.snapshot import Snapshot, load_snapshot
from lakehouse.delta.transaction import Committed, commit
from lakehouse.errors import ConflictError, RefusedError
from lakehouse.merge.company import gave_up, pause, winners
from lakehouse.merge.target import Clock
from lakehouse.protection import Protection
from lakehouse.retention.archive import Archiver, PendingArchive
from lakehouse.retention.plan import TableRetention
from lakehouse.retention.results import TableResult
from lakehouse.retention.target import RetentionTarget
from lakehouse.retention.work import TableWork
from lakehouse.retention.writing import ARCHIVES, Written, commit_info, write_work

_TRIES: Final = 20


Replan = Callable[[Snapshot], TableRetention]
"""Makes the plan again on a newer version, with the holds of now."""


def apply_table(
    target: RetentionTarget,
    plan: TableRetention,
    *,
    newest: Snapshot,
    replan: Replan,
    protection: Callable[[], Protection],
    archiver: Archiver,
    clock: Clock,
    exact: bool,
    sleep: Callable[[float], None] = time.sleep,
) -> TableResult:
    """Carries a plan out.

    Args:
        target: The table.
        plan: Its plan.
        newest: The newest version.
        replan: Makes the plan again.
        protection: The gate: what is held now; asked again right before the commit.
        archiver: Writes archives.
        clock: Gives the time.
        exact: Whether the plan was shown to somebody: then nothing else is done than what it says.
        sleep: How to wait between tries.

    Returns:
        What was done.

    Raises:
        RefusedError: A brake stands in the way.
        ConflictError: The table changed in a way that touches a plan that was shown, or in every try.
        CommitUnknownError: The commit's answer was lost and could not be looked up.
        StorageError: The store failed.
    """
    work = _Attempt(target, plan, newest, replan, protection, archiver, clock, exact=exact)
    work.settle()
    for attempt in range(1, _TRIES + 1):
        if work.plan.changes_nothing:
            work.clean_up()
            return TableResult(table=target.name, status="nothing", plan=work.plan, attempts=attempt - 1)
        done = work.attempt()
        if done is not None:
            return replace(done, attempts=attempt)
        sleep(pause(attempt))
        work.settle()
    work.clean_up()
    raise gave_up(target.name, tries=_TRIES, winner=work.winner)


class _HoldsChangedError(Exception):
    """A hold was placed or released since the plan was made."""


@dataclass(slots=True)
class _Proposal:
    """What was written for a commit."""

    written: Written
    archives: Sequence[PendingArchive]
    run: str


@dataclass(slots=True)
class _Attempt:
    """One plan, try after try."""

    target: RetentionTarget
    plan: TableRetention
    newest: Snapshot
    replan: Replan
    protection: Callable[[], Protection]
    archiver: Archiver
    clock: Clock
    exact: bool = field(kw_only=True)
    winner: Commit | None = None
    _proposal: _Proposal | None = None

    def settle(self) -> None:
        """Makes sure that the plan fits the newest version and the holds of now, and may be carried out.

        Raises:
            RefusedError: It may not.
            ConflictError: It would have to be another one than was shown.
        """
        try:
            stands = (
                self.plan.work is not None
                and stands_on(self.plan.work, self.newest)
                and self.protection() == self.plan.protection
            )
            if not stands:
                self._again()
            refuse_braked(self.plan)
        except BaseException:
            self.clean_up()
            raise

    def _again(self) -> None:
        shown = self.plan
        self.clean_up()
        fresh = self.replan(self.newest)
        if self.exact and not shown.brakes and fresh.digest != shown.digest:
            held = fresh.protection != shown.protection and shown.protection is not None
            what = "rows that it takes were changed, or are gone (was it carried out already?)"
            what = "holds were placed or released" if held else what
            raise ConflictError(
                f"table {shown.table}: the plan of version {shown.version} does not fit the table any more: "
                f"{what} (version {fresh.version} now); nothing was done",
                advice="plan again, look at it, and apply that",
            )
        self.plan = fresh

    def attempt(self) -> TableResult | None:
        """One try to commit. None where another writer was faster, or a hold came."""
        work = self.plan.work
        assert work is not None  # noqa: S101 - `settle` saw to it
        if self._proposal is None:
            self._proposal = self._write(work)
        proposal = self._proposal
        now_ms = _millis(self.clock())
        archived = sum(each.rows for each in proposal.archives)
        base = self.newest
        try:
            outcome = commit(
                self.target.storage,
                version=base.version + 1,
                actions=proposal.written.actions,
                commit_info=commit_info(work, proposal.written, run=proposal.run, archived=archived),
                base=base,
                now_ms=lambda: now_ms,
                last_look=self._refuse_new_holds,
            )
        except _HoldsChangedError:
            # While files were written: look at everything again.
            return None
        if not isinstance(outcome, Committed):
            self.newest = load_snapshot(self.target.storage, base=base)
            found = winners(self.target.storage, since=base, until=self.newest)
            self.winner = found[-1] if found else None
            return None
        look_after(self.target.storage, base=base, done=outcome)
        self.archiver.finish(proposal.archives, version=outcome.version)
        return self._result(proposal, outcome)

    def _refuse_new_holds(self) -> None:
        if self.protection() != self.plan.protection:
            raise _HoldsChangedError

    def clean_up(self) -> None:
        """Takes away what was written for commits that did not happen."""
        if self._proposal is not None:
            self._proposal.written.clean_up(self.target.storage)
            self.archiver.discard(self._proposal.archives)
            self._proposal = None

    def _write(self, work: TableWork) -> _Proposal:
        run = str(uuid4())
        archives = self.archiver.write(self.target, self.plan, work, run=run, now=self.clock())
        try:
            written = write_work(
                self.target.storage,
                work,
                table=self.target.name,
                mode=self.target.mode(work.snapshot),
                dead_share=self.target.rewrite_share,
                now_ms=_millis(self.clock()),
                archived=bool(archives),
            )
        except BaseException:
            self.archiver.discard(archives)
            raise
        return _Proposal(written, archives, run)

    def _result(self, proposal: _Proposal, outcome: Committed) -> TableResult:
        changes = proposal.written.total
        return TableResult(
            table=self.target.name,
            status="done",
            plan=self.plan,
            version=outcome.version,
            run=proposal.run,
            rows_deleted=changes.rows_removed - proposal.written.anonymized,
            rows_archived=sum(each.rows for each in proposal.archives),
            rows_anonymized=proposal.written.anonymized,
            files_dropped=changes.removed,
            files_added=changes.added,
            vectors=changes.vectors,
            bytes_written=changes.bytes_written,
            archives=tuple(each.id for each in proposal.archives),
        )


def stands_on(work: TableWork, newest: Snapshot) -> bool:
    """Whether what a plan takes is in a version as it was looked at.

    Args:
        work: What it takes.
        newest: The version.
    """
    if newest.version == work.snapshot.version and newest.metadata.id == work.snapshot.metadata.id:
        return True
    if newest.metadata != work.snapshot.metadata or newest.protocol != work.snapshot.protocol:
        return False
    archives = any(each.ready.rule.action == "archive" for each in work.rules)
    if archives and newest.transactions.get(ARCHIVES) != work.snapshot.transactions.get(ARCHIVES):
        return False
    touched = [*work.whole, *(work.files[number] for number in work.dead)]
    return all((now := newest.files.get(add.path)) is not None and now.key == add.key for add in touched)


def refuse_braked(plan: TableRetention) -> None:
    """Refuses a plan with brakes.

    Raises:
        RefusedError: It has some; the message names all of them.
    """
    if not plan.brakes:
        return
    if len(plan.brakes) == 1:
        (only,) = plan.brakes
        raise RefusedError(f"table {plan.table}: {only.message}; nothing was done", advice=only.advice)
    lines = "".join(f"\n  {each.message}\n    {each.advice}" for each in plan.brakes)
    raise RefusedError(
        f"table {plan.table}: nothing was done, for {len(plan.brakes)} reasons:{lines}",
        advice="`lakehouse retention plan` shows them too",
    )


def _millis(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)
