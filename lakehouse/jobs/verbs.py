"""``lake.jobs``: the jobs of the config: list, run, retry, cancel, history, pause, resume, backfill."""

from __future__ import annotations

import builtins
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any, Final

from lakehouse.errors import RefusedError
from lakehouse.jobs.after import in_order
from lakehouse.jobs.alone import WAIT, alone
from lakehouse.jobs.deciding import due_moments, newest_over, resting
from lakehouse.jobs.looking import Looking, aware, without_run
from lakehouse.jobs.runner import Runner
from lakehouse.jobs.status import RunView
from lakehouse.jobs.working import ensure_runnable
from lakehouse.protection.given import LONGEST_REASON, author_of, ensure_plain, text_of
from lakehouse.records import operator
from lakehouse.state.database import State

_LOG: Final = logging.getLogger("lakehouse.jobs")


class Jobs(Looking):
    """The jobs of a lake. Reached as `Lakehouse.jobs`; can be used from many threads and processes.

    Args:
        lake: The lake.
        control: The way to the state database.
        lease: How long after its last sign of life a run is taken for abandoned.
        clock: Gives the time, timezone-aware.
        observers: Makes those who hear of the runs that are carried out here.
        afterwards: Called once all runs of a call are over, as alerts are passed on; it can't make them fail.
    """

    def __repr__(self) -> str:
        return f"Jobs({self._lake.config.name!r})"

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
        moment = self._clock() if fire_time is None else aware(fire_time, "fire_time")
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

    def retry(self, run_id: str, *, author: str | None = None) -> RunView:
        """Carries a run out once more that failed, was stopped, or was left out.

        Args:
            run_id: Its id.
            author: On whose order; None means the user that this process runs as.

        Returns:
            The run as it is now; what happened before stays with it.

        Raises:
            NotFoundError: There is none of that id, or the config has no such job any more.
            RefusedError: It has succeeded, or goes on.
        """
        found = self.show(run_id)
        ensure_runnable(self._job(found.job))
        if found.status not in {"failed", "cancelled", "skipped"}:
            raise RefusedError(
                f"the run {found.id} is {found.status}, so there is nothing to do again",
                advice=f"`lakehouse jobs run {found.job}` runs the job for now",
            )
        runner = self.runner(author=author)
        runner.state.leases.again(found.id, author=_who(author), now=self._clock())
        with self._passing_on():
            kept = runner.state.jobs.get(found.id)
            assert kept is not None  # noqa: S101 - runs stay
            runner.take(kept[0])
        return self.show(found.id)

    def cancel(self, run_id: str, *, author: str | None = None) -> RunView:
        """Ends a run: at once where nobody works on it, otherwise by asking the one who does.

        Args:
            run_id: Its id.
            author: On whose order; None means the user that this process runs as.

        Returns:
            The run as it is now: it ends within seconds where a daemon has it, else within a quarter of its
            lease, and only where its work asks whether to go on.

        Raises:
            NotFoundError: There is none of that id.
            RefusedError: It is over.
        """
        found = self.show(run_id)
        state = self._control.made(now=self._clock())
        if state.leases.cancel(found.id, author=_who(author)) is None:
            raise RefusedError(f"the run {found.id} is over: it has {found.status}")
        return self.show(found.id)

    @contextmanager
    def alone(
        self, *tables: str, wait: timedelta = WAIT, waiting: Callable[[str], None] = lambda _: None
    ) -> Iterator[None]:
        """Has tables for itself, among all jobs and all others who ask for that.

        Without a state database nobody else can have them, and nothing is taken.

        Args:
            *tables: Their names.
            wait: How long to wait for others that have one of them.
            waiting: Called once, with a sentence, where others are waited for.

        Raises:
            ConflictError: Somebody else has one of them all the time.
        """
        state = self._control.existing() if tables else None
        if state is None:
            yield
            return
        with alone(state, tables, wait=wait, lease=self._lease, waiting=waiting):
            yield

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
        return without_run(state, name, found)

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


def _who(author: str | None) -> str:
    return operator() if author is None else author_of(author)
