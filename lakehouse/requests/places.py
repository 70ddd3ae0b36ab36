"""The tables of a lake as places to look into; what was read of a table once is read once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from lakehouse.delta.snapshot import Snapshot
from lakehouse.errors import CorruptTableError
from lakehouse.requests.known import Place
from lakehouse.requests.past import Past, past_of
from lakehouse.verbs.opened import OpenTable


@dataclass(slots=True)
class Places:
    """Each table as it is when it is first asked for.

    Args:
        table: Opens a table by its name.
        ensure: Refuses a table that can't be looked into, by its name and files; None where all can.
    """

    table: Callable[[str], OpenTable]
    ensure: Callable[[str, Past], None] | None = None
    _known: dict[str, tuple[OpenTable, Place] | None] = field(default_factory=dict, repr=False)

    def __call__(self, name: str) -> Place | None:
        """A table's place; None for one that has not been made."""
        found = self.opened(name)
        return None if found is None else found[1]

    def newest(self, name: str) -> Snapshot | None:
        """A table's newest version; None for one that has not been made."""
        found = self(name)
        return None if found is None else found.past.newest

    def opened(self, name: str) -> tuple[OpenTable, Place] | None:
        """A table and its place; None for one that has not been made.

        Raises:
            CorruptTableError: Its log can't be read, or it can't be looked into.
        """
        if name not in self._known:
            table = self.table(name)
            try:
                newest = table.find()
                place = None if newest is None else Place(table.storage, past_of(table.storage, newest))
            except CorruptTableError as error:
                # What is wrong with a log does not say whose it is.
                told = f"table {name} can't be read: {error.message}"
                raise CorruptTableError(told, advice=error.advice) from error.__cause__
            if place is not None and self.ensure is not None:
                self.ensure(name, place.past)
            self._known[name] = None if place is None else (table, place)
        return self._known[name]
