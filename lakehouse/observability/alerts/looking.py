"""Looks at a lake's state database: what happened since, who is late, what is overdue."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from lakehouse.config import Config
from lakehouse.observability.alerts.problems import Seen, late
from lakehouse.observability.incidents.happenings import Happenings
from lakehouse.observability.moments import Moments
from lakehouse.state.alert_rows import RunEnd
from lakehouse.state.database import State

RUNS: Final = "alerts of runs"
INCIDENTS: Final = "alerts of incidents"
_FIRST: Final = 1000
"""Of what happened before anybody wanted to hear of it, so many events count."""
_PART: Final = 1000
_SETTLED: Final = timedelta(minutes=1)


def look(config: Config, state: State, *, now: datetime, moments: Moments) -> tuple[Seen, dict[str, int]]:
    """Sees what there is to see.

    Args:
        config: The lake's config.
        state: Its state database.
        now: The time.
        moments: Finds the moments of schedules.

    Returns:
        What is seen, and how far events are done with once that is kept.
    """
    marks = state.alerts.marks()
    ends, runs_upto = _ends(state, marks.get(RUNS))
    after = marks.get(INCIDENTS, 0)
    happened = Happenings(state).since(after)
    settled = [each.seq for each in happened if each.at < now - _SETTLED]
    seen = Seen(
        now=now,
        jobs=frozenset(config.jobs),
        ends=ends,
        late=late_jobs(config, state, now=now, moments=moments),
        overdue=[each for each in state.following.open_requests() if each.due < now],
        incidents=happened,
    )
    return seen, {RUNS: runs_upto, INCIDENTS: max(settled, default=after)}


def late_jobs(
    config: Config, state: State, *, now: datetime, moments: Moments | None = None
) -> dict[str, datetime]:
    """The jobs that should have been begun by now and were not, each with the moment that was missed.

    Of a job that never ran, only moments count that came while somebody watched: it can be new.

    Args:
        config: The lake's config.
        state: Its state database.
        now: The time.
        moments: Finds the moments of schedules; None means one that is new.
    """
    moments = moments or Moments()
    found: dict[str, datetime] = {}
    scheduled = {name: job for name, job in config.jobs.items() if job.schedule is not None}
    if not scheduled:
        return found
    paused = state.jobs.paused()
    newest_runs = state.following.newest_runs(tuple(scheduled))
    waiting, watched = _waiting(state), state.alerts.watched()
    for name, job in scheduled.items():
        if job.pause or name in paused:
            continue
        last = newest_runs.get(name)
        newest = moments.newest(job, until=now - job.late_after - job.jitter)
        if last is None and (newest is None or watched is None or newest < watched):
            continue
        missed = late(
            name,
            job,
            newest=newest,
            begun=None if last is None else last[1],
            waiting=None if last is None or last[0] not in waiting else last[1],
            now=now,
        )
        if missed is not None:
            found[name] = missed
    return found


def _waiting(state: State) -> frozenset[str]:
    return frozenset(each.run for each in state.leases.open() if each.owner is None)


def _ends(state: State, mark: int | None) -> tuple[list[RunEnd], int]:
    after = max(0, state.following.newest_event() - _FIRST) if mark is None else mark
    found: list[RunEnd] = []
    reached, upto = after, after
    while True:
        part, settled = state.following.run_ends(after=reached, kinds=("succeeded", "failed"), limit=_PART)
        found += part
        # Behind the first one that is not settled, none is.
        if upto == reached:
            upto = settled
        if len(part) < _PART:
            return found, upto
        reached = part[-1].seq
