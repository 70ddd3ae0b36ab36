"""The daemons that share a state database: who they are, and whether they were heard of."""

from __future__ import annotations

import builtins
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import delete, insert, select, update

from lakehouse.state.clock import time_of
from lakehouse.state.job_rows import DaemonRow
from lakehouse.state.job_tables import daemons
from lakehouse.state.transactions import Transactions

SILENT: Final = timedelta(seconds=60)
"""So long after its last sign of life a daemon is taken for dead."""
_FORGOTTEN: Final = timedelta(days=1)


class SqlDaemons:
    """Daemons, in a database.

    Args:
        database: Where.
    """

    def __init__(self, database: Transactions) -> None:
        self._database = database

    def beat(self, name: str, *, host: str, pid: int, started: datetime, version: str, config: str) -> None:
        """Says that a daemon lives; the first time makes it known. Those dead for a day are forgotten.

        Args:
            name: What it is called.
            host: Where it runs.
            pid: Its process there.
            started: Since when.
            version: Of Lakehouse.
            config: A digest of its config.
        """
        with self._database.writing() as connection:
            now = time_of(connection)
            mine = update(daemons).where(daemons.c.id == name).values(seen=now, config=config)
            if connection.execute(mine).rowcount == 0:
                connection.execute(
                    insert(daemons).values(
                        id=name, host=host, pid=pid, started=started, seen=now, version=version, config=config
                    )
                )
                connection.execute(delete(daemons).where(daemons.c.seen < now - _FORGOTTEN))

    def gone(self, name: str) -> None:
        """Takes a daemon out that ends.

        Args:
            name: What it is called.
        """
        with self._database.writing() as connection:
            connection.execute(delete(daemons).where(daemons.c.id == name))

    def list(self) -> builtins.list[DaemonRow]:
        """All daemons, the oldest first; also those that were lost within a day."""
        with self._database.reading() as connection:
            now = time_of(connection)
            return [
                DaemonRow(
                    id=row.id,
                    host=row.host,
                    pid=row.pid,
                    started=row.started,
                    seen=row.seen,
                    version=row.version,
                    config=row.config,
                    alive=row.seen > now - SILENT,
                )
                for row in connection.execute(select(daemons).order_by(daemons.c.started, daemons.c.id))
            ]
