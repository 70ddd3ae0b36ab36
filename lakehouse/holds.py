"""The holds of a lake, as its users see them: place, list, release; and what they mean for a table."""

from __future__ import annotations

import builtins
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial

import polars as pl

from lakehouse.config import Config
from lakehouse.config.nearest import nearest
from lakehouse.control import Control
from lakehouse.delta.data import scan_table
from lakehouse.delta.schema import to_polars
from lakehouse.delta.snapshot import Snapshot
from lakehouse.errors import NotFoundError, TableNotFoundError, UsageError
from lakehouse.merge.shredded import shredded_in
from lakehouse.merge.tables import declared_schema
from lakehouse.merge.target import Clock, utc_now
from lakehouse.protection.conditions import LONGEST, columns_of_condition, matching
from lakehouse.protection.given import LONGEST_REASON, author_of, ensure_plain, pairs_of, text_of
from lakehouse.protection.holds import Hold, Protection, TableHold, protection_of
from lakehouse.protection.subjects import CLOSED, Resolved, resolve_now, resolve_strictly
from lakehouse.protection.until import end_of_hold
from lakehouse.records import operator
from lakehouse.table import Table
from lakehouse.timetravel.damage import naming_damage


class Holds:
    """The legal holds of a lake. Made by `Lakehouse.holds`; can be used from many threads.

    A hold is an order to keep something, whatever any rule says. Conditions and identifiers can be personal:
    they are kept in the state database alone, and forgotten there when the hold is released. Reasons and
    authors are shown wherever a hold stands in the way.

    Args:
        config: The lake's config.
        control: The way to its state database.
        table: Gives a table by its name.
        clock: Gives the time, timezone-aware.
    """

    def __init__(
        self, config: Config, *, control: Control, table: Callable[[str], Table], clock: Clock = utc_now
    ) -> None:
        self._config = config
        self._control = control
        self._table = table
        self._clock = clock

    def __repr__(self) -> str:
        return f"Holds({self._config.name!r})"

    def add(
        self,
        *,
        table: str | None = None,
        where: str | None = None,
        subject: str | None = None,
        identifiers: Mapping[str, str | int | Sequence[str | int]] | None = None,
        reason: str,
        author: str | None = None,
        until: str | datetime | timedelta | None = None,
    ) -> Hold:
        """Places a hold. It binds from the moment at which this returns.

        Args:
            table: The table to hold; with it, no subject.
            where: Only the rows for which this is true, as a SQL condition on single rows, as
                ``"customer_id = 7"``. None holds the whole table, rows to come included.
            subject: The kind of person to hold, as the config's ``subjects`` name it: all rows in which the
                config finds that person.
            identifiers: What the person is known by: name of the identifier to its value, or values.
            reason: Why, as ``"case 12/2026"``; at most 1,000 characters. Shown to many: no personal data.
            author: Who orders it; None means the user that this process runs as.
            until: When it ends by itself: a moment with a timezone, a length of time such as ``90d`` or
                ``3y``, or ``"2027-01-31 Europe/Berlin"`` (to the end of that day). None means when it is
                released.

        Returns:
            The hold, with its id.

        Raises:
            TableNotFoundError: The config has no such table.
            NotFoundError: The config has no such subject, or it no such identifier.
            UsageError: A condition, identifier or end that can't be used; nothing was placed.
            StorageError: The state database can't be written.
            RefusedError: The state database is not the one of this lake.
        """
        now = self._clock()
        _ensure_one(table, subject, where=where, identifiers=identifiers)
        why = ensure_plain(text_of(reason, "the reason"), what="the reason", longest=LONGEST_REASON)
        who = operator() if author is None else author_of(author)
        ends = None if until is None else end_of_hold(until, now=now)
        draft = Hold(id="", reason=why, author=who, placed=now, until=ends)
        if table is not None:
            if identifiers:
                raise UsageError("identifiers belong to a hold on a subject", advice="name rows with `where`")
            hold = self._on_table(draft, table, where)
        else:
            if where is not None:
                raise UsageError(
                    "a condition belongs to a hold on a table", advice="name a person by `identifiers`"
                )
            hold = self._on_subject(draft, text_of(subject, "the subject"), identifiers or {})
        return self._control.made(now=now).holds.place(hold)

    def list(self, *, all: bool = False) -> builtins.list[Hold]:  # noqa: A002 - as it reads best
        """The holds, in the order in which they were placed.

        Args:
            all: Also those that were released or have ended.

        Raises:
            StorageError: The state database can't be read.
            RefusedError: The state database is not the one of this lake.
        """
        state = self._control.existing()
        if state is None:
            return []
        now = self._clock()
        return [hold for hold in state.holds.list() if all or hold.active(now)]

    def get(self, hold_id: str) -> Hold:
        """One hold, active or not.

        Raises:
            NotFoundError: There is none of that id; the advice names the nearest.
        """
        text = text_of(hold_id, "the id of a hold")
        known = {hold.id: hold for hold in self.list(all=True)}
        if text in known:
            return known[text]
        near = nearest(text, known)
        raise NotFoundError(
            "there is no hold of that id",
            advice=f"did you mean {near}?" if near else "`lakehouse hold list --all` shows them",
        )

    def release(self, hold_id: str, *, author: str | None = None, reason: str = "") -> Hold:
        """Ends a hold. What it was about is forgotten: its condition and identifiers, not that it was.

        Args:
            hold_id: Which; also one whose end has passed, so that its condition is forgotten.
            author: Who ends it; None means the user that this process runs as.
            reason: Why.

        Returns:
            The hold as it is now.

        Raises:
            NotFoundError: There is none of that id.
            RefusedError: It was released before.
            StorageError: The state database can't be written.
        """
        found = self.get(hold_id)
        who = operator() if author is None else author_of(author)
        text = text_of(reason, "the reason")
        why = ensure_plain(text, what="the reason", longest=LONGEST_REASON) if text.strip() else ""
        now = self._clock()
        return self._control.made(now=now).holds.release(found.id, author=who, now=now, reason=why)

    def protection(self, table: str) -> Protection:
        """What the holds mean for a table at this moment; asked before anything is taken away.

        Args:
            table: The table's name.

        Raises:
            StorageError: The state database can't be read: then nothing may be taken away.
            RefusedError: The state database is not the one of this lake.
        """
        state = self._control.existing()
        if state is None:
            return Protection(table)
        return protection_of(
            table, state.holds.standing(), now=self._clock(), resolve=partial(self._resolved, only=table)
        )

    def count(self, hold: Hold) -> dict[str, int | None]:
        """How many rows a hold protects in the newest versions, by table.

        Args:
            hold: A hold that was not released.

        Returns:
            For each of its tables the rows; None where they can't be counted, since a condition does not
            fit the table any more: then all of it is held.
        """
        found = protection_tables(hold, self._resolved)
        return {name: self._rows(name, conditions) for name, conditions in found.items()}

    def _rows(self, name: str, conditions: Sequence[str | None]) -> int | None:
        try:
            table = self._table(name)
        except TableNotFoundError:
            # The config has lost it since, or a copy was dropped.
            return 0
        if not table.exists():
            return 0
        holds = tuple(TableHold(id="", reason="", where=condition) for condition in conditions)
        protection = Protection(name, holds)
        try:
            return _matched(table, table.snapshot(), None if protection.whole else protection.condition)
        except (OSError, pl.exceptions.PolarsError):
            return None

    def _on_table(self, draft: Hold, name: str, where: str | None) -> Hold:
        table = self._table(text_of(name, "the table"))
        if where is None:
            return replace(draft, table=table.name)
        condition = ensure_plain(
            text_of(where, "the condition"), what="the condition of the hold", longest=LONGEST
        )
        schema = self._columns(table.name)
        if schema is None:
            raise UsageError(
                f"table {table.name} has no columns yet, so that a condition can't be checked",
                advice="hold the whole table, or give it a `schema` in the config",
            )
        columns = columns_of_condition(condition, schema, table=table.name)
        if table.exists():
            self._ensure_usable(table, condition)
        closed = [name for name in columns if name in self._shredded(table)]
        if closed:
            raise UsageError(
                f"{', '.join(closed)} of table {table.name} is stored under keys of people: no row meets "
                "the condition of the hold",
                advice="let it ask for other columns, or hold a person by `--subject`",
            )
        return replace(draft, table=table.name, where=condition, columns=columns)

    def _shredded(self, table: Table) -> frozenset[str]:
        """The columns that are, or are to be, stored under keys of people."""
        there = shredded_in(table.snapshot().configuration) if table.exists() else {}
        section = self._config.tables.get(table.name)
        asked = section.pii.items() if section is not None else ()
        return frozenset((*there, *(name for name, about in asked if about.shred is not None)))

    def _ensure_usable(self, table: Table, where: str) -> None:
        """Tries a condition on the rows of now: on values that don't fit, it would hold the whole table."""
        snapshot = table.snapshot()
        try:
            with naming_damage(table.storage, snapshots=[snapshot], table=table.name):
                _matched(table, snapshot, where)
        except pl.exceptions.PolarsError:
            raise UsageError(
                f"the condition of the hold on table {table.name} does not fit the values of its rows",
                advice="compare columns with values of their types; TRY_CAST gives null where CAST fails",
            ) from None

    def _on_subject(
        self, draft: Hold, name: str, identifiers: Mapping[str, str | int | Sequence[str | int]]
    ) -> Hold:
        subject = self._config.subjects.get(name)
        if subject is None:
            near = nearest(name, self._config.subjects)
            known = ", ".join(self._config.subjects)
            advice = f"did you mean {near}?" if near else f"it has: {known}" if known else "name one there"
            raise NotFoundError("the config has no such subject in `subjects`", advice=advice)
        pairs = pairs_of(identifiers)
        if not pairs:
            raise UsageError(
                f"a hold on a {name} needs to know which",
                advice=f"give an identifier: {', '.join(subject.identifiers)}",
            )
        resolved = resolve_strictly(subject, pairs, name=name, columns=self._open_columns)
        return replace(draft, subject=name, identifiers=pairs, resolved=resolved)

    def _resolved(self, hold: Hold, *, only: str | None = None) -> Resolved:
        subject = self._config.subjects.get(hold.subject or "")
        return resolve_now(subject, hold.identifiers, columns=self._open_columns, only=only)

    def _open_columns(self, name: str) -> pl.Schema | None:
        """The columns by which people are found: no condition meets what is stored under keys of people."""
        schema = self._columns(name)
        if schema is None:
            return None
        closed = self._shredded(self._table(name))
        return pl.Schema({each: CLOSED if each in closed else kind for each, kind in schema.items()})

    def _columns(self, name: str) -> pl.Schema | None:
        table = self._table(name)
        if table.exists():
            return pl.Schema(to_polars(table.snapshot().schema))
        columns = table.config.column_schema
        return pl.Schema(to_polars(declared_schema(columns))) if columns else None


def protection_tables(
    hold: Hold, resolve: Callable[[Hold], Resolved]
) -> dict[str, builtins.list[str | None]]:
    """The tables of a hold, each with its conditions; None among them means the whole table."""
    pairs: Sequence[tuple[str, str | None]] = (
        [(hold.table, hold.where)]
        if hold.table is not None
        else tuple(dict.fromkeys((*hold.resolved, *resolve(hold))))
    )
    found: dict[str, builtins.list[str | None]] = {}
    for name, where in pairs:
        found.setdefault(name, []).append(where)
    return found


def _matched(table: Table, snapshot: Snapshot, where: str | None) -> int:
    rows = scan_table(table.storage, snapshot)
    found = rows if where is None else matching(rows, where)
    return int(found.select(pl.len()).collect().item())


def _ensure_one(
    table: str | None, subject: str | None, *, where: str | None, identifiers: Mapping[str, object] | None
) -> None:
    """A hold is on a table or on a person; what else was given tells what was forgotten."""
    if table is not None and subject is not None:
        raise UsageError(
            "a hold is on a table or on a subject, not on both", advice="place two, or leave one of them out"
        )
    if table is not None or subject is not None:
        return
    if where is not None:
        raise UsageError("the condition of a hold needs its table", advice="name it: --table (table=)")
    if identifiers:
        raise UsageError(
            "the identifiers of a hold need its subject",
            advice="name it as the config does: --subject (subject=)",
        )
    raise UsageError("a hold is on a table or on a subject", advice="name one of them: --table or --subject")
