"""Two rows of one key side by side: what `combine` compares. Each may be a row, a tombstone or nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import polars as pl

from lakehouse.cdc.cells import CELLS, COLUMN, RANK, ROW, at, never, unpack
from lakehouse.cdc.changes import DELETE, OP, UPSERT
from lakehouse.cdc.content_hash import content_rank
from lakehouse.cdc.folding import FLOOR
from lakehouse.cdc.positions import DELETED, compare

NEWER: Final = "newer"
STALE: Final = "stale"
DUPLICATE: Final = "duplicate"
CONFLICTING: Final = "conflicting"

RELATION: Final = pl.Enum([NEWER, STALE, DUPLICATE, CONFLICTING])
"""How a change stands to what was known: newer, older, the same, or of the same sequence and different."""


@dataclass(frozen=True, slots=True, eq=False)
class Side:
    """One side.

    Args:
        rows: Key, sequence, then the value columns of both sides; values of what is no row are null.
        op: Int8: 0 a row, 1 a tombstone, null nothing.
        long: The cells of rows that are not as old as their row, in long form.
    """

    rows: pl.DataFrame
    op: pl.Series
    long: pl.DataFrame


def side(
    frame: pl.DataFrame,
    fixed: Sequence[str],
    dtypes: Mapping[str, pl.DataType],
    sequence: Mapping[str, pl.DataType],
) -> Side:
    """Brings a frame into the form that both sides share.

    Args:
        frame: Stored rows or changes, as `combine.merge_cells` takes them.
        fixed: Key and sequence columns.
        dtypes: The value columns of both sides and their types.
        sequence: The sequence columns and their types.

    Returns:
        The side. Columns that the frame lacks are cells that nobody set.
    """
    op = (
        frame[OP].cast(pl.Int8)
        if OP in frame.columns
        else pl.repeat(UPSERT, frame.height, dtype=pl.Int8, eager=True)
    )
    lives = (op == UPSERT).fill_null(value=False)
    missing = [name for name in dtypes if name not in frame.columns]
    rows = frame.select(
        *(pl.col(name) for name in fixed),
        *(
            pl.lit(None, dtype=dtype).alias(name)
            if name in missing
            else pl.when(lives).then(pl.col(name)).alias(name)
            for name, dtype in dtypes.items()
        ),
    )
    alive = pl.arg_where(lives, eager=True)
    long = (
        unpack(frame[CELLS], sequence=sequence)
        if CELLS in frame.columns
        else never(alive, [], sequence=sequence)
    )
    long = long.filter(pl.col(ROW).is_in(alive.implode()))
    if missing:
        unset = never(alive, missing, sequence=sequence)
        if FLOOR in frame.columns:
            unset = _on_floor(unset, frame[FLOOR], sequence)
        long = pl.concat([long.filter(~pl.col(COLUMN).is_in(missing)), unset])
    return Side(rows=rows, op=op, long=long)


def _on_floor(unset: pl.DataFrame, floors: pl.Series, sequence: Mapping[str, pl.DataType]) -> pl.DataFrame:
    """Dates cells that no change set back to the delete before the row, where there was one."""
    found = floors.gather(unset[ROW])
    return unset.with_columns(
        *(
            found.struct.field(name).alias(place)
            for place, name in zip(at(len(sequence)), sequence, strict=True)
        ),
        pl.Series(RANK, [DELETED], dtype=pl.Int64).new_from_index(0, unset.height).set(found.is_null(), None),
    )


def compare_rows(right: Side, left: Side, sequence: Sequence[str], values: Sequence[str]) -> pl.DataFrame:
    """Compares the positions of the rows.

    Args:
        right: The changes.
        left: What is known.
        sequence: The sequence columns.
        values: The value columns.

    Returns:
        ``order`` (1 where right is newer, 0 equal, -1 older), ``relation``, and where the sequences are equal
        ``right_rank`` and ``left_rank``, else null.
    """
    pairs = pl.DataFrame(
        [right.op.alias("right_op"), left.op.alias("left_op")]
        + [right.rows[name].alias(f"right{n}") for n, name in enumerate(sequence)]
        + [left.rows[name].alias(f"left{n}") for n, name in enumerate(sequence)]
    )
    numbers = range(len(sequence))
    by_sequence = compare([pl.col(f"right{n}") for n in numbers], [pl.col(f"left{n}") for n in numbers])
    # What is known of a key can be nothing, or a row without a sequence: any change is newer.
    by_sequence = pl.when(pl.col("left0").is_null()).then(1).otherwise(by_sequence)
    pairs = pairs.with_columns(by_sequence.cast(pl.Int8).alias("order"))
    tied = pl.arg_where(pairs.select((pl.col("order") == 0).alias("tied"))["tied"], eager=True)
    for name, side in (("right", right), ("left", left)):
        pairs = pairs.with_columns(row_ranks(side, tied, values).alias(f"{name}_rank"))
    by_rank = compare([pl.col("right_rank")], [pl.col("left_rank")])
    is_tied = pl.col("order") == 0
    relation = (
        pl.when(pl.col("order") == 1)
        .then(pl.lit(NEWER))
        .when(pl.col("order") == -1)
        .then(pl.lit(STALE))
        .when(by_rank == 0)
        .then(pl.lit(DUPLICATE))
        .otherwise(pl.lit(CONFLICTING))
    )
    return pairs.select(
        pl.when(is_tied).then(by_rank).otherwise(pl.col("order")).alias("order"),
        relation.cast(RELATION).alias("relation"),
        "right_rank",
        "left_rank",
    )


def row_ranks(side: Side, rows: pl.Series, values: Sequence[str]) -> pl.Series:
    """The ranks of some rows' last changes; null for all other rows.

    The last change of a row stated exactly the cells that have no entry of their own.

    Args:
        side: The rows.
        rows: Numbers of the rows to rank.
        values: The value columns.

    Returns:
        Int64, as many as the side has rows.
    """
    ranks = pl.Series([None], dtype=pl.Int64).new_from_index(0, side.rows.height)
    if rows.is_empty():
        return ranks
    some = side.rows[rows]
    foreign = side.long.filter(pl.col(ROW).is_in(rows.implode())).partition_by(COLUMN, as_dict=True)
    for (column,), cells in foreign.items():
        if column in values:
            some = some.with_columns(
                pl.when(~rows.is_in(cells[ROW].implode())).then(pl.col(column)).alias(column)
            )
    found = content_rank(some, values)
    return ranks.scatter(rows, found.set(side.op.gather(rows) == DELETE, DELETED))
