"""Which rows differ between two versions, by looking only at files that differ.

A file that both versions have, with the same deletion vector, holds no difference. Of a file with another
vector only the positions in one vector and not in the other count. What is left are the rows that went and
the rows that came; rows that only moved (compaction, rewriting) are in both and cancel out. So a difference
costs what changed, not what is there, works in both directions, and needs no change data feed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, Protocol, TypeAlias

import polars as pl
from pyroaring import BitMap64

from lakehouse.cdc.control import CONTROL_COLUMNS
from lakehouse.delta.actions import AddFile
from lakehouse.delta.column_mapping import mode, physical_names
from lakehouse.delta.exact import column
from lakehouse.delta.locations import map_files
from lakehouse.delta.scan import read_rows_at, read_vectors, scan_file
from lakehouse.delta.schema import to_polars, type_string
from lakehouse.delta.snapshot import Snapshot
from lakehouse.errors import UsageError
from lakehouse.storage import Storage

CHANGE: Final = "_change"
KINDS: Final = ("delete", "insert", "update_before", "update_after")
_NTH: Final = "nth"
_ROW: Final = "row"


_Places: TypeAlias = list[tuple[AddFile, BitMap64 | None]]
"""Files, and positions in them; None means all live rows."""


class Viewer(Protocol):
    """What somebody who compares versions sees of each."""

    def allowed(self, rows: pl.LazyFrame, snapshot: Snapshot) -> pl.LazyFrame:
        """Keeps the rows of a version that may be seen."""

    def needs(self, snapshot: Snapshot) -> tuple[str, ...]:
        """Further columns that masks depend on."""

    def masked(self, rows: pl.LazyFrame, snapshot: Snapshot) -> pl.LazyFrame:
        """Masks rows of a version."""


def diff(
    storage: Storage,
    *,
    before: Snapshot,
    after: Snapshot,
    key: Sequence[str],
    columns: Sequence[str],
    viewer: Viewer | None = None,
) -> pl.DataFrame:
    """The changed rows between two versions.

    Args:
        storage: The table's folder.
        before: The version to start from.
        after: The version to arrive at; may be the older one.
        key: The table's key; empty where it has none (then there are no updates, only deletes and inserts).
            Columns of it that one of the versions lacks count for nothing.
        columns: The columns to show and to compare, key included. One that was renamed in between is
            compared as one, and shown under the name that it has in ``after``.
        viewer: Who compares; None sees everything. What differs is then what is seen to: a value that
            changed behind the same mask is no difference.

    Returns:
        ``_change`` (``insert``, ``update_before``, ``update_after``, ``delete``) and the columns, ordered
        by key, or for a table without one by all columns. A column whose type was changed comes in one that
        holds the values of both versions.

    Raises:
        UsageError: A column has types in the two versions that have nothing in common.
    """
    names = _names_before(before, after)
    shown = {old: new for new, old in names.items()}
    columns = [name for name in columns if name in after.schema or name not in shown]
    kinds = _types(before, after, columns, names=names)
    if viewer is None:
        gone = _rows(storage, before, _left_behind(storage, before, after), kinds, names=names)
        came = _rows(storage, after, _left_behind(storage, after, before), kinds, names={})
    else:
        needed = [name for name in viewer.needs(after) if name in after.schema or name in before.schema]
        beside = _types(before, after, needed, names=names)
        sides = (before, after)
        gone, came = _seen(storage, sides, kinds, beside=beside, names=names, viewer=viewer)
    known = [name if name in after.schema else shown.get(name, "") for name in key]
    return _label(*_cancel(gone, came), key=[name for name in known if names.get(name) in before.schema])


def _names_before(before: Snapshot, after: Snapshot) -> dict[str, str]:
    """What the columns of the version after were called before: a renamed column is the same one."""
    old, new = (
        physical_names(side.schema, mode(side.metadata, protocol=side.protocol)) for side in (before, after)
    )
    called = {physical: name for name, physical in old.items()}
    renamed = {name: called[physical] for name, physical in new.items() if physical in called}
    # A column that was made anew under the name of one that went is compared with that one.
    taken = set(renamed.values())
    return {name: name for name in new if name in old and name not in taken} | renamed


def _types(
    before: Snapshot, after: Snapshot, columns: Sequence[str], *, names: Mapping[str, str]
) -> pl.Schema:
    """For each column a type that holds the values of both versions."""
    old = to_polars(before.schema)
    sides = [
        {name: old[own] for name in columns if (own := names.get(name, name)) in old},
        to_polars(after.schema),
    ]
    found: dict[str, pl.DataType] = {}
    for name in columns:
        empty = [pl.DataFrame(schema={name: side[name]}) for side in sides if name in side]
        if not empty:
            continue
        try:
            found[name] = pl.concat(empty, how="vertical_relaxed").schema[name]
        except pl.exceptions.PolarsError:
            then = type_string(before.schema.field(names.get(name, name)).type)
            now = type_string(after.schema.field(name).type)
            raise UsageError(
                f"column {name!r} is {then} in version {before.version} and {now} in version "
                f"{after.version}, which can't be compared",
                advice="leave it out by naming the columns to compare",
            ) from None
    return pl.Schema(found)


def _left_behind(storage: Storage, mine: Snapshot, theirs: Snapshot) -> _Places:
    """The places whose rows the other version lacks there."""
    pairs = [(add, theirs.files.get(path)) for path, add in mine.files.items()]
    marked = [
        (add, other)
        for add, other in pairs
        if other is not None and other.deletion_vector not in (None, add.deletion_vector)
    ]
    # All at once: vectors of many files usually lie in one object.
    here = read_vectors(storage, [add for add, _ in marked])
    there = read_vectors(storage, [other for _, other in marked])
    found: _Places = [(add, None) for add, other in pairs if other is None]
    for number, (add, _) in enumerate(marked):
        dead_there = there[number] - here[number] if number in here else there[number]
        if dead_there:
            found.append((add, dead_there))
    return found


def _rows(
    storage: Storage,
    snapshot: Snapshot,
    places: _Places,
    kinds: pl.Schema,
    *,
    names: Mapping[str, str],
) -> pl.DataFrame:
    """The rows at these places, in the types of both versions: a column that this one lacks is null."""
    known = [there for name in kinds if (there := names.get(name, name)) in snapshot.schema]

    def read(add: AddFile, positions: BitMap64 | None) -> pl.DataFrame:
        if positions is None:
            rows = scan_file(storage, snapshot, add, columns=known).collect()
        else:
            rows = read_rows_at(storage, snapshot, add, positions, columns=known)
        return _in_types(rows, kinds, names=names)

    parts = map_files(lambda place: read(*place), places, storage=storage)
    return pl.concat([pl.DataFrame(schema=kinds), *parts], how="vertical")


def _in_types(rows: pl.DataFrame, kinds: pl.Schema, *, names: Mapping[str, str]) -> pl.DataFrame:
    own = {name: there for name in kinds if (there := names.get(name, name)) in rows.columns}
    return rows.select(
        (column(own[name]).cast(kind) if name in own else pl.lit(None, dtype=kind)).alias(name)
        for name, kind in kinds.items()
    )


def _seen(
    storage: Storage,
    sides: tuple[Snapshot, Snapshot],
    kinds: pl.Schema,
    *,
    beside: pl.Schema,
    names: Mapping[str, str],
    viewer: Viewer,
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The rows that may be seen, masked.

    Those that only moved cancel out before, with the columns beside that masks depend on: not every mask is
    the same when it is made twice.
    """
    before, after = sides
    called: tuple[Mapping[str, str], Mapping[str, str]] = (names, {})
    whole: list[pl.DataFrame] = []
    for mine, theirs in (sides, (after, before)):
        shown = {name: kind for name, kind in to_polars(mine.schema).items() if name not in CONTROL_COLUMNS}
        rows = _rows(storage, mine, _left_behind(storage, mine, theirs), pl.Schema(shown), names={})
        whole.append(viewer.allowed(rows.lazy(), mine).collect())
    wide = pl.Schema({**kinds, **beside})
    clear = [_in_types(rows, wide, names=own) for rows, own in zip(whole, called, strict=True)]
    masked = [
        viewer.masked(rows[some].lazy(), side).collect()
        for rows, some, side in zip(whole, _apart(*clear), sides, strict=True)
    ]
    gone, came = (_in_types(rows, kinds, names=own) for rows, own in zip(masked, called, strict=True))
    return gone, came


def _cancel(gone: pl.DataFrame, came: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Takes out the rows that are on both sides, as often as they are on both."""
    left = _apart(gone, came)
    return gone[left[0]], came[left[1]]


def _apart(gone: pl.DataFrame, came: pl.DataFrame) -> tuple[pl.Series, pl.Series]:
    """The places of the rows that are on one side only."""
    if gone.is_empty() or came.is_empty():
        all_gone, all_came = (pl.int_range(side.height, eager=True) for side in (gone, came))
        return all_gone, all_came
    names = [column(name) for name in gone.columns]
    # Numbered columns, so that no name of the table's can be taken for one of these two.
    keyed = [
        side.select(
            *(value.alias(f"{number}") for number, value in enumerate(names)),
            pl.int_range(pl.len()).over(names).alias(_NTH),
        ).with_row_index(_ROW)
        for side in (gone, came)
    ]
    on = [name for name in keyed[0].columns if name != _ROW]
    only = [
        mine.join(theirs, on=on, how="anti", nulls_equal=True)[_ROW]
        for mine, theirs in ((keyed[0], keyed[1]), (keyed[1], keyed[0]))
    ]
    return only[0], only[1]


def _label(gone: pl.DataFrame, came: pl.DataFrame, *, key: Sequence[str]) -> pl.DataFrame:
    if key and all(name in gone.columns for name in key):
        order = [column(name) for name in key]
        keys = [side.select(order) for side in (gone, came)]
        parts = {
            "delete": gone.join(keys[1], on=order, how="anti", nulls_equal=True),
            "insert": came.join(keys[0], on=order, how="anti", nulls_equal=True),
            "update_before": gone.join(keys[1], on=order, how="semi", nulls_equal=True),
            "update_after": came.join(keys[0], on=order, how="semi", nulls_equal=True),
        }
    else:
        order = [column(name) for name, kind in gone.schema.items() if not kind.is_nested()]
        parts = {"delete": gone, "insert": came}
    labelled = [part.insert_column(0, _kinds(kind, part.height)) for kind, part in parts.items()]
    result = pl.concat(labelled, how="vertical").sort([*order, pl.col(CHANGE)], nulls_last=True)
    return result.with_columns(pl.col(CHANGE).cast(pl.String))


def _kinds(kind: str, count: int) -> pl.Series:
    return pl.Series(CHANGE, [kind], dtype=pl.Enum(KINDS)).new_from_index(0, count)
