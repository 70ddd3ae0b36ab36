"""The verbs about jobs that only look: jobs as they are, runs and what they said, moments without one."""

from __future__ import annotations

import builtins
from collections.abc import Callable, Collection
from datetime import UTC, datetime, timedelta
from typing import Final

from lakehouse.config.firing import fires
from lakehouse.config.models.jobs import JobConfig
from lakehouse.config.nearest import nearest
from lakehouse.control import Control
from lakehouse.errors import NotFoundError, UsageError
from lakehouse.jobs.context import Lake
from lakehouse.jobs.leases import LEASE
from lakehouse.jobs.observing import RunObserver
from lakehouse.jobs.status import STATUSES, RunView, view_of
from lakehouse.jobs.views import JobView, job_view
from lakehouse.protection.given import text_of
from lakehouse.state.database import State
from lakehouse.state.job_rows import DaemonRow

LIMIT: Final = 50
"""So many runs a history shows unless told otherwise."""


class Looking:
    """Looks at the jobs of a lake.

    Args:
        lake: The lake.
        control: The way to the state database.
        lease: How long after its last sign of life a run is taken for abandoned.
        clock: Gives the time, timezone-aware.
        observers: Makes those who hear of the runs that are carried out here.
        afterwards: Called once all runs of a call are over, as alerts are passed on; it can't make them fail.
    """

    def __init__(
        self,
        lake: Lake,
        *,
        control: Control,
        lease: timedelta = LEASE,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        observers: Callable[[State], tuple[RunObserver, ...]] = lambda _: (),
        afterwards: Callable[[], object] = lambda: None,
    ) -> None:
        self._lake = lake
        self._control = control
        self._lease = lease
        self._clock = clock
        self._observers = observers
        self._afterwards = afterwards

    def list(self) -> builtins.list[JobView]:
        """All jobs, in the order of the config.

        Raises:
            StorageError: The state database can't be read.
        """
        state, now = self._control.existing(), self._clock()
        paused = {} if state is None else state.jobs.paused()
        alive = [] if state is None else [each.job for each in state.leases.open() if each.alive]
        return [
            job_view(
                name,
                job,
                tables=self._lake.tables if job.tables == "all" else tuple(job.tables),
                paused=paused.get(name),
                last=self._newest(state, name),
                running=alive.count(name),
                now=now,
            )
            for name, job in self._lake.config.jobs.items()
        ]

    def daemons(self) -> builtins.list[DaemonRow]:
        """The daemons that run these jobs, and those that were lost within a day.

        Raises:
            StorageError: The state database can't be read.
        """
        state = self._control.existing()
        return [] if state is None else state.daemons.list()

    def history(
        self,
        job: str | None = None,
        *,
        status: Collection[str] | None = None,
        cause: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        limit: int | None = LIMIT,
    ) -> builtins.list[RunView]:
        """Runs, newest first.

        Args:
            job: Only of one job; also one that is not in the config any more.
            status: Only of these statuses.
            cause: Only ``schedule``, ``manual`` or ``backfill``.
            since: Only for moments from this one on.
            until: Only for moments before this one.
            limit: At most so many; None means all.

        Raises:
            UsageError: There is no such status or cause.
            StorageError: The state database can't be read.
        """
        wanted = None if status is None else frozenset([status] if isinstance(status, str) else status)
        for each in sorted(wanted or ()):
            if each not in STATUSES:
                raise UsageError(f"there is no status {each}", advice=f"there are {', '.join(STATUSES)}")
        if cause not in {None, "schedule", "manual", "backfill"}:
            raise UsageError(f"there is no cause {cause}", advice="there are schedule, manual, backfill")
        state = self._control.existing()
        if state is None:
            return []
        found = state.jobs.history(
            job=job,
            statuses=wanted,
            cause=cause,
            since=None if since is None else aware(since, "since"),
            until=None if until is None else aware(until, "until"),
            limit=limit,
        )
        return [view_of(run, events) for run, events in found]

    def show(self, run_id: str) -> RunView:
        """One run.

        Args:
            run_id: Its id.

        Raises:
            NotFoundError: There is none of that id.
        """
        state = self._control.existing()
        found = None if state is None else state.jobs.get(text_of(run_id, "the id of a run"))
        if found is None:
            raise NotFoundError("there is no run of that id", advice="`lakehouse jobs history` shows them")
        return view_of(*found)

    def log(self, run_id: str) -> str:
        """The last lines of what a run said: at most 200.

        Args:
            run_id: Its id.

        Raises:
            NotFoundError: There is none of that id.
        """
        self.show(run_id)
        state = self._control.existing()
        return "" if state is None else state.jobs.log(run_id)

    def missing(self, job: str, *, start: datetime, end: datetime) -> builtins.list[datetime]:
        """The moments of a job's schedule in a window for which there is no run.

        Args:
            job: Its name.
            start: The window's start, in it.
            end: Its end, not in it.

        Raises:
            NotFoundError: There is no such job.
            UsageError: It has no schedule, or the window is none.
        """
        found = self._job(job)
        if found.schedule is None:
            raise UsageError(f"the job {job} has no schedule, so there are no moments to make up for")
        first, last = aware(start, "start"), aware(end, "end")
        if first >= last:
            raise UsageError("the window ends before it begins")
        moments = fires(found.schedule, start=first, end=last, zone=found.timezone)
        return without_run(self._control.existing(), job, moments)

    def _newest(self, state: State | None, job: str) -> RunView | None:
        found = [] if state is None else state.jobs.history(job=job, limit=1)
        return view_of(*found[0]) if found else None

    def _job(self, name: str) -> JobConfig:
        jobs = self._lake.config.jobs
        text = text_of(name, "the name of a job")
        if text in jobs:
            return jobs[text]
        near = nearest(text, jobs)
        known = f"its jobs are: {', '.join(jobs)}" if jobs else "it names none yet (`jobs:`)"
        raise NotFoundError(
            f"lake {self._lake.config.name} has no job {text}",
            advice=f"did you mean {near}?" if near else known,
        )


def without_run(state: State | None, job: str, moments: builtins.list[datetime]) -> builtins.list[datetime]:
    """Of moments, in their order, those for which a job has no run.

    Args:
        state: Where; None where there is none.
        job: The job.
        moments: The moments.
    """
    if state is None or not moments:
        return moments
    there = state.jobs.moments(job, since=moments[0], until=moments[-1])
    return [each for each in moments if each not in there]


def aware(moment: datetime, what: str) -> datetime:
    """A moment in UTC.

    Args:
        moment: The moment.
        what: What it is called.

    Raises:
        UsageError: It has no timezone.
    """
    if moment.tzinfo is None:
        raise UsageError(f"{what} needs a timezone", advice="as datetime.now(UTC)")
    return moment.astimezone(UTC)
