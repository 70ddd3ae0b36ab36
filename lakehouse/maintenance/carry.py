"""What others do to files while they are put together is carried over to the new file.

Each row of a new file is known by where it came from. A row that another writer has taken out of its old file
since, by a vector or with the whole file, is hidden in the new file by a vector as well, so the work on the
other rows is not lost. (Delta Lake and delta-rs give such a compaction up.)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import polars as pl
from pyroaring import BitMap64

from lakehouse.delta import deletion_vectors, protocols, stats
from lakehouse.delta.actions import AddFile
from lakehouse.delta.scan import read_vectors
from lakehouse.delta.snapshot import Snapshot
from lakehouse.maintenance.layout import Group
from lakehouse.storage import Storage

FILE: Final = "file"
POSITION: Final = "position"

MOST_ROWS: Final = 10_000_000
"""Rows whose origin is remembered at most in one compaction, in 8 bytes each. Groups beyond them are given up
where others touch their files."""

MOST_DEAD: Final = 0.5
"""Where more of a group's rows have gone meanwhile, it is given up: what was written is hardly worth it."""


@dataclass(frozen=True, slots=True, eq=False)
class NewFile:
    """A file that was written for a group.

    Args:
        add: The file.
        origins: Where each of its rows was before, in its order: `FILE` (its number in the group) and
            `POSITION`. None where that was not remembered.
    """

    add: AddFile
    origins: pl.DataFrame | None


@dataclass(frozen=True, slots=True, eq=False)
class Rewritten:
    """A group, and the files that were written for it."""

    group: Group
    files: tuple[NewFile, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Landing:
    """What a group comes to in one version of the table.

    Args:
        rewritten: The group.
        removed: Its old files that are still there, as they are there.
        added: The new files, with a vector where rows have gone since.
        vectors: Objects that were written for those.
    """

    rewritten: Rewritten
    removed: tuple[AddFile, ...]
    added: tuple[AddFile, ...]
    vectors: tuple[str, ...] = ()


def has_vectors(snapshot: Snapshot) -> bool:
    """Whether rows of new files can be hidden by vectors.

    Args:
        snapshot: The table.
    """
    return protocols.deletion_vectors(snapshot.protocol, snapshot.metadata)


def land(storage: Storage, rewritten: Rewritten, base: Snapshot) -> Landing | None:
    """Brings a group into a version that others have made since it was read.

    Args:
        storage: The table's folder.
        rewritten: The group, as it was read and written.
        base: The version to build on; the table itself is as it was.

    Returns:
        What to commit; None where the group is to be given up: rows came back, too many went, the table has
        no vectors, or nobody knows where the rows were.

    Raises:
        StorageError: The store failed.
        CorruptTableError: A vector can't be read.
    """
    old = rewritten.group.files
    removed = tuple(base.files[add.path] for add in old if add.path in base.files)
    if removed == old:
        return Landing(rewritten, old, tuple(file.add for file in rewritten.files))
    if not has_vectors(base):
        return None
    gone = _gone(storage, old, base)
    if gone is None or not removed:
        return None
    origins = [file.origins for file in rewritten.files]
    dead = [_positions(rows, gone) for rows in origins if rows is not None]
    rows = sum(found.height for found in origins if found is not None)
    if len(dead) < len(origins) or sum(map(len, dead)) > MOST_DEAD * rows:
        return None
    return _hidden(storage, rewritten, removed, dead)


def _gone(storage: Storage, old: Sequence[AddFile], base: Snapshot) -> Mapping[int, BitMap64 | None] | None:
    """By number of the file, the positions that have gone since; None for the whole file.

    None where a file is another one now, or rows of it came back.
    """
    gone: dict[int, BitMap64 | None] = {}
    marked: dict[int, AddFile] = {}
    for number, add in enumerate(old):
        now = base.files.get(add.path)
        if now is None:
            gone[number] = None
        elif now != add:
            marked[number] = now
            if (now.size, now.partition_values) != (add.size, add.partition_values):
                return None
    before = read_vectors(storage, [old[number] for number in marked])
    after = read_vectors(storage, list(marked.values()))
    for at, number in enumerate(marked):
        then, now_hidden = before.get(at, BitMap64()), after.get(at, BitMap64())
        if not then <= now_hidden:
            return None
        gone[number] = now_hidden - then
    return gone


def _positions(origins: pl.DataFrame, gone: Mapping[int, BitMap64 | None]) -> np.ndarray:
    """Which rows of a new file came from rows that have gone."""
    files = origins[FILE].to_numpy()
    dead = np.zeros(origins.height, dtype=bool)
    for number, hidden in gone.items():
        of_file = files == number
        if hidden is not None:
            positions = pl.Series(deletion_vectors.positions_of(hidden), dtype=pl.UInt32)
            of_file &= origins[POSITION].is_in(positions.implode()).to_numpy()
        dead |= of_file
    return np.flatnonzero(dead)


def _hidden(
    storage: Storage, rewritten: Rewritten, removed: tuple[AddFile, ...], dead: Sequence[np.ndarray]
) -> Landing:
    """The new files with vectors; one of which no row is left is none."""
    counted = [0 if file.origins is None else file.origins.height for file in rewritten.files]
    left = [
        (file.add, positions, rows)
        for file, positions, rows in zip(rewritten.files, dead, counted, strict=True)
        if len(positions) < rows
    ]
    bitmaps = [deletion_vectors.bitmap_of(positions) for _, positions, _ in left if len(positions)]
    written = deletion_vectors.write(storage, bitmaps)
    vectors = iter(written)
    added = tuple(
        replace(add, deletion_vector=next(vectors), stats=stats.loosen(add.stats, num_records=rows))
        if len(positions)
        else add
        for add, positions, rows in left
    )
    paths = {path for vector in written if (path := vector.relative_path()) is not None}
    return Landing(rewritten, removed, added, tuple(paths))
