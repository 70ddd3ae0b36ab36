"""Finds the stored rows of a batch's keys, and remembers what it found for the case that others commit first.

A data file never changes, so where its keys are is found once. What a commit of somebody else can change is
which files there are and which of their rows are hidden: after it, files that were not there before are read,
rows that a vector hides since then are left out, and all else is as it was found. Whatever does not fit that
exactly (another schema, other changes, a vector that hides less than before) is found anew.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import polars as pl
from pyroaring import BitMap64

from lakehouse.delta.actions import AddFile, Metadata, Protocol
from lakehouse.delta.conflicts import ReadSet
from lakehouse.delta.scan import drop_dead, read_vectors
from lakehouse.delta.snapshot import Snapshot
from lakehouse.errors import LakehouseError
from lakehouse.merge.locate import KeyFilter, Located, locate
from lakehouse.merge.tombstones import APP_ID as TOMBSTONES
from lakehouse.merge.verdicts import CHANGE, FILE, POSITION
from lakehouse.storage import Storage


@dataclass(frozen=True, slots=True)
class _Memory:
    """What was found last, and for what."""

    metadata: Metadata
    protocol: Protocol
    changes: pl.DataFrame
    located: Located

    def fits(self, snapshot: Snapshot, changes: pl.DataFrame) -> bool:
        same_table = self.metadata == snapshot.metadata and self.protocol == snapshot.protocol
        return same_table and self.changes.schema == changes.schema and self.changes.equals(changes)


@dataclass(slots=True)
class Finder:
    """Locates the keys of one batch, try after try; used by one thread."""

    _memory: _Memory | None = None
    _filters: list[KeyFilter] = field(default_factory=list)
    _read: set[str] = field(default_factory=set)
    _everything: bool = False

    def begin(self) -> None:
        """Begins a try: what was read for the one before no longer counts as read."""
        self._filters, self._read, self._everything = [], set(), False

    def read_everything(self) -> None:
        """Notes that the outcome depends on every row of the table (a truncate, a full picture)."""
        self._everything = True

    def trust_nothing(self) -> None:
        """Begins without a memory, and counts every row as read: types change, or values are computed."""
        self._memory, self._everything = None, True

    def reads(self, snapshot: Snapshot) -> ReadSet:
        """What this try was worked out from.

        Args:
            snapshot: The version that it looked at.
        """
        if self._everything:
            return ReadSet.everything(applications=(TOMBSTONES,), metadata_id=snapshot.metadata.id)
        filters = tuple(self._filters)
        return ReadSet(
            files=frozenset(self._read),
            matches=lambda add: any(keys.admits(add, snapshot=snapshot) for keys in filters),
            applications=(TOMBSTONES,),
            metadata_id=snapshot.metadata.id,
        )

    def candidates(self, snapshot: Snapshot, *, keys: pl.DataFrame) -> tuple[AddFile, ...]:
        """The files that can hold at least one of the keys; see `lakehouse.merge.locate.candidates`.

        Args:
            snapshot: The version to look at.
            keys: The key columns of the batch.
        """
        keep = KeyFilter.of(keys)
        found = keep.files(tuple(snapshot.files.values()), snapshot=snapshot)
        self._filters.append(keep)
        self._read.update(add.path for add in found)
        return found

    def locate(
        self,
        storage: Storage,
        snapshot: Snapshot,
        files: Sequence[AddFile],
        *,
        changes: pl.DataFrame,
        key: Sequence[str],
        sequence: Sequence[str],
    ) -> Located:
        """Finds where the keys are; see `lakehouse.merge.locate.locate`.

        Args:
            storage: The table's folder.
            snapshot: The version to look at.
            files: The candidates.
            changes: Key and sequence columns of the batch, one row per key.
            key: The key columns.
            sequence: The sequence columns to read; empty where statistics show that all of the files are
                older than the changes. Of files that were found under one of the two and are used under the
                other the sequence is null, which stands for older.
        """
        keys = changes.select(key).with_row_index(CHANGE)
        memory = self._memory
        if memory is None or not memory.fits(snapshot, changes):
            located = locate(storage, snapshot, files, keys=keys, sequence=sequence)
        else:
            located = _again(storage, snapshot, files, memory.located, keys=keys, sequence=sequence)
        self._memory = _Memory(snapshot.metadata, snapshot.protocol, changes, located)
        return located


def _again(
    storage: Storage,
    snapshot: Snapshot,
    files: Sequence[AddFile],
    known: Located,
    *,
    keys: pl.DataFrame,
    sequence: Sequence[str],
) -> Located:
    """Finds the keys on a later version, with what is known of an earlier one."""
    before = {add.path: number for number, add in enumerate(known.files)}
    pairs = [(number, before[add.path]) for number, add in enumerate(files) if add.path in before]
    moved = [pair for pair in pairs if files[pair[0]].deletion_vector != known.files[pair[1]].deletion_vector]
    hidden = _hidden_since(storage, [(known.files[old], files[new]) for new, old in moved])
    vectors = {new: rows for (new, _), rows in zip(moved, hidden, strict=True) if rows is not None}
    doubtful = {new for (new, _), rows in zip(moved, hidden, strict=True) if rows is None}
    kept = {new: old for new, old in pairs if new not in doubtful}
    number_now = [None] * len(known.files)
    numbers = pl.Series(number_now, dtype=pl.UInt32)
    numbers = numbers.scatter(list(kept.values()), list(kept)) if kept else numbers
    frame = known.frame.with_columns(numbers.gather(known.frame[FILE]).alias(FILE))
    frame = frame.filter(pl.col(FILE).is_not_null())
    frame = drop_dead(frame, vectors, file=FILE, position=POSITION)
    others = [number for number in range(len(files)) if number not in kept]
    if others:
        found = locate(storage, snapshot, [files[n] for n in others], keys=keys, sequence=sequence).frame
        places = pl.Series(others, dtype=pl.UInt32).gather(found[FILE]).alias(FILE)
        frame = pl.concat([frame, found.with_columns(places)], how="diagonal_relaxed")
    return Located(files=tuple(files), frame=frame)


def _hidden_since(storage: Storage, pairs: Sequence[tuple[AddFile, AddFile]]) -> list[BitMap64 | None]:
    """The rows that the later vectors hide; None where a row came back, or that can't be told."""
    if not pairs:
        return []
    try:
        before = read_vectors(storage, [old for old, _ in pairs])
        after = read_vectors(storage, [new for _, new in pairs])
    except LakehouseError:
        return [None] * len(pairs)
    nothing = BitMap64()
    return [
        after.get(number, nothing)
        if before.get(number, nothing).issubset(after.get(number, nothing))
        else None
        for number in range(len(pairs))
    ]
