"""By when a request can be done: what stands in its way, as far as it can be told beforehand."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from lakehouse.config import Config
from lakehouse.config.durations import format_duration
from lakehouse.config.models import JobConfig
from lakehouse.protection import Protection
from lakehouse.requests.status import approved_by
from lakehouse.requests.view import Promise
from lakehouse.state.rows import Request, RequestEvent


def promise_of(
    config: Config,
    request: Request,
    events: Sequence[RequestEvent],
    *,
    protection: Callable[[str], Protection],
    now: datetime,
) -> Promise:
    """Works out by when a request can be done.

    Args:
        config: The lake's config.
        request: The request.
        events: What happened to it.
        protection: Gives the active holds on a table.
        now: The time (timezone-aware).

    Returns:
        The earliest time, and what it waits for. Holds on single rows are a reason without a time: whether
        they are on this person's rows is only known when these are looked for.
    """
    earliest: datetime | None = now
    reasons: list[str] = []
    if config.requests.approval == "required" and approved_by(events) is None:
        earliest = None
        reasons.append("it has to be approved by somebody else than who submitted it")
    if request.kind == "access":
        return Promise(earliest=earliest, reasons=tuple(reasons))
    grace = config.requests.purge_after
    if grace:
        earliest = None if earliest is None else earliest + grace
        reasons.append(
            f"the old files stay for {format_duration(grace)} after the erasure (`requests.purge_after`)"
        )
    for table in dict.fromkeys(rows.table for rows in config.subjects[request.subject].rows):
        for hold in protection(table).holds:
            if hold.where is None:
                earliest = None
                reasons.append(f"table {table} is held by {hold}")
            else:
                reasons.append(f"rows of table {table} are held by {hold}: this person's may be among them")
    reasons.append(
        "older versions and tags that hold this person are closed, and readers are told why "
        "(`requests.history: cut`)"
        if config.requests.history == "cut"
        else "older versions stay readable without this person, as far as files can be emptied "
        "(`requests.history: redact`)"
    )
    jobs = [job for job in config.jobs.values() if job.do == "erase"]
    reasons += [f"it is carried out by a job, {_when(job)}" for job in jobs]
    return Promise(earliest=earliest, reasons=tuple(dict.fromkeys(reasons)))


def _when(job: JobConfig) -> str:
    return "by hand" if job.schedule is None else f"scheduled `{job.schedule}`"
