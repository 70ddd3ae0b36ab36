"""What a table knows of the keys of a batch: stored rows, tombstones, and cells that never were set."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from lakehouse.cdc.cells import CELLS
from lakehouse.cdc.changes import DELETE, OP, UPSERT, ChangeBatch
from lakehouse.cdc.combine import truncate_cells
from lakehouse.cdc.conform import Conformed
from lakehouse.cdc.generations import (
    GENERATION,
    PLACEHOLDER,
    Generations,
    generations_of,
    mark_unknown,
    unknown_cells,
)
from lakehouse.cdc.order import Collapsed
from lakehouse.delta.actions import AddFile
from lakehouse.delta.schema import StructType, to_polars
from lakehouse.delta.snapshot import Snapshot
from lakehouse.merge import verdicts
from lakehouse.merge.finder import Finder
from lakehouse.merge.graves import last_deletes
from lakehouse.merge.stored import grown, stored_rows
from lakehouse.merge.tombstones import Manifest, find
from lakehouse.merge.verdicts import CHANGE, FILE, POSITION
from lakehouse.storage import Storage


@dataclass(frozen=True, slots=True)
class View:
    """What a plan looks at.

    Args:
        storage: The table's folder.
        snapshot: The version to build on.
        collapsed: One final change per key.
        manifest: What the version remembers of deletes.
        files: All files of the version, by number.
        schema: The table's schema after the merge.
        generations: Since when its columns count, after the merge.
        finder: Finds the keys.
    """

    storage: Storage
    snapshot: Snapshot
    collapsed: Collapsed
    manifest: Manifest
    files: tuple[AddFile, ...]
    schema: StructType
    generations: Generations
    finder: Finder

    @property
    def has_cells(self) -> bool:
        """Whether there are cells with ages of their own."""
        return CELLS in self.snapshot.schema.names

    @property
    def columns(self) -> list[str]:
        """The columns that the table has now, and that changes can speak of."""
        return [name for name in self.snapshot.schema.names if name not in {CELLS, GENERATION}]


@dataclass(frozen=True, slots=True)
class Known:
    """What the table knows of the keys of a batch.

    Args:
        located: Where their rows are, with ``__change``, the number of the change that has the key.
        buried: Tombstones of the others, with ``__change``; None where there are none.
        mark: The sequence of a truncate that comes between the rows and the changes: the rows are those that
            it leaves.
    """

    located: pl.DataFrame
    buried: pl.DataFrame | None
    mark: pl.DataFrame | None


def tombstones_of(view: View, located: pl.DataFrame) -> pl.DataFrame | None:
    """What the table remembers of the keys that are not stored.

    Args:
        view: What is looked at.
        located: Where the other keys are.

    Returns:
        ``__change``, the key columns, and the sequence columns as `verdicts.buried` names them; None where
        nothing is remembered.
    """
    if not view.collapsed.sequence or view.manifest.is_empty:
        return None
    key = list(view.collapsed.key)
    keys = view.collapsed.frame.select(key).with_row_index(CHANGE)
    missing = keys.join(located, on=CHANGE, how="anti")
    found = find(view.storage, view.manifest, keys=missing.select(key), sequence=view.collapsed.sequence)
    return None if found is None else missing.join(found, on=key, how="inner")


def known_rows(view: View, places: pl.Series, known: Known) -> pl.DataFrame:
    """What the table knows of the keys of some changes, row by row: stored row, tombstone or nothing.

    Args:
        view: What is looked at.
        places: The numbers of the changes.
        known: What is known of the keys of the batch.

    Returns:
        The columns of the table, with a sequence also those that come with the merge, and ``__op``: 0 a
        stored row, 1 a tombstone, null nothing.
    """
    key, sequence = list(view.collapsed.key), view.collapsed.sequence
    columns = list(view.snapshot.schema.names)
    names = [*view.columns, *([CELLS] if view.has_cells else [])]
    numbers = pl.DataFrame({CHANGE: places.cast(pl.UInt32)})
    found = known.located.join(numbers, on=CHANGE, how="semi").select(CHANGE, FILE, POSITION)
    rows = stored_rows(view.storage, view.snapshot, view.files, found.select(FILE, POSITION), columns=columns)
    rows = found.join(grown(rows, view.schema), on=[FILE, POSITION])
    if rows[CHANGE].n_unique() != rows.height:
        # A key that is stored more than once; the sequence columns have not always been located.
        rows = rows.sort([*(name for name in sequence if name in columns), FILE, POSITION])
        rows = rows.unique(subset=[CHANGE], keep="last", maintain_order=True)
    rows = rows.drop(FILE, POSITION)
    if sequence:
        rows = _with_later(view, rows)
        names = [name for name in rows.columns if name not in {CHANGE, GENERATION}]
    if known.mark is not None and CELLS in rows.columns:
        left = truncate_cells(rows.drop(CHANGE), known.mark, key=key).frame
        rows = left.select(names).with_columns(rows[CHANGE])
    rows = rows.with_columns(pl.lit(UPSERT, dtype=pl.Int8).alias(OP))
    if known.buried is not None:
        dead = known.buried.join(numbers, on=CHANGE, how="semi").select(
            CHANGE,
            *(pl.col(name).cast(rows.schema[name]) for name in key),
            *(pl.col(verdicts.buried(c)).cast(rows.schema[c]).alias(c) for c in sequence if c not in key),
            pl.lit(DELETE, dtype=pl.Int8).alias(OP),
        )
        rows = pl.concat([rows, dead], how="diagonal")
    return numbers.join(rows, on=CHANGE, how="left", maintain_order="left").select(*names, OP)


def _with_later(view: View, rows: pl.DataFrame) -> pl.DataFrame:
    """Stored rows with all columns that there are after the merge; cells that never were set are marked."""
    types = {**dict.fromkeys(view.generations.untyped, PLACEHOLDER), **to_polars(view.schema)}
    rows = rows.with_columns(
        pl.lit(None, dtype=kind).alias(name) for name, kind in types.items() if name not in rows.columns
    )
    cells = unknown_cells(rows, view.generations)
    if cells.is_empty():
        return rows
    key, sequence = list(view.collapsed.key), view.collapsed.sequence
    graves = last_deletes(view.storage, view.manifest, rows.select(key), sequence=sequence)
    return mark_unknown(rows, cells, graves=graves, sequence=sequence)


def generations_after(
    snapshot: Snapshot, batch: ChangeBatch, conformed: Conformed, *, finder: Finder
) -> Generations:
    """Since when the columns of a table count after a merge; they do where a sequence orders the changes.

    Args:
        snapshot: The version to build on.
        batch: The changes as they came.
        conformed: The changes in the types that the table will have.
        finder: Notes what the outcome depends on.
    """
    known = generations_of(snapshot.configuration)
    if not batch.sequence:
        return known
    fixed = {*batch.key, *batch.sequence, *snapshot.schema.names}
    typed = [name for name in conformed.schema.names if name not in fixed]
    untyped = [name for name in conformed.untyped if name not in known.untyped]
    if not typed and not untyped:
        return known
    if not snapshot.files:
        # That nobody needs to be told apart holds as long as there is no row.
        finder.read_everything()
    return known.with_columns(typed=typed, untyped=untyped, anew=not snapshot.files)
