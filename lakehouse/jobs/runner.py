"""Carries out one run of a job: claimed once, kept alive, tried again where that can help, ended in time."""

from __future__ import annotations

import os
import secrets
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

from lakehouse.config.models.jobs import JobConfig
from lakehouse.jobs.context import JobContext, Lake
from lakehouse.jobs.leases import LEASE, Held
from lakehouse.jobs.observing import RunObserver, tell_began, tell_ended
from lakehouse.jobs.status import RunView, view_of
from lakehouse.jobs.stop import Stop
from lakehouse.jobs.working import Going, Outcome, outcome_of, work
from lakehouse.state.database import State
from lakehouse.state.job_rows import Claim, JobRun

LOSSES: Final = 3
"""So often, and as often more as its job has retries, a run may be lost with its process."""
GRACE: Final = timedelta(seconds=30)
"""So long work may go on after it was asked to end."""
_QUEUE_PAUSE: Final = 0.5
_JOIN: Final = 0.2


def _now() -> datetime:
    return datetime.now(UTC)


def new_owner() -> str:
    """A name for this process that no other has."""
    return f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(3)}"


def losses_of(job: JobConfig) -> int:
    """How often a run of a job may be lost with its process before it has failed.

    Args:
        job: The job.
    """
    return LOSSES + job.retries - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Runner:
    """Carries out runs of jobs. Several, in any number of processes, share the work on one state database.

    Args:
        lake: The lake.
        state: Its state database.
        author: On whose order.
        owner: What this process is called in leases.
        lease: How long after its last sign of life a run is taken for abandoned.
        grace: How long work may go on after it was asked to end.
        clock: Gives the time, timezone-aware.
        observers: Who hears of runs that begin and end here.
        closing: Called with what became of a run, and whether its work has ended, by who writes that down in
            place of this. Without it, a run whose work does not end although it was asked to is given up,
            and its tables stay locked for another lease.
    """

    lake: Lake
    state: State
    author: str
    owner: str = field(default_factory=new_owner)
    lease: timedelta = LEASE
    grace: timedelta = GRACE
    clock: Callable[[], datetime] = field(default=_now)
    observers: tuple[RunObserver, ...] = ()
    closing: Callable[[Outcome, bool], None] | None = field(default=None, repr=False)

    def run(self, name: str, *, fire_time: datetime, cause: str) -> RunView:
        """Carries out a job for a moment, unless that was done before or is being done.

        Args:
            name: The job.
            fire_time: The moment (timezone-aware).
            cause: ``schedule``, ``manual`` or ``backfill``.

        Returns:
            The run as it is now; running where somebody else works on it.
        """
        job = self.lake.config.jobs[name]
        run, _ = self.state.jobs.enqueue(
            job=name, fire_time=fire_time, kind=job.do, cause=cause, author=self.author, now=self.clock()
        )
        return self.take(run)

    def recover(self, *names: str) -> list[RunView]:
        """Does again what was lost with its process, and what was written down and never begun.

        Args:
            *names: Only runs of these jobs; none means all.

        Returns:
            The runs that were done here, as they are now.
        """
        done: list[RunView] = []
        for lease in self.state.leases.open():
            if lease.alive or (names and lease.job not in names):
                continue
            found = self.state.jobs.get(lease.run)
            if found is None:
                continue
            if lease.job in self.lake.config.jobs:
                done.append(self.take(found[0]))
            else:
                self.state.leases.end(
                    lease.run, "cancelled", {"reason": "its job is not in the config any more"}
                )
        return done

    def take(self, run: JobRun) -> RunView:
        """Begins a run that was written down, if nobody else has, and sees it through.

        Args:
            run: The run.

        Returns:
            The run as it is now.
        """
        job = self.lake.config.jobs[run.job]
        try:
            claim = self._claim(run, job)
        except KeyboardInterrupt:
            self.state.leases.end(run.id, "cancelled", {"reason": "it was stopped while it waited"})
            raise
        if claim.outcome == "overlap":
            reason = "the run before was still going on"
            self.state.leases.end(run.id, "skipped", {"reason": reason})
        elif claim.outcome == "started":
            self.carry(run, claim.token)
        return self._view(run)

    def carry(self, run: JobRun, token: int, *, stop: Stop | None = None) -> Outcome:
        """Sees a run through that was begun for this process.

        Args:
            run: The run.
            token: That it is ours.
            stop: By which it can be asked to end.

        Returns:
            What became of it.
        """
        job = self.lake.config.jobs[run.job]
        tables = self._tables(job)
        if self.observers:
            tell_began(self.observers, self._view(run), tables)
        try:
            return self._see_through(run, job, token, stop or Stop())
        finally:
            if self.observers:
                tell_ended(self.observers, self._view(run), tables)

    def _tables(self, job: JobConfig) -> tuple[str, ...]:
        return self.lake.tables if job.tables == "all" else tuple(job.tables)

    def _claim(self, run: JobRun, job: JobConfig) -> Claim:
        while True:
            claim = self.state.leases.start(run.id, owner=self.owner, lease=self.lease, losses=losses_of(job))
            if claim.outcome != "overlap" or job.overlap != "queue":
                return claim
            time.sleep(_QUEUE_PAUSE)

    def _see_through(self, run: JobRun, job: JobConfig, token: int, stop: Stop) -> Outcome:
        going = Going()
        deadline = None if job.timeout is None else time.monotonic() + job.timeout.total_seconds()
        held = Held(
            self.state.leases,
            self.state.locks,
            run_id=run.id,
            token=token,
            stop=stop,
            lease=self.lease,
            deadline=deadline,
        )
        context = self._context(run, job, held, stop)
        with held:
            thread = threading.Thread(
                target=work, args=(context, held, stop, going), name=f"run {run.id}", daemon=True
            )
            interrupt = self._wait(going, stop, begin=thread.start)
            ended = going.done.is_set()
            outcome = outcome_of(going, stop, job, ended=ended)
            if self.closing is not None and outcome.event != "lost":
                self.closing(outcome, ended)
            elif outcome.event == "queued":
                held.give_back(reason=str(outcome.detail["reason"]), log=outcome.log)
            elif outcome.event != "lost":
                held.end(outcome.event, outcome.detail, log=outcome.log, keep_locks=not ended)
        if interrupt is not None:
            raise interrupt
        return outcome

    def _wait(self, going: Going, stop: Stop, *, begin: Callable[[], object]) -> KeyboardInterrupt | None:
        """Begins the work and waits for it; once it was asked to end, only for the grace.

        It can be interrupted while it begins. Not by `Thread.join`: in Python 3.11 one that is interrupted
        takes the thread for ended.
        """
        interrupt: KeyboardInterrupt | None = None
        give_up: float | None = None
        begun = False
        while not going.done.is_set() and (give_up is None or time.monotonic() < give_up):
            try:
                if not begun:
                    begun = True
                    begin()
                going.done.wait(_JOIN)
            except KeyboardInterrupt as error:
                stop.ask("cancelled")
                if interrupt is not None:
                    return interrupt
                interrupt = error
            if stop.why is not None and give_up is None:
                give_up = time.monotonic() + self.grace.total_seconds()
        return interrupt

    def _context(self, run: JobRun, job: JobConfig, held: Held, stop: Stop) -> JobContext:
        return JobContext(
            job=run.job,
            config=job,
            run=run.id,
            fire_time=run.fire_time,
            tables=self._tables(job),
            author=self.author,
            lake=self.lake,
            state=self.state,
            _stop=stop,
            _held=held,
            clock=self.clock,
        )

    def _view(self, run: JobRun) -> RunView:
        found = self.state.jobs.get(run.id)
        assert found is not None  # noqa: S101 - runs stay
        return view_of(*found)
