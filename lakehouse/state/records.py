"""What was done, in the database."""

from __future__ import annotations

import builtins
from collections.abc import Sequence

from sqlalchemy import insert, select

from lakehouse.state.rows import ActionRecord
from lakehouse.state.tables import records as table_of_records
from lakehouse.state.transactions import Transactions


class SqlRecords:
    """What was done, in a database.

    Args:
        database: Where.
    """

    def __init__(self, database: Transactions) -> None:
        self._database = database

    def add(self, records: Sequence[ActionRecord]) -> None:
        """Keeps what was done, all of it or nothing.

        Args:
            records: In the order in which it was done.
        """
        with self._database.writing() as connection:
            for each in records:
                # One by one: their numbers are the order in which it was done.
                connection.execute(
                    insert(table_of_records).values(
                        plan_id=each.plan,
                        kind=each.kind,
                        rule=each.rule,
                        action=each.action,
                        table_name=each.table,
                        at=each.at,
                        author=each.author,
                        version_before=each.version_before,
                        version_after=each.version_after,
                        rows=each.rows,
                        files=each.files,
                        bytes=each.bytes,
                        held_back=each.held_back,
                        detail=dict(each.detail),
                    )
                )

    def list(
        self,
        *,
        table: str | None = None,
        plan: str | None = None,
        kinds: Sequence[str] | None = None,
        limit: int | None = None,
    ) -> builtins.list[ActionRecord]:
        """What was done, newest first.

        Args:
            table: Only to one table.
            plan: Only by one plan.
            kinds: Only by these verbs, as records call them.
            limit: At most so many.
        """
        columns = table_of_records.c
        query = select(table_of_records).order_by(columns.seq.desc())
        if table is not None:
            query = query.where(columns.table_name == table)
        if plan is not None:
            query = query.where(columns.plan_id == plan)
        if kinds is not None:
            query = query.where(columns.kind.in_(kinds))
        if limit is not None:
            query = query.limit(limit)
        with self._database.reading() as connection:
            return [
                ActionRecord(
                    kind=row.kind,
                    action=row.action,
                    table=row.table_name,
                    at=row.at,
                    author=row.author,
                    plan=row.plan_id,
                    rule=row.rule,
                    version_before=row.version_before,
                    version_after=row.version_after,
                    rows=row.rows,
                    files=row.files,
                    bytes=row.bytes,
                    held_back=row.held_back,
                    detail=row.detail,
                )
                for row in connection.execute(query)
            ]
