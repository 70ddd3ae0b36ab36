"""Jobs as users see them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from lakehouse.config.firing import next_fire
from lakehouse.config.models.jobs import JobConfig
from lakehouse.jobs.status import RunView
from lakehouse.state.job_rows import Pause


@dataclass(frozen=True, slots=True, kw_only=True)
class JobView:
    """A job, as it is now.

    Args:
        name: Its name.
        do: What it does.
        schedule: When, as the config says it; empty for one that runs when it is called.
        timezone: Whose clock that follows.
        after: The jobs that it waits for.
        tables: The tables that it is for.
        paused: Why its schedule is at rest; empty where it is not.
        next: The next moment of its schedule (UTC); None without one.
        last: Its newest run.
        running: Its runs that go on.
    """

    name: str
    do: str
    schedule: str
    timezone: str
    after: tuple[str, ...]
    tables: tuple[str, ...]
    paused: str = ""
    next: datetime | None = None
    last: RunView | None = None
    running: int = 0

    def to_dict(self) -> dict[str, Any]:
        """The same as JSON can hold it."""
        return {
            "job": self.name,
            "do": self.do,
            "schedule": self.schedule,
            "timezone": self.timezone,
            "after": list(self.after),
            "tables": list(self.tables),
            "paused": self.paused,
            "next": self.next,
            "running": self.running,
            "last": None if self.last is None else self.last.to_dict(),
        }


def job_view(
    name: str,
    job: JobConfig,
    *,
    tables: tuple[str, ...],
    paused: Pause | None,
    last: RunView | None,
    running: int,
    now: datetime,
) -> JobView:
    """Puts a job and what there is to say of it together.

    Args:
        name: The job.
        job: Its section of the config.
        tables: The tables that it is for.
        paused: Why its schedule is at rest, if somebody has paused it.
        last: Its newest run.
        running: Its runs that go on.
        now: The time.
    """
    why = "by the config" if job.pause else ""
    if paused is not None:
        why = paused.reason or f"by {paused.author}"
    following = None if job.schedule is None else next_fire(job.schedule, after=now, zone=job.timezone)
    return JobView(
        name=name,
        do=job.do,
        schedule="" if job.schedule is None else str(job.schedule),
        timezone=job.timezone,
        after=job.after,
        tables=tables,
        paused=why,
        next=None if why else following,
        last=last,
        running=running,
    )
