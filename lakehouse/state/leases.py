"""Who works on which run and table, in the database: leases that end by themselves, and fencing tokens.

Whether a lease has ended is told by one clock: the server's for PostgreSQL, the host's for SQLite. Whatever
is written about a run proves with its token that nobody else has begun it since.
"""

from __future__ import annotations

import builtins
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from sqlalchemy import delete, insert, or_, select, text, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection

from lakehouse.state.job_rows import Claim, Lease
from lakehouse.state.job_tables import leases, locks, logs
from lakehouse.state.jobs import happened
from lakehouse.state.transactions import Transactions

_CLOCK: Final = text("SELECT clock_timestamp()")
_ALONE: Final = text("SELECT pg_advisory_xact_lock(hashtextextended(:job, 0))")


class _NotFreeError(Exception):
    """A table is somebody else's: what was taken with it is given back."""


class SqlLeases:
    """Leases of runs and locks of tables, in a database.

    Args:
        database: Where.
    """

    def __init__(self, database: Transactions) -> None:
        self._database = database

    def start(self, run_id: str, *, owner: str, lease: timedelta, alone: bool = True) -> Claim:
        """Begins a run, unless somebody else works on it.

        Args:
            run_id: The run.
            owner: Who asks.
            lease: How long it stays theirs without a `beat`.
            alone: Not while another run of the same job goes on.
        """
        with self._database.writing() as connection:
            job = connection.execute(select(leases.c.job).where(leases.c.run_id == run_id)).scalar()
            if job is None:
                return Claim("over")
            _one_by_one(connection, job)
            row = connection.execute(
                select(leases).where(leases.c.run_id == run_id).with_for_update()
            ).first()
            now = _now(connection)
            if row is None:
                return Claim("over")
            if row.owner is not None and row.expires > now:
                return Claim("taken")
            others = select(leases.c.run_id).where(
                leases.c.job == job,
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

    def beat(self, run_id: str, token: int, *, lease: timedelta) -> bool:
        """Says that the work goes on; the run's tables stay its own as long as the run does.

        Args:
            run_id: The run.
            token: Of the one who works on it.
            lease: How long until the next beat is missed.

        Returns:
            Whether it is still theirs.
        """
        with self._database.writing() as connection:
            until = _now(connection) + lease
            mine = update(leases).where(leases.c.run_id == run_id, leases.c.token == token)
            if connection.execute(mine.values(expires=until)).rowcount == 0:
                return False
            connection.execute(update(locks).where(locks.c.run_id == run_id).values(expires=until))
            return True

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
            happened(connection, run_id, event, at=_now(connection), detail=detail)
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
            now = _now(connection)
            if row is None:
                return False
            if token is None and row.owner is not None and row.expires > now:
                return False
            if token is not None and row.token != token:
                return False
            happened(connection, run_id, event, at=now, detail=detail)
            if log:
                connection.execute(insert(logs).values(run_id=run_id, lines=log))
            connection.execute(delete(leases).where(leases.c.run_id == run_id))
            if not keep_locks:
                connection.execute(update(locks).where(locks.c.run_id == run_id).values(run_id=None))
            return True

    def open(self) -> builtins.list[Lease]:
        """All runs that are not over, in the order of their ids."""
        with self._database.reading() as connection:
            now = _now(connection)
            return [
                Lease(
                    run=row.run_id,
                    job=row.job,
                    owner=row.owner,
                    alive=row.owner is not None and row.expires > now,
                )
                for row in connection.execute(select(leases).order_by(leases.c.run_id))
            ]

    def lock(self, tables: Sequence[str], *, run_id: str, token: int, lease: timedelta) -> bool | None:
        """Takes tables for a run: all of them or none.

        Args:
            tables: Their names.
            run_id: The run.
            token: Of the one who works on it.
            lease: How long they stay its own without a `beat`.

        Returns:
            Whether they are its own now; None where the run is not its worker's any more.
        """
        try:
            with self._database.writing() as connection:
                if not _holds(connection, run_id, token):
                    return None
                now = _now(connection)
                # In one order everywhere, so that two who take several don't wait for each other.
                for each in sorted(set(tables)):
                    if not _lock(connection, each, run_id, now, now + lease):
                        raise _NotFreeError
        except _NotFreeError:
            return False
        return True

    def unlock(self, tables: Sequence[str], *, run_id: str) -> None:
        """Gives tables back.

        Args:
            tables: Their names.
            run_id: The run that has them.
        """
        mine = update(locks).where(locks.c.table_name.in_(tables), locks.c.run_id == run_id)
        with self._database.writing() as connection:
            connection.execute(mine.values(run_id=None))

    def holder(self, table: str) -> str | None:
        """The run that has a table; None where it is free.

        Args:
            table: Its name.
        """
        with self._database.reading() as connection:
            now = _now(connection)
            row = connection.execute(select(locks).where(locks.c.table_name == table)).first()
        return None if row is None or row.run_id is None or row.expires <= now else str(row.run_id)


def _lock(connection: Connection, table: str, run_id: str, now: datetime, until: datetime) -> bool:
    kind = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    free = or_(locks.c.run_id.is_(None), locks.c.run_id == run_id, locks.c.expires <= now)
    statement = (
        kind(locks)
        .values(table_name=table, run_id=run_id, token=1, expires=until)
        .on_conflict_do_update(
            index_elements=["table_name"],
            set_={"run_id": run_id, "token": locks.c.token + 1, "expires": until},
            where=free,
        )
        .returning(locks.c.token)
    )
    return connection.execute(statement).first() is not None


def _holds(connection: Connection, run_id: str, token: int) -> bool:
    mine = select(leases.c.run_id).where(leases.c.run_id == run_id, leases.c.token == token)
    return connection.execute(mine.with_for_update()).first() is not None


def _one_by_one(connection: Connection, job: str) -> None:
    """Lets nobody else begin a run of the job in this transaction; SQLite has one writer anyway."""
    if connection.dialect.name == "postgresql":
        connection.execute(_ALONE, {"job": f"lakehouse job {job}"})


def _now(connection: Connection) -> datetime:
    if connection.dialect.name == "postgresql":
        found: datetime = connection.execute(_CLOCK).scalar_one()
        return found.astimezone(UTC)
    return datetime.now(UTC)
