"""What somebody who reads in a role sees: which tables, which rows, and masks in place of personal data.

A role is for whoever only gets the answers, as through the command line or a service of your own. Code in the
same process can read the files.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import polars as pl

from lakehouse.config import Config
from lakehouse.config.models import RoleConfig
from lakehouse.config.nearest import nearest
from lakehouse.delta.column_mapping import mode, physical_names
from lakehouse.delta.schema import StructType
from lakehouse.delta.snapshot import Snapshot
from lakehouse.errors import NotFoundError, RefusedError, UsageError
from lakehouse.pii.mask.absent import ensure_spelt
from lakehouse.pii.mask.computed import Computed, computed_from
from lakehouse.pii.mask.frames import TableMasks
from lakehouse.pii.mask.mark import marks_of, stored_masked
from lakehouse.pii.mask.source import Renamed
from lakehouse.pii.paths import parse_path
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
        name: The role's name; the config has it, and the table.
        config: The lake's config.
        masks: Gives the masks of the columns of a schema, without those that are masked already, and with
            those that were renamed since.
        newest: The version in which columns have the names that the config knows.
    """

    table: str
    name: str
    config: Config
    masks: Callable[[StructType, frozenset[str], Renamed], TableMasks]
    newest: Snapshot | None = None

    @property
    def role(self) -> RoleConfig:
        """The role."""
        return self.config.roles[self.name]

    @property
    def narrows(self) -> bool:
        """See `View.narrows`."""
        return self.table in self.role.rows

    def named_as_in(self, newest: Snapshot) -> RoleView:
        """See `View.named_as_in`."""
        return replace(self, newest=newest)

    def allowed(self, rows: pl.LazyFrame, snapshot: Snapshot) -> pl.LazyFrame:
        """See `View.allowed`."""
        condition = self.role.rows.get(self.table)
        if condition is None:
            return rows
        self._ensure_means_the_same(condition, snapshot)
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
        if masks is None:
            return ()
        return (*masks.columns, *self._computed(masks, snapshot).columns)

    def needs(self, snapshot: Snapshot) -> tuple[str, ...]:
        """See `View.needs`."""
        masks = self._masks(snapshot)
        if masks is None:
            return ()
        return tuple(dict.fromkeys((*masks.needs, *self._computed(masks, snapshot).needs)))

    def masked(self, rows: pl.LazyFrame, snapshot: Snapshot) -> pl.LazyFrame:
        """See `View.masked`."""
        masks = self._masks(snapshot)
        if masks is None or not masks.columns:
            # Polars tries conditions together that stand behind each other. One that fails for a row, or
            # takes all memory for it, would tell of rows that the role does not see.
            return _behind_a_wall(rows, lambda frame: frame) if self.narrows else rows
        computed = self._computed(masks, snapshot)
        # Where nothing else is needed, columns that nobody asks for need not be read.
        return _behind_a_wall(
            rows,
            lambda frame: computed.apply(masks.apply(frame)),
            all_columns=bool(masks.needs or computed.needs),
        )

    @staticmethod
    def _computed(masks: TableMasks, snapshot: Snapshot) -> Computed:
        return computed_from(masks.columns, snapshot.schema)

    def _ensure_means_the_same(self, condition: str, snapshot: Snapshot) -> None:
        """Refuses rows that are chosen by a column which is something else in this version or copy.

        Raises:
            RefusedError: They are.
        """
        marks = marks_of(snapshot.configuration)
        stored = {parse_path(path, columns=snapshot.schema.names).column for path in marks}
        names = _columns_of(condition, snapshot)
        # Where rows are masked before they are stored, the condition is about masks.
        if not self.config.masked_at_merge(self.table) and not names.isdisjoint(stored):
            raise RefusedError(
                f"the rows of role {self.name} are chosen by a column that is stored masked here, so that "
                "others would be shown",
                advice=f"let the role read table {self.table} itself",
            )
        if self.newest is not None and not names.isdisjoint(_renamed(snapshot, self.newest)):
            raise RefusedError(
                f"the rows of role {self.name} are chosen by a column that had another name in version "
                f"{snapshot.version} of table {self.table}, so no row of it is shown",
                advice="read a version from after it was renamed",
            )

    def _masks(self, snapshot: Snapshot) -> TableMasks | None:
        if self.role.columns == "clear":
            return None
        columns = self.config.tables[self.table].pii
        # By the names of now: an older version may well lack a column.
        ensure_spelt(self.table, columns, (self.newest or snapshot).schema)
        renamed = (
            frozenset(_renamed(snapshot, self.newest).items()) if self.newest is not None else frozenset()
        )
        stored = stored_masked(marks_of(snapshot.configuration), columns, self.config.pii)
        return self.masks(snapshot.schema, stored, renamed)


def _columns_of(condition: str, snapshot: Snapshot) -> set[str]:
    """The columns that a condition looks at; all of them where that can't be told for sure."""
    everything = set(snapshot.schema.names)
    try:
        names = set(pl.sql_expr(condition).meta.root_names())
    except pl.exceptions.PolarsError:
        return everything
    return names if names <= everything else everything | names


def _behind_a_wall(
    rows: pl.LazyFrame, apply: Callable[[pl.DataFrame], pl.DataFrame], *, all_columns: bool = False
) -> pl.LazyFrame:
    """Changes rows so that conditions which come later are tried only on what comes out."""
    return rows.map_batches(
        apply,
        projection_pushdown=not all_columns,
        predicate_pushdown=False,
        slice_pushdown=True,
        streamable=True,
    )


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
    return RoleView(table=table, name=role, config=config, masks=masks)
