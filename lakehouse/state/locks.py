"""Who has a table for themselves, in the database: of those that take something away, one at a time.

Taken by runs of jobs, whose heartbeats keep them, and by people on the command line, who keep them
themselves. What nobody keeps is free when its time is over.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import or_, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection

from lakehouse.state.clock import time_of
from lakehouse.state.job_tables import leases, locks
from lakehouse.state.transactions import Transactions


class _NotFreeError(Exception):
    """A table is somebody else's: what was taken with it is given back."""


class SqlLocks:
    """Locks of tables, in a database.

    Args:
        database: Where.
    """

    def __init__(self, database: Transactions) -> None:
        self._database = database

    def lock(self, tables: Sequence[str], *, run_id: str, token: int, lease: timedelta) -> bool | None:
        """Takes tables for a run: all of them or none.

        Args:
            tables: Their names.
            run_id: The run.
            token: Of the one who works on it.
            lease: How long they stay its own without a beat of the run.

        Returns:
            Whether they are its own now; None where the run is not its worker's any more.
        """
        try:
            with self._database.writing() as connection:
                mine = select(leases.c.run_id).where(leases.c.run_id == run_id, leases.c.token == token)
                if connection.execute(mine.with_for_update()).first() is None:
                    return None
                _take_all(connection, tables, run_id, lease)
        except _NotFreeError:
            return False
        return True

    def take(self, tables: Sequence[str], *, holder: str, lease: timedelta) -> bool:
        """Takes tables for somebody who is no run: all of them or none.

        Args:
            tables: Their names.
            holder: An id that nobody else has.
            lease: How long they stay theirs without a `keep`.

        Returns:
            Whether they are theirs now.
        """
        try:
            with self._database.writing() as connection:
                _take_all(connection, tables, holder, lease)
        except _NotFreeError:
            return False
        return True

    def keep(self, *, holder: str, lease: timedelta) -> None:
        """Says that the work goes on.

        Args:
            holder: Who has tables.
            lease: How long until the next time.
        """
        with self._database.writing() as connection:
            until = time_of(connection) + lease
            connection.execute(update(locks).where(locks.c.run_id == holder).values(expires=until))

    def unlock(self, tables: Sequence[str], *, run_id: str) -> None:
        """Gives tables back.

        Args:
            tables: Their names.
            run_id: The run, or whoever has them.
        """
        mine = update(locks).where(locks.c.table_name.in_(tables), locks.c.run_id == run_id)
        with self._database.writing() as connection:
            connection.execute(mine.values(run_id=None))

    def holder(self, table: str) -> str | None:
        """The run, or whoever else, that has a table; None where it is free.

        Args:
            table: Its name.
        """
        with self._database.reading() as connection:
            now = time_of(connection)
            row = connection.execute(select(locks).where(locks.c.table_name == table)).first()
        return None if row is None or row.run_id is None or row.expires <= now else str(row.run_id)


def _take_all(connection: Connection, tables: Sequence[str], holder: str, lease: timedelta) -> None:
    now = time_of(connection)
    # In one order everywhere, so that two who take several don't wait for each other.
    for each in sorted(set(tables)):
        if not _take(connection, each, holder, now, now + lease):
            raise _NotFreeError


def _take(connection: Connection, table: str, holder: str, now: datetime, until: datetime) -> bool:
    kind = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    free = or_(locks.c.run_id.is_(None), locks.c.run_id == holder, locks.c.expires <= now)
    statement = (
        kind(locks)
        .values(table_name=table, run_id=holder, token=1, expires=until)
        .on_conflict_do_update(
            index_elements=["table_name"],
            set_={"run_id": holder, "token": locks.c.token + 1, "expires": until},
            where=free,
        )
        .returning(locks.c.token)
    )
    return connection.execute(statement).first() is not None
