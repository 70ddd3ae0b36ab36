"""Who works on which run, in the database: leases that end by themselves, and fencing tokens.

Whether a lease has ended is told by one clock: the server's for PostgreSQL, the host's for SQLite. Whatever
is written about a run proves with its token that nobody else has begun it since.
"""

from __future__ import annotations

import builtins
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final, Literal

from sqlalchemy import Row, delete, func, insert, select, text, update
from sqlalchemy.engine import Connection

from lakehouse.state.clock import time_of
from lakehouse.state.job_rows import Claim, Lease
from lakehouse.state.job_tables import events, leases, locks, logs, runs
from lakehouse.state.jobs import happened
from lakehouse.state.transactions import Transactions

_ALONE: Final = text("SELECT pg_advisory_xact_lock(hashtextextended('lakehouse jobs', 0))")


class SqlLeases:
    """Leases of runs, in a database.

    Args:
        database: Where.
    """

    def __init__(self, database: Transactions) -> None:
        self._database = database

    def start(
        self, run_id: str, *, owner: str, lease: timedelta, alone: bool = True, losses: int | None = None
    ) -> Claim:
        """Begins a run, unless somebody else works on it.

        Args:
            run_id: The run.
            owner: Who asks.
            lease: How long it stays theirs without a `beat`.
            alone: Not while another run of the same job goes on.
            losses: A run that was lost with its process more often than that has failed.
        """
        with self._database.writing() as connection:
            one_by_one(connection)
            row = connection.execute(
                select(leases).where(leases.c.run_id == run_id).with_for_update()
            ).first()
            now = time_of(connection)
            if row is None:
                return Claim("over")
            if row.owner is not None and row.expires > now:
                return Claim("taken")
            if losses is not None and _lost(connection, row) > losses:
                detail = {"reason": "its process died each time", "error": "LostError", "exit_code": 1}
                _over(connection, run_id, "failed", at=now, detail=detail)
                return Claim("over")
            others = select(leases.c.run_id).where(
                leases.c.job == row.job,
                leases.c.run_id != run_id,
                leases.c.owner.is_not(None),
                leases.c.expires > now,
            )
            if alone and connection.execute(others.limit(1)).first() is not None:
                return Claim("overlap")
            if row.owner is not None:
                happened(connection, run_id, "abandoned", at=now, detail={"owner": row.owner})
            mine = update(leases).where(leases.c.run_id == run_id)
            connection.execute(mine.values(owner=owner, token=row.token + 1, expires=now + lease))
            happened(connection, run_id, "started", at=now, detail={"owner": owner, "token": row.token + 1})
            return Claim("started", row.token + 1, row.owner is not None)

    def beat(self, run_id: str, token: int, *, lease: timedelta) -> Literal["ours", "cancelled"] | None:
        """Says that the work goes on; the run's tables stay its own as long as the run does.

        Args:
            run_id: The run.
            token: Of the one who works on it.
            lease: How long until the next beat is missed.

        Returns:
            None where it is not theirs any more; otherwise whether somebody wants it to end.
        """
        with self._database.writing() as connection:
            until = time_of(connection) + lease
            mine = update(leases).where(leases.c.run_id == run_id, leases.c.token == token)
            mine = mine.where(leases.c.owner.is_not(None)).values(expires=until)
            row = connection.execute(mine.returning(leases.c.cancelled_by)).first()
            if row is None:
                return None
            connection.execute(update(locks).where(locks.c.run_id == run_id).values(expires=until))
            return "ours" if row.cancelled_by is None else "cancelled"

    def note(self, run_id: str, token: int, event: str, detail: Mapping[str, Any]) -> bool:
        """Keeps what happened to a run that goes on.

        Args:
            run_id: The run.
            token: Of the one who works on it.
            event: What happened.
            detail: More.

        Returns:
            Whether the run is still theirs; nothing is kept otherwise.
        """
        with self._database.writing() as connection:
            if not _holds(connection, run_id, token):
                return False
            happened(connection, run_id, event, at=time_of(connection), detail=detail)
            return True

    def end(
        self,
        run_id: str,
        event: str,
        detail: Mapping[str, Any],
        *,
        token: int | None = None,
        log: str = "",
        keep_locks: bool = False,
    ) -> bool:
        """Ends a run for good.

        Args:
            run_id: The run.
            event: How: ``succeeded``, ``failed``, ``skipped`` or ``cancelled``.
            detail: More.
            token: Of the one who works on it; None for a run that waits, or whose worker is lost.
            log: The last lines of what it said.
            keep_locks: Leaves the tables locked until their leases end, since its work perhaps goes on.

        Returns:
            Whether it could be ended by the caller: nobody else has begun or ended it.
        """
        with self._database.writing() as connection:
            row = connection.execute(
                select(leases).where(leases.c.run_id == run_id).with_for_update()
            ).first()
            now = time_of(connection)
            if row is None:
                return False
            if token is None and row.owner is not None and row.expires > now:
                return False
            if token is not None and row.token != token:
                return False
            _over(connection, run_id, event, at=now, detail=detail, log=log, keep_locks=keep_locks)
            return True

    def give_back(self, run_id: str, token: int, *, reason: str, lost: bool = False, log: str = "") -> bool:
        """Lets the next one begin a run at once that goes on here no more; its tables are free.

        Args:
            run_id: The run.
            token: Of the one who worked on it.
            reason: Why.
            lost: Its process has died, which a run may do only so often.
            log: The last lines of what it said.

        Returns:
            Whether it was still theirs.
        """
        with self._database.writing() as connection:
            if not _holds(connection, run_id, token):
                return False
            now = time_of(connection)
            if lost:
                happened(connection, run_id, "abandoned", at=now, detail={"reason": reason})
            happened(connection, run_id, "queued", at=now, detail={} if lost else {"reason": reason})
            if log:
                connection.execute(insert(logs).values(run_id=run_id, lines=log))
            mine = update(leases).where(leases.c.run_id == run_id)
            connection.execute(mine.values(owner=None, expires=None))
            connection.execute(update(locks).where(locks.c.run_id == run_id).values(run_id=None))
            return True

    def cancel(self, run_id: str, *, author: str) -> Literal["asked", "ended"] | None:
        """Ends a run that nobody works on; asks the one who works on it to end it.

        Args:
            run_id: The run.
            author: On whose order.

        Returns:
            Which; None where there is nothing to end.
        """
        with self._database.writing() as connection:
            row = connection.execute(
                select(leases).where(leases.c.run_id == run_id).with_for_update()
            ).first()
            now = time_of(connection)
            if row is None:
                return None
            if row.owner is None or row.expires <= now:
                detail = {"reason": f"it was stopped by {author}"}
                _over(connection, run_id, "cancelled", at=now, detail=detail)
                return "ended"
            if row.cancelled_by is None:
                happened(connection, run_id, "stopping", at=now, detail={"author": author})
                mine = update(leases).where(leases.c.run_id == run_id)
                connection.execute(mine.values(cancelled_by=author))
            return "asked"

    def again(self, run_id: str, *, author: str, now: datetime) -> bool:
        """Lets a run that is over be begun once more.

        Args:
            run_id: The run.
            author: On whose order.
            now: The time.

        Returns:
            Whether that was done; not where it goes on, or waits.
        """
        with self._database.writing() as connection:
            one_by_one(connection)
            if connection.execute(select(leases.c.run_id).where(leases.c.run_id == run_id)).first():
                return False
            job = connection.execute(select(runs.c.job).where(runs.c.id == run_id)).scalar_one()
            begun = select(func.count()).where(events.c.run_id == run_id, events.c.event == "started")
            # Whoever worked on it before, and perhaps still does, has a lower token.
            token = connection.execute(begun).scalar_one() + 1
            connection.execute(insert(leases).values(run_id=run_id, job=job, token=token))
            happened(connection, run_id, "queued", at=now, detail={"reason": f"again, by {author}"})
            return True

    def open(self) -> builtins.list[Lease]:
        """All runs that are not over, in the order of their ids."""
        with self._database.reading() as connection:
            now = time_of(connection)
            return [
                Lease(
                    run=row.run_id,
                    job=row.job,
                    owner=row.owner,
                    alive=row.owner is not None and row.expires > now,
                    token=row.token,
                    left=timedelta(0) if row.expires is None else row.expires - now,
                    cancelled=row.cancelled_by is not None,
                )
                for row in connection.execute(select(leases).order_by(leases.c.run_id))
            ]


def _holds(connection: Connection, run_id: str, token: int) -> bool:
    mine = select(leases.c.run_id).where(leases.c.run_id == run_id, leases.c.token == token)
    return connection.execute(mine.with_for_update()).first() is not None


def _lost(connection: Connection, row: Row[Any]) -> int:
    """How often a run was lost with its process, this time too."""
    if row.token == 0:
        return 0
    said = select(func.count()).where(events.c.run_id == row.run_id, events.c.event == "abandoned")
    return int(connection.execute(said).scalar_one()) + int(row.owner is not None)


def _over(
    connection: Connection,
    run_id: str,
    event: str,
    *,
    at: datetime,
    detail: Mapping[str, Any],
    log: str = "",
    keep_locks: bool = False,
) -> None:
    happened(connection, run_id, event, at=at, detail=detail)
    if log:
        connection.execute(insert(logs).values(run_id=run_id, lines=log))
    connection.execute(delete(leases).where(leases.c.run_id == run_id))
    if not keep_locks:
        connection.execute(update(locks).where(locks.c.run_id == run_id).values(run_id=None))


def one_by_one(connection: Connection) -> None:
    """Lets nobody else begin a run in this transaction; SQLite has one writer anyway.

    Args:
        connection: In a transaction that writes.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(_ALONE)
