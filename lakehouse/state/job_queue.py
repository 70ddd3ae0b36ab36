"""Runs that are to be begun: written down and claimed, many in one transaction.

Whoever has hands free asks for work here, and gets the runs that are the longest in waiting. So several
daemons share what there is, and what one of them lost is begun by the next that asks.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Row, and_, delete, func, insert, not_, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection

from lakehouse.state.clock import time_of
from lakehouse.state.ids import new_id
from lakehouse.state.job_rows import Claimed, End, JobRun, Policy, Taken, Wanted
from lakehouse.state.job_tables import events, leases, locks, logs, runs
from lakehouse.state.jobs import run_of
from lakehouse.state.leases import one_by_one
from lakehouse.state.transactions import Transactions

OTHERS: Final = timedelta(seconds=60)
"""A run that somebody wrote down to carry it out themselves is left to them for so long."""
FORGOTTEN: Final = timedelta(minutes=10)
"""A run whose job is not in the config is ended after that; until then it can be one of a newer config."""
LATE: Final = timedelta(minutes=1)
"""A run that waits for so long counts as one that goes on, where others are left out meanwhile."""
_PART: Final = 500
_ALL: Final = 1_000_000
# The limit keeps SQLite from beginning with the runs: of these there are many more than of leases.
_OWNED: Final = select(leases).where(leases.c.owner.is_not(None)).limit(_ALL).subquery("owned")
_FREE: Final = select(leases).where(leases.c.owner.is_(None)).limit(_ALL).subquery("free")


class SqlQueue:
    """Runs that are to be begun, in a database.

    Args:
        database: Where.
    """

    def __init__(self, database: Transactions) -> None:
        self._database = database

    def work(
        self,
        wanted: Sequence[Wanted],
        *,
        policies: Mapping[str, Policy],
        most: int,
        owner: str,
        lease: timedelta,
        author: str,
        now: datetime,
        ends: Sequence[End] = (),
    ) -> Taken:
        """Writes down which runs are over and what is to run, and claims what can be begun.

        Args:
            wanted: What is to run; what is written down already stays as it is.
            ends: The runs that are over; those that are somebody else's by now are left to them.
            policies: The jobs that the caller knows.
            most: At most so many runs are claimed.
            owner: Who asks.
            lease: How long a run stays theirs without a `beat`.
            author: On whose order.
            now: The time.
        """
        with self._database.writing() as connection:
            one_by_one(connection)
            at = time_of(connection)
            _finish(connection, ends, at)
            begun = _begun(connection)
            busy = {row.job for row in begun if row.expires > at}
            put = _put(connection, wanted, policies, busy, author=author, now=now, at=at)
            waiting = sorted(
                [*(row for row in begun if row.expires <= at), *_first_of_each(connection, at)],
                key=lambda row: row.seq,
            )
            return _claim(
                connection, policies, busy, waiting, put, most=most, owner=owner, lease=lease, at=at
            )

    def lasts(self, jobs: Iterable[str]) -> dict[str, datetime | None]:
        """For each job the latest moment that its schedule was followed for.

        Args:
            jobs: Their names.
        """
        found: dict[str, datetime | None] = {}
        with self._database.reading() as connection:
            for each in jobs:
                query = select(runs.c.fire_time).where(runs.c.job == each, runs.c.cause == "schedule")
                found[each] = connection.execute(query.order_by(runs.c.fire_time.desc()).limit(1)).scalar()
        return found


def _begun(connection: Connection) -> list[Row[Any]]:
    """The runs that somebody works on, or did."""
    query = select(runs, _OWNED.c.owner, _OWNED.c.token, _OWNED.c.expires)
    return list(connection.execute(query.join(_OWNED, _OWNED.c.run_id == runs.c.id)))


def _first_of_each(connection: Connection, at: datetime) -> list[Row[Any]]:
    """Of each job the run that waits the longest, without those that are left to others."""
    theirs = and_(runs.c.cause != "schedule", _FREE.c.token == 0, runs.c.queued > at - OTHERS)
    first = (
        select(func.min(runs.c.seq))
        .join(_FREE, _FREE.c.run_id == runs.c.id)
        .where(not_(theirs))
        .group_by(_FREE.c.job)
    )
    seqs = list(connection.execute(first).scalars())
    if not seqs:
        return []
    query = select(runs, leases.c.owner, leases.c.token, leases.c.expires)
    query = query.join(leases, leases.c.run_id == runs.c.id)
    return list(connection.execute(query.where(runs.c.seq.in_(seqs))))


def _put(
    connection: Connection,
    wanted: Sequence[Wanted],
    policies: Mapping[str, Policy],
    busy: Collection[str],
    *,
    author: str,
    now: datetime,
    at: datetime,
) -> tuple[list[tuple[JobRun, str]], int]:
    """Writes down what is not there yet; those that are left out are over at once."""
    if not wanted:
        return [], 0
    upsert = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    new: list[Row[Any]] = []
    for start in range(0, len(wanted), _PART):
        values = [
            {
                "id": new_id("run"),
                "job": each.job,
                "fire_time": each.fire_time,
                "kind": each.kind,
                "cause": "schedule",
                "queued": now,
                "author": author,
            }
            for each in wanted[start : start + _PART]
        ]
        statement = upsert(runs).values(values).on_conflict_do_nothing().returning(runs)
        new += connection.execute(statement)
    if not new:
        return [], 0
    new.sort(key=lambda row: row.seq)
    going_on = _behind(connection, at).union(busy)
    left_out = [row for row in new if row.job in policies and policies[row.job].skip and row.job in going_on]
    ids = {row.id for row in left_out}
    kept = [row for row in new if row.id not in ids]
    said = [_event(row.id, 1, "queued", at) for row in new]
    said += [_event(row.id, 2, "skipped", at, reason="the run before was still going on") for row in left_out]
    connection.execute(insert(events), said)
    if kept:
        connection.execute(insert(leases), [{"run_id": row.id, "job": row.job, "token": 0} for row in kept])
    return [(run_of(row), "skipped") for row in left_out], len(new)


def _behind(connection: Connection, at: datetime) -> set[str]:
    """The jobs that are so late that a run which waits counts as one that goes on."""
    late = select(_FREE.c.job).join(runs, runs.c.id == _FREE.c.run_id)
    late = late.where(runs.c.queued < at - LATE)
    return set(connection.execute(late.distinct()).scalars())


def _claim(
    connection: Connection,
    policies: Mapping[str, Policy],
    busy: Collection[str],
    waiting: Sequence[Row[Any]],
    put: tuple[list[tuple[JobRun, str]], int],
    *,
    most: int,
    owner: str,
    lease: timedelta,
    at: datetime,
) -> Taken:
    ended, new = put
    ready, forgotten = _ready(policies, busy, waiting, at)
    lost_too_often = _too_often(connection, policies, ready)
    for row in forgotten:
        ended.append((run_of(row), "cancelled"))
    if forgotten:
        reason = "its job is not in the config any more"
        _end(connection, forgotten, "cancelled", at=at, reason=reason)
    if lost_too_often:
        times = "its process died each time"
        _end(connection, lost_too_often, "failed", at=at, reason=times, error="LostError", exit_code=1)
        ended += [(run_of(row), "failed") for row in lost_too_often]
        gone = {row.id for row in lost_too_often}
        ready = [row for row in ready if row.id not in gone]
    chosen = ready[:most]
    if chosen:
        _begin(connection, chosen, owner=owner, expires=at + lease, at=at)
    return Taken(
        claimed=tuple(Claimed(run_of(row), row.token + 1, row.token > 0) for row in chosen),
        ended=tuple(ended),
        waiting=len(ready) - len(chosen),
        new=new,
    )


def _ready(
    policies: Mapping[str, Policy], busy: Collection[str], waiting: Sequence[Row[Any]], at: datetime
) -> tuple[list[Row[Any]], list[Row[Any]]]:
    """The runs that could be begun now, one of each job; and those whose job nobody knows."""
    taken = set(busy)
    ready: list[Row[Any]] = []
    forgotten: list[Row[Any]] = []
    for row in waiting:
        if row.job not in policies:
            if row.queued < at - FORGOTTEN:
                forgotten.append(row)
        elif row.job not in taken:
            taken.add(row.job)
            ready.append(row)
    return ready, forgotten


def _too_often(
    connection: Connection, policies: Mapping[str, Policy], ready: Sequence[Row[Any]]
) -> list[Row[Any]]:
    begun = {row.id: int(row.owner is not None) for row in ready if row.token > 0}
    if not begun:
        return []
    query = select(events.c.run_id, func.count()).where(
        events.c.run_id.in_(begun), events.c.event == "abandoned"
    )
    for run_id, number in connection.execute(query.group_by(events.c.run_id)):
        begun[run_id] += number
    return [row for row in ready if begun.get(row.id, 0) > policies[row.job].losses]


def _begin(
    connection: Connection, chosen: Sequence[Row[Any]], *, owner: str, expires: datetime, at: datetime
) -> None:
    numbers = _numbers(connection, [row.id for row in chosen])
    said: list[dict[str, Any]] = []
    for row in chosen:
        number = numbers[row.id]
        if row.owner is not None:
            number += 1
            said.append(_event(row.id, number, "abandoned", at, owner=row.owner))
        said.append(_event(row.id, number + 1, "started", at, owner=owner, token=row.token + 1))
    connection.execute(
        update(leases)
        .where(leases.c.run_id.in_([row.id for row in chosen]))
        .values(owner=owner, token=leases.c.token + 1, expires=expires)
    )
    connection.execute(insert(events), said)


def _finish(connection: Connection, ends: Sequence[End], at: datetime) -> None:
    """Ends the runs that are still those of the ones who say so."""
    if not ends:
        return
    rows = select(leases.c.run_id, leases.c.token).where(leases.c.run_id.in_([each.run for each in ends]))
    tokens = {row.run_id: row.token for row in connection.execute(rows.with_for_update())}
    ours = {each.run: each for each in ends if tokens.get(each.run) == each.token}
    if not ours:
        return
    numbers = _numbers(connection, list(ours))
    said = [_event(each.run, numbers[each.run] + 1, each.event, at, **each.detail) for each in ours.values()]
    connection.execute(insert(events), said)
    told = [{"run_id": each.run, "lines": each.log} for each in ours.values() if each.log]
    if told:
        connection.execute(insert(logs), told)
    connection.execute(delete(leases).where(leases.c.run_id.in_(ours)))
    connection.execute(update(locks).where(locks.c.run_id.in_(ours)).values(run_id=None))


def _end(
    connection: Connection, rows: Sequence[Row[Any]], event: str, *, at: datetime, **detail: Any
) -> None:
    ids = [row.id for row in rows]
    numbers = _numbers(connection, ids)
    connection.execute(insert(events), [_event(each, numbers[each] + 1, event, at, **detail) for each in ids])
    connection.execute(delete(leases).where(leases.c.run_id.in_(ids)))
    connection.execute(update(locks).where(locks.c.run_id.in_(ids)).values(run_id=None))


def _numbers(connection: Connection, ids: Sequence[str]) -> dict[str, int]:
    query = select(events.c.run_id, func.max(events.c.number)).where(events.c.run_id.in_(ids))
    return {row.run_id: row[1] for row in connection.execute(query.group_by(events.c.run_id))}


def _event(run_id: str, number: int, event: str, at: datetime, /, **detail: Any) -> dict[str, Any]:
    return {"run_id": run_id, "number": number, "event": event, "at": at, "detail": detail}
