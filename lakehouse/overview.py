"""What there is to say of a table from outside: what `apply` would do, and how it stands."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Literal

from lakehouse.errors import CorruptTableError
from lakehouse.table import Table
from lakehouse.timetravel.restore import live_rows

Action = Literal["create", "wait", "none"]


@dataclass(frozen=True, slots=True)
class TablePlan:
    """What `apply` does with one table.

    Args:
        table: Its name.
        action: ``create``: it is made from the schema in the config; ``wait``: the config has no schema,
            its first merge makes it; ``none``: it is there.
        detail: A sentence for people.
    """

    table: str
    action: Action
    detail: str


@dataclass(frozen=True, slots=True)
class ApplyPlan:
    """What `apply` does with the lake.

    Args:
        lake: The lake's name.
        tables: What becomes of each table.
        dry_run: Whether it was only planned.
    """

    lake: str
    tables: tuple[TablePlan, ...]
    dry_run: bool

    @property
    def changes_nothing(self) -> bool:
        """Whether there is nothing to make."""
        return all(plan.action != "create" for plan in self.tables)


@dataclass(frozen=True, slots=True, kw_only=True)
class TableStatus:
    """How one table stands.

    Args:
        table: Its name.
        description: From the config.
        owner: From the config.
        version: Its newest version; None where it has not been made.
        changed: When that was made (UTC).
        rows: Its rows; None where its statistics do not say.
        files: Data files.
        bytes: Their size together.
        hidden_rows: Rows that deletion vectors hide.
        tags: Its tags.
        quarantined: Records that could not be merged and wait in its quarantine.
        problem: Why its log can't be read; empty where it can.
    """

    table: str
    description: str
    owner: str
    version: int | None = None
    changed: datetime | None = None
    rows: int | None = None
    files: int = 0
    bytes: int = 0
    hidden_rows: int = 0
    tags: tuple[str, ...] = ()
    quarantined: int = 0
    problem: str = ""


@dataclass(frozen=True, slots=True)
class LakeStatus:
    """How the lake stands.

    Args:
        lake: Its name.
        root: Where it lies.
        tables: How each table stands.
    """

    lake: str
    root: str
    tables: tuple[TableStatus, ...]


def plan_table(table: Table) -> TablePlan:
    """Says what `apply` would do with a table."""
    if table.exists():
        return TablePlan(table.name, "none", f"is at version {table.snapshot().version}")
    columns = table.config.column_schema
    if columns:
        return TablePlan(
            table.name, "create", f"is made with {len(columns)} column{'s' if len(columns) > 1 else ''}"
        )
    return TablePlan(table.name, "wait", "has no schema in the config; its first merge makes it")


def table_status(table: Table) -> TableStatus:
    """Says how a table stands; one that is damaged does not keep the others from being shown."""
    config = table.config
    unmade = TableStatus(table=table.name, description=config.description, owner=config.owner)
    try:
        if table.opened.copy_of is None:
            unmade = replace(unmade, quarantined=table.quarantine.count())
        if not table.exists():
            return unmade
    except CorruptTableError as error:
        return replace(unmade, problem=error.message)
    snapshot = table.snapshot()
    files = snapshot.files.values()
    return TableStatus(
        table=table.name,
        description=config.description,
        owner=config.owner,
        version=snapshot.version,
        changed=datetime.fromtimestamp(snapshot.timestamp_ms / 1000, tz=UTC),
        rows=live_rows(snapshot),
        files=len(files),
        bytes=sum(add.size for add in files),
        hidden_rows=sum(add.deletion_vector.cardinality for add in files if add.deletion_vector),
        tags=tuple(tag.name for tag in table.tags()),
        quarantined=unmade.quarantined,
    )
