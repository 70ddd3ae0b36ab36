"""Reading a table's rows: one file, many files in one query, or single rows by their position.

What comes out always has the table's schema: columns that a file lacks are null, partition columns come from
the log, names are display names, and rows in deletion vectors are left out. The scans are lazy, so that a
query reads only the columns and row groups that it needs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt
import polars as pl
from pyroaring import BitMap64

from lakehouse.delta import deletion_vectors
from lakehouse.delta.actions import AddFile
from lakehouse.delta.scan_groups import check_within
from lakehouse.delta.scan_query import ScanQuery, unused_name
from lakehouse.delta.snapshot import Snapshot
from lakehouse.storage import Storage

Positions: TypeAlias = BitMap64 | npt.NDArray[np.integer] | Sequence[int]

# Positions farther apart than this are read as separate stretches, which skips the row groups between.
_GAP: Final = 1 << 16
_MOST_STRETCHES: Final = 64


def scan_file(
    storage: Storage,
    snapshot: Snapshot,
    add: AddFile,
    *,
    columns: Sequence[str] | None = None,
    row_index: str | None = None,
    apply_vector: bool = True,
) -> pl.LazyFrame:
    """Read one file of a table.

    Args:
        storage: The table's root.
        snapshot: The version to which the file belongs.
        add: The file.
        columns: Display names in the order wanted; None means all.
        row_index: Name for one more column with each row's position in the file, from 0.
        apply_vector: Whether rows in the file's deletion vector are left out.

    Returns:
        The rows in the file's order, lazily; the table's types.

    Raises:
        UsageError: There is no such column.
        CorruptTableError: The vector, a partition value or the footer can't be read.
        UnsupportedFeatureError: A column's type is not known here.
    """
    return scan_files(
        storage, snapshot, [add], columns=columns, position=row_index, apply_vectors=apply_vector
    )


def scan_table(storage: Storage, snapshot: Snapshot, *, columns: Sequence[str] | None = None) -> pl.LazyFrame:
    """Read a whole version of a table.

    Args:
        storage: The table's root.
        snapshot: The version.
        columns: Display names in the order wanted; None means all.

    Returns:
        The rows, lazily; the table's types.

    Raises:
        UsageError: There is no such column.
        CorruptTableError: A vector, partition value or footer can't be read.
        UnsupportedFeatureError: A column's type is not known here.
    """
    return scan_files(storage, snapshot, list(snapshot.files.values()), columns=columns)


def scan_files(
    storage: Storage,
    snapshot: Snapshot,
    adds: Sequence[AddFile],
    *,
    columns: Sequence[str] | None = None,
    file: str | None = None,
    position: str | None = None,
    apply_vectors: bool = True,
    keys: pl.DataFrame | None = None,
) -> pl.LazyFrame:
    """Read many files of a table in one query.

    Args:
        storage: The table's root.
        snapshot: The version to which the files belong.
        adds: The files.
        columns: Display names in the order wanted; None means all.
        file: Name for one more column (UInt32) with the number of each row's file in ``adds``.
        position: Name for one more column (UInt32) with each row's position in its file, from 0.
        apply_vectors: Whether rows in deletion vectors are left out. Whoever looks for few rows is faster
            leaving them in and dropping the dead among those found (`drop_dead`).
        keys: Only rows whose values in these columns (all among ``columns``) are a row of it. The same
            as a semi-join afterwards, and faster on many files with ``file`` or ``position``.

    Returns:
        The rows, lazily: the columns, then ``file``, then ``position``. Collect with
        ``engine="streaming"`` for memory that does not grow with the files.

    Raises:
        UsageError: There is no such column.
        CorruptTableError: A vector, partition value or footer can't be read.
        UnsupportedFeatureError: A column's type is not known here.
    """
    query = ScanQuery.make(storage, snapshot, columns, file=file, position=position, keys=keys)
    if not adds:
        return query.empty()
    return query.run(adds, read_vectors(storage, adds) if apply_vectors else {})


def read_rows_at(
    storage: Storage,
    snapshot: Snapshot,
    add: AddFile,
    positions: Positions,
    *,
    columns: Sequence[str] | None = None,
    row_index: str | None = None,
) -> pl.DataFrame:
    """Read single rows of a file; row groups without any of them are skipped.

    Args:
        storage: The table's root.
        snapshot: The version to which the file belongs.
        add: The file.
        positions: Positions in the file, in any order; repeats count once. The file's deletion vector is
            not looked at.
        columns: Display names in the order wanted; None means all.
        row_index: Name for one more column with the positions.

    Returns:
        The rows, by ascending position; the table's types.

    Raises:
        UsageError: There is no such column.
        CorruptTableError: A partition value or the footer can't be read.
        UnsupportedFeatureError: A column's type is not known here.
    """
    wanted = _sorted(positions)
    index = row_index or unused_name("position", snapshot.schema.names)
    scan = scan_file(storage, snapshot, add, columns=columns, row_index=index, apply_vector=False)
    if wanted.size == 0:
        rows = scan.clear().collect()
    else:
        rows = pl.concat(
            [
                scan.slice(int(part[0]), int(part[-1] - part[0]) + 1).filter(
                    pl.col(index).is_in(pl.Series(part, dtype=pl.UInt32).implode())
                )
                for part in _stretches(wanted)
            ]
        ).collect()
    return rows if row_index else rows.drop(index)


def read_vectors(storage: Storage, adds: Sequence[AddFile]) -> dict[int, BitMap64]:
    """Read the deletion vectors of files.

    Args:
        storage: The table's root.
        adds: The files.

    Returns:
        The number of each file in ``adds`` that has a vector, and the positions of its dead rows.

    Raises:
        CorruptTableError: A vector can't be read.
    """
    having = {
        number: add.deletion_vector for number, add in enumerate(adds) if add.deletion_vector is not None
    }
    bitmaps = deletion_vectors.read_all(storage, list(having.values()))
    for number, bitmap in zip(having, bitmaps, strict=True):
        check_within(adds[number], bitmap, rows=adds[number].physical_records, root=storage.url)
    return dict(zip(having, bitmaps, strict=True))


def drop_dead(
    found: pl.DataFrame, vectors: Mapping[int, BitMap64], *, file: str, position: str
) -> pl.DataFrame:
    """Drop the rows that deletion vectors hide from among rows that were found without regard to them.

    Args:
        found: Rows with the number of their file and their position.
        vectors: Number of a file to the positions of its dead rows; see `read_vectors`.
        file: The column with the file's number.
        position: The column with the position.

    Returns:
        The living rows, in the same order.
    """
    if not vectors or found.is_empty():
        return found
    files, places = found[file].to_numpy(), found[position].to_numpy()
    alive = np.ones(found.height, dtype=np.bool_)
    for number, bitmap in vectors.items():
        here = np.flatnonzero(files == number)
        if here.size:
            alive[here] = ~_contains(deletion_vectors.positions_of(bitmap), places[here])
    return found if alive.all() else found.filter(pl.Series(alive))


def drop_hidden(
    storage: Storage, found: pl.DataFrame, adds: Sequence[AddFile], *, file: str, position: str
) -> pl.DataFrame:
    """Drop the rows that their files' deletion vectors hide; only vectors of files with a row are read.

    Args:
        storage: The table's root.
        found: Rows that were found without regard to vectors, with the number of their file and position.
        adds: The files by number.
        file: The column with the file's number.
        position: The column with the position.

    Returns:
        The living rows, in the same order.
    """
    hit: list[int] = found[file].unique().to_list()
    vectors = read_vectors(storage, [adds[number] for number in hit])
    return drop_dead(found, {hit[at]: dead for at, dead in vectors.items()}, file=file, position=position)


def _contains(ascending: npt.NDArray[np.uint64], asked: npt.NDArray[np.integer]) -> npt.NDArray[np.bool_]:
    if not ascending.size:
        return np.zeros(asked.size, dtype=np.bool_)
    nearest = np.minimum(np.searchsorted(ascending, asked), ascending.size - 1)
    found: npt.NDArray[np.bool_] = ascending[nearest] == asked
    return found


def _sorted(positions: Positions) -> npt.NDArray[np.uint64]:
    if isinstance(positions, BitMap64):
        return deletion_vectors.positions_of(positions)
    return np.unique(np.asarray(positions, dtype=np.uint64))


def _stretches(positions: npt.NDArray[np.uint64]) -> list[npt.NDArray[np.uint64]]:
    gaps = np.diff(positions)
    far = np.flatnonzero(gaps > _GAP)
    if far.size >= _MOST_STRETCHES:
        far = np.sort(far[np.argsort(gaps[far])[-_MOST_STRETCHES + 1 :]])
    return np.split(positions, far + 1)
