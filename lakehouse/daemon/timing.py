"""Time: when a job could be due. The only module that imports APScheduler.

APScheduler keeps time and nothing else: what it says is that a job could be due now. Whether it is, and for
which moment, is found out from the schedule and from the state database.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.base import BaseTrigger

from lakehouse.config.firing import fires, jitter, next_fire
from lakehouse.config.models.jobs import JobConfig

_MANY: Final = 1000


class Timing:
    """Says when jobs could be due.

    Args:
        could_be_due: Called with the job's name, in a thread of its own.
    """

    def __init__(self, could_be_due: Callable[[str], None]) -> None:
        # Only its errors: each time that it calls would be a line.
        logging.getLogger("apscheduler").setLevel(logging.ERROR)
        self._tell = could_be_due
        self._scheduler: Any = BackgroundScheduler(
            timezone=UTC, executors={"default": ThreadPoolExecutor(1)}, daemon=True
        )

    def start(self) -> None:
        """Begins."""
        self._scheduler.start()

    def set(self, jobs: Mapping[str, JobConfig]) -> None:
        """Takes these jobs in place of those before; also after the clock was set.

        Args:
            jobs: The jobs; those without a schedule are left alone.
        """
        self._scheduler.remove_all_jobs()
        for name, job in jobs.items():
            if job.schedule is not None and not job.pause:
                self._scheduler.add_job(
                    self._tell,
                    _Trigger(name, job),
                    args=[name],
                    id=name,
                    coalesce=True,
                    max_instances=_MANY,
                    misfire_grace_time=None,
                )

    def stop(self) -> None:
        """Ends."""
        if self._scheduler.running:
            self._scheduler.shutdown(wait=False)


class _Trigger(BaseTrigger):  # type: ignore[misc]
    """The next time that a job could be due."""

    def __init__(self, name: str, job: JobConfig) -> None:
        self._name = name
        self._job = job

    def get_next_fire_time(self, previous: datetime | None, now: datetime) -> datetime | None:
        return next_call(self._name, self._job, after=previous or now)


def next_call(name: str, job: JobConfig, *, after: datetime) -> datetime | None:
    """When a job could be due next: the moment of its schedule and its jitter.

    Args:
        name: The job.
        job: Its section of the config, with a schedule.
        after: The time after which.
    """
    assert job.schedule is not None  # noqa: S101 - others have no trigger
    following = next_fire(job.schedule, after=after, zone=job.timezone)
    if not job.jitter:
        return following
    # Those whose moment has come and whose jitter has not.
    found = fires(job.schedule, start=after - job.jitter, end=after, zone=job.timezone, most=_MANY)
    calls = [each + jitter(job, name=name, fire_time=each) for each in (*found, following) if each]
    return min((each for each in calls if each > after), default=None)
