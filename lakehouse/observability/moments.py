"""The moments around now of schedules, remembered until the next one comes: to find them takes a while."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from lakehouse.config.firing import last_fire, next_fire
from lakehouse.config.models.jobs import JobConfig
from lakehouse.config.schedules import Schedule

_FIRST: Final = datetime.min.replace(tzinfo=UTC)
_LAST: Final = datetime.max.replace(tzinfo=UTC)
_MOST: Final = 10_000


class Moments:
    """Finds the moments of schedules. Who looks again and again keeps one.

    Threads can share one: what two of them find at a time is the same.
    """

    def __init__(self) -> None:
        self._known: dict[tuple[Schedule, str, str], tuple[datetime, datetime]] = {}

    def newest(self, job: JobConfig, *, until: datetime) -> datetime | None:
        """The newest moment of a job's schedule, up to and with another one; None where there was none yet.

        Args:
            job: The job.
            until: The other one (timezone-aware).
        """
        found = self._around(job, until, "newest")
        return None if found is None or found[0] == _FIRST else found[0]

    def next(self, job: JobConfig, *, after: datetime) -> datetime | None:
        """The first moment of a job's schedule after another one; None where there is none any more.

        Args:
            job: The job.
            after: The other one (timezone-aware).
        """
        found = self._around(job, after, "next")
        return None if found is None or found[1] == _LAST else found[1]

    def _around(self, job: JobConfig, moment: datetime, what: str) -> tuple[datetime, datetime] | None:
        if job.schedule is None:
            return None
        # Who asks for the newest one looks a little back: both have a place of their own.
        key = (job.schedule, job.timezone, what)
        known = self._known.get(key)
        if known is not None and known[0] <= moment < known[1]:
            return known
        if len(self._known) >= _MOST:
            self._known.clear()
        before = last_fire(job.schedule, until=moment, zone=job.timezone)
        after = next_fire(job.schedule, after=moment, zone=job.timezone)
        self._known[key] = found = (before or _FIRST, after or _LAST)
        return found
