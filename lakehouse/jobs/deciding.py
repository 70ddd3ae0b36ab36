"""Which moments of which jobs are due: by their schedules, and by the jobs that they wait for.

The same for those who call jobs now and then and for a daemon that is always there.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Final

from lakehouse.config.firing import due
from lakehouse.config.models.jobs import JobConfig
from lakehouse.jobs.after import moment_after
from lakehouse.jobs.status import TERMINAL, RunView, view_of
from lakehouse.state.database import State

_BACK: Final = 5


def due_moments(
    name: str,
    job: JobConfig,
    *,
    last: datetime | None,
    before: Sequence[RunView | None],
    now: datetime,
) -> list[datetime]:
    """The moments for which a job should be begun.

    Args:
        name: The job.
        job: Its section of the config.
        last: The latest moment that its schedule was followed for; None where it never was.
        before: Of each job that it waits for, the newest run that is over.
        now: The time.
    """
    follows = moment_after(before)
    if job.after and follows is None:
        return []
    if job.schedule is not None:
        return due(job, name=name, last=last, now=now)
    if follows is None or (last is not None and last >= follows):
        return []
    return [follows]


def resting(jobs: Mapping[str, JobConfig], paused: Collection[str]) -> frozenset[str]:
    """The jobs whose schedules are at rest.

    Args:
        jobs: All of the config.
        paused: Those that somebody has paused.
    """
    return frozenset(name for name, job in jobs.items() if job.pause or name in paused)


def newest_over(state: State, job: str) -> RunView | None:
    """The newest run of a job that was carried out, whatever came of it; None where there is none.

    One that still goes on, or was left out, says nothing about whether those that follow may run.

    Args:
        state: Where.
        job: Its name.
    """
    for run, events in state.jobs.history(job=job, limit=_BACK):
        view = view_of(run, events)
        if view.status in TERMINAL and view.status != "skipped":
            return view
    return None
