"""From which change each cell of a row came, where that is not the row's last change.

A row that was put together from partial changes has cells of different age. A late change may be older
than the row and still newer than one of its cells; so the row must remember how old that cell is. It does so
in one nullable column, `CELLS`, which is null for every row that came from one complete change:

    list of {columns: text, at: {<sequence columns>}, rank: Int64}

Each entry names the columns (one per line, sorted) whose cells came from one older change, and that
change's position. Three kinds:

- ``at`` and ``rank`` set: the cells are values of that change.
- ``rank`` is `positions.DELETED`: the key was deleted, or the table truncated, at ``at``, and nothing newer
  said anything about these columns: they are null, and only a change newer than ``at`` may fill them.
- ``at`` is null: no change that is known said anything about these columns. The cells are null, or what
  somebody wrote who keeps no sequences; any change with a sequence may fill or bury them.

Entries are grouped by change and not by column because a change mostly brings the same columns as others:
the texts repeat and Parquet stores them once. In Delta the column is
``array<struct<columns:string,at:struct<...>,rank:long>>``.

Inside this room entries are handled in long form: one row per cell, with the columns `ROW`, `COLUMN`,
``__at0``, ``__at1``... and `RANK`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import polars as pl

CELLS: Final = "_cells"
"""Name of the stored column that says how old single cells are."""

ROW: Final = "__row"
"""Long form: the row's number in its frame (UInt32)."""

COLUMN: Final = "__column"
"""Long form: the column's name."""

RANK: Final = "__rank"
"""Long form: the rank of the change that the cell came from."""

SEPARATOR: Final = "\n"
"""Stands between the names of an entry. Delta allows it in no column name without column mapping."""


def at(count: int) -> list[str]:
    """Names the columns of the long form that hold a cell's sequence.

    Args:
        count: How many sequence columns there are.

    Returns:
        ``__at0``, ``__at1``...
    """
    return [f"__at{number}" for number in range(count)]


def cells_type(sequence: Mapping[str, pl.DataType]) -> pl.List:
    """The type of the stored column.

    Args:
        sequence: The sequence columns and their types.

    Returns:
        The Polars type.
    """
    return pl.List(pl.Struct({"columns": pl.String(), "at": pl.Struct(sequence), "rank": pl.Int64()}))


def empty_long(sequence: Mapping[str, pl.DataType]) -> pl.DataFrame:
    """A long form without cells.

    Args:
        sequence: The sequence columns and their types.

    Returns:
        No rows, all columns.
    """
    types = dict(zip(at(len(sequence)), sequence.values(), strict=True))
    return pl.DataFrame(schema={ROW: pl.UInt32(), COLUMN: pl.String(), **types, RANK: pl.Int64()})


def never(rows: pl.Series, columns: Sequence[str], *, sequence: Mapping[str, pl.DataType]) -> pl.DataFrame:
    """Says of some cells that no change is known to have set them.

    Args:
        rows: Numbers of rows.
        columns: Names of columns: every one of them, in every one of the rows.
        sequence: The sequence columns and their types.

    Returns:
        Long form.
    """
    long = pl.DataFrame({ROW: rows.cast(pl.UInt32)}).join(pl.DataFrame({COLUMN: list(columns)}), how="cross")
    return pl.concat([empty_long(sequence), long], how="diagonal")


def unpack(cells: pl.Series, *, sequence: Mapping[str, pl.DataType]) -> pl.DataFrame:
    """Takes a stored column apart.

    Args:
        cells: Of the type `cells_type`.
        sequence: The sequence columns and their types, as the rows now have them.

    Returns:
        Long form, one row per cell that has an entry.
    """
    entries = (
        pl.DataFrame({CELLS: cells}).with_row_index(ROW).drop_nulls(CELLS).explode(CELLS).drop_nulls(CELLS)
    )
    if entries.is_empty():
        return empty_long(sequence)
    entry, when = pl.col(CELLS).struct, pl.col(CELLS).struct.field("at").struct
    fields = [
        when.field(name).cast(dtype).alias(place)
        for place, (name, dtype) in zip(at(len(sequence)), sequence.items(), strict=True)
    ]
    names = entry.field("columns").str.split(SEPARATOR).alias(COLUMN)
    return entries.select(
        pl.col(ROW).cast(pl.UInt32), names, *fields, entry.field("rank").alias(RANK)
    ).explode(COLUMN)


def pack(long: pl.DataFrame, *, height: int, sequence: Mapping[str, pl.DataType]) -> pl.Series:
    """Puts a stored column together.

    Args:
        long: Long form, in any order.
        height: How many rows the frame has.
        sequence: The sequence columns and their types.

    Returns:
        The column `CELLS`; null for rows without an entry. Equal entries make equal values.
    """
    if long.is_empty():
        return pl.Series(CELLS, [None], dtype=cells_type(sequence)).new_from_index(0, height)
    places = at(len(sequence))
    when = pl.struct(pl.col(place).alias(name) for place, name in zip(places, sequence, strict=True))
    entries = (
        long.group_by(ROW, *places, RANK)
        .agg(pl.col(COLUMN).sort().str.join(SEPARATOR).alias("columns"))
        .sort(ROW, *places, RANK)
        .select(ROW, pl.struct("columns", when.alias("at"), pl.col(RANK).alias("rank")).alias(CELLS))
        .group_by(ROW, maintain_order=True)
        .agg(CELLS)
    )
    rows = pl.DataFrame({ROW: pl.int_range(height, dtype=pl.UInt32, eager=True)})
    return rows.join(entries, on=ROW, how="left", maintain_order="left")[CELLS]


def joined(first: pl.Series | None, second: pl.Series | None) -> pl.Series | None:
    """Joins two stored columns of the same rows.

    Args:
        first: The entries that come first (the older ones), or None.
        second: The others, or None.

    Returns:
        The column `CELLS`, or None where both are None.
    """
    if first is None or second is None:
        return first if second is None else second
    both = pl.DataFrame({"first": first, "second": second})
    a, b = pl.col("first"), pl.col("second")
    return both.select(
        pl.when(a.is_null()).then(b).when(b.is_null()).then(a).otherwise(pl.concat_list(a, b)).alias(CELLS)
    )[CELLS]
