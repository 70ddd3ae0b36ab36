"""Where personal data was found, in the database."""

from __future__ import annotations

import builtins
from collections.abc import Sequence

from sqlalchemy import insert, select

from lakehouse.state.rows import ScanRecord
from lakehouse.state.tables import scans as table_of_scans
from lakehouse.state.transactions import Transactions


class SqlScans:
    """Where personal data was found, in a database.

    Args:
        database: Where.
    """

    def __init__(self, database: Transactions) -> None:
        self._database = database

    def add(self, scans: Sequence[ScanRecord]) -> None:
        """Keeps what scans found, all of it or nothing.

        Args:
            scans: One for each table.
        """
        with self._database.writing() as connection:
            for each in scans:
                connection.execute(
                    insert(table_of_scans).values(
                        table_name=each.table,
                        version=each.version,
                        at=each.at,
                        author=each.author,
                        document=dict(each.document),
                    )
                )

    def list(self, *, table: str | None = None, limit: int | None = None) -> builtins.list[ScanRecord]:
        """What was found, newest first.

        Args:
            table: Only in one table.
            limit: At most so many.
        """
        columns = table_of_scans.c
        query = select(table_of_scans).order_by(columns.seq.desc())
        if table is not None:
            query = query.where(columns.table_name == table)
        if limit is not None:
            query = query.limit(limit)
        with self._database.reading() as connection:
            return [
                ScanRecord(
                    table=row.table_name,
                    version=row.version,
                    at=row.at,
                    author=row.author,
                    document=row.document,
                )
                for row in connection.execute(query)
            ]
