"""Reads from the state database what there is to tell of a lake."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from lakehouse.config import Config
from lakehouse.observability.alerts.looking import late_jobs
from lakehouse.observability.alerts.problems import KEPT
from lakehouse.observability.alerts.targets import targets_of
from lakehouse.observability.metrics.adding import add
from lakehouse.observability.metrics.measured import Measured, measured
from lakehouse.observability.moments import Moments
from lakehouse.state.alert_rows import OpenRequest, Standing
from lakehouse.state.database import State
from lakehouse.state.totals import LINEAGE_FAILURES


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What there is to tell of a lake at a moment.

    Args:
        lake: Its name.
        now: The moment (timezone-aware).
        jobs: The names of its jobs.
        totals: What its runs add up to, by job and status.
        next_runs: When jobs run next, by job.
        running: How many runs of jobs go on.
        paused: The jobs at rest.
        late: The jobs that should have been begun.
        requests: What was asked and is not done.
        holds: How many holds are active.
        targets: Who hears of what is wrong, by name.
        tables: What was measured of tables last.
        fresh: How old tables may be, in seconds, by table.
        incidents: How many are not resolved.
        size: The bytes of the state database.
        lineage_failures: Events of lineage that could not be sent; None where none are.
    """

    lake: str
    now: datetime
    jobs: Sequence[str] = ()
    totals: Mapping[tuple[str, str], Mapping[str, Any]] = field(default_factory=dict)
    next_runs: Mapping[str, datetime] = field(default_factory=dict)
    running: Mapping[str, int] = field(default_factory=dict)
    paused: frozenset[str] = frozenset()
    late: frozenset[str] = frozenset()
    requests: Sequence[OpenRequest] = ()
    holds: int = 0
    targets: Mapping[str, Standing | None] = field(default_factory=dict)
    tables: Sequence[Measured] = ()
    fresh: Mapping[str, float] = field(default_factory=dict)
    incidents: int = 0
    size: int = 0
    lineage_failures: int | None = None


def facts_of(config: Config, state: State, *, now: datetime, moments: Moments) -> Facts:
    """Reads all of it. How long that takes depends on how much there is now, not on how much there ever was.

    Args:
        config: The lake's config.
        state: Its state database.
        now: The time (timezone-aware).
        moments: Finds the moments of schedules.

    Raises:
        StorageError: The state database can't be read.
    """
    alive = [each.job for each in state.leases.open() if each.alive]
    paused = state.jobs.paused()
    return Facts(
        lake=config.name,
        now=now,
        jobs=tuple(config.jobs),
        totals=state.totals.read(add),
        next_runs=_next_runs(config, now, moments),
        running={name: alive.count(name) for name in config.jobs},
        paused=frozenset(name for name, job in config.jobs.items() if job.pause or name in paused),
        late=frozenset(late_jobs(config, state, now=now, moments=moments)),
        requests=state.following.open_requests(),
        holds=sum(each.active(now) for each in state.holds.standing()),
        targets={
            each.name: state.alerts.standing(each.id, since=now - KEPT)
            for each in targets_of(config, salt=state.id if config.alerts else "")
        },
        tables=measured(state, now=now),
        fresh=_fresh(config),
        incidents=len(state.incidents.list(only_open=True)),
        size=state.totals.size(),
        lineage_failures=None if config.lineage is None else state.totals.counted(LINEAGE_FAILURES),
    )


def _next_runs(config: Config, now: datetime, moments: Moments) -> dict[str, datetime]:
    found = {}
    for name, job in config.jobs.items():
        moment = moments.next(job, after=now)
        if moment is not None:
            found[name] = moment
    return found


def _fresh(config: Config) -> dict[str, float]:
    found: dict[str, float] = {}
    for name, table in config.tables.items():
        limits = [each.freshness.total_seconds() for each in table.expect if each.freshness is not None]
        if limits:
            found[name] = min(limits)
    return found
