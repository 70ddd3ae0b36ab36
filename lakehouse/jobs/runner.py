"""Carries out one run of a job: claimed once, kept alive, tried again where that can help, ended in time."""

from __future__ import annotations

import logging
import os
import secrets
import socket
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from lakehouse.config.durations import format_duration
from lakehouse.config.models.jobs import JobConfig
from lakehouse.errors import LakehouseError, UsageError, VerificationError
from lakehouse.jobs.context import JobContext, Lake
from lakehouse.jobs.kinds import work_of
from lakehouse.jobs.leases import LEASE, Held
from lakehouse.jobs.observing import RunObserver, tell_began, tell_ended
from lakehouse.jobs.result import JobResult
from lakehouse.jobs.status import RunView, view_of
from lakehouse.jobs.stop import RunStoppedError, Stop
from lakehouse.jobs.tail import Tail, heard
from lakehouse.state.database import State
from lakehouse.state.job_rows import Claim, JobRun

GRACE: Final = timedelta(seconds=30)
"""So long work may go on after it was asked to end."""
_QUEUE_PAUSE: Final = 0.5
_JOIN: Final = 0.2
_LOG: Final = logging.getLogger("lakehouse.jobs")


def _now() -> datetime:
    return datetime.now(UTC)


def new_owner() -> str:
    """A name for this process that no other has."""
    return f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(3)}"


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
    """

    lake: Lake
    state: State
    author: str
    owner: str = field(default_factory=new_owner)
    lease: timedelta = LEASE
    grace: timedelta = GRACE
    clock: Callable[[], datetime] = field(default=_now)
    observers: tuple[RunObserver, ...] = ()

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
            claim = self._claim(run, queue=job.overlap == "queue")
        except KeyboardInterrupt:
            self.state.leases.end(run.id, "cancelled", {"reason": "it was stopped while it waited"})
            raise
        if claim.outcome == "overlap":
            reason = "the run before was still going on"
            self.state.leases.end(run.id, "skipped", {"reason": reason})
        elif claim.outcome == "started":
            return self._observed(run, job, claim)
        return self._view(run)

    def _observed(self, run: JobRun, job: JobConfig, claim: Claim) -> RunView:
        tables = self._tables(job)
        if self.observers:
            tell_began(self.observers, self._view(run), tables)
        try:
            self._see_through(run, job, claim)
        finally:
            view = self._view(run)
            tell_ended(self.observers, view, tables)
        return view

    def _tables(self, job: JobConfig) -> tuple[str, ...]:
        return self.lake.tables if job.tables == "all" else tuple(job.tables)

    def _claim(self, run: JobRun, *, queue: bool) -> Claim:
        while True:
            claim = self.state.leases.start(run.id, owner=self.owner, lease=self.lease)
            if claim.outcome != "overlap" or not queue:
                return claim
            time.sleep(_QUEUE_PAUSE)

    def _see_through(self, run: JobRun, job: JobConfig, claim: Claim) -> None:
        stop, going = Stop(), _Going()
        deadline = None if job.timeout is None else time.monotonic() + job.timeout.total_seconds()
        held = Held(
            self.state.leases,
            run_id=run.id,
            token=claim.token,
            stop=stop,
            lease=self.lease,
            deadline=deadline,
        )
        context = self._context(run, job, held, stop)
        with held:
            work = threading.Thread(
                target=_work, args=(context, held, stop, going), name=f"run {run.id}", daemon=True
            )
            work.start()
            interrupt = self._wait(going, stop)
            event, detail = _told(going, stop, job, ended=going.done.is_set())
            if stop.why != "lost":
                held.end(event, detail, log=going.tail.text, keep_locks=not going.done.is_set())
        if interrupt is not None:
            raise interrupt

    def _wait(self, going: _Going, stop: Stop) -> KeyboardInterrupt | None:
        """Waits for the work; once it was asked to end, only for the grace.

        Not by `Thread.join`: in Python 3.11 one that is interrupted takes the thread for ended.
        """
        interrupt: KeyboardInterrupt | None = None
        give_up: float | None = None
        while not going.done.is_set() and (give_up is None or time.monotonic() < give_up):
            try:
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


@dataclass(slots=True)
class _Going:
    """What the thread that works leaves for the one that waits for it."""

    done: threading.Event = field(default_factory=threading.Event)
    tail: Tail = field(default_factory=Tail)
    result: JobResult | None = None
    error: BaseException | None = None


def _work(context: JobContext, held: Held, stop: Stop, going: _Going) -> None:
    with heard(going.tail):
        try:
            going.result = _try(context, held, stop)
        except BaseException as error:  # noqa: BLE001 - the one that waits tells of it
            going.error = error
    going.done.set()


def _try(context: JobContext, held: Held, stop: Stop) -> JobResult:
    job = context.config
    work = work_of(job.do)
    attempt = 0
    while True:
        try:
            stop.check()
            return work(context)
        except Exception as error:
            if isinstance(error, RunStoppedError) or not can_pass(error) or attempt >= job.retries:
                raise
            reason = reason_of(error)
        pause = job.backoff * 2**attempt
        attempt += 1
        _LOG.warning("try %d failed: %s; the next one in %s", attempt, reason, format_duration(pause))
        held.note("retrying", {"reason": reason, "attempt": attempt, "pause": pause.total_seconds()})
        stop.wait(pause.total_seconds())


def can_pass(error: Exception) -> bool:
    """Whether trying again can help.

    Args:
        error: What was raised.
    """
    if isinstance(error, LakehouseError):
        return error.retryable
    return isinstance(error, ConnectionError | TimeoutError)


def reason_of(error: BaseException) -> str:
    """What is kept and shown of an error.

    Args:
        error: One of ours says it itself; of others only the kind and the place, since a message could carry
            values of rows.
    """
    if isinstance(error, LakehouseError):
        return str(error)
    frames = traceback.extract_tb(error.__traceback__)
    place = f" at {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    return f"{type(error).__name__}{place}"


def _told(going: _Going, stop: Stop, job: JobConfig, *, ended: bool) -> tuple[str, dict[str, Any]]:
    """What became of a run, as an event."""
    error = going.error
    if not ended or isinstance(error, RunStoppedError):
        return _stopped(stop, job, ended=ended)
    if error is not None:
        code = error.exit_code if isinstance(error, LakehouseError) else 1
        return "failed", {"error": type(error).__name__, "reason": reason_of(error), "exit_code": code}
    result = going.result or JobResult()
    if result.found:
        broken = VerificationError
        more = {"error": broken.__name__, "reason": result.found, "exit_code": broken.exit_code}
        return "failed", {**result.to_dict(), **more}
    return "succeeded", result.to_dict()


def _stopped(stop: Stop, job: JobConfig, *, ended: bool) -> tuple[str, dict[str, Any]]:
    late = "" if ended else ", and did not end when it was asked to"
    if stop.why == "timeout" and job.timeout is not None:
        reason = f"it took longer than its timeout ({format_duration(job.timeout)}){late}"
        return "failed", {"error": "TimeoutError", "reason": reason, "exit_code": 1}
    return "cancelled", {"reason": f"it was stopped{late}"}


def ensure_runnable(job: JobConfig) -> None:
    """Refuses a job whose function is not there, before a run of it is written down.

    Args:
        job: The job.

    Raises:
        UsageError: It is not there.
    """
    try:
        work_of(job.do)
    except ImportError as error:
        raise UsageError(f"the job's function {job.do} can't be imported ({type(error).__name__})") from None
