"""Finds where the stored rows of a batch's keys are: which file, which position, which sequence.

Two steps. `KeyFilter` looks only at statistics and partition values and leaves out every file that can't
hold any of the keys. `locate` reads only the key columns of the candidates (and the sequence columns,
unless statistics already show that every stored row is older than the whole batch) in one streaming scan,
and keeps the rows whose key is in the batch. Memory grows with the batch, not with the table.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import polars as pl

from lakehouse.delta.actions import AddFile
from lakehouse.delta.scan import drop_hidden, scan_files
from lakehouse.delta.scan_query import filters_fast
from lakehouse.delta.snapshot import Snapshot
from lakehouse.delta.stats import bounds_frame
from lakehouse.merge.verdicts import CHANGE, FILE, POSITION, stored
from lakehouse.storage import Storage

_MANY_FILES: Final = 128


@dataclass(frozen=True, slots=True)
class Located:
    """The stored rows of a batch's keys.

    Args:
        files: The candidate files; ``__file`` numbers them from 0.
        frame: ``__change`` (the number of the change with that key), ``__file``, ``__position``, and the
            stored sequence columns as `stored` names them unless all of them are known to be older than the
            batch. Rows that a deletion vector hides are not in it.
    """

    files: tuple[AddFile, ...]
    frame: pl.DataFrame


@dataclass(frozen=True, slots=True)
class KeyFilter:
    """Tells by statistics and partition values which files can hold any of some keys.

    Args:
        columns: For each key column its values, sorted.
    """

    columns: tuple[pl.Series, ...]

    @classmethod
    def of(cls, keys: pl.DataFrame) -> KeyFilter:
        """A filter for keys.

        Args:
            keys: The key columns of a batch.
        """
        return cls(tuple(keys[name].sort() for name in keys.columns))

    def files(self, files: Sequence[AddFile], *, snapshot: Snapshot) -> tuple[AddFile, ...]:
        """The files that can hold at least one of the keys.

        Args:
            files: Any files of the table.
            snapshot: A version with their schema and partitioning.

        Returns:
            The files whose bounds let in at least one value of every key column, and all files without
            bounds.
        """
        if not files or not self.columns or self.columns[0].is_empty():
            return ()
        bounds = bounds_frame(files, [values.name for values in self.columns], snapshot=snapshot)
        keep = pl.Series([True] * len(files))
        for values in self.columns:
            low, high = bounds[f"min.{values.name}"], bounds[f"max.{values.name}"]
            if low.dtype != values.dtype:
                continue
            first = values.search_sorted(low.fill_null(values[0]), side="left")
            inside = first < len(values)
            reached = values.gather(first.clip(0, len(values) - 1)) <= high
            keep &= low.is_null() | high.is_null() | (inside & reached)
        return tuple(add for add, hit in zip(files, keep, strict=True) if hit)

    def admits(self, add: AddFile, *, snapshot: Snapshot) -> bool:
        """Whether one file can hold any of the keys; see `files`."""
        return bool(self.files((add,), snapshot=snapshot))


def all_older(
    snapshot: Snapshot, files: Sequence[AddFile], *, changes: pl.DataFrame, sequence: Sequence[str]
) -> bool:
    """Whether statistics alone show that every stored row of the files is older than every change.

    Args:
        snapshot: The version to look at.
        files: The candidates.
        changes: The batch; only its sequence columns are looked at.
        sequence: The sequence columns; the first of them decides.

    Returns:
        True where the newest bound of all files lies before the oldest change; True also without a sequence.
    """
    if not sequence or not files:
        return True
    column = sequence[0]
    if column not in snapshot.schema.names:
        return True
    bounds = bounds_frame(files, [column], snapshot=snapshot)[f"max.{column}"]
    oldest = changes[column].min()
    if bounds.null_count() or bounds.dtype != changes[column].dtype or oldest is None:
        return False
    return bool((bounds < oldest).all())


def locate(
    storage: Storage,
    snapshot: Snapshot,
    files: Sequence[AddFile],
    *,
    keys: pl.DataFrame,
    sequence: Sequence[str],
) -> Located:
    """Reads where the keys are.

    Args:
        storage: The table's folder.
        snapshot: The version to look at.
        files: The candidates.
        keys: ``__change`` and the key columns of the batch, one row per key.
        sequence: The sequence columns to read; empty where they are not needed.

    Returns:
        The stored rows, hidden ones left out.
    """
    names = {column: stored(column) for column in sequence}
    key = [column for column in keys.columns if column != CHANGE]
    columns = list(dict.fromkeys([*key, *(c for c in sequence if c in snapshot.schema.names)]))
    # Where neither holds, one join over all files is fastest; else rows without the keys are left out first.
    wanted = keys.select(key)
    thinned = filters_fast(wanted)
    scan = scan_files(
        storage,
        snapshot,
        files,
        columns=columns,
        file=FILE,
        position=POSITION,
        apply_vectors=False,
        keys=wanted if thinned or len(files) > _MANY_FILES else None,
    )
    if thinned:
        found = scan.collect(engine="streaming").join(keys, on=key, how="inner")
    else:
        found = scan.join(keys.lazy(), on=key, how="inner").collect(engine="streaming")
    alive = drop_hidden(storage, found, files, file=FILE, position=POSITION)
    # A sequence column can be a key column too, so it is copied, not renamed.
    copies = [
        (pl.col(column) if column in columns else pl.lit(None)).alias(name) for column, name in names.items()
    ]
    return Located(files=tuple(files), frame=alive.select(CHANGE, FILE, POSITION, *copies))
