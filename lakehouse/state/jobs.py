"""Runs of jobs in the database: what happened to them, and the history of it."""

from __future__ import annotations

import builtins
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, Row, Select, func, insert, not_, or_, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection

from lakehouse.errors import StorageError
from lakehouse.state.clock import time_of
from lakehouse.state.ids import new_id
from lakehouse.state.job_rows import JobEvent, JobRun, Pause
from lakehouse.state.job_tables import events, leases, logs, pauses, runs
from lakehouse.state.transactions import Transactions

_TRIES: Final = 20
_PART: Final = 500
_RARE: Final = 10_000
_OPEN: Final = ("queued", "running", "abandoned")


class SqlJobs:
    """Runs of jobs, in a database.

    Args:
        database: Where.
    """

    def __init__(self, database: Transactions) -> None:
        self._database = database

    def enqueue(
        self, *, job: str, fire_time: datetime, kind: str, cause: str, author: str, now: datetime
    ) -> tuple[JobRun, bool]:
        """Writes down that a job is to run for a moment.

        Args:
            job: The job's name.
            fire_time: The moment.
            kind: What the job does.
            cause: ``schedule``, ``manual`` or ``backfill``.
            author: On whose order.
            now: The time.

        Returns:
            The run of the job for this moment, and whether it was not there before.
        """
        with self._database.writing() as connection:
            values = {
                "id": _free_id(connection),
                "job": job,
                "fire_time": fire_time,
                "kind": kind,
                "cause": cause,
                "queued": now,
                "author": author,
            }
            upsert = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
            statement = (
                upsert(runs).values(**values).on_conflict_do_nothing(index_elements=["job", "fire_time"])
            )
            new = connection.execute(statement.returning(runs.c.id)).first() is not None
            found = connection.execute(
                select(runs).where(runs.c.job == job, runs.c.fire_time == fire_time)
            ).one()
            if new:
                connection.execute(insert(leases).values(run_id=found.id, job=job, token=0))
                happened(connection, found.id, "queued", at=now)
            return run_of(found), new

    def get(self, run_id: str) -> tuple[JobRun, builtins.list[JobEvent]] | None:
        """A run and all that happened to it; None where there is none of that id.

        Args:
            run_id: The run.
        """
        with self._database.reading() as connection:
            row = connection.execute(select(runs).where(runs.c.id == run_id)).first()
            return None if row is None else (run_of(row), _events(connection, [row.id])[row.id])

    def log(self, run_id: str) -> str:
        """The last lines of what a run said; empty where it said nothing.

        Args:
            run_id: The run.
        """
        query = select(logs.c.lines).where(logs.c.run_id == run_id).order_by(logs.c.seq)
        with self._database.reading() as connection:
            return "\n".join(connection.execute(query).scalars())

    def history(
        self,
        *,
        job: str | None = None,
        statuses: Collection[str] | None = None,
        cause: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        limit: int | None = None,
    ) -> builtins.list[tuple[JobRun, builtins.list[JobEvent]]]:
        """Runs with what happened to them, the one that was written down last first.

        Args:
            job: Only of one job.
            statuses: Only of these statuses.
            cause: Only of one cause.
            since: Only for moments from this one on.
            until: Only for moments before this one.
            limit: At most so many.
        """
        query = select(runs).order_by(runs.c.seq.desc())
        if job is not None:
            query = query.where(runs.c.job == job)
        if cause is not None:
            query = query.where(runs.c.cause == cause)
        if since is not None:
            query = query.where(runs.c.fire_time >= since)
        if until is not None:
            query = query.where(runs.c.fire_time < until)
        if limit is not None:
            query = query.limit(limit)
        with self._database.reading() as connection:
            if statuses is not None:
                query = _with_status(connection, query, frozenset(statuses))
            found = [run_of(row) for row in connection.execute(query)]
            said = _events(connection, [each.id for each in found])
        return [(each, said[each.id]) for each in found]

    def last(self, job: str, *, cause: str | None = None) -> JobRun | None:
        """The run of a job for the latest moment.

        Args:
            job: The job.
            cause: Only among those of one cause.
        """
        query = select(runs).where(runs.c.job == job).order_by(runs.c.fire_time.desc()).limit(1)
        if cause is not None:
            query = query.where(runs.c.cause == cause)
        with self._database.reading() as connection:
            row = connection.execute(query).first()
        return None if row is None else run_of(row)

    def moments(self, job: str, *, since: datetime, until: datetime) -> set[datetime]:
        """The moments in a window for which a job has a run.

        Args:
            job: The job.
            since: The window's start, in it.
            until: Its end, in it too.
        """
        query = select(runs.c.fire_time).where(
            runs.c.job == job, runs.c.fire_time >= since, runs.c.fire_time <= until
        )
        with self._database.reading() as connection:
            return set(connection.execute(query).scalars())

    def pause(self, job: str, *, paused: bool, author: str, reason: str, now: datetime) -> None:
        """Lets a schedule rest, or go on.

        Args:
            job: The job.
            paused: Which.
            author: On whose order.
            reason: Why.
            now: The time.
        """
        word = "paused" if paused else "resumed"
        with self._database.writing() as connection:
            connection.execute(
                insert(pauses).values(job=job, event=word, at=now, author=author, reason=reason)
            )

    def paused(self) -> dict[str, Pause]:
        """The jobs that were paused and not resumed."""
        newest = select(func.max(pauses.c.seq)).group_by(pauses.c.job)
        query = select(pauses).where(pauses.c.seq.in_(newest), pauses.c.event == "paused")
        with self._database.reading() as connection:
            return {
                row.job: Pause(job=row.job, at=row.at, author=row.author, reason=row.reason)
                for row in connection.execute(query)
            }


def happened(
    connection: Connection, run_id: str, event: str, *, at: datetime, detail: Mapping[str, Any] | None = None
) -> None:
    """Keeps what happened to a run, in the transaction of the caller.

    Args:
        connection: In a transaction that writes.
        run_id: The run.
        event: What happened.
        at: When.
        detail: More.
    """
    last = select(func.coalesce(func.max(events.c.number), 0)).where(events.c.run_id == run_id)
    number = connection.execute(last).scalar_one() + 1
    connection.execute(
        insert(events).values(run_id=run_id, number=number, event=event, at=at, detail=dict(detail or {}))
    )


def _with_status(connection: Connection, query: Select[Any], statuses: frozenset[str]) -> Select[Any]:
    """Runs that are over are found by their last event; the others, few, by their leases."""
    now = time_of(connection)
    found: builtins.list[ColumnElement[bool]] = []
    over = statuses.difference(_OPEN)
    if over:
        later = events.alias()
        after = select(later.c.seq).where(later.c.run_id == events.c.run_id, later.c.number > events.c.number)
        # One that failed, and was done again, has ended as it did then.
        ended = select(events.c.run_id).where(events.c.event.in_(over), not_(after.exists()))
        some = ended.limit(_RARE + 1).subquery()
        rare = connection.execute(select(func.count()).select_from(some)).scalar_one() <= _RARE
        # Few are looked up; of many, the newest are soon found by looking at run after run.
        found.append(runs.c.id.in_(ended) if rare else ended.where(events.c.run_id == runs.c.id).exists())
    lease = {
        "queued": leases.c.owner.is_(None),
        "running": leases.c.expires > now,
        "abandoned": leases.c.expires <= now,
    }
    going = [lease[each] for each in _OPEN if each in statuses]
    if going:
        found.append(runs.c.id.in_(select(leases.c.run_id).where(or_(*going))))
    return query.where(or_(*found)) if found else query.where(runs.c.seq < 0)


def _free_id(connection: Connection) -> str:
    for _ in range(_TRIES):
        found = new_id("run")
        if connection.execute(select(runs.c.id).where(runs.c.id == found)).first() is None:
            return found
    raise StorageError("no free id for a run was found", advice="try again")


def _events(connection: Connection, ids: Sequence[str]) -> dict[str, builtins.list[JobEvent]]:
    found: dict[str, builtins.list[JobEvent]] = {each: [] for each in ids}
    for at in range(0, len(ids), _PART):
        query = select(events).where(events.c.run_id.in_(ids[at : at + _PART])).order_by(events.c.number)
        for row in connection.execute(query):
            found[row.run_id].append(
                JobEvent(run=row.run_id, number=row.number, event=row.event, at=row.at, detail=row.detail)
            )
    # Nobody writes down that they were lost: it shows by their lease, until the next one begins the run.
    lost = select(leases).where(leases.c.expires <= time_of(connection))
    for row in connection.execute(lost):
        if found.get(row.run_id):
            said = found[row.run_id]
            said.append(JobEvent(run=row.run_id, number=len(said) + 1, event="abandoned", at=row.expires))
    return found


def run_of(row: Row[Any]) -> JobRun:
    """Makes a run of its row.

    Args:
        row: With all columns of a run.
    """
    return JobRun(
        id=row.id,
        job=row.job,
        fire_time=row.fire_time,
        kind=row.kind,
        cause=row.cause,
        queued=row.queued,
        author=row.author,
    )
