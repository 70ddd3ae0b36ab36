"""Brings the changes of a batch into order: one final change per key. Pure.

**The order** of the changes of one key is their sequence, column by column, never their arrival. Two changes
with equal sequences are copies of each other (`duplicate`), or they contradict each other
(`conflicting`) and a fixed rule orders them: a delete comes after an upsert, and of two upserts the one with
the larger content rank comes last (see `content_hash`). Without a sequence arrival is the order, and nothing
is ever a copy. Changes that a later one of the same key replaces are `stale`.

**A truncate** is a delete of every key at its sequence: whatever is not newer than the newest truncate of
the batch is stale, also at the same sequence, as with a delete. Without a sequence it ends all that arrived
before it.

**Partial changes** are folded cell by cell: every cell takes the newest value that a change of the key
states, but none from before a delete or truncate. So the final change can have cells that are older than the
change itself. Where that matters (a sequence is given) the column ``_cells`` says how old they are, and
`combine` uses it to merge the result with a stored row; see `cells` for its form. A batch without absent
cells has no such column and pays nothing for it. Columns that the whole batch lacks are not looked at here;
`combine` treats them as absent cells.

Why cells and not rows: let a row be set at 1, its ``email`` at 2 and its ``name`` at 3, each by a partial
change. If 3 arrives before 2, a row-level sequence calls 2 stale and the table depends on arrival. With the
position kept per cell the state of a key is, for every cell, the maximum over all changes seen (and over
deletes, which set every cell to null), and maxima do not depend on order, on how the events are split into
batches, or on how often they come.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import polars as pl

from lakehouse.cdc.cells import CELLS
from lakehouse.cdc.changes import ABSENT, DELETE, OP, ORDINAL, TRUNCATE, UPSERT, ChangeBatch
from lakehouse.cdc.folding import BURIED, Sources, fold, source
from lakehouse.cdc.lineup import CONFLICTING, DUPLICATE, KEY, LOST, OUTCOMES, ROW, STALE, line_up
from lakehouse.cdc.positions import compare

__all__ = ["CONFLICTING", "DUPLICATE", "OUTCOME", "STALE", "Collapsed", "Truncate", "collapse"]

OUTCOME: Final = "outcome"
"""Column of `Collapsed.lost`: why a change is not in the result."""

_PLACE: Final = "__place"


@dataclass(frozen=True, slots=True, eq=False)
class Truncate:
    """The newest truncate of a batch.

    Args:
        ordinal: The arrival position of its record.
        sequence: One row: its sequence columns; no columns where arrival is the order.
    """

    ordinal: int
    sequence: pl.DataFrame


@dataclass(frozen=True, slots=True, eq=False)
class Collapsed:
    """A batch in which every key occurs once.

    Every change of the batch is a row of ``frame``, the truncate, or a row of ``lost``.

    Args:
        frame: One row per key, in order of arrival, with the columns of the batch. Values of deletes outside
            of key and sequence mean nothing. An absence column is there only if a cell of an upsert is still
            absent. ``__base`` is there only if a delete of a row's key, or a truncate, came before it: false
            in such rows; their absent cells, and columns that the whole batch lacks, are null and not what is
            stored. With a sequence ``__floor`` holds the sequence of that delete, and ``_cells``, there only
            if a cell is absent or older than its row, how old; `combine` reads both.
        key: The key columns.
        sequence: The sequence columns.
        lost: The changes that did not get through: ``__ordinal`` and ``outcome`` (an enum of ``stale``,
            ``duplicate``, ``conflicting``), by ordinal.
        truncate: The newest truncate. It comes before all rows of ``frame``, and removes every stored row
            that is not newer.
    """

    frame: pl.DataFrame
    key: tuple[str, ...]
    sequence: tuple[str, ...]
    lost: pl.DataFrame
    truncate: Truncate | None = None

    @property
    def stale(self) -> int:
        """Changes that a later one replaced; what they state may live on in single cells."""
        return self._count(STALE)

    @property
    def duplicate(self) -> int:
        """Changes that are equal to another one, sequence included."""
        return self._count(DUPLICATE)

    @property
    def conflicting(self) -> int:
        """Changes with the key and sequence of another one that says otherwise and that stands."""
        return self._count(CONFLICTING)

    @property
    def partial(self) -> bool:
        """Whether a row has cells that are absent, or older than the row."""
        return any(name == CELLS or name.startswith(ABSENT) for name in self.frame.columns)

    def _count(self, outcome: str) -> int:
        return int((self.lost[OUTCOME] == outcome).sum()) if self.lost.height else 0


def collapse(batch: ChangeBatch) -> Collapsed:
    """Reduces a batch to one final change per key.

    Args:
        batch: Changes in normal form, cast to the table's types (the content rank depends on them).

    Returns:
        The final changes, and what became of the others.
    """
    alive, truncate, losses = _apply_truncates(batch)
    frame = _without_idle_flags(alive)
    flags = [name for name in frame.columns if name.startswith(ABSENT)]
    line, lost = None, pl.Series(dtype=pl.UInt32)
    if not _is_unique(frame, batch.key):
        line = line_up(frame, batch, everything=bool(flags))
        gone = line.filter(pl.col(LOST).is_not_null())
        lost = gone[ROW]
        losses.append(pl.DataFrame({ORDINAL: frame[ORDINAL].gather(lost), OUTCOME: gone[LOST]}))
    kept = fold(
        frame,
        lost,
        _sources(line, frame, flags),
        key=batch.key,
        sequence=batch.sequence,
        truncate=truncate.sequence if truncate is not None else None,
    )
    nothing = pl.DataFrame(schema={ORDINAL: pl.Int64(), OUTCOME: OUTCOMES})
    return Collapsed(
        frame=kept,
        key=batch.key,
        sequence=batch.sequence,
        lost=pl.concat([nothing, *losses]).sort(ORDINAL, maintain_order=True),
        truncate=truncate,
    )


def _apply_truncates(batch: ChangeBatch) -> tuple[pl.DataFrame, Truncate | None, list[pl.DataFrame]]:
    """The changes that the newest truncate leaves, that truncate, and what was lost to it."""
    frame = batch.frame
    if not (frame[OP] == TRUNCATE).any():
        return frame, None, []
    numbered = frame.with_row_index(ROW)
    truncates = numbered.filter(pl.col(OP) == TRUNCATE).sort(
        *batch.sequence, ROW, descending=[False] * len(batch.sequence) + [bool(batch.sequence)]
    )
    newest = truncates.tail(1)
    order = batch.sequence or (ROW,)
    mark = [pl.lit(newest[name][0], dtype=newest.schema[name]) for name in order]
    against = compare([pl.col(name) for name in order], mark)
    is_newest, is_copy = pl.col(ROW) == newest[ROW][0], (pl.col(OP) == TRUNCATE) & (against == 0)
    gone = numbered.filter((against <= 0) & ~is_newest).select(
        ORDINAL,
        pl.when(is_copy).then(pl.lit(DUPLICATE)).otherwise(pl.lit(STALE)).cast(OUTCOMES).alias(OUTCOME),
    )
    alive = numbered.filter(against > 0).drop(ROW)
    return alive, Truncate(newest[ORDINAL][0], newest.select(batch.sequence)), [gone]


def _without_idle_flags(frame: pl.DataFrame) -> pl.DataFrame:
    """Drops the absence columns that say nothing about any upsert."""
    flags = [name for name in frame.columns if name.startswith(ABSENT)]
    if not flags:
        return frame
    in_use = frame.select((pl.col(flag) & (pl.col(OP) == UPSERT)).any() for flag in flags).row(0)
    return frame.drop([flag for flag, used in zip(flags, in_use, strict=True) if not used])


def _is_unique(frame: pl.DataFrame, key: Sequence[str]) -> bool:
    keys = frame[key[0]] if len(key) == 1 else frame.select(pl.struct(key).alias(KEY))[KEY]
    return keys.n_unique() == frame.height


def _sources(line: pl.DataFrame | None, frame: pl.DataFrame, flags: Sequence[str]) -> Sources:
    """Says for final changes from which change each of their cells comes, and which delete came before."""
    columns = tuple(flag[len(ABSENT) :] for flag in flags)
    stated = [(pl.col(OP) == DELETE) | ~pl.col(flag) for flag in flags]
    if line is None:
        own = pl.int_range(pl.len(), dtype=pl.UInt32)
        cells = [pl.when(has).then(own).alias(source(n)) for n, has in enumerate(stated)]
        nothing = pl.lit(None, dtype=pl.UInt32).alias(BURIED)
        return Sources(columns, frame.select(own.alias(ROW), nothing, *cells) if flags else None)
    if not flags:
        line = line.filter(pl.col(KEY).is_in(line.filter(pl.col(OP) == DELETE)[KEY].unique().implode()))
    line = pl.concat([line, frame.select(ORDINAL, *flags)[line[ROW]]], how="horizontal")
    # A delete states every cell: where the newest statement about a cell is a delete nothing came after it.
    place = pl.int_range(pl.len(), dtype=pl.UInt32)
    line = line.with_columns(place.alias(_PLACE), *(has.alias(source(n)) for n, has in enumerate(stated)))
    newest = line.group_by(KEY).agg(
        pl.col(ROW).last(),
        pl.col(OP).last(),
        pl.col(_PLACE).filter(pl.col(OP) == DELETE).max().alias(BURIED),
        *(pl.col(_PLACE).filter(pl.col(source(n))).max().alias(source(n)) for n in range(len(flags))),
    )
    grave, is_delete = pl.col(BURIED), pl.col(OP) == DELETE
    picks = newest.sort(ROW).with_columns(
        pl.when(~is_delete).then(grave).alias(BURIED),
        *(
            pl.when(is_delete | grave.is_null() | (pl.col(source(n)) > grave))
            .then(pl.col(source(n)))
            .alias(source(n))
            for n in range(len(flags))
        ),
    )
    rows = picks.select(ROW, *(line[ROW].gather(picks[name]).alias(name) for name in picks.columns[3:]))
    return Sources(columns, rows if flags or rows[BURIED].count() else None)
