"""What archived rows say of their columns: null, or nothing, since they did not know them. Pure."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from lakehouse.cdc.cells import CELLS, COLUMN, ROW, at, unpack
from lakehouse.cdc.changes import ORDINAL, ChangeBatch, absence
from lakehouse.cdc.generations import GENERATION, Generations, unknown_to


@dataclass(frozen=True, slots=True)
class Stated:
    """Archived rows as changes.

    Args:
        rows: Without the control columns that a merge writes itself, with all columns that some row states:
            also those that had no type then.
        absent: By column, which rows say nothing of it.
    """

    rows: pl.DataFrame
    absent: dict[str, pl.Series]

    def mark(self, batch: ChangeBatch) -> pl.DataFrame:
        """The frame of the batch that was made of the rows, with what they don't state marked.

        Args:
            batch: The rows in normal form; which row is which its ordinals tell.
        """
        frame = batch.frame
        marks = []
        for name, flags in self.absent.items():
            mark = flags.gather(frame[ORDINAL]).alias(absence(name))
            marks.append(mark | frame[mark.name] if mark.name in frame.columns else mark)
        return frame.with_columns(marks)


def stated(rows: pl.DataFrame, generations: Generations) -> Stated:
    """Tells what archived rows state.

    A cell that no change ever set says nothing either. The other ages of single cells are not looked at: they
    are as old as their row.

    Args:
        rows: As they were archived.
        generations: Since when the columns counted in the table that they were taken from.
    """
    told = rows if GENERATION in rows.columns else rows.with_columns(pl.lit(None, pl.Int32).alias(GENERATION))
    told = told.with_columns(
        pl.lit(None, pl.Null).alias(name) for name in generations.untyped if name not in rows.columns
    )
    flags = {
        name: told.select(unknown_to(pl.col(GENERATION), name, since).alias(name))[name]
        for name, since in generations.later.items()
        if name in told.columns
    }
    for name, never in _never_set(rows).items():
        flags[name] = flags[name] | never if name in flags else never
    gone = [name for name, unknown in flags.items() if unknown.all()]
    return Stated(
        told.drop(CELLS, GENERATION, *gone, strict=False),
        {name: unknown for name, unknown in flags.items() if unknown.any() and name not in gone},
    )


def _never_set(rows: pl.DataFrame) -> dict[str, pl.Series]:
    """By column, the rows of which no change is known to have set that cell, and which have nothing there."""
    kind = rows.schema.get(CELLS)
    if not isinstance(kind, pl.List) or not isinstance(kind.inner, pl.Struct):
        return {}
    when = next(field.dtype for field in kind.inner.fields if field.name == "at")
    assert isinstance(when, pl.Struct)  # noqa: S101 - that is the column's form
    sequence = pl.Schema(when.to_schema())
    cells = unpack(rows[CELLS], sequence=sequence)
    unset = cells.filter(pl.all_horizontal(pl.col(at(len(sequence))).is_null()))
    numbers = pl.int_range(rows.height, dtype=pl.UInt32, eager=True)
    found = {}
    for (name,), part in unset.group_by(COLUMN):
        column = str(name)
        if column in rows.columns:
            found[column] = numbers.is_in(part[ROW].implode()) & rows[column].is_null()
    return found
