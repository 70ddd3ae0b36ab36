"""Runs added up in the database, so that nobody has to read all of them to say how many there were."""

from __future__ import annotations

import builtins
from collections.abc import Callable
from typing import Any, Final, TypeAlias

from sqlalchemy import select, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection

from lakehouse.state.alert_rows import RunEnd
from lakehouse.state.alert_tables import job_totals, tallies
from lakehouse.state.following import ENDS, mark_of, move_mark, run_ends
from lakehouse.state.transactions import Transactions

Totals: TypeAlias = dict[tuple[str, str], dict[str, Any]]
"""By job and status what its runs add up to, as JSON can hold it."""
Add: TypeAlias = Callable[[Totals, builtins.list[RunEnd]], None]
"""Adds runs to totals."""

LINEAGE_FAILURES: Final = "events of lineage that could not be sent"
"""What `SqlTotals.count` calls these."""
_NAME: Final = "totals of runs"
_PART: Final = 5_000
_ALONE: Final = text("SELECT pg_advisory_xact_lock(hashtextextended('lakehouse totals', 0))")
_SIZE: Final = {
    "sqlite": text("SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()"),
    "postgresql": text(
        "SELECT coalesce(sum(pg_total_relation_size(oid)), 0) FROM pg_class "
        r"WHERE relkind = 'r' AND relname LIKE 'lakehouse\_%' AND pg_table_is_visible(oid)"
    ),
}


class SqlTotals:
    """What runs add up to, in a database.

    Args:
        database: Where.
    """

    def __init__(self, database: Transactions) -> None:
        self._database = database

    def read(self, add: Add) -> Totals:
        """What all runs that are over add up to.

        Args:
            add: Adds those that are too new to be kept in the totals.
        """
        with self._database.reading() as connection:
            found = _kept(connection)
            after = mark_of(connection, _NAME)
            while True:
                ends, _ = run_ends(connection, after=after, kinds=ENDS, limit=_PART)
                add(found, ends)
                if len(ends) < _PART:
                    return found
                after = ends[-1].seq

    def fold(self, add: Add) -> int:
        """Adds what is old enough to the totals that are kept; one process at a time.

        Args:
            add: Adds runs to totals.

        Returns:
            How many runs were added.
        """
        done = 0
        while True:
            with self._database.reading() as connection:
                after = mark_of(connection, _NAME)
                _, upto = run_ends(connection, after=after, kinds=ENDS, limit=1)
            if upto == after:
                return done
            with self._database.writing() as connection:
                done += self._part(connection, add)

    def count(self, name: str, number: int = 1) -> None:
        """Counts something on.

        Args:
            name: What.
            number: How much.
        """
        with self._database.writing() as connection:
            insert = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
            connection.execute(
                insert(tallies)
                .values(name=name, number=number)
                .on_conflict_do_update(index_elements=["name"], set_={"number": tallies.c.number + number})
            )

    def counted(self, name: str) -> int:
        """How much was counted of something.

        Args:
            name: What.
        """
        with self._database.reading() as connection:
            query = select(tallies.c.number).where(tallies.c.name == name)
            return int(connection.execute(query).scalar() or 0)

    def size(self) -> int:
        """How many bytes the state database takes."""
        with self._database.reading() as connection:
            return int(connection.execute(_SIZE[connection.dialect.name]).scalar_one())

    def _part(self, connection: Connection, add: Add) -> int:
        if connection.dialect.name == "postgresql":
            connection.execute(_ALONE)
        ends, upto = run_ends(connection, after=mark_of(connection, _NAME), kinds=ENDS, limit=_PART)
        settled = [each for each in ends if each.seq <= upto]
        kept = _kept(connection)
        add(kept, settled)
        touched = {(each.job, each.event) for each in settled}
        insert = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
        for job, status in touched:
            statement = insert(job_totals).values(job=job, status=status, totals=kept[job, status])
            connection.execute(
                statement.on_conflict_do_update(
                    index_elements=["job", "status"], set_={"totals": kept[job, status]}
                )
            )
        move_mark(connection, _NAME, upto)
        return len(settled)


def _kept(connection: Connection) -> Totals:
    return {(row.job, row.status): dict(row.totals) for row in connection.execute(select(job_totals))}
