"""Which rows differ between two versions, by looking only at files that differ.

A file that both versions have, with the same deletion vector, holds no difference. Of a file with another
vector only the positions in one vector and not in the other count. What is left are the rows that went and
the rows that came; rows that only moved (compaction, rewriting) are in both and cancel out. So a difference
costs what changed, not what is there, works in both directions, and needs no change data feed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import polars as pl
from pyroaring import BitMap64

from lakehouse.delta.actions import AddFile
from lakehouse.delta.locations import map_files
from lakehouse.delta.scan import read_rows_at, read_vectors, scan_file
from lakehouse.delta.snapshot import Snapshot
from lakehouse.storage import Storage

CHANGE: Final = "_change"
KINDS: Final = ("delete", "insert", "update_before", "update_after")
_SIDE: Final = "__side"
_NTH: Final = "__nth"


def diff(
    storage: Storage, *, before: Snapshot, after: Snapshot, key: Sequence[str], columns: Sequence[str]
) -> pl.DataFrame:
    """The changed rows between two versions.

    Args:
        storage: The table's folder.
        before: The version to start from.
        after: The version to arrive at; may be the older one.
        key: The table's key; empty where it has none (then there are no updates, only deletes and inserts).
        columns: The columns to show and to compare, key included.

    Returns:
        ``_change`` (``insert``, ``update_before``, ``update_after``, ``delete``) and the columns, ordered
        by key, or for a table without one by all columns.
    """
    gone = _rows(storage, before, _left_behind(storage, before, after), columns)
    came = _rows(storage, after, _left_behind(storage, after, before), columns)
    gone, came = _aligned(gone, came, columns)
    gone, came = _cancel(gone, came)
    return _label(gone, came, key=key, columns=columns)


def _left_behind(storage: Storage, mine: Snapshot, theirs: Snapshot) -> list[tuple[AddFile, BitMap64 | None]]:
    """The files, and positions in them (None: all live rows), whose rows the other version lacks there."""
    pairs = [(add, theirs.files.get(path)) for path, add in mine.files.items()]
    marked = [
        (add, other)
        for add, other in pairs
        if other is not None and other.deletion_vector not in (None, add.deletion_vector)
    ]
    # All at once: vectors of many files usually lie in one object.
    here = read_vectors(storage, [add for add, _ in marked])
    there = read_vectors(storage, [other for _, other in marked])
    found: list[tuple[AddFile, BitMap64 | None]] = [(add, None) for add, other in pairs if other is None]
    for number, (add, _) in enumerate(marked):
        dead_there = there[number] - here[number] if number in here else there[number]
        if dead_there:
            found.append((add, dead_there))
    return found


def _rows(
    storage: Storage,
    snapshot: Snapshot,
    places: Sequence[tuple[AddFile, BitMap64 | None]],
    columns: Sequence[str],
) -> pl.DataFrame:
    known = [column for column in columns if column in snapshot.schema.names]

    def read(add: AddFile, positions: BitMap64 | None) -> pl.DataFrame:
        if positions is None:
            return scan_file(storage, snapshot, add, columns=known).collect()
        return read_rows_at(storage, snapshot, add, positions, columns=known)

    parts = map_files(lambda place: read(*place), places, storage=storage)
    return pl.concat(parts, how="vertical") if parts else pl.DataFrame()


def _aligned(
    gone: pl.DataFrame, came: pl.DataFrame, columns: Sequence[str]
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Both sides with the same columns and types: a column that one version lacks is null there."""
    sides = [gone.with_columns(pl.lit("gone").alias(_SIDE)), came.with_columns(pl.lit("came").alias(_SIDE))]
    both = (
        pl.concat([side for side in sides if side.height], how="diagonal_relaxed")
        if gone.height + came.height
        else None
    )
    if both is None:
        empty = pl.DataFrame(schema=dict.fromkeys(columns, pl.Null))
        return empty, empty
    wanted = [column for column in columns if column in both.columns]
    return both.filter(pl.col(_SIDE) == "gone").select(wanted), both.filter(pl.col(_SIDE) == "came").select(
        wanted
    )


def _comparable(frame: pl.DataFrame) -> list[pl.Expr]:
    """Expressions equal where the rows are equal, also for types that can't be joined on."""
    return [
        pl.struct(name).struct.json_encode().alias(name) if dtype.is_nested() else pl.col(name)
        for name, dtype in frame.schema.items()
    ]


def _cancel(gone: pl.DataFrame, came: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Takes out the rows that are on both sides, as often as they are on both."""
    if gone.is_empty() or came.is_empty():
        return gone, came
    names = gone.columns
    keyed = [
        side.select(_comparable(side))
        .with_columns(pl.int_range(pl.len()).over(names).alias(_NTH))
        .with_row_index("__row")
        for side in (gone, came)
    ]
    only = [
        mine.join(theirs, on=[*names, _NTH], how="anti", nulls_equal=True)["__row"]
        for mine, theirs in ((keyed[0], keyed[1]), (keyed[1], keyed[0]))
    ]
    return gone[only[0]], came[only[1]]


def _label(
    gone: pl.DataFrame, came: pl.DataFrame, *, key: Sequence[str], columns: Sequence[str]
) -> pl.DataFrame:
    shown = [column for column in columns if column in gone.columns]
    order = list(key) if key and all(column in shown for column in key) else []
    if order:
        updated_gone = gone.join(came.select(order), on=order, how="semi", nulls_equal=True)
        updated_came = came.join(gone.select(order), on=order, how="semi", nulls_equal=True)
        parts = {
            "delete": gone.join(came.select(order), on=order, how="anti", nulls_equal=True),
            "insert": came.join(gone.select(order), on=order, how="anti", nulls_equal=True),
            "update_before": updated_gone,
            "update_after": updated_came,
        }
    else:
        parts = {"delete": gone, "insert": came}
    labelled = [
        part.select(pl.lit(kind, dtype=pl.Enum(KINDS)).alias(CHANGE), *shown) for kind, part in parts.items()
    ]
    sortable = [name for name in (order or shown) if not gone.schema[name].is_nested()]
    result = pl.concat(labelled, how="vertical").sort([*sortable, CHANGE], nulls_last=True)
    return result.with_columns(pl.col(CHANGE).cast(pl.String))
