"""The verbs that only read: rows of a version, what differs between two, what happened."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import polars as pl

from lakehouse.cdc.control import CONTROL_COLUMNS
from lakehouse.cdc.timeline import VALID_FROM
from lakehouse.delta.data import scan_table
from lakehouse.delta.features import ensure_readable
from lakehouse.delta.log import commits
from lakehouse.delta.snapshot import Snapshot
from lakehouse.delta.vacuum_notes import read_notes
from lakehouse.delta.versions import commit_times, earliest_commit, earliest_version
from lakehouse.errors import UsageError
from lakehouse.merge.quarantine import SCHEMA
from lakehouse.protection.asked import ensure_no_files, never_fails
from lakehouse.timetravel.damage import naming_damage
from lakehouse.timetravel.diff import diff
from lakehouse.timetravel.history import HistoryEntry, entry, why_gone
from lakehouse.timetravel.reading import collect, explaining, filtered
from lakehouse.timetravel.tags import list_tags
from lakehouse.timetravel.valid import Moment
from lakehouse.timetravel.valid import valid_at as rows_valid_at
from lakehouse.verbs.opened import Cells, OpenTable, View


def pick(
    table: OpenTable,
    *,
    version: int | None,
    timestamp: datetime | str | None,
    tag: str | None,
    role: str | None = None,
) -> Snapshot | None:
    """The version to read; None for a quarantine that nothing has needed yet, which has no rows."""
    if role is not None:
        # Refused before anything is told of the table, also whether it is there.
        table.views(role)
    newest = version is None and timestamp is None and tag is None
    if newest and table.quarantine_of is not None and table.find() is None:
        return None
    return table.pick(version=version, timestamp=timestamp, tag=tag)


def read(
    table: OpenTable,
    picked: Snapshot | None,
    *,
    columns: Sequence[str] | None,
    where: str | pl.Expr | None,
    valid_at: Moment | None,
    role: str | None = None,
) -> pl.DataFrame:
    """Does `lakehouse.table.Table.read`."""
    lazy = scan(table, picked, columns=columns, where=where, valid_at=valid_at, role=role)
    if picked is None:
        return lazy.collect()
    return collect(lazy, storage=table.storage, snapshot=picked, table=table.name, where=where)


def scan(
    table: OpenTable,
    picked: Snapshot | None,
    *,
    columns: Sequence[str] | None,
    where: str | pl.Expr | None,
    valid_at: Moment | None,
    role: str | None = None,
) -> pl.LazyFrame:
    """Does `lakehouse.table.Table.scan`: every read of rows comes by here, whichever verb asks."""
    view = _view(table, picked, role=role)
    names = list(SCHEMA) if picked is None else picked.schema.names
    if view is not None:
        # They are made of the values of others, and are not masked.
        names = _without_control(names)
    shown = _shown(table, names, columns)
    if picked is None:
        lazy = pl.LazyFrame(schema=dict(SCHEMA))
    else:
        ensure_readable(picked)
        with naming_damage(table.storage, snapshots=[picked], table=table.name):
            lazy = table.cells.clear(scan_table(table.storage, picked), picked)
    if valid_at is not None:
        lazy = rows_valid_at(lazy, valid_at, table=table.name)
    if view is not None and picked is not None:
        return _in_role(table, lazy, picked, view=view, shown=shown, where=where)
    if where is not None:
        lazy = filtered(lazy, where, table=table.name, shown=_without_control(names))
    return lazy.select(shown)


def _view(table: OpenTable, *picked: Snapshot | None, role: str | None) -> View | None:
    """What a role sees of versions; None without a role."""
    if role is None:
        return None
    view = table.views(role)
    newest = table.newest.known() or table.find()
    if newest is None or all(each is None or each.version == newest.version for each in picked):
        return view
    return view.named_as_in(newest)


def _in_role(
    table: OpenTable,
    lazy: pl.LazyFrame,
    picked: Snapshot,
    *,
    view: View,
    shown: Sequence[str],
    where: str | pl.Expr | None,
) -> pl.LazyFrame:
    """Reads as a role does: its rows, then masks, then what was asked for, which never meets a clear value.

    A condition on columns that are not masked is tried before the masks are made: the answer is the same, and
    fewer rows are masked. Where the role sees only some rows, it is one that no value makes fail: Polars may
    try it on the other rows too, and a failure would tell of them.
    """
    if isinstance(where, str):
        ensure_no_files(where)
    names = _without_control(picked.schema.names)
    lazy = view.allowed(lazy, picked)
    asked = _roots(where, names)
    early = (
        asked is not None
        and asked.isdisjoint(view.hidden(picked))
        and (not view.narrows or never_fails(_expression(where)))
    )
    if where is not None and early:
        lazy = filtered(lazy, where, table=table.name, shown=names)
    wanted = [name for name in names if asked is None or name in asked or name in shown]
    needed = dict.fromkeys([*wanted, *view.needs(picked)])
    lazy = view.masked(lazy.select(*needed), picked).select(wanted)
    if where is not None and not early:
        lazy = filtered(lazy, where, table=table.name, shown=names)
    return lazy.select(shown)


def _roots(where: str | pl.Expr | None, names: Sequence[str]) -> set[str] | None:
    """The columns that a condition looks at; None where that can't be told for sure."""
    if where is None:
        return set()
    if isinstance(where, str) and re.search(r"\bselect\b|\bfrom\b|\*", where, re.IGNORECASE):
        return None
    try:
        expression = _expression(where)
        if expression.meta.has_multiple_outputs():
            return None
        roots = set(expression.meta.root_names())
    except pl.exceptions.PolarsError:
        return None
    # In SQL `self.email` is the column `email`, whatever else it reads like.
    if not roots <= set(names) or any(name.lower() == "self" for name in roots):
        return None
    return roots


def _expression(where: str | pl.Expr | None) -> pl.Expr:
    if isinstance(where, str):
        return pl.sql_expr(where)
    return pl.lit(value=True) if where is None else where


def history(table: OpenTable, *, limit: int | None) -> list[HistoryEntry]:
    """Does `lakehouse.table.Table.history`."""
    newest = table.snapshot().version
    first = max(earliest_commit(table.storage), newest - limit + 1 if limit is not None else 0)
    tags = list_tags(table.lake, table=table.name)
    made = commit_times(table.storage)
    oldest, notes = earliest_version(table.storage), read_notes(table.storage)
    found = [
        entry(
            commit,
            made_ms=made(commit),
            tags=tags,
            gone=why_gone(commit.version, first=oldest, notes=notes),
        )
        for commit in commits(table.storage, start=first, end=newest)
    ]
    return found[::-1]


def difference(
    table: OpenTable,
    before: int | str,
    after: int | str | None,
    *,
    columns: Sequence[str] | None,
    role: str | None = None,
) -> pl.DataFrame:
    """Does `lakehouse.table.Table.diff`."""
    if role is not None:
        # Refused before anything is told of the table, also whether it is there.
        table.views(role)
    old = _pick_named(table, before)
    new = _pick_named(table, after)
    view = _view(table, old, new, role=role)
    names = [
        side.schema.names if view is None else _without_control(side.schema.names) for side in (old, new)
    ]
    shown = _shown(table, names[1], columns) + [
        name for name in _shown(table, names[0], columns) if name not in names[1]
    ]
    key = table.config.key
    if key and all(VALID_FROM in side.schema for side in (old, new)):
        key = (*key, VALID_FROM)
    if columns is not None:
        known = [name for name in key if name in new.schema or name in old.schema]
        shown = list(dict.fromkeys([*known, *shown]))
    for side in (old, new):
        ensure_readable(side)
    with explaining(table.storage, snapshots=(old, new), table=table.name):
        viewer = None if view is None else _ClearView(view, table.cells, (old, new))
        found = diff(table.storage, before=old, after=new, key=key, columns=shown, viewer=viewer)
    if view is not None:
        return found
    # Compared as they are stored, where the same value is the same cell.
    with explaining(table.storage, snapshots=(), table=table.name):
        return _cleared(found.lazy(), table.cells, (old, new)).collect()


def _cleared(rows: pl.LazyFrame, cells: Cells, sides: tuple[Snapshot, Snapshot]) -> pl.LazyFrame:
    """Rows of two versions with clear values."""
    old, new = sides
    gone = [name for name in old.schema.names if name not in new.schema]
    return cells.clear(cells.clear(rows, new), old, only=gone)


@dataclass(frozen=True, slots=True)
class _ClearView:
    """What a role sees of the rows of two versions, whose cells are opened before it is asked.

    Args:
        view: What it sees of clear rows.
        cells: Opens cells.
        sides: The versions.
    """

    view: View
    cells: Cells
    sides: tuple[Snapshot, Snapshot]

    def allowed(self, rows: pl.LazyFrame, snapshot: Snapshot) -> pl.LazyFrame:
        """See `View.allowed`."""
        return self.view.allowed(_cleared(rows, self.cells, self.sides), snapshot)

    def needs(self, snapshot: Snapshot) -> tuple[str, ...]:
        """See `View.needs`."""
        return self.view.needs(snapshot)

    def masked(self, rows: pl.LazyFrame, snapshot: Snapshot) -> pl.LazyFrame:
        """See `View.masked`."""
        return self.view.masked(rows, snapshot)


def _pick_named(table: OpenTable, name: int | str | None) -> Snapshot:
    return table.pick(tag=name) if isinstance(name, str) else table.pick(version=name)


def _shown(table: OpenTable, names: Sequence[str], columns: Sequence[str] | None) -> list[str]:
    if columns is None:
        return _without_control(names)
    if isinstance(columns, str):
        raise UsageError(f"columns is a list of names, not a text: [{columns!r}]")
    unknown = [name for name in columns if name not in names]
    if unknown:
        raise UsageError(
            f"table {table.name} has no column {', '.join(map(str, unknown))}",
            advice=f"its columns are: {', '.join(_without_control(names))}",
        )
    return list(dict.fromkeys(columns))


def _without_control(names: Sequence[str]) -> list[str]:
    return [name for name in names if name not in CONTROL_COLUMNS]
