"""What a truncate removes: every stored row that is not newer than it, and older cells of the others."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Literal

import polars as pl
from pyroaring import BitMap64

from lakehouse.cdc.cells import CELLS
from lakehouse.cdc.changes import OP
from lakehouse.cdc.combine import truncate_cells
from lakehouse.cdc.generations import PLACEHOLDER
from lakehouse.delta.actions import AddFile
from lakehouse.delta.data import row_counts
from lakehouse.delta.deletion_vectors import bitmap_of, positions_of
from lakehouse.delta.scan import scan_file
from lakehouse.delta.snapshot import Snapshot
from lakehouse.delta.stats import bounds_frame
from lakehouse.merge.verdicts import FILE, POSITION, compare
from lakehouse.storage import Storage

_MARK = "__mark_"


@dataclass(frozen=True, slots=True)
class Truncated:
    """The stored rows that a truncate removes.

    Args:
        whole: Numbers of the files that go as a whole.
        dead: By number of the file, the positions of the live rows that go from files that stay.
    """

    whole: frozenset[int] = frozenset()
    dead: dict[int, BitMap64] = field(default_factory=dict)

    def survivors(self, located: pl.DataFrame) -> pl.DataFrame:
        """Leaves out of located rows (``__file``, ``__position``) those that are removed."""
        if self.whole:
            located = located.filter(~pl.col(FILE).is_in(list(self.whole)))
        for number, positions in self.dead.items():
            gone = pl.Series(positions_of(positions)).cast(located.schema[POSITION])
            located = located.filter((pl.col(FILE) != number) | ~pl.col(POSITION).is_in(gone.implode()))
        return located


def standing(
    mark: pl.DataFrame, *, known: pl.DataFrame | None, sequence: Sequence[str]
) -> Literal["newer", "equal", "older"]:
    """How a truncate stands to the newest one that the table remembers.

    Args:
        mark: Its sequence, one row; without columns where arrival is the order.
        known: The sequence of the newest one, one row, or None. One that was remembered under other sequence
            columns can't be compared and counts as older.
        sequence: The sequence columns.
    """
    if known is None or not sequence or not set(sequence) <= set(known.columns):
        return "newer"
    ours, theirs = mark.select(sequence).row(0), known.select(sequence).row(0)
    return "equal" if ours == theirs else "newer" if ours > theirs else "older"


def truncate_files(
    storage: Storage,
    snapshot: Snapshot,
    files: Sequence[AddFile],
    *,
    mark: pl.DataFrame,
    sequence: Sequence[str],
) -> Truncated:
    """Finds what a truncate removes.

    Args:
        storage: The table's folder.
        snapshot: The version to look at.
        files: All files of the version; the result numbers them from 0.
        mark: The truncate's sequence, one row; without columns where arrival is the order: then everything
            goes.
        sequence: The sequence columns.

    Returns:
        Files that go whole, judged by statistics where these suffice, and positions in the others.
    """
    if not sequence or any(column not in snapshot.schema.names for column in sequence):
        return Truncated(whole=frozenset(range(len(files))), dead={})
    newest = bounds_frame(files, sequence[:1], snapshot=snapshot)[f"max.{sequence[0]}"]
    limit = mark[sequence[0]][0]
    whole: set[int] = set()
    dead: dict[int, BitMap64] = {}
    for number, add in enumerate(files):
        bound = newest[number] if newest.dtype == mark.schema[sequence[0]] else None
        if bound is not None and bound < limit:
            whole.add(number)
            continue
        positions = _not_newer(storage, snapshot, add, mark=mark, sequence=sequence)
        if positions and _is_all(storage, add, positions):
            whole.add(number)
        elif positions:
            dead[number] = positions
    return Truncated(whole=frozenset(whole), dead=dead)


def truncate_survivors(
    storage: Storage,
    snapshot: Snapshot,
    files: Sequence[AddFile],
    truncated: Truncated,
    *,
    mark: pl.DataFrame,
    key: Sequence[str],
    untyped: Collection[str] = (),
) -> pl.DataFrame:
    """Finds the rows that stay, but lose cells: newer than the truncate, with cells that are not.

    Args:
        storage: The table's folder.
        snapshot: The version to look at; it has the column ``_cells``.
        files: All files of the version, by number.
        truncated: What the truncate removes.
        mark: The truncate's sequence, one row.
        key: The key columns.
        untyped: Columns without a type, of which ``_cells`` can tell too.

    Returns:
        ``__file``, ``__position`` and the columns of the table: those rows as they are afterwards.
    """
    columns = list(snapshot.schema.names)
    parts = [
        scan_file(storage, snapshot, add, columns=columns, row_index=POSITION)
        .filter(pl.col(CELLS).is_not_null())
        .with_columns(pl.lit(number, dtype=pl.UInt32).alias(FILE))
        for number, add in enumerate(files)
        if number not in truncated.whole
    ]
    if not parts:
        return pl.DataFrame(schema={FILE: pl.UInt32(), POSITION: pl.UInt32()})
    stay = truncated.survivors(pl.concat(pl.collect_all(parts), how="vertical"))
    blank = [pl.lit(None, dtype=PLACEHOLDER).alias(name) for name in untyped]
    after = truncate_cells(stay.drop(FILE, POSITION).with_columns(blank), mark, key=key)
    return after.frame.drop(OP, *untyped).with_columns(stay[FILE], stay[POSITION]).filter(after.changed)


def _is_all(storage: Storage, add: AddFile, positions: BitMap64) -> bool:
    """Whether these are all living rows of a file; the log's word is not enough to let a file go."""
    if len(positions) < (add.live_records or 0):
        return False
    hidden = add.deletion_vector.cardinality if add.deletion_vector else 0
    return len(positions) + hidden >= row_counts(storage, [add])[0]


def _not_newer(
    storage: Storage, snapshot: Snapshot, add: AddFile, *, mark: pl.DataFrame, sequence: Sequence[str]
) -> BitMap64:
    marks = [
        pl.lit(mark[column][0], dtype=mark.schema[column]).alias(f"{_MARK}{column}") for column in sequence
    ]
    rows = scan_file(storage, snapshot, add, columns=list(sequence), row_index="__at").with_columns(marks)
    gone = rows.filter(compare([f"{_MARK}{column}" for column in sequence], sequence) >= 0)
    return bitmap_of(gone.select("__at").collect()["__at"].to_numpy())
