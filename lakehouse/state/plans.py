"""The plans in the database."""

from __future__ import annotations

import builtins
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Row, insert, select

from lakehouse.errors import NotFoundError, StorageError
from lakehouse.state.ids import new_id
from lakehouse.state.rows import PlanRecord
from lakehouse.state.tables import plans
from lakehouse.state.transactions import Transactions

_TRIES: Final = 10


class SqlPlans:
    """The plans in a database.

    Args:
        database: Where.
    """

    def __init__(self, database: Transactions) -> None:
        self._database = database

    def add(
        self,
        *,
        kind: str,
        author: str,
        versions: Mapping[str, int],
        digest: str,
        document: Mapping[str, Any],
        now: datetime,
    ) -> PlanRecord:
        """Keeps a plan; see `PlanRecord`.

        Args:
            kind: What for.
            author: Who made it.
            versions: For each table the version that it was made on.
            digest: Of all that it would do.
            document: The plan.
            now: When it was made (timezone-aware).

        Returns:
            The plan with its id.
        """
        with self._database.writing() as connection:
            for _ in range(_TRIES):
                plan_id = new_id("plan")
                if connection.execute(select(plans.c.id).where(plans.c.id == plan_id)).first() is None:
                    break
            else:
                raise StorageError("no free id for a plan was found", advice="try again")
            connection.execute(
                insert(plans).values(
                    id=plan_id,
                    kind=kind,
                    made=now,
                    author=author,
                    versions=dict(versions),
                    digest=digest,
                    document=dict(document),
                )
            )
            return _plan(connection.execute(select(plans).where(plans.c.id == plan_id)).one())

    def get(self, plan_id: str) -> PlanRecord:
        """One plan.

        Raises:
            NotFoundError: There is none of that id.
        """
        with self._database.reading() as connection:
            row = connection.execute(select(plans).where(plans.c.id == plan_id)).first()
        if row is None:
            raise NotFoundError(f"there is no plan {plan_id}", advice="make a new one")
        return _plan(row)

    def list(self, *, kind: str | None = None, limit: int | None = None) -> builtins.list[PlanRecord]:
        """The plans, newest first.

        Args:
            kind: Only those of one kind.
            limit: At most so many.
        """
        query = select(plans).order_by(plans.c.seq.desc())
        if kind is not None:
            query = query.where(plans.c.kind == kind)
        if limit is not None:
            query = query.limit(limit)
        with self._database.reading() as connection:
            return [_plan(row) for row in connection.execute(query)]


def _plan(row: Row[Any]) -> PlanRecord:
    return PlanRecord(
        id=row.id,
        kind=row.kind,
        made=row.made,
        author=row.author,
        versions=row.versions,
        digest=row.digest,
        document=row.document,
    )
