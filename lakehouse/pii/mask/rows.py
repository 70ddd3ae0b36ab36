"""Rows of data files in parts of bounded memory, masked, with what is computed from them computed anew."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from typing import Final

import numpy as np
import polars as pl

from lakehouse.cdc.control import CONTROL_COLUMNS
from lakehouse.delta import deletion_vectors
from lakehouse.delta.actions import AddFile
from lakehouse.delta.data import read_rows_at, read_vectors, row_counts, scan_file
from lakehouse.delta.snapshot import Snapshot
from lakehouse.errors import RefusedError
from lakehouse.merge.generated import Generated, generated_of
from lakehouse.pii.mask.port import Masks
from lakehouse.storage import Storage

MOST_ROWS: Final = 500_000
"""Rows that are read at once."""

CHUNK_BYTES: Final = 128 * 1024 * 1024
"""So much memory of rows is gathered before it is written, where that is more than one file holds."""


def parts_of(
    storage: Storage, snapshot: Snapshot, add: AddFile, *, columns: Sequence[str], most: int = MOST_ROWS
) -> Iterator[pl.DataFrame]:
    """The living rows of a file, some at a time.

    Args:
        storage: The table's folder.
        snapshot: The version to which the file belongs.
        add: The file.
        columns: The columns to read.
        most: Rows of a part.

    Yields:
        Parts with at least one row, in the file's order.

    Raises:
        CorruptTableError: The file or its vector can't be read.
    """
    rows = add.physical_records
    if rows is None:
        rows = row_counts(storage, [add])[0]
    if add.deletion_vector is None:
        scan = scan_file(storage, snapshot, add, columns=columns)
        for start in range(0, rows, most):
            part = scan.slice(start, most).collect()
            if part.height:
                yield part
        return
    dead = deletion_vectors.positions_of(read_vectors(storage, [add])[0])
    alive = np.delete(np.arange(rows, dtype=np.uint64), dead.astype(np.int64))
    for start in range(0, alive.size, most):
        yield read_rows_at(storage, snapshot, add, alive[start : start + most], columns=columns)


def gathered(parts: Iterable[pl.DataFrame], *, size: int = CHUNK_BYTES) -> Iterator[pl.DataFrame]:
    """Puts small parts together, so that small files do not become as many small ones.

    Args:
        parts: Rows of one schema.
        size: Bytes of memory from which on parts are given on.
    """
    waiting: list[pl.DataFrame] = []
    held = 0
    for part in parts:
        waiting.append(part)
        held += int(part.estimated_size())
        if held >= size:
            yield pl.concat(waiting)
            waiting, held = [], 0
    if waiting:
        yield pl.concat(waiting)


class Masker:
    """Masks rows of a version, and computes the generated columns anew that depend on what was masked.

    A column that is computed from a clear value would tell it.

    Args:
        masks: What to mask.
        snapshot: The version.
        clear: Opens cells that are stored under keys of people, of the masked columns of rows; None where
            there are none.

    Raises:
        UnsupportedFeatureError: A generated column can't be computed here.
    """

    def __init__(
        self,
        masks: Masks,
        snapshot: Snapshot,
        *,
        clear: Callable[[pl.DataFrame, Collection[str]], pl.DataFrame] | None = None,
    ) -> None:
        self._masks = masks
        self._clear = clear
        masked = {each.column for each in masks.paths}
        self._masked = tuple(masked)
        computed = [item for item in snapshot.schema.fields if item.generation_expression is not None]
        # Those that have nothing to do with masks may be computed in any way.
        self._generated: tuple[Generated, ...] = (
            tuple(one for one in generated_of(snapshot.schema) if masked & set(one.formula.columns))
            if computed and masked
            else ()
        )

    @property
    def computed(self) -> tuple[str, ...]:
        """The generated columns that change with the masks."""
        return tuple(one.name for one in self._generated)

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns whose values change."""
        return (*self._masked, *self.computed)

    def mask(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Masks rows.

        Args:
            rows: With all columns of the version but, perhaps, control columns.

        Returns:
            The same columns, rows and order.
        """
        if not rows.height or not self._masks.paths:
            return rows
        plain = [name for name in rows.columns if name not in CONTROL_COLUMNS]
        if self._clear is not None:
            rows = self._clear(rows, self._masked)
        found = rows.with_columns(self._masks.apply(rows.select(plain)).get_columns())
        return found.with_columns(one.values(found) for one in self._generated)


class Distinct:
    """Counts distinct keys before and after masks, by 16 bytes a row.

    Two keys with one mask would become one row for whoever looks for them by it.

    Args:
        key: The key columns; none counts nothing.
    """

    def __init__(self, key: Sequence[str]) -> None:
        self._key = list(key)
        self._pairs: list[pl.DataFrame] = []

    def note(self, before: pl.DataFrame, after: pl.DataFrame) -> pl.DataFrame | None:
        """Takes note of rows.

        Args:
            before: Clear rows.
            after: The same rows, masked.

        Returns:
            What was noted, for `forget`.
        """
        if not self._key or not before.height:
            return None
        pair = pl.DataFrame(
            {
                "before": before.select(self._key).hash_rows(seed=1),
                "after": after.select(self._key).hash_rows(seed=1),
            }
        )
        self._pairs.append(pair)
        return pair

    def forget(self, noted: Sequence[pl.DataFrame]) -> None:
        """Counts rows no more that are not part of the table any more."""
        gone = {id(each) for each in noted}
        self._pairs = [each for each in self._pairs if id(each) not in gone]

    def ensure(self, table: str) -> None:
        """Refuses masks that two keys share.

        A hash of 64 bits stands for each key. Two keys of ten million share one by chance once in about
        350,000 runs; then a good mask is refused, and no bad one taken.

        Args:
            table: The table's name.

        Raises:
            RefusedError: There are fewer masked keys than keys.
        """
        if not self._pairs:
            return
        all_pairs = pl.concat(self._pairs)
        before, after = (int(all_pairs[name].n_unique()) for name in ("before", "after"))
        if after < before:
            raise RefusedError(
                f"table {table}: {before - after:,} of {before:,} keys would have the mask of another one "
                f"(key {', '.join(self._key)}); nothing was done",
                advice="mask key columns by an operator with a mask of its own for each value, as tokenize",
            )
