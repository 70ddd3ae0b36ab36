"""By when a request can be done: what stands in its way, as far as it can be told beforehand."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from lakehouse.config import Config
from lakehouse.config.durations import format_duration
from lakehouse.config.firing import next_fire
from lakehouse.config.models import JobConfig
from lakehouse.config.moments import iso
from lakehouse.protection import Protection
from lakehouse.requests.rules import rules_of
from lakehouse.requests.status import approved_by
from lakehouse.requests.view import Promise
from lakehouse.state.rows import Request, RequestEvent

_INSTANT = timedelta(microseconds=1)


def promise_of(
    config: Config,
    request: Request,
    events: Sequence[RequestEvent],
    *,
    protection: Callable[[str], Protection],
    now: datetime,
    copies: Mapping[str, str] | None = None,
) -> Promise:
    """Works out by when a request can be done.

    Args:
        config: The lake's config.
        request: The request.
        events: What happened to it.
        protection: Gives the active holds on a table.
        now: The time (timezone-aware).
        copies: Masked copies, and the tables that they are made from.

    Returns:
        The earliest time, what decides it, and what else it waits for. Holds on single rows are a reason
        without a time: whether they are on this person's rows is only known when these are looked for.
    """
    reasons: list[str] = []
    open_end = ""
    if config.requests.approval == "required" and approved_by(events) is None:
        open_end = "the approval"
        reasons.append("it has to be approved by somebody else than who submitted it")
    if request.kind == "access":
        return Promise(earliest=None if open_end else now, reasons=tuple(reasons), decided_by=open_end)
    grace = config.requests.purge_after
    if grace:
        reasons.append(
            f"the old files stay for {format_duration(grace)} after the erasure (`requests.purge_after`)"
        )
    tables = tuple(rules_of(config, subjects=frozenset({request.subject})))
    for table in tables:
        for hold in protection(table).holds:
            if hold.where is None:
                open_end = open_end or f"the hold {hold}"
                reasons.append(f"table {table} is held by {hold}")
            else:
                reasons.append(f"rows of table {table} are held by {hold}: this person's may be among them")
    way = _way(config, events, now=now)
    reasons += [*_other_places(config, tables, copies or {}), *way.told]
    if open_end or way.end is None:
        return Promise(
            earliest=None, reasons=tuple(dict.fromkeys(reasons)), decided_by=open_end or way.decided_by
        )
    return Promise(earliest=way.end, reasons=tuple(dict.fromkeys(reasons)), decided_by=way.decided_by)


@dataclass(frozen=True, slots=True)
class _Way:
    """How a request gets to its end, if nobody holds it.

    Args:
        end: When it is done; None where no job will carry it out.
        decided_by: What that depends on.
        told: The steps.
    """

    end: datetime | None
    decided_by: str = ""
    told: tuple[str, ...] = ()


def _way(config: Config, events: Sequence[RequestEvent], *, now: datetime) -> _Way:
    """The runs that erase and purge: those of the jobs that do so, or by hand, at once."""
    grace = config.requests.purge_after
    erased = next((each.at for each in reversed(events) if each.event == "erased"), None)
    jobs = {name: job for name, job in config.jobs.items() if job.do == "erase"}
    if not jobs:
        ready = now if erased is None else max(now, erased)
        end = ready + grace if erased is None else max(now, erased + grace)
        return _Way(end, "`requests.purge_after`" if grace and end > now else "")
    if erased is None:
        first = _next(config, jobs, after=now)
        if first is None:
            return _Way(None, "the schedule", tuple(_at_rest(jobs)))
        told = [
            f"it is carried out by the job {first[1]}, next at {iso(first[0])} ({_when(config, first[1])})"
        ]
        if not grace:
            return _Way(first[0], f"the schedule of the job {first[1]}", tuple(told))
        ready = first[0] + grace
    else:
        told, ready = [], max(now, erased + grace)
    last = _next(config, jobs, after=ready - _INSTANT)
    if last is None:
        told.append(f"no run of {', '.join(jobs)} comes after {iso(ready)}, when old files may go")
        return _Way(None, "the schedule", tuple(told))
    told.append(f"old files go, and what is left is searched, by the job {last[1]} at {iso(last[0])}")
    waits = "`requests.purge_after`" if last[0] == ready else f"the schedule of the job {last[1]}"
    return _Way(last[0], waits, tuple(told))


def _next(config: Config, jobs: Mapping[str, JobConfig], *, after: datetime) -> tuple[datetime, str] | None:
    """The first run of any of some jobs after a moment, and the job."""
    found = [
        (moment, name) for name in jobs if (moment := _fire(config, name, after=after, seen=())) is not None
    ]
    return min(found, default=None)


def _fire(config: Config, name: str, *, after: datetime, seen: tuple[str, ...]) -> datetime | None:
    """When a job runs next, at the latest: by its schedule, or after the jobs that it follows."""
    job = config.jobs.get(name)
    if job is None or job.pause or name in seen:
        return None
    if job.schedule is not None:
        moment = next_fire(job.schedule, after=after, zone=job.timezone)
        return None if moment is None else moment + job.jitter
    before = [_fire(config, each, after=after, seen=(*seen, name)) for each in job.after]
    known = [each for each in before if each is not None]
    return max(known) if known and len(known) == len(before) else None


def _when(config: Config, name: str) -> str:
    job = config.jobs[name]
    if job.schedule is not None:
        return f"scheduled `{job.schedule}`"
    return f"after {', '.join(job.after)}"


def _at_rest(jobs: Mapping[str, JobConfig]) -> Iterator[str]:
    for name, job in jobs.items():
        if job.pause:
            yield f"the job {name}, which carries it out, is at rest (`pause`); `lakehouse request run` does"
        elif job.schedule is None and not job.after:
            yield f"it is carried out by the job {name}, by hand"
        else:
            yield f"the job {name}, which carries it out, has no further run: `lakehouse request run` does it"


def _other_places(config: Config, tables: Sequence[str], copies: Mapping[str, str]) -> Iterator[str]:
    """What becomes of older versions, archives and copies, which somebody may count on."""
    yield (
        "older versions and tags that hold this person are closed, and readers are told why "
        "(`requests.history: cut`)"
        if config.requests.history == "cut"
        else "older versions stay readable without this person, as far as files can be emptied "
        "(`requests.history: redact`)"
    )
    for table in tables:
        rules = config.tables[table].retention if table in config.tables else ()
        archives = [str(rule.to) for rule in rules if rule.action == "archive"]
        if archives:
            yield f"archives of table {table} are written anew in the same run ({', '.join(archives)})"
    mine = sorted(copy for copy, source in copies.items() if source in tables)
    if mine:
        yield f"masked copies follow in the same run: {', '.join(mine)}"
