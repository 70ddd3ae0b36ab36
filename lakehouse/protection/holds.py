"""What legal holds mean for one table. Pure: holds and the time are handed in."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from lakehouse.state.rows import Hold

__all__ = ["Hold", "Protection", "TableHold", "protection_of"]

Resolve = Callable[[Hold], Iterable[tuple[str, str | None]]]
"""Finds the tables of a hold on a data subject: pairs of table and condition, None for a whole table."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TableHold:
    """What one active hold means for one table.

    Args:
        id: The hold's.
        reason: The hold's.
        where: The rows that must stay, as a SQL condition over the table's columns; None means all of them.
            It can hold personal values, so it is no part of the text form.
        note: Why it means more than it says, as where its condition can't be read any more.
    """

    id: str
    reason: str
    where: str | None = field(default=None, repr=False)
    note: str = ""

    def __str__(self) -> str:
        return f"{self.id} ({self.reason}{'; ' if self.note else ''}{self.note})"


@dataclass(frozen=True, slots=True)
class Protection:
    """All active holds on one table.

    Args:
        table: The table's name.
        holds: Those that bind now.
    """

    table: str
    holds: tuple[TableHold, ...] = ()

    def of_everything(self) -> Protection:
        """The same holds, each on all rows: for what can't be asked whether a condition is true of it."""
        return replace(self, holds=tuple(replace(hold, where=None) for hold in self.holds))

    @property
    def whole(self) -> tuple[TableHold, ...]:
        """The holds on the whole table."""
        return tuple(hold for hold in self.holds if hold.where is None)

    @property
    def conditions(self) -> tuple[tuple[TableHold, str], ...]:
        """The holds on some of its rows, each with its condition."""
        return tuple((hold, hold.where) for hold in self.holds if hold.where is not None)

    @property
    def condition(self) -> str | None:
        """One SQL condition that is true for every row that some hold on rows protects; None without one."""
        # On a line of its own, so that a comment at the end of a condition hides nothing.
        parts = list(dict.fromkeys(f"({where}\n)" for _, where in self.conditions))
        return _any_of(parts) if parts else None

    @property
    def free_condition(self) -> str | None:
        """One SQL condition that is true for every other row, and never null; None without holds on rows."""
        held = self.condition
        return f"NOT COALESCE({held}, FALSE)" if held is not None else None


def protection_of(
    table: str, holds: Iterable[Hold], *, now: datetime, resolve: Resolve | None = None
) -> Protection:
    """What holds mean for a table.

    Args:
        table: The table's name.
        holds: Any holds.
        now: The moment (timezone-aware).
        resolve: Finds the tables of a data subject as the config has them now. Those that the hold has had
            from its beginning stay, whatever the config says.
    """
    bound = (
        TableHold(id=hold.id, reason=hold.reason, where=where)
        for hold in holds
        if hold.active(now)
        for name, where in _tables(hold, resolve)
        if name == table
    )
    return Protection(table, tuple(dict.fromkeys(bound)))


def _any_of(parts: Sequence[str]) -> str:
    """Joins conditions in halves: parsers mind how deeply a condition is nested, not how long it is."""
    if len(parts) <= 2:
        return " OR ".join(parts)
    middle = len(parts) // 2
    return f"({_any_of(parts[:middle])}) OR ({_any_of(parts[middle:])})"


def _tables(hold: Hold, resolve: Resolve | None) -> Iterator[tuple[str, str | None]]:
    if hold.table is not None:
        yield hold.table, hold.where
    if hold.subject is not None:
        yield from hold.resolved
        if resolve is not None:
            yield from resolve(hold)
