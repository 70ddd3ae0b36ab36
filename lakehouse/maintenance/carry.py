"""Brings a compaction that others overtook up to date: what they hid in the old files is hidden in the new.

A compaction takes long, and merges go on marking rows in the files that it reads. The new files hold the
rows of the old ones in their order, without those that were hidden then; so where a row lies in them follows
from where it lay before. Rows that were hidden since get a deletion vector in the new files (Delta protocol,
section "Deletion Vectors"). Where a file is gone, or a row of it came back, its group is given up and the
others go on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from pyroaring import BitMap64

from lakehouse.delta import deletion_vectors, stats
from lakehouse.delta.actions import AddFile
from lakehouse.delta.deletion_vectors import bitmap_of, positions_of
from lakehouse.delta.scan import read_vectors
from lakehouse.delta.snapshot import Snapshot
from lakehouse.storage import Storage


@dataclass(frozen=True, slots=True)
class Rewritten:
    """Files that were written anew.

    Args:
        files: The old files, as they were read.
        live: For each of them, how many rows were read.
        added: The new files; they hold those rows, in this order.
    """

    files: tuple[AddFile, ...]
    live: tuple[int, ...]
    added: tuple[AddFile, ...]


@dataclass(frozen=True, slots=True)
class Carried:
    """One group as it is committed on a later version.

    Args:
        files: The old files as they are in that version.
        added: The new files, with vectors where rows were hidden meanwhile; those without a row left out.
        vectors: Paths of the vectors written for it.
    """

    files: tuple[AddFile, ...]
    added: tuple[AddFile, ...]
    vectors: tuple[str, ...] = ()


def carry(storage: Storage, group: Rewritten, base: Snapshot) -> Carried | None:
    """Fits a group to a version that is newer than the one it was read from.

    Args:
        storage: The table's folder.
        group: What was written.
        base: The version to commit on; of the same schema and properties.

    Returns:
        What to commit; None where an old file is gone or shows a row that was hidden before.

    Raises:
        CorruptTableError: A vector can't be read.
    """
    now = [base.files.get(add.path) for add in group.files]
    files = tuple(add for add in now if add is not None)
    if len(files) != len(group.files):
        return None
    moved = [n for n, add in enumerate(files) if add.deletion_vector != group.files[n].deletion_vector]
    if not moved:
        return Carried(files, group.added)
    before = read_vectors(storage, [group.files[n] for n in moved])
    after = read_vectors(storage, [files[n] for n in moved])
    nothing = BitMap64()
    pairs = {n: (before.get(at, nothing), after.get(at, nothing)) for at, n in enumerate(moved)}
    if not all(old.issubset(new) for old, new in pairs.values()):
        return None
    hidden = hidden_rows(pairs, live=group.live, sizes=[add.physical_records or 0 for add in group.added])
    stay = [
        n for n, add in enumerate(group.added) if len(hidden.get(n, nothing)) < (add.physical_records or 0)
    ]
    marked = [n for n in stay if n in hidden]
    written = deletion_vectors.write(storage, [hidden[n] for n in marked]) if marked else []
    vectors = dict(zip(marked, written, strict=True))
    added = [
        replace(group.added[n], deletion_vector=vectors[n], stats=stats.loosen(group.added[n].stats))
        if n in vectors
        else group.added[n]
        for n in stay
    ]
    paths = {path for vector in written if (path := vector.relative_path()) is not None}
    return Carried(files, tuple(added), tuple(sorted(paths)))


def hidden_rows(
    vectors: Mapping[int, tuple[BitMap64, BitMap64]], *, live: Sequence[int], sizes: Sequence[int]
) -> dict[int, BitMap64]:
    """Where rows that were hidden in old files lie in new ones: pure.

    Args:
        vectors: By number of the old file, the positions that were hidden when it was read, and those that
            are now; the first are among the second.
        live: For each old file, how many rows were read of it.
        sizes: For each new file, how many rows it has. They hold the rows of the old ones in order.

    Returns:
        By number of the new file, the positions in it; none for files in which nothing is hidden.
    """
    starts = np.concatenate([[0], np.cumsum(live)]).astype(np.int64)
    ends = np.cumsum(sizes).astype(np.int64)
    places = [np.array([], dtype=np.int64)]
    for number, (old, new) in vectors.items():
        gone = positions_of(new - old).astype(np.int64)
        passed = np.searchsorted(positions_of(old).astype(np.int64), gone)
        places.append(starts[number] + gone - passed)
    rows = np.sort(np.concatenate(places))
    owners = np.searchsorted(ends, rows, side="right")
    found: dict[int, BitMap64] = {}
    for number in np.unique(owners).tolist():
        begin = int(ends[number - 1]) if number else 0
        found[number] = bitmap_of((rows[owners == number] - begin).astype(np.uint64))
    return found
