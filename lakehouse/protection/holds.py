"""Legal holds, and what they mean for one table. Pure: holds and the time are handed in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """An order to keep something, whatever any rule says.

    Args:
        id: Its name in commands and plans.
        table: The table it is about; None where it is about a data subject in all tables.
        where: The rows it is about, as a SQL condition; None with ``table`` means the whole table. It can
            hold personal values, so it is never logged or put into errors.
        subject: The kind of data subject, as the config names it; None for holds on a table.
        identifiers: The subject's identifiers: pairs of name and value, never logged.
        reason: Why, as ``case 12/2026``.
        author: Who placed it.
        placed: When (timezone-aware).
        until: When it ends by itself; None means when it is released.
        released: When it was released, and by whom; None while it stands.
        released_by: Who released it.
    """

    id: str
    reason: str
    author: str
    placed: datetime
    table: str | None = None
    where: str | None = None
    subject: str | None = None
    identifiers: tuple[tuple[str, str], ...] = ()
    until: datetime | None = None
    released: datetime | None = None
    released_by: str | None = None

    def active(self, now: datetime) -> bool:
        """Whether it binds at a moment.

        Args:
            now: Timezone-aware.
        """
        return self.released is None and (self.until is None or now < self.until)


@dataclass(frozen=True, slots=True, kw_only=True)
class TableHold:
    """What one active hold means for one table.

    Args:
        id: The hold's.
        reason: The hold's.
        where: The rows that must stay, as a SQL condition over the table's columns; None means all of them.
    """

    id: str
    reason: str
    where: str | None = None


@dataclass(frozen=True, slots=True)
class Protection:
    """All active holds on one table.

    Args:
        table: The table's name.
        holds: Those that bind now.
    """

    table: str
    holds: tuple[TableHold, ...] = ()

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
        parts = [f"({where})" for _, where in self.conditions]
        return " OR ".join(parts) if parts else None


def protection_of(table: str, holds: Sequence[Hold], *, now: datetime) -> Protection:
    """What the holds on a table mean for it; holds on data subjects are resolved elsewhere.

    Args:
        table: The table's name.
        holds: Any holds.
        now: The moment (timezone-aware).
    """
    bound = [hold for hold in holds if hold.table == table and hold.active(now)]
    return Protection(table, tuple(TableHold(id=h.id, reason=h.reason, where=h.where) for h in bound))
