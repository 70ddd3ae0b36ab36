"""Empties cells of rows that come again, as an erasure empties those that are there. Pure."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

import polars as pl

from lakehouse.delta.schema import STRING, StructField, StructType


def empty(
    frame: pl.DataFrame,
    rows: pl.Series,
    columns: Sequence[str],
    *,
    schema: StructType,
    fixed: Collection[str] = (),
    unless: Callable[[str], str] | None = None,
) -> tuple[pl.DataFrame, pl.Series]:
    """Empties cells.

    Args:
        frame: Rows in the table's types.
        rows: Which of them (Boolean).
        columns: Which columns; those that the frame lacks are nothing to empty.
        schema: The table's columns.
        fixed: Columns without which a row is none.
        unless: Names for a column the one that says where it is not stated.

    Returns:
        The rows, and which of them can't be emptied: a column must not be null and has no neutral value, or
        is part of the key or the order.
    """
    refused = pl.repeat(value=False, n=frame.height, eager=True)
    for name in columns:
        if name not in frame.columns or name not in schema.names:
            continue
        neutral = neutral_of(schema.field(name))
        flag = unless(name) if unless is not None else None
        stated = rows & ~frame[flag] if flag is not None and flag in frame.columns else rows
        if name in fixed or neutral is None:
            refused |= stated
            continue
        here = pl.when(stated).then(neutral).otherwise(pl.col(name)).alias(name)
        frame = frame.with_columns(here.cast(frame.schema[name]))
    return frame, refused


def filled(frame: pl.DataFrame, columns: Sequence[str], *, schema: StructType) -> pl.Series:
    """Which rows have something in cells that are to be empty.

    Args:
        frame: Rows in the table's types.
        columns: The cells.
        schema: The table's columns.
    """
    found = pl.repeat(value=False, n=frame.height, eager=True)
    for name in columns:
        if name in frame.columns:
            neutral = neutral_of(schema.field(name))
            if neutral is None:
                return pl.repeat(value=True, n=frame.height, eager=True)
            found |= frame.select(pl.col(name).ne_missing(neutral.cast(frame.schema[name])))[name]
    return found


def neutral_of(item: StructField) -> pl.Expr | None:
    """What stands in an emptied cell; None where nothing can.

    Args:
        item: The column.
    """
    if item.nullable:
        return pl.lit(None)
    return pl.lit("") if item.type == STRING else None
