"""Reading what happened bit by bit: events by their numbers, none left out and none lost.

Numbers are given before a transaction ends, so that on PostgreSQL one can be seen later than the next. A
reader therefore reads the newest ones again, until they are old enough for nothing to be missing before them.
"""

from __future__ import annotations

import builtins
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Row, Select, func, select, union_all
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection

from lakehouse.state.alert_rows import OpenRequest, RunEnd
from lakehouse.state.alert_tables import followed
from lakehouse.state.clock import time_of
from lakehouse.state.job_tables import events, runs
from lakehouse.state.tables import request_contents, request_events, requests
from lakehouse.state.transactions import Transactions

SETTLED: Final = timedelta(minutes=1)
"""Nothing is missing any more before an event that is so old: transactions are short."""
ENDS: Final = ("succeeded", "failed", "skipped", "cancelled")
_DONE: Final = ("completed", "rejected", "cancelled")


class SqlFollowing:
    """Reads what happened since, in a database.

    Args:
        database: Where.
    """

    def __init__(self, database: Transactions) -> None:
        self._database = database

    def run_ends(
        self, *, after: int, kinds: Sequence[str] = ENDS, limit: int
    ) -> tuple[builtins.list[RunEnd], int]:
        """Runs that were over since.

        Args:
            after: The number of the last event that is done with.
            kinds: Only these kinds of ends.
            limit: At most so many.

        Returns:
            What happened, in order, and up to which number nothing can be missing any more.
        """
        with self._database.reading() as connection:
            return run_ends(connection, after=after, kinds=kinds, limit=limit)

    def newest_event(self) -> int:
        """The number of the newest event of a run; 0 without any."""
        with self._database.reading() as connection:
            return int(connection.execute(select(func.max(events.c.seq))).scalar() or 0)

    def newest_runs(self, jobs: Sequence[str]) -> dict[str, tuple[str, datetime]]:
        """The runs for the latest moments.

        Args:
            jobs: Of these jobs.

        Returns:
            By job the run's id and its moment; jobs without a run are left out.
        """
        found: dict[str, tuple[str, datetime]] = {}
        with self._database.reading() as connection:
            for job in jobs:
                query = select(runs.c.id, runs.c.fire_time).where(runs.c.job == job)
                row = connection.execute(query.order_by(runs.c.fire_time.desc()).limit(1)).first()
                if row is not None:
                    found[job] = (row.id, row.fire_time)
        return found

    def open_requests(self) -> builtins.list[OpenRequest]:
        """What was asked and is not done, by when it is due."""
        said = request_events.c
        over = select(said.request_id).where(said.request_id == requests.c.id, said.event.in_(_DONE)).exists()
        # The identifiers go when a request is done, so these are few.
        query = (
            select(requests.c.id, requests.c.kind, requests.c.submitted, requests.c.due)
            .join(request_contents, request_contents.c.request_id == requests.c.id)
            .where(~over)
            .order_by(requests.c.due, requests.c.id)
        )
        with self._database.reading() as connection:
            return [
                OpenRequest(id=row.id, kind=row.kind, submitted=row.submitted, due=row.due)
                for row in connection.execute(query)
            ]


def run_ends(
    connection: Connection, *, after: int, kinds: Sequence[str], limit: int
) -> tuple[builtins.list[RunEnd], int]:
    """As `SqlFollowing.run_ends`, in the transaction of the caller."""
    settled = time_of(connection) - SETTLED
    found = [_end(row) for row in connection.execute(_ends(after, kinds, limit))]
    upto = after
    for each in found:
        if each.at >= settled:
            break
        upto = each.seq
    return found, upto


def mark_of(connection: Connection, name: str) -> int:
    """How far somebody has read.

    Args:
        connection: In a transaction.
        name: Who.
    """
    return int(connection.execute(select(followed.c.seq).where(followed.c.name == name)).scalar() or 0)


def move_mark(connection: Connection, name: str, seq: int) -> None:
    """Says how far somebody has read; never back.

    Args:
        connection: In a transaction that writes.
        name: Who.
        seq: All events up to this one are done with.
    """
    kind = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    connection.execute(
        kind(followed)
        .values(name=name, seq=seq)
        .on_conflict_do_update(index_elements=["name"], set_={"seq": seq}, where=followed.c.seq < seq)
    )


def _ends(after: int, kinds: Sequence[str], limit: int) -> Select[Any]:
    # By kind, so that the index gives them in order: to sort all that ever happened takes long.
    parts = [
        select(events)
        .where(events.c.event == kind, events.c.seq > after)
        .order_by(events.c.seq)
        .limit(limit)
        .subquery()
        for kind in kinds
    ]
    both = union_all(*(select(part) for part in parts)).subquery()
    newest = select(both).order_by(both.c.seq).limit(limit).subquery()
    begun = events.alias("begun")
    # As an expression, so that it is looked up by the run: the index of kinds has all that ever began.
    mine = (begun.c.run_id == newest.c.run_id, begun.c.event.concat("") == "started")
    return (
        select(
            newest,
            runs.c.job,
            runs.c.fire_time,
            runs.c.cause,
            select(func.min(begun.c.at)).where(*mine).scalar_subquery().label("began"),
            select(func.max(begun.c.at)).where(*mine).scalar_subquery().label("started"),
        )
        .join(runs, runs.c.id == newest.c.run_id)
        .order_by(newest.c.seq)
    )


def _end(row: Row[Any]) -> RunEnd:
    return RunEnd(
        seq=row.seq,
        job=row.job,
        run=row.run_id,
        event=row.event,
        at=row.at,
        fire_time=row.fire_time,
        cause=row.cause,
        began=row.began,
        started=row.started,
        detail=row.detail,
    )
