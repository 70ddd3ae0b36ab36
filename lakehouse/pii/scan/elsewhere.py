"""Values of a column that is empty in a sample, from files that are known to have some."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import Any, Final

import polars as pl

from lakehouse.delta.actions import AddFile
from lakehouse.delta.data import scan_file
from lakehouse.delta.exact import column
from lakehouse.delta.scan import drop_hidden
from lakehouse.delta.scan_query import unused_name
from lakehouse.delta.snapshot import Snapshot
from lakehouse.delta.stat_columns import indexed_leaves
from lakehouse.storage import Storage
from lakehouse.timetravel.reading import collect

MOST_FILES: Final = 4
"""Of those that have values, so many are opened."""


class Filled:
    """Which files have values of a column, as far as their statistics say so. They are read on first use.

    Args:
        snapshot: The version.
        adds: Its files.
    """

    def __init__(self, snapshot: Snapshot, adds: Sequence[AddFile]) -> None:
        self._snapshot = snapshot
        self._adds = adds
        self._known: list[tuple[int, Mapping[str, Any]]] | None = None

    def files(self, name: str) -> list[int]:
        """The numbers of files whose statistics say that they have values of a column.

        Args:
            name: Its display name.
        """
        leaves = indexed_leaves(self._snapshot.schema, metadata=self._snapshot.metadata)
        paths = [leaf.physical for leaf in leaves if leaf.path[0] == name]
        if not paths:
            return []
        return [
            at
            for at, add in enumerate(self._adds)
            if any(_has(add.physical_records, self._nulls(at), path) for path in paths)
        ]

    def _nulls(self, at: int) -> Mapping[str, Any]:
        if self._known is None:
            self._known = [(number, add.statistics.null_count) for number, add in enumerate(self._adds)]
        return self._known[at][1]


def _has(rows: int | None, nulls: object, path: Sequence[str]) -> bool:
    for name in path:
        nulls = nulls.get(name) if isinstance(nulls, Mapping) else None
    return rows is not None and isinstance(nulls, int) and nulls < rows


def values_elsewhere(
    storage: Storage,
    snapshot: Snapshot,
    adds: Sequence[AddFile],
    *,
    name: str,
    files: Sequence[int],
    wanted: int,
    shortened: pl.Expr,
    table: str,
    seed: int,
) -> pl.Series:
    """Reads values of one column, without nulls, from a few files.

    Args:
        storage: The table's folder.
        snapshot: The version.
        adds: Its files.
        name: The column.
        files: Numbers of those that have values of it.
        wanted: How many values.
        shortened: The column, its long values cut.
        table: The table's name, for errors.
        seed: Chooses the files.

    Returns:
        The values; rows in deletion vectors are left out.

    Raises:
        CorruptTableError: A file is gone or damaged.
        StorageError: The store failed.
    """
    chosen = sorted(random.Random(seed).sample(list(files), min(len(files), MOST_FILES)))  # noqa: S311
    file, position = (unused_name(each, [name]) for each in ("file", "position"))
    parts = [
        scan_file(storage, snapshot, adds[at], columns=[name], row_index=position, apply_vector=False)
        .filter(column(name).is_not_null())
        .head(max(1, wanted // len(chosen)))
        .with_columns(shortened, pl.lit(at, dtype=pl.UInt32).alias(file))
        for at in chosen
    ]
    found = collect(pl.concat(parts), storage=storage, snapshot=snapshot, table=table)
    return drop_hidden(storage, found, adds, file=file, position=position)[name]
