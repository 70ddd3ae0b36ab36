"""``lake.jobs``: the jobs of the config: list, run, history, pause, resume, backfill."""

from __future__ import annotations

import builtins
import logging
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from lakehouse.config.models.jobs import JobConfig
from lakehouse.config.nearest import nearest
from lakehouse.control import Control
from lakehouse.errors import NotFoundError, UsageError
from lakehouse.jobs.after import in_order
from lakehouse.jobs.context import Lake
from lakehouse.jobs.deciding import due_moments, newest_over, resting
from lakehouse.jobs.leases import LEASE
from lakehouse.jobs.observing import RunObserver
from lakehouse.jobs.runner import Runner
from lakehouse.jobs.schedule import fires
from lakehouse.jobs.status import STATUSES, RunView, view_of
from lakehouse.jobs.views import JobView, job_view
from lakehouse.jobs.working import ensure_runnable
from lakehouse.protection.given import LONGEST_REASON, author_of, ensure_plain, text_of
from lakehouse.records import operator
from lakehouse.state.database import State

_LOG: Final = logging.getLogger("lakehouse.jobs")
LIMIT: Final = 50
"""So many runs a history shows unless told otherwise."""


class Jobs:
    """The jobs of a lake. Reached as `Lakehouse.jobs`; can be used from many threads and processes.

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

    def __repr__(self) -> str:
        return f"Jobs({self._lake.config.name!r})"

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

    def run(self, job: str, *, fire_time: datetime | None = None, author: str | None = None) -> RunView:
        """Runs a job now. Runs of it that were lost with their process are done first.

        Args:
            job: Its name.
            fire_time: The moment that it is run for; None means now. Of a job and a moment there is one run:
                the second call finds it done, or going on.
            author: On whose order; None means the user that this process runs as.

        Returns:
            The run as it is now, failed ones too.

        Raises:
            NotFoundError: There is no such job; the advice names the nearest.
            UsageError: Its function is not there, or the moment has no timezone.
            StorageError: The state database can't be reached.
        """
        found = self._job(job)
        ensure_runnable(found)
        moment = self._clock() if fire_time is None else _aware(fire_time, "fire_time")
        runner = self.runner(author=author)
        with self._passing_on():
            runner.recover(job)
            return runner.run(job, fire_time=moment, cause="manual")

    def run_due(self, *jobs: str, author: str | None = None) -> builtins.list[RunView]:
        """Runs all that is due by the schedules, one after the other, and what was lost with its process.

        Called each minute, by cron for example, on one host or several, it runs each job once for each
        moment. What was missed is made up for as ``catch_up`` says; paused jobs rest.

        Args:
            *jobs: Only these; none means all.
            author: On whose order; None means the user that this process runs as.

        Returns:
            The runs that were due, as they are now.

        Raises:
            NotFoundError: There is no such job.
            StorageError: The state database can't be reached.
        """
        for each in jobs:
            self._job(each)
        runner = self.runner(author=author)
        with self._passing_on():
            done = runner.recover(*jobs)
            for name in in_order(self._lake.config.jobs):
                if jobs and name not in jobs:
                    continue
                for moment in self._moments(runner.state, name):
                    done.append(runner.run(name, fire_time=moment, cause="schedule"))
        return done

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
            since=None if since is None else _aware(since, "since"),
            until=None if until is None else _aware(until, "until"),
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

    def pause(self, job: str, *, reason: str = "", author: str | None = None) -> None:
        """Lets the schedule of a job rest, for all processes, until it is resumed. Runs that go on do so.

        Args:
            job: Its name.
            reason: Why. No personal data.
            author: On whose order; None means the user that this process runs as.

        Raises:
            NotFoundError: There is no such job.
        """
        self._pause(job, paused=True, reason=reason, author=author)

    def resume(self, job: str, *, reason: str = "", author: str | None = None) -> None:
        """Ends a pause. What was missed is made up for as ``catch_up`` says.

        Args:
            job: Its name.
            reason: Why. No personal data.
            author: On whose order; None means the user that this process runs as.

        Raises:
            NotFoundError: There is no such job.
        """
        self._pause(job, paused=False, reason=reason, author=author)

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
        first, last = _aware(start, "start"), _aware(end, "end")
        if first >= last:
            raise UsageError("the window ends before it begins")
        moments = fires(found.schedule, start=first, end=last, zone=found.timezone)
        return _new(self._control.existing(), job, moments)

    def backfill(
        self, job: str, *, start: datetime, end: datetime, author: str | None = None
    ) -> builtins.list[RunView]:
        """Runs a job for each moment of its schedule in a window for which it never ran, in their order.

        A run that fails ends it: those behind it are not begun.

        Args:
            job: Its name.
            start: The window's start, in it.
            end: Its end, not in it.
            author: On whose order; None means the user that this process runs as.

        Returns:
            The runs, as they are now.

        Raises:
            NotFoundError: There is no such job.
            UsageError: It has no schedule, its function is not there, or the window is none.
        """
        moments = self.missing(job, start=start, end=end)
        ensure_runnable(self._job(job))
        done: builtins.list[RunView] = []
        runner = self.runner(author=author)
        with self._passing_on():
            for each in moments:
                done.append(runner.run(job, fire_time=each, cause="backfill"))
                if done[-1].status == "failed":
                    break
        return done

    @contextmanager
    def _passing_on(self) -> Iterator[None]:
        yield
        try:
            self._afterwards()
        except Exception as error:  # noqa: BLE001 - what is told of runs never fails them
            _LOG.warning("alerts could not be passed on (%s)", type(error).__name__)

    def _moments(self, state: State, name: str) -> builtins.list[datetime]:
        jobs = self._lake.config.jobs
        job = jobs[name]
        if name in resting({name: job}, state.jobs.paused()):
            return []
        before = [newest_over(state, each) for each in job.after]
        last = state.jobs.last(name, cause="schedule")
        found = due_moments(
            name, job, last=None if last is None else last.fire_time, before=before, now=self._clock()
        )
        return _new(state, name, found)

    def _newest(self, state: State | None, job: str) -> RunView | None:
        found = [] if state is None else state.jobs.history(job=job, limit=1)
        return view_of(*found[0]) if found else None

    def _pause(self, job: str, *, paused: bool, reason: str, author: str | None) -> None:
        self._job(job)
        text = text_of(reason, "the reason")
        why = ensure_plain(text, what="the reason", longest=LONGEST_REASON) if text.strip() else ""
        who, now = _who(author), self._clock()
        self._control.made(now=now).jobs.pause(job, paused=paused, author=who, reason=why, now=now)

    def runner(self, *, author: str | None = None, **more: Any) -> Runner:
        """Gives what carries runs out, for a process that does so again and again.

        Args:
            author: On whose order; None means the user that this process runs as.
            **more: What else a `Runner` takes.

        Raises:
            StorageError: The state database can't be reached.
        """
        state = self._control.made(now=self._clock())
        given = {"lease": self._lease, "clock": self._clock, **more}
        return Runner(
            lake=self._lake, state=state, author=_who(author), observers=self._observers(state), **given
        )

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


def _new(state: State | None, job: str, moments: builtins.list[datetime]) -> builtins.list[datetime]:
    """Of moments, in their order, those for which a job has no run."""
    if state is None or not moments:
        return moments
    there = state.jobs.moments(job, since=moments[0], until=moments[-1])
    return [each for each in moments if each not in there]


def _who(author: str | None) -> str:
    return operator() if author is None else author_of(author)


def _aware(moment: datetime, what: str) -> datetime:
    if moment.tzinfo is None:
        raise UsageError(f"{what} needs a timezone", advice="as datetime.now(UTC)")
    return moment.astimezone(UTC)
