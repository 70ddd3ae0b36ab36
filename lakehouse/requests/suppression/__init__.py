"""Who was erased stays out: what comes into a table is compared with the keyed hashes of erased identifiers.

A record is of an erased person if it is among the rows that the config names for them (`conditions`): all
of the identifiers in its ``where`` went by the same erasure. It is compared in the table's types and in
clear, right before expectations and masks (`batches`). With ``do: delete`` it is left out, with ``do:
anonymize`` the columns come in empty, with ``do: keep`` it comes as it is. A new consent
(`Requests.readmit`) lets it in again.

What is not known of a record can't be compared: a change of an erased row that states no identifier, but only
other columns, makes a row without the identifier. Where that can happen, let the table's key be an
identifier, or the source send whole rows.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from lakehouse.config import Config
from lakehouse.control import Control
from lakehouse.pii.keys.ring import KeyRing
from lakehouse.requests.suppression.batches import Keeper
from lakehouse.requests.suppression.conditions import Condition, conditions_of
from lakehouse.requests.suppression.listed import Listed
from lakehouse.requests.suppression.rows import RowKeeper


@dataclass(frozen=True, slots=True, kw_only=True)
class Suppression:
    """Keeps erased people out of one table: the `lakehouse.verbs.opened.Suppressions` of the facade.

    Args:
        table: The table.
        key: Its key columns.
        conditions: Which of its rows are a person's.
        control: The way to the state database.
        ring: Gives the keys of the lake; asked only if somebody was erased.
    """

    table: str
    key: tuple[str, ...]
    conditions: tuple[Condition, ...]
    control: Control
    ring: Callable[[], KeyRing]

    def of_merge(self) -> Keeper:
        """What keeps them out of one merge."""
        return Keeper(conditions=self.conditions, listed=self._listed())

    def of_rows(self) -> RowKeeper:
        """What keeps them out of rows that come back from an older version."""
        return RowKeeper(conditions=self.conditions, key=self.key, listed=self._listed())

    def before(self) -> tuple[str, ...]:
        """The columns of which a merge has to know what they were before a change; none without a list."""
        if not self.control.begun():
            return ()
        deciding = (each for each in self.conditions if each.do != "anonymize")
        return tuple(dict.fromkeys(name for each in deciding for name in each.names))

    def _listed(self) -> Listed:
        return Listed(table=self.table, control=self.control, ring=self.ring)


def suppression_of(
    config: Config, table: str, *, control: Control, ring: Callable[[], KeyRing]
) -> Suppression | None:
    """What keeps erased people out of a table.

    Args:
        config: The lake's config.
        table: The table.
        control: The way to the state database.
        ring: Gives the keys of the lake.

    Returns:
        None where no subject of the config has rows in the table that an erasure would touch.
    """
    conditions = conditions_of(config, table)
    if not conditions:
        return None
    key = tuple(config.tables[table].key)
    return Suppression(table=table, key=key, conditions=conditions, control=control, ring=ring)


__all__ = ["Suppression", "suppression_of"]
