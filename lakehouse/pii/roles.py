"""What somebody who reads in a role sees: which tables, which rows, and masks in place of personal data.

A role is for whoever only gets the answers, as through the command line or a service of your own. Code in the
same process can read the files.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import polars as pl

from lakehouse.config import Config
from lakehouse.config.models import ColumnPii, RoleConfig
from lakehouse.config.nearest import nearest
from lakehouse.delta.column_mapping import mode, physical_names
from lakehouse.delta.schema import StructType
from lakehouse.delta.snapshot import Snapshot
from lakehouse.errors import NotFoundError, RefusedError, UsageError
from lakehouse.pii.mask.absent import ensure_spelt
from lakehouse.pii.mask.frames import TableMasks
from lakehouse.pii.mask.mark import marks_of
from lakehouse.pii.mask.source import Renamed
from lakehouse.timetravel.reading import filtered


def role_of(config: Config, name: str) -> RoleConfig:
    """A role of the config.

    Args:
        config: The lake's config.
        name: The role.

    Raises:
        NotFoundError: There is none of that name; the advice names the nearest.
    """
    found = config.roles.get(name)
    if found is None:
        near = nearest(name, tuple(config.roles))
        known = f"its roles are: {', '.join(config.roles)}" if config.roles else "it has no `roles` yet"
        raise NotFoundError(
            f"lake {config.name} has no role {name}", advice=f"did you mean {near}?" if near else known
        )
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleView:
    """The `lakehouse.verbs.opened.View` of one role on one table.

    Args:
        table: The table.
        name: The role's name.
        role: The role.
        masks: Gives the masks of the columns of a schema, without those that are masked already, and with
            those that were renamed since.
        pii: What the config says of the table's columns.
        newest: The version in which columns have the names that the config knows.
    """

    table: str
    name: str
    role: RoleConfig
    masks: Callable[[StructType, frozenset[str], Renamed], TableMasks]
    pii: Mapping[str, ColumnPii] = field(default_factory=dict)
    newest: Snapshot | None = None

    def named_as_in(self, newest: Snapshot) -> RoleView:
        """See `View.named_as_in`."""
        return replace(self, newest=newest)

    def allowed(self, rows: pl.LazyFrame) -> pl.LazyFrame:
        """See `View.allowed`."""
        condition = self.role.rows.get(self.table)
        if condition is None:
            return rows
        try:
            return filtered(rows, condition, table=self.table, shown=())
        except UsageError:
            # What the condition looks at is nothing that the role is told of.
            raise UsageError(
                f"the condition that role {self.name} has for table {self.table} does not fit its columns, "
                "so no row is shown",
                advice="mend `rows` of the role in the config",
            ) from None

    def hidden(self, snapshot: Snapshot) -> tuple[str, ...]:
        """See `View.hidden`."""
        masks = self._masks(snapshot)
        return masks.columns if masks is not None else ()

    def needs(self, snapshot: Snapshot) -> tuple[str, ...]:
        """See `View.needs`."""
        masks = self._masks(snapshot)
        return masks.needs if masks is not None else ()

    def masked(self, rows: pl.LazyFrame, snapshot: Snapshot) -> pl.LazyFrame:
        """See `View.masked`."""
        masks = self._masks(snapshot)
        if masks is None or not masks.columns:
            return rows
        # Where nothing else is needed, columns that nobody asks for need not be read.
        return rows.map_batches(
            masks.apply,
            projection_pushdown=not masks.needs,
            predicate_pushdown=False,
            slice_pushdown=True,
            streamable=True,
        )

    def _masks(self, snapshot: Snapshot) -> TableMasks | None:
        if self.role.columns == "clear":
            return None
        # By the names of now: an older version may well lack a column.
        ensure_spelt(self.table, self.pii, (self.newest or snapshot).schema)
        renamed = (
            frozenset(_renamed(snapshot, self.newest).items()) if self.newest is not None else frozenset()
        )
        return self.masks(snapshot.schema, frozenset(marks_of(snapshot.configuration)), renamed)


def _renamed(then: Snapshot, now: Snapshot) -> dict[str, str]:
    """What columns are called now, and what they were called then, where that is not the same."""
    old, new = (
        physical_names(side.schema, mode(side.metadata, protocol=side.protocol)) for side in (then, now)
    )
    called = {physical: name for name, physical in old.items()}
    return {name: called[physical] for name, physical in new.items() if called.get(physical, name) != name}


def view_of(
    config: Config,
    table: str,
    role: str,
    *,
    masks: Callable[[StructType, frozenset[str], Renamed], TableMasks],
    quarantine: bool = False,
) -> RoleView:
    """What a role sees of a table.

    Args:
        config: The lake's config.
        table: The table; for a quarantine the one whose records it keeps.
        role: The role's name.
        masks: As for `RoleView`.
        quarantine: Whether its quarantine is meant.

    Raises:
        NotFoundError: There is no such role.
        RefusedError: The role may not read the table.
    """
    found = role_of(config, role)
    if found.tables != "all" and table not in found.tables:
        raise RefusedError(
            f"role {role} may not read table {table}",
            advice=f"it may read: {', '.join(found.tables) or 'none'}; see `roles` in the config",
        )
    if quarantine and (found.columns != "clear" or table in found.rows):
        raise RefusedError(
            f"role {role} may not read the rejected records of table {table}: they are kept as they came, "
            "so nothing in them can be masked or left out",
            advice="only a role with `columns: clear` that sees all rows of the table reads its quarantine",
        )
    pii = config.tables[table].pii if table in config.tables and not quarantine else {}
    return RoleView(table=table, name=role, role=found, masks=masks, pii=pii)
