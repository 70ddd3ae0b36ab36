"""The careful way: changes for which the age of the stored row is not enough, settled cell by cell.

A change is settled here where it does not state every column, where it has the same sequence as the stored
row, or where the stored row may have cells of different age. The stored row (or the tombstone) is read
whole and combined with the change by `lakehouse.cdc.combine`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from lakehouse.cdc.cells import CELLS
from lakehouse.cdc.changes import DELETE, OP, UPSERT, absence
from lakehouse.cdc.combine import CONFLICTING, DUPLICATE, STALE, merge_cells
from lakehouse.cdc.folding import BASE
from lakehouse.merge import verdicts
from lakehouse.merge.verdicts import VERDICT


@dataclass(frozen=True, slots=True)
class Settled:
    """Changes that took the careful way.

    Args:
        verdict: Their verdicts, in the order of the input. `verdicts.EQUAL` does not occur.
        conflicting: Which of them had the sequence of the stored row and other content (Boolean).
        rows: The rows to write, of those whose verdict is INSERT or UPDATE, in order; all columns of the
            table that are known.
    """

    verdict: pl.Series
    conflicting: pl.Series
    rows: pl.DataFrame


def settle(
    changes: pl.DataFrame, known: pl.DataFrame, *, key: Sequence[str], sequence: Sequence[str]
) -> Settled:
    """Combines changes with what is known of their keys, by sequence.

    Args:
        changes: Collapsed changes.
        known: Row n is what is known of the key of change n: ``__op`` 0 a stored row, 1 a tombstone, null
            nothing.
        key: The key columns.
        sequence: The sequence columns; at least one.
    """
    combined = merge_cells(known, changes, key=key, sequence=sequence)
    lives = combined.frame[OP] == UPSERT
    was_there = (known[OP] == UPSERT).fill_null(value=False)
    outcome = pl.DataFrame(
        {
            "lives": lives,
            "was_there": was_there,
            "changed": combined.changed,
            "relation": combined.relation.cast(pl.String),
            "is_delete": changes[OP] == DELETE,
        }
    )
    effect = (
        pl.when(pl.col("lives"))
        .then(pl.when("was_there").then(verdicts.UPDATE).otherwise(verdicts.INSERT))
        .otherwise(pl.when("was_there").then(verdicts.DELETED).otherwise(verdicts.ABSENT))
    )
    # A change that lost, or repeats what is stored, leaves the row alone.
    idle = (
        pl.when(pl.col("relation") == DUPLICATE)
        .then(verdicts.DUPLICATE)
        .when(pl.col("relation") == CONFLICTING)
        .then(verdicts.BEATEN)
        .when(pl.col("relation") == STALE)
        .then(verdicts.STALE)
        .otherwise(verdicts.ABSENT)
    )
    # A late upsert of a key that is dead changes nothing, although the combination is "changed" by its
    # sequence.
    buried = ~pl.col("lives") & ~pl.col("was_there") & ~pl.col("is_delete")
    verdict = pl.when(pl.col("changed") & ~buried).then(effect).otherwise(idle).cast(pl.Int8).alias(VERDICT)
    decided = outcome.select(verdict, (pl.col("relation") == CONFLICTING).alias("conflicting"))
    writes = decided[VERDICT].is_in([verdicts.INSERT, verdicts.UPDATE])
    rows = combined.frame.filter(writes).drop(OP)
    if rows[CELLS].null_count() == len(rows):
        rows = rows.drop(CELLS)
    return Settled(verdict=decided[VERDICT], conflicting=decided["conflicting"], rows=rows)


def fill_by_arrival(changes: pl.DataFrame, known: pl.DataFrame, *, columns: Sequence[str]) -> pl.DataFrame:
    """Fills what changes do not state from the stored rows, where arrival is the order.

    Args:
        changes: Collapsed upserts.
        known: Row n is the stored row of change n; all null where there is none.
        columns: The table's columns.

    Returns:
        Rows with those of ``columns`` that either side has; cells that nobody knows are null.
    """
    keeps = changes[BASE] if BASE in changes.columns else pl.repeat(value=True, n=changes.height, eager=True)
    filled: list[pl.Series] = []
    for column in columns:
        if column not in changes.columns and column not in known.columns:
            continue
        old = known[column].set(~keeps, None) if column in known.columns else None
        if column not in changes.columns:
            filled.append(old if old is not None else known[column])
        elif absence(column) in changes.columns:
            new = changes[column]
            blank = old if old is not None else new.clear(new.len())
            filled.append(new.zip_with(~changes[absence(column)], blank.cast(new.dtype)))
        else:
            filled.append(changes[column])
    return pl.DataFrame(filled)
