"""What an erasure makes of the rows of one file: which go, and which cells of the others change. Pure."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import polars as pl

from lakehouse.cdc.timeline import EVENTS
from lakehouse.delta.schema import StructField, StructType, to_polars
from lakehouse.delta.snapshot import Snapshot
from lakehouse.errors import RefusedError, UsageError
from lakehouse.pii.mask.nested import change_inside
from lakehouse.pii.paths import ColumnPath, Step, parse_path
from lakehouse.requests.emptying import Emptying, field_at, neutral_of
from lakehouse.requests.find import RULE, Found
from lakehouse.requests.free_text import Words, words_of
from lakehouse.requests.known import REQUEST
from lakehouse.requests.locate import LIVE, POSITION
from lakehouse.requests.reading import plain_types
from lakehouse.requests.rules import RowRule

Positions: TypeAlias = npt.NDArray[np.integer]
Change: TypeAlias = Callable[[pl.Series, Positions], pl.Series]
"""From the values of a column, and where in the file they are, to what is left of them."""


@dataclass(frozen=True, slots=True)
class Cells:
    """Cells of one column that change.

    Args:
        column: The column.
        positions: Of their rows in the file, ascending.
        change: What becomes of them.
    """

    column: str
    positions: Positions
    change: Change


@dataclass(frozen=True, slots=True, kw_only=True)
class Applied:
    """Rows after an erasure.

    Args:
        left: The rows that stay, with ``__position``.
        deleted: How many went.
        anonymized: How many of those that stay have changed.
    """

    left: pl.DataFrame = field(repr=False)
    deleted: int
    anonymized: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """What is done to the rows of a file.

    Args:
        gone: Positions of rows that go, ascending.
        cells: What changes of the others.
        any_dead: Whether among all of them are rows that are not live, but still in the file.
    """

    gone: Positions
    cells: tuple[Cells, ...] = field(repr=False)
    any_dead: bool

    @property
    def columns(self) -> list[str]:
        """The columns of which cells change."""
        return list(dict.fromkeys(each.column for each in self.cells))

    @property
    def positions(self) -> npt.NDArray[np.uint64]:
        """The rows of which cells change."""
        return np.unique(np.concatenate([each.positions for each in self.cells])).astype(np.uint64)

    def applied(self, part: pl.DataFrame) -> Applied:
        """Does it.

        Args:
            part: Some rows of the file, with ``__position``.
        """
        keep = ~np.isin(part[POSITION].to_numpy(), self.gone)
        left = part.filter(pl.Series(keep)) if not keep.all() else part
        at = left[POSITION].to_numpy()
        changed = np.zeros(left.height, dtype=np.bool_)
        for cells in self.cells:
            here = np.flatnonzero(np.isin(at, cells.positions))
            if not here.size:
                continue
            before = left[cells.column].gather(here)
            after = cells.change(before, at[here])
            differing = before.ne_missing(after).to_numpy()
            changed[here] |= differing
            if differing.any():
                left = left.with_columns(_put(left[cells.column], here, after))
        return Applied(left=left, deleted=int((~keep).sum()), anonymized=int(changed.sum()))


def changes_of(found: Found, rows: pl.DataFrame) -> Changes:
    """Works out what is done to a file.

    Args:
        found: What was found in the table.
        rows: Those of its rows that are in the file, as `Found.going` has them.
    """
    deleting = [number for number, rule in enumerate(found.rules) if rule.do == "delete"]
    gone = np.unique(rows.filter(pl.col(RULE).is_in(deleting))[POSITION].to_numpy())
    cells: list[Cells] = []
    for number, rule in enumerate(found.rules):
        mine = rows.filter(pl.col(RULE) == number)
        if rule.do == "anonymize" and mine.height:
            cells += _cells(found, rule, mine)
    return Changes(gone=gone, cells=tuple(cells), any_dead=not rows[LIVE].all())


def ensure_erasable(found: Found, *, fixed: Collection[str] = ()) -> None:
    """Refuses to empty what has to be full.

    Args:
        found: What was found in the table.
        fixed: The columns that say which row is meant, and which change is newer.

    Raises:
        RefusedError: A column has no neutral value, is one of these, or says in which folder a row is; all
            such columns are named.
    """
    texts = dict.fromkeys(text for rule in found.rules for text in rule.columns)
    reasons = [f"column {text} {why}" for text in texts if (why := _must_stay(found, text, fixed))]
    if reasons:
        raise RefusedError(
            f"table {found.table}: {'; '.join(reasons)}",
            advice="let `do` be delete, or take the column out of `columns`",
        )


def _must_stay(found: Found, text: str, fixed: Collection[str]) -> str:
    newest = found.past.newest
    path, item = _target(newest, text)
    if item is None:
        return ""
    if path.column in newest.partition_columns:
        return "can't be emptied, since it says in which folder a row is"
    if path.column in fixed:
        return "can't be emptied, since it says which row is meant, or which change is newer"
    try:
        if not any(text in rule.text for rule in found.rules):
            neutral_of(item)
    except ValueError:
        return "must not be null, and has no neutral value"
    return ""


def _cells(found: Found, rule: RowRule, rows: pl.DataFrame) -> Iterator[Cells]:
    newest = found.past.newest
    positions = np.unique(rows[POSITION].to_numpy())
    by = {path.column: (text, path) for text in rule.key if (path := _path(newest, text)).steps}
    # A column of the lake's own tells the same again.
    for text in (*rule.columns, EVENTS):
        path, item = _target(newest, text)
        if item is None:
            continue
        change: Change
        if text in rule.text:
            words = words_of(found.people, subject=rule.subject)
            change = _kept if words is None else _without_words(words, path.steps)
        elif not path.steps:
            change = _emptied(item)
        else:
            found_by = by.get(path.column)
            wanted = _wanted(found, rule, rows, found_by[0]) if found_by else {}
            emptying = Emptying(path, found_by[1] if found_by else None, newest.schema.field(path.column))
            change = _emptied_inside(emptying, wanted)
        yield Cells(path.column, positions, change)


def _emptied(item: StructField) -> Change:
    kind = to_polars(StructType((item,)))[item.name]
    neutral = neutral_of(item)

    def change(values: pl.Series, at: Positions) -> pl.Series:
        return pl.Series(values.name, [neutral], dtype=kind).new_from_index(0, len(at))

    return change


def _kept(values: pl.Series, at: Positions) -> pl.Series:  # noqa: ARG001 - as the others are
    return values


def _without_words(words: Words, steps: tuple[Step, ...]) -> Change:
    def change(values: pl.Series, at: Positions) -> pl.Series:  # noqa: ARG001 - as the others are
        return change_inside(values, steps, lambda texts, _: words.taken_out(texts))

    return change


def _emptied_inside(emptying: Emptying, wanted: dict[int, frozenset[Any]]) -> Change:
    nothing: frozenset[Any] = frozenset()

    def change(values: pl.Series, at: Positions) -> pl.Series:
        return emptying(values, [wanted.get(position, nothing) for position in at.tolist()])

    return change


def _wanted(found: Found, rule: RowRule, rows: pl.DataFrame, column: str) -> dict[int, frozenset[Any]]:
    """By position the values of a column or path by which the row was found."""
    types = plain_types(found.past.newest.schema, rule.key)
    keys = found.people.keys(subject=rule.subject, where=rule.where, types=types)
    values = rows.select(POSITION, REQUEST).join(
        keys.select(REQUEST, pl.col(column).alias("__wanted")), on=REQUEST
    )
    grouped = values.group_by(POSITION).agg(pl.col("__wanted").unique())
    return {position: frozenset(those) for position, those in grouped.rows()}


def _target(newest: Snapshot, text: str) -> tuple[ColumnPath, StructField | None]:
    """What is emptied; None for what the table does not have (yet)."""
    path = _path(newest, text)
    if path.column not in newest.schema.names:
        return path, None
    return path, field_at(newest.schema.field(path.column), path.steps)


def _path(newest: Snapshot, text: str) -> ColumnPath:
    try:
        return parse_path(text, columns=newest.schema.names)
    except UsageError:
        return ColumnPath(text)


def _put(values: pl.Series, here: Positions, after: pl.Series) -> pl.Series:
    """The values with others in some places."""
    order = np.arange(len(values))
    order[here] = len(values) + np.arange(len(after))
    return pl.concat([values, after.rename(values.name)]).gather(order)
