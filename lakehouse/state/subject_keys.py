"""The keys of single people in the database: many at once, and destroyed for good."""

from __future__ import annotations

import json
from collections.abc import Generator, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, Final, TypeAlias, TypeVar

from sqlalchemy import bindparam, case, func, select, text, update
from sqlalchemy.engine import Connection

from lakehouse.state.rows import SubjectKey, SubjectKeyCount
from lakehouse.state.tables import subject_keys
from lakehouse.state.transactions import Transactions

_T = TypeVar("_T")
WrappedKey: TypeAlias = tuple[str, bytes | None, bytes | None, int | None]
"""``<name>:<generation>``, the wrapped key in two pieces and what wrapped it; None where it was destroyed."""

_PART: Final = 20_000
"""So many keys go into one query or transaction, so that others who write do not wait for long."""

_FIND: Final = {
    # One value for all of them: a query with as many parameters takes longer to read than to answer.
    "sqlite": text(
        "SELECT k.digest, k.subject, k.generation, k.wrapped, k.wrapped_by FROM json_each(:digests) AS j "
        "CROSS JOIN lakehouse_subject_keys AS k ON k.digest = j.value"
    ),
    "postgresql": text(
        "SELECT k.digest, k.subject, k.generation, k.wrapped, k.wrapped_by FROM lakehouse_subject_keys AS k "
        "WHERE k.digest = ANY(CAST(:digests AS text[]))"
    ),
}
_PIECES: Final = (
    "k.digest || ':' || k.generation, substr(k.wrapped, 1, CAST(:head AS integer)), "
    "substr(k.wrapped, CAST(:head AS integer) + 1), k.wrapped_by"
)
_WRAPPED: Final = {
    kind: text(str(query).replace("k.digest, k.subject, k.generation, k.wrapped, k.wrapped_by", _PIECES))
    for kind, query in _FIND.items()
}
_ADD: Final = text(
    "INSERT INTO lakehouse_subject_keys (digest, subject, generation, wrapped, wrapped_by, created) "
    "SELECT n.digest, n.subject, n.generation, n.wrapped, n.wrapped_by, :created FROM unnest("
    "CAST(:digests AS text[]), CAST(:subjects AS text[]), CAST(:generations AS int[]), "
    "CAST(:wrapped AS bytea[]), CAST(:wrapped_by AS int[])) "
    "AS n(digest, subject, generation, wrapped, wrapped_by) ON CONFLICT DO NOTHING"
)


_ADD_SQLITE: Final = (
    "INSERT INTO lakehouse_subject_keys (digest, subject, generation, wrapped, wrapped_by, created) "
    "VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"
)


class SqlSubjectKeys:
    """The keys of people, in a database.

    Args:
        database: Where.
    """

    def __init__(self, database: Transactions) -> None:
        self._database = database

    def find(self, digests: Sequence[str]) -> dict[str, SubjectKey]:
        """The keys of people, destroyed ones included.

        Args:
            digests: Of the people, each once.

        Returns:
            By digest; people who never had one are missing.
        """
        found: dict[str, SubjectKey] = {}
        with self._database.reading() as connection:
            for part in _parts(digests):
                found |= {row[0]: SubjectKey._make(row) for row in _among(connection, part)}
        return found

    def wrapped(self, digests: Sequence[str], *, head: int) -> Generator[WrappedKey]:
        """The keys of very many people: tuples as they come out of the database, which cost least.

        Args:
            digests: Of the people, each once.
            head: Bytes of the first piece of a wrapped key: the database takes them apart for less.

        Yields:
            Each, in any order; people who never had one are missing.
        """
        with self._database.reading() as connection:
            for part in _parts(digests):
                yield from _raw(connection, part, head)

    def add(self, keys: Sequence[SubjectKey], *, now: datetime) -> None:
        """Keeps new keys. Of several who add one for the same person at once, one does: look it up again.

        Args:
            keys: At most one for each person.
            now: The time (timezone-aware).
        """
        # In one order everywhere: two who add the same people at once must not wait for each other.
        for part in _parts(sorted(keys, key=lambda each: each.digest)):
            with self._database.writing() as connection:
                _insert(connection, part, now)

    def destroy(self, digests: Sequence[str], *, now: datetime) -> int:
        """Takes keys out for good, all of them or none. Their rows stay, and say that they were destroyed.

        Args:
            digests: Of the people, each once.
            now: The time (timezone-aware).

        Returns:
            How many there were.
        """
        gone = 0
        with self._database.writing() as connection:
            for part in _parts(digests):
                known = [row[0] for row in _among(connection, part) if row[3] is not None]
                if known:
                    change = update(subject_keys).where(subject_keys.c.digest == bindparam("of"))
                    emptied = change.values(wrapped=None, wrapped_by=None, destroyed_at=now)
                    connection.execute(emptied, [{"of": digest} for digest in known])
                    gone += len(known)
        # SQLite's log still has the pages as they were. Also where nothing was left to do: an earlier try may
        # have ended before this.
        self._database.truncate_log()
        return gone

    def renew(self, keys: Sequence[SubjectKey], *, now: datetime) -> int:
        """Gives people a key again whose key was destroyed.

        Args:
            keys: Each with the generation after the destroyed one.
            now: The time (timezone-aware).

        Returns:
            How many there were; others did so already, or have a key.
        """
        columns = subject_keys.c
        done = 0
        with self._database.writing() as connection:
            for each in keys:
                change = update(subject_keys).where(
                    columns.digest == each.digest,
                    columns.generation == each.generation - 1,
                    columns.wrapped.is_(None),
                )
                done += connection.execute(
                    change.values(
                        generation=each.generation,
                        wrapped=each.wrapped,
                        wrapped_by=each.wrapped_by,
                        created=now,
                        destroyed_at=None,
                    )
                ).rowcount
        return done

    def wrapped_otherwise(self, version: int) -> Iterator[list[SubjectKey]]:
        """The keys that another version of the lake's key wrapped than one.

        Args:
            version: That one.

        Yields:
            Some of them at a time.
        """
        columns, last = subject_keys.c, ""
        while True:
            query = (
                select(
                    columns.digest, columns.subject, columns.generation, columns.wrapped, columns.wrapped_by
                )
                .where(columns.digest > last, columns.wrapped_by != version)
                .order_by(columns.digest)
                .limit(_PART)
            )
            with self._database.reading() as connection:
                found = [SubjectKey._make(row) for row in connection.execute(query)]
            if not found:
                return
            yield found
            last = found[-1].digest

    def rewrap(self, keys: Sequence[tuple[SubjectKey, SubjectKey]]) -> int:
        """Puts keys that are wrapped anew in place of the same ones as they were.

        Args:
            keys: Pairs of before and after.

        Returns:
            How many; those that were destroyed or wrapped anew meanwhile stay as they are.
        """
        columns = subject_keys.c
        change = (
            update(subject_keys)
            .where(
                columns.digest == bindparam("of"),
                columns.generation == bindparam("then"),
                columns.wrapped_by == bindparam("by"),
            )
            .values(wrapped=bindparam("new"), wrapped_by=bindparam("new_by"))
        )
        with self._database.writing() as connection:
            done = connection.execute(
                change,
                [
                    {
                        "of": before.digest,
                        "then": before.generation,
                        "by": before.wrapped_by,
                        "new": after.wrapped,
                        "new_by": after.wrapped_by,
                    }
                    for before, after in keys
                ],
            )
            return max(int(done.rowcount), 0)

    def forget_log(self) -> None:
        """Leaves nothing in logs of what was overwritten."""
        self._database.truncate_log()

    def count(self) -> list[SubjectKeyCount]:
        """How many people have a key, by kind."""
        columns = subject_keys.c
        gone = func.sum(case((columns.wrapped.is_(None), 1), else_=0))
        query = (
            select(columns.subject, func.count(), gone).group_by(columns.subject).order_by(columns.subject)
        )
        with self._database.reading() as connection:
            return [
                SubjectKeyCount(subject=subject, keys=total - int(destroyed), destroyed=int(destroyed))
                for subject, total, destroyed in connection.execute(query)
            ]


def _among(connection: Connection, digests: Sequence[str]) -> list[Any]:
    kind = connection.dialect.name
    given = json.dumps(list(digests)) if kind == "sqlite" else list(digests)
    return list(connection.execute(_FIND[kind], {"digests": given}).fetchall())


def _raw(connection: Connection, digests: Sequence[str], head: int) -> Iterable[WrappedKey]:
    """The same past SQLAlchemy's rows: to make them takes as long as the rest."""
    kind = connection.dialect.name
    given = json.dumps(list(digests)) if kind == "sqlite" else list(digests)
    cursor: Any = connection.execute(_WRAPPED[kind], {"digests": given, "head": head}).cursor
    rows: Iterable[WrappedKey] = cursor
    return rows


def _insert(connection: Connection, keys: Sequence[SubjectKey], now: datetime) -> None:
    if connection.dialect.name == "sqlite":
        # As the driver takes it: to bind each value by its type takes longer than all the rest.
        created = now.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")
        connection.exec_driver_sql(_ADD_SQLITE, [(*each, created) for each in keys])
        return
    connection.execute(
        _ADD,
        {
            "digests": [each.digest for each in keys],
            "subjects": [each.subject for each in keys],
            "generations": [each.generation for each in keys],
            "wrapped": [each.wrapped for each in keys],
            "wrapped_by": [each.wrapped_by for each in keys],
            "created": now,
        },
    )


def _parts(whole: Sequence[_T]) -> Iterator[Sequence[_T]]:
    for at in range(0, len(whole), _PART):
        yield whole[at : at + _PART]
