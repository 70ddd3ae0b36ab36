"""Merges collapsed changes with what a table already knows of their keys, cell by cell. Pure.

What is known of a key is one row: the stored row, or a tombstone, or nothing. It has the same form as a
collapsed change, because it is the same thing: the result of all changes seen so far. So combining is one
symmetric rule, whatever came first:

- The newer position decides whether the key lives and what the row's sequence is. Of a delete and an upsert
  of the same sequence it is the delete; of two upserts of the same sequence the larger content rank.
- Every cell of a living row is the newer one of both sides' cells. A delete counts as a null in every cell.

For changes and stored rows without ``_cells`` the second rule says nothing new: all cells are as old as their
row. So a merge needs this module only where the batch is partial or lacks columns of the table, or where the
stored row has ``_cells``; otherwise comparing the sequences of rows is enough. A column that one side does
not have counts as cells that no change is known to have set.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from lakehouse.cdc.cells import CELLS, COLUMN, RANK, ROW, at, pack
from lakehouse.cdc.changes import DELETE, OP, UPSERT, is_control
from lakehouse.cdc.folding import BASE, FLOOR
from lakehouse.cdc.positions import compare
from lakehouse.cdc.sides import (
    CONFLICTING,
    DUPLICATE,
    NEWER,
    RELATION,
    STALE,
    Side,
    compare_rows,
    row_ranks,
    side,
)
from lakehouse.errors import UsageError

__all__ = [
    "CONFLICTING",
    "DUPLICATE",
    "NEWER",
    "RELATION",
    "STALE",
    "Combined",
    "merge_cells",
    "truncate_cells",
]


@dataclass(frozen=True, slots=True, eq=False)
class Combined:
    """The outcome, row by row, in the order of the input.

    Args:
        frame: What is now known of each key: the columns of the stored rows, then new ones, ``__op`` (upsert:
            the row to store; delete: there is no row; its values are null) and ``_cells``.
        relation: Of type `RELATION`.
        changed: Whether the row differs from what was known, so that it must be written. A stale change
            can still fill or empty single cells.
    """

    frame: pl.DataFrame
    relation: pl.Series
    changed: pl.Series


def merge_cells(
    stored: pl.DataFrame, changes: pl.DataFrame, *, key: Sequence[str], sequence: Sequence[str]
) -> Combined:
    """Combines what is known of some keys with one change for each of them.

    Args:
        stored: What is known: row n belongs to row n of ``changes``. ``__op`` says what it is: 0 a stored
            row, 1 a tombstone, null nothing (without the column all are rows). All columns of the table:
            one that is not here counts as never set. ``_cells`` where the table has it.
        changes: The frame of a `Collapsed`, or a part of it, cast to the table's types.
        key: The key columns.
        sequence: The sequence columns; at least one.

    Returns:
        What is known afterwards.

    Raises:
        UsageError: Without a sequence there is nothing to compare; or the frames have different heights.
    """
    if not sequence or stored.height != changes.height:
        raise UsageError("cells can only be merged by a sequence, and row by row")
    fixed = list(dict.fromkeys([*key, *sequence]))
    inner = {*fixed, CELLS, BASE, FLOOR}
    names = [*stored.columns, *(name for name in changes.columns if name not in stored.columns)]
    values = [name for name in names if name not in inner and not is_control(name)]
    types = {name: changes.schema[name] for name in sequence}
    dtypes = {name: (stored if name in stored.columns else changes).schema[name] for name in values}
    left = side(stored, fixed, dtypes, types)
    right = side(changes, fixed, dtypes, types)
    against = compare_rows(right, left, sequence, values)
    wins = against["order"] == 1
    winner = Side(
        rows=_choose(wins, right.rows, left.rows),
        op=right.op.zip_with(wins, left.op),
        long=_choose_cells(wins, right.long, left.long),
    )
    loser = Side(
        rows=_choose(wins, left.rows, right.rows),
        op=left.op.zip_with(wins, right.op),
        long=_choose_cells(wins, left.long, right.long),
    )
    own_rank = against["right_rank"].zip_with(wins, against["left_rank"])
    rows, long, touched = _fill(winner, loser, values=values, sequence=types, own_rank=own_rank)
    columns = [name for name in names if name in rows.columns]
    frame = rows.select(columns).with_columns(
        winner.op.alias(OP), pack(long, height=rows.height, sequence=types)
    )
    return Combined(frame=frame, relation=against["relation"], changed=(wins | touched).alias("changed"))


def _fill(
    winner: Side,
    loser: Side,
    *,
    values: Sequence[str],
    sequence: Mapping[str, pl.DataType],
    own_rank: pl.Series,
) -> tuple[pl.DataFrame, pl.DataFrame, pl.Series]:
    """Takes over the loser's cells that are newer than the winner's.

    Returns:
        The rows, their cells in long form, and which rows have a cell that changed its age.
    """
    places = at(len(sequence))
    theirs = [f"{name}_theirs" for name in (*places, RANK)]
    touched = pl.repeat(False, winner.rows.height, eager=True)
    if winner.long.is_empty():
        return winner.rows, winner.long, touched
    pairs = winner.long.filter(pl.col(COLUMN).is_in(values)).join(
        loser.long.with_columns(pl.lit(value=True).alias("__entry")),
        on=[ROW, COLUMN],
        how="left",
        suffix="_theirs",
    )
    rows = pairs[ROW]
    # Where the loser has no entry its cell is as old as its row.
    own = [loser.rows[name].gather(rows) for name in sequence]
    has_entry = pl.col("__entry").is_not_null()
    pairs = pairs.with_columns(
        *(
            pl.when(has_entry).then(pl.col(f"{p}_theirs")).otherwise(o).alias(f"{p}_theirs")
            for p, o in zip(places, own, strict=True)
        ),
        loser.op.gather(rows).alias("__op_theirs"),
    )
    by_sequence = compare([pl.col(f"{p}_theirs") for p in places], [pl.col(p) for p in places])
    pairs = pairs.with_columns(by_sequence.alias("__order"))
    needed = pairs.filter((pl.col("__order") >= 0) & ~has_entry & pl.col(f"{places[0]}_theirs").is_not_null())
    ranks = row_ranks(loser, needed[ROW].unique(), values)
    pairs = pairs.with_columns(
        pl.when(has_entry)
        .then(pl.col(f"{RANK}_theirs"))
        .otherwise(ranks.gather(rows))
        .alias(f"{RANK}_theirs"),
        own_rank.gather(rows).alias("__own_rank"),
        *(winner.rows[name].gather(rows).alias(f"__own{n}") for n, name in enumerate(sequence)),
    )
    by_rank = compare([pl.col(f"{RANK}_theirs")], [pl.col(RANK)])
    newer = pl.when(pl.col("__order") == 0).then(by_rank).otherwise(pl.col("__order")) == 1
    # Both unknown: what a writer without sequences left in the cell stays until a change speaks of it.
    kept = (
        pl.col(places[0]).is_null()
        & pl.col(f"{places[0]}_theirs").is_null()
        & (pl.col("__op_theirs") == UPSERT)
    )
    pairs = pairs.with_columns(newer.alias("__newer"), (newer | kept.fill_null(value=False)).alias("__take"))
    filled = _take(winner.rows, loser.rows, pairs.filter("__take"))
    touched = touched.scatter(pairs.filter("__newer")[ROW].unique(), values=True)
    long = pairs.with_columns(
        pl.when("__newer").then(pl.col(name)).otherwise(pl.col(mine)).alias(mine)
        for mine, name in zip((*places, RANK), theirs, strict=True)
    )
    as_row = [pl.col(p) == pl.col(f"__own{n}") for n, p in enumerate(places)]
    twin = pl.all_horizontal(*as_row, pl.col(RANK) == pl.col("__own_rank")).fill_null(value=False)
    return filled, long.filter(~twin).select(winner.long.columns), touched


def _take(rows: pl.DataFrame, source: pl.DataFrame, cells: pl.DataFrame) -> pl.DataFrame:
    """Copies single cells, named by row and column, from one frame into another."""
    for (column,), found in cells.partition_by(COLUMN, as_dict=True).items():
        chosen = pl.repeat(False, rows.height, eager=True).scatter(found[ROW], values=True)
        rows = rows.with_columns(source[column].zip_with(chosen, rows[column]).alias(column))
    return rows


def _choose(mask: pl.Series, these: pl.DataFrame, others: pl.DataFrame) -> pl.DataFrame:
    return pl.DataFrame([these[name].zip_with(mask, others[name]) for name in others.columns])


def _choose_cells(mask: pl.Series, these: pl.DataFrame, others: pl.DataFrame) -> pl.DataFrame:
    chosen = mask.gather(these[ROW]), ~mask.gather(others[ROW])
    return pl.concat([these.filter(chosen[0]), others.filter(chosen[1])])


def truncate_cells(stored: pl.DataFrame, truncate: pl.DataFrame, *, key: Sequence[str]) -> Combined:
    """Applies a truncate to what is known of some keys.

    A merge needs it for stored rows with ``_cells`` that are newer than the truncate: they stay, but those of
    their cells that are not newer become null. Rows that are not newer come out deleted.

    Args:
        stored: What is known, as for `merge_cells`.
        truncate: The truncate's sequence: one row of sequence columns.
        key: The key columns.

    Returns:
        What is known afterwards.
    """
    marks = [pl.lit(truncate[name][0], dtype=dtype).alias(name) for name, dtype in truncate.schema.items()]
    deletes = stored.select(
        *(pl.col(name) for name in stored.columns if name not in {CELLS, OP, *truncate.columns}),
        *marks,
        pl.lit(DELETE, dtype=pl.Int8).alias(OP),
    )
    return merge_cells(stored, deletes, key=key, sequence=truncate.columns)
