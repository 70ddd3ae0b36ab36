"""The holds in the database: what was ordered, what happened to it, and apart what can be personal."""

from __future__ import annotations

import builtins
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Row, Select, delete, insert, select
from sqlalchemy.engine import Connection

from lakehouse.config.moments import iso
from lakehouse.errors import LakehouseError, NotFoundError, RefusedError, StorageError
from lakehouse.state.ids import new_id
from lakehouse.state.rows import Hold
from lakehouse.state.tables import hold_contents, hold_events, holds
from lakehouse.state.transactions import Transactions

_TRIES: Final = 10
_PLACED: Final = "placed"
_RELEASED: Final = "released"
_placed = hold_events.alias("placed")
_released = hold_events.alias("released")


class SqlHolds:
    """The holds in a database.

    Args:
        database: Where.
    """

    def __init__(self, database: Transactions) -> None:
        self._database = database

    def place(self, hold: Hold) -> Hold:
        """Keeps a new hold.

        Args:
            hold: With an empty ``id``; it gets one.

        Returns:
            The same with its id.
        """
        with self._database.writing() as connection:
            kept = replace(hold, id=_free_id(connection))
            partial = kept.where is not None or kept.subject is not None
            connection.execute(
                insert(holds).values(
                    id=kept.id,
                    table_name=kept.table,
                    subject=kept.subject,
                    columns=list(kept.columns),
                    partial=int(partial),
                    reason=kept.reason,
                    until=kept.until,
                )
            )
            if partial:
                connection.execute(
                    insert(hold_contents).values(
                        hold_id=kept.id,
                        condition=kept.where,
                        identifiers=[list(pair) for pair in kept.identifiers],
                        resolved=[list(pair) for pair in kept.resolved],
                    )
                )
            _happened(connection, kept.id, _PLACED, at=kept.placed, author=kept.author, reason=kept.reason)
            return _one(connection, kept.id)

    def release(self, hold_id: str, *, author: str, now: datetime, reason: str = "") -> Hold:
        """Ends a hold, and forgets its condition and identifiers.

        Args:
            hold_id: Which.
            author: Who ends it.
            now: When (timezone-aware).
            reason: Why.

        Returns:
            The hold as it is now.

        Raises:
            NotFoundError: There is none of that id.
            RefusedError: It was released before.
        """
        with self._database.writing() as connection:
            # Of two that release it at once, the second waits here and then finds it released.
            connection.execute(select(holds.c.id).where(holds.c.id == hold_id).with_for_update())
            found = _one(connection, hold_id)
            if found.released is not None:
                when = iso(found.released, timespec="seconds")
                raise RefusedError(f"hold {hold_id} was released already, at {when}")
            connection.execute(delete(hold_contents).where(hold_contents.c.hold_id == hold_id))
            _happened(connection, hold_id, _RELEASED, at=now, author=author, reason=reason)
            done = _one(connection, hold_id)
        with suppress(LakehouseError):
            # It is released, whatever fails now.
            self._database.truncate_log()
        return done

    def get(self, hold_id: str) -> Hold:
        """One hold.

        Raises:
            NotFoundError: There is none of that id.
        """
        with self._database.reading() as connection:
            return _one(connection, hold_id)

    def list(self) -> builtins.list[Hold]:
        """All holds that were ever placed, in the order in which that happened."""
        with self._database.reading() as connection:
            return [_hold(row) for row in connection.execute(_all())]

    def standing(self) -> builtins.list[Hold]:
        """Those that were not released, in that order; the end of some may have passed."""
        with self._database.reading() as connection:
            return [_hold(row) for row in connection.execute(_all().where(_released.c.seq.is_(None)))]


def _free_id(connection: Connection) -> str:
    for _ in range(_TRIES):
        found = new_id("hold")
        if connection.execute(select(holds.c.id).where(holds.c.id == found)).first() is None:
            return found
    raise StorageError("no free id for a hold was found", advice="try again")


def _happened(
    connection: Connection, hold_id: str, event: str, *, at: datetime, author: str, reason: str
) -> None:
    connection.execute(
        insert(hold_events).values(hold_id=hold_id, event=event, at=at, author=author, reason=reason)
    )


def _all() -> Select[Any]:
    # Outer joins: a hold whose beginning or content is missing must show up, and not be left out.
    return (
        select(
            holds,
            hold_contents.c.hold_id.label("content"),
            hold_contents.c.condition,
            hold_contents.c.identifiers,
            hold_contents.c.resolved,
            _placed.c.at.label("placed_at"),
            _placed.c.author.label("placed_by"),
            _released.c.at.label("released_at"),
            _released.c.author.label("released_by"),
            _released.c.reason.label("release_reason"),
        )
        .outerjoin(hold_contents, hold_contents.c.hold_id == holds.c.id)
        .outerjoin(_placed, (_placed.c.hold_id == holds.c.id) & (_placed.c.event == _PLACED))
        .outerjoin(_released, (_released.c.hold_id == holds.c.id) & (_released.c.event == _RELEASED))
        .order_by(_placed.c.seq)
    )


def _one(connection: Connection, hold_id: str) -> Hold:
    row = connection.execute(_all().where(holds.c.id == hold_id)).first()
    if row is None:
        raise NotFoundError(f"there is no hold {hold_id}", advice="`lakehouse hold list --all` shows them")
    return _hold(row)


def _hold(row: Row[Any]) -> Hold:
    if row.placed_at is None or (row.partial and row.released_at is None and row.content is None):
        # Guessing what is missing could let go what is held.
        raise StorageError(
            f"hold {row.id} can't be read: a part of it is missing in the state database",
            advice="restore the database from a backup",
        )
    return Hold(
        id=row.id,
        reason=row.reason,
        author=row.placed_by,
        placed=row.placed_at,
        table=row.table_name,
        where=row.condition,
        columns=tuple(row.columns),
        subject=row.subject,
        identifiers=tuple((name, value) for name, value in row.identifiers or ()),
        resolved=tuple((table, where) for table, where in row.resolved or ()),
        until=row.until,
        released=row.released_at,
        released_by=row.released_by,
        release_reason=row.release_reason or "",
    )
