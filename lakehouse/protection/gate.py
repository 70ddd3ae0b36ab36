"""The one gate in front of every verb that takes something away. Pure: it is told what is held.

What a hold asks of a verb:

====================================  ====================  ==============================================
verb                                  whole table held      some rows held
====================================  ====================  ==============================================
``retention``, ``archive``,           refused               these rows stay as they are
``erase``
``restore``                           refused               refused if one would be lost or changed
``vacuum``, ``versions``              refused               files stay that have such a row in any version
``quarantine`` (throwing away)        refused               refused: a record can't be compared with it
``mask`` (in place)                   refused               refused if one would be masked
``drop`` (of a masked copy)           refused               refused
====================================  ====================  ==============================================

A merge passes no gate: a delete that a source reports is the truth about the table, and the row stays
readable in the versions before it, whose files are kept.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias

import polars as pl

from lakehouse.errors import ProtectedError
from lakehouse.protection.conditions import fitting
from lakehouse.protection.holds import Protection, TableHold

Verb: TypeAlias = Literal[
    "retention", "archive", "erase", "restore", "vacuum", "versions", "quarantine", "mask", "drop"
]

_NAMES: Final[dict[Verb, str]] = {
    "retention": "retention",
    "archive": "archiving",
    "erase": "erasure",
    "restore": "a restore",
    "vacuum": "a vacuum",
    "versions": "dropping versions",
    "quarantine": "throwing records away",
    "mask": "masking in place",
    "drop": "dropping the copy",
}

ADVICE: Final = (
    "`lakehouse hold list` shows the holds; what is no longer needed ends with `lakehouse hold release`"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What a verb may do to a table.

    Args:
        verb: Which.
        table: The table's name.
        refused_by: The holds that forbid it altogether; empty where it may go on.
        keep: The rows that it must leave alone, as a SQL condition; None without such. It can hold personal
            values, so it is no part of the text form.
        free: The rows that it may touch, as a SQL condition that is never null; None means all.
        kept_by: The holds behind ``keep``.
    """

    verb: Verb
    table: str
    refused_by: tuple[TableHold, ...] = ()
    keep: str | None = field(default=None, repr=False)
    free: str | None = field(default=None, repr=False)
    kept_by: tuple[TableHold, ...] = ()

    @property
    def allowed(self) -> bool:
        """Whether it may go on, leaving the kept rows alone."""
        return not self.refused_by

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why it may not, or not fully: one sentence a hold, without values."""
        names = {hold.id for hold in self.refused_by}
        whole = tuple(f"hold {hold} holds the table" for hold in self.refused_by)
        return whole + tuple(f"hold {hold} holds rows of it" for hold in self.kept_by if hold.id not in names)

    def ensure(self) -> Verdict:
        """Goes through the gate.

        Returns:
            The verdict itself.

        Raises:
            ProtectedError: A hold forbids it; the message names the holds and their reasons.
        """
        if not self.allowed:
            raise refusal(self.verb, self.table, self.refused_by)
        return self


def judge(verb: Verb, protection: Protection, *, schema: pl.Schema | None = None) -> Verdict:
    """Decides what a verb may do.

    Args:
        verb: Which.
        protection: The active holds on the table.
        schema: The columns of the version that the conditions will be evaluated on. A condition that does
            not fit them holds the whole table. None leaves that to the caller (see `fitting`).

    Returns:
        The verdict; `Verdict.ensure` raises where it may not go on.
    """
    bound = protection if schema is None else fitting(protection, schema)
    partial = tuple(dict.fromkeys(hold for hold, _ in bound.conditions))
    if verb in ("quarantine", "drop"):
        return Verdict(verb=verb, table=bound.table, refused_by=bound.holds)
    return Verdict(
        verb=verb,
        table=bound.table,
        refused_by=bound.whole,
        keep=bound.condition,
        free=bound.free_condition,
        kept_by=partial,
    )


def refusal(verb: Verb, table: str, holds: tuple[TableHold, ...], *, why: str = "") -> ProtectedError:
    """The error for a verb that holds forbid.

    Args:
        verb: Which.
        table: The table's name.
        holds: Those that forbid it.
        why: What would happen to held rows; without it, that the table is held.
    """
    named = ", ".join(dict.fromkeys(map(str, holds)))
    what = why or f"table {table} is held"
    return ProtectedError(f"{_NAMES[verb]} is refused: {what} by {named}", advice=ADVICE)
