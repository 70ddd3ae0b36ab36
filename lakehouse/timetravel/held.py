"""Whether going back would lose or change a row that is held."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import polars as pl

from lakehouse.cdc.control import CONTROL_COLUMNS
from lakehouse.delta.column_mapping import mode, physical_names
from lakehouse.delta.schema import to_polars
from lakehouse.delta.snapshot import Snapshot
from lakehouse.errors import UsageError
from lakehouse.protection.conditions import matching
from lakehouse.protection.gate import judge, refusal
from lakehouse.protection.holds import Protection
from lakehouse.storage import Storage
from lakehouse.timetravel.diff import CHANGE, diff


def ensure_held_rows_stay(
    storage: Storage, *, current: Snapshot, target: Snapshot, protection: Protection
) -> None:
    """Refuses a restore that a hold forbids.

    Rows are compared by what they say, not by where they lie: a held row that the older version has too may
    come from another file. Only files that differ are read.

    Args:
        storage: The table's folder.
        current: The newest version.
        target: The version to go back to.
        protection: The active holds on the table.

    Raises:
        ProtectedError: The table is held whole, or a held row would be lost or changed.
    """
    table = protection.table
    verdict = judge("restore", protection, schema=pl.Schema(to_polars(current.schema))).ensure()
    if verdict.keep is None:
        return
    columns = [name for name in current.schema.names if name not in CONTROL_COLUMNS]
    cause = refusal(
        "restore",
        table,
        verdict.kept_by,
        why=f"version {target.version} of table {table} lacks rows, or has other ones, that are held",
    )
    if _renamed(current, target):
        # A condition speaks of columns by the names that they have now.
        raise cause
    try:
        changed = diff(storage, before=current, after=target, key=(), columns=columns)
        going = changed.lazy().filter(pl.col(CHANGE) == "delete").drop(CHANGE)
        lost = matching(going, verdict.keep).head(1).collect().height
    except (UsageError, pl.exceptions.PolarsError):
        # Types that can't be compared, or a condition on what is not shown: in doubt all are held.
        raise cause from None
    if lost:
        raise cause


@dataclass(slots=True)
class HeldRows:
    """Asks whether held rows stay, anew whenever holds were placed or released.

    Args:
        storage: The table's folder.
        current: The newest version.
        target: The version to go back to.
        protection: Gives the active holds on the table.
    """

    storage: Storage
    current: Snapshot
    target: Snapshot
    protection: Callable[[], Protection]
    _known: Protection | None = None

    def ask(self) -> None:
        """Asks, unless the holds are those of the last time.

        Raises:
            ProtectedError: A hold forbids it.
        """
        while (held := self.protection()) != self._known:
            ensure_held_rows_stay(self.storage, current=self.current, target=self.target, protection=held)
            self._known = held


def _renamed(current: Snapshot, target: Snapshot) -> bool:
    """Whether a column of the newest version has another name in the other one, or its name is another's."""
    now, then = (
        physical_names(side.schema, mode(side.metadata, protocol=side.protocol)) for side in (current, target)
    )
    taken = set(then.values())
    return any(
        physical != then[name] if name in then else physical in taken
        for name, physical in now.items()
        if name not in CONTROL_COLUMNS
    )
