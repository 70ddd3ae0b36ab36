"""Decides, per key, what the final change of a batch does to the table: pure, no I/O, no clock.

The batch has been collapsed to one change per key. For each of them the table knows at most three things:
the stored row (with its sequence), a tombstone (a delete at a sequence), and the watermark (the newest
truncate). A change takes effect only if it is newer than what is known of its key.

======================  =====================  ==========================================
what the table knows    the change is          verdict
======================  =====================  ==========================================
a stored row            newer                  ``UPDATE`` or ``DELETE``
a stored row            older                  ``STALE``
a stored row            of the same sequence   ``EQUAL``: the contents decide
a tombstone, no row     newer                  ``INSERT``, or ``ABSENT`` for a delete
a tombstone, no row     older                  ``STALE``
a tombstone, no row     of the same sequence   ``DUPLICATE`` for a delete, else ``BEATEN``
nothing                 an upsert              ``INSERT``
nothing                 a delete               ``ABSENT`` (it still becomes a tombstone)
======================  =====================  ==========================================

A row whose stored sequence is null (written by somebody who does not keep one) is older than anything.
Without a sequence every change is newer: arrival is the order.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import polars as pl

from lakehouse.cdc.changes import DELETE, OP

CHANGE: Final = "__change"
"""Row number of the change in the collapsed frame (UInt32)."""

FILE: Final = "__file"
"""Number of the data file that holds the stored row (UInt32); null where there is none."""

POSITION: Final = "__position"
"""Physical position of the stored row in its file, from 0 (UInt32)."""

VERDICT: Final = "__verdict"
"""Column of the verdicts (Int8)."""

INSERT: Final = 0
UPDATE: Final = 1
DELETED: Final = 2
ABSENT: Final = 3
STALE: Final = 4
EQUAL: Final = 5
DUPLICATE: Final = 6
BEATEN: Final = 7

_STORED: Final = "__stored_"
_BURIED: Final = "__buried_"


def stored(column: str) -> str:
    """Names the column that carries the stored row's value of a sequence column."""
    return f"{_STORED}{column}"


def buried(column: str) -> str:
    """Names the column that carries a tombstone's value of a sequence column."""
    return f"{_BURIED}{column}"


def compare(left: Sequence[str], right: Sequence[str]) -> pl.Expr:
    """Compares two lists of columns, one after the other.

    Args:
        left: Columns without nulls.
        right: As many columns, of the same types; a null there is older than anything.

    Returns:
        Int8: 1 where left is newer, 0 where equal, -1 where older.
    """
    result = pl.lit(0, dtype=pl.Int8)
    for mine, theirs in zip(reversed(left), reversed(right), strict=True):
        a, b = pl.col(mine), pl.col(theirs)
        newer, older = pl.lit(1, dtype=pl.Int8), pl.lit(-1, dtype=pl.Int8)
        result = pl.when(b.is_null() | (a > b)).then(newer).when(a < b).then(older).otherwise(result)
    return result


def decide(
    changes: pl.DataFrame,
    *,
    key: Sequence[str],
    sequence: Sequence[str],
    located: pl.DataFrame,
    tombstones: pl.DataFrame | None = None,
) -> pl.DataFrame:
    """Gives each change its verdict.

    Args:
        changes: The collapsed changes: key columns, sequence columns, ``__op``, ``__change``; one row per
            key.
        key: The key columns.
        sequence: The sequence columns; empty where arrival is the order.
        located: The stored rows that have one of the keys: key columns, ``__file``, ``__position`` and,
            unless all of them are known to be older, the stored sequence columns named by ``stored``. A key
            may be there more than once (tables written without a key): the newest counts.
        tombstones: Deletes that the table remembers for keys of the batch: key columns and the sequence
            columns named by ``buried``, one row per key. None where there are none.

    Returns:
        ``changes`` with ``__verdict``, in the same order.
    """
    matches = newest_per_key(located, key=key, sequence=sequence).drop(FILE, POSITION)
    work = changes.join(matches.with_columns(__found=True), on=list(key), how="left", maintain_order="left")
    is_delete = pl.col(OP) == DELETE
    found = pl.col("__found").is_not_null()
    no_row = pl.when(is_delete).then(ABSENT).otherwise(INSERT)
    if tombstones is not None and sequence:
        work = work.join(
            tombstones.with_columns(__dead=True), on=list(key), how="left", maintain_order="left"
        )
        against = compare(sequence, [buried(column) for column in sequence])
        same = pl.when(is_delete).then(DUPLICATE).otherwise(BEATEN)
        known = pl.when(against < 0).then(STALE).when(against == 0).then(same).otherwise(no_row)
        no_row = pl.when(pl.col("__dead").is_null()).then(no_row).otherwise(known)
    with_row = pl.when(is_delete).then(DELETED).otherwise(UPDATE)
    if sequence and stored(sequence[0]) in work.columns:
        against = compare(sequence, [stored(column) for column in sequence])
        with_row = pl.when(against < 0).then(STALE).when(against == 0).then(EQUAL).otherwise(with_row)
    verdict = pl.when(found).then(with_row).otherwise(no_row)
    return work.select(*changes.columns, verdict.cast(pl.Int8).alias(VERDICT))


def newest_per_key(located: pl.DataFrame, *, key: Sequence[str], sequence: Sequence[str]) -> pl.DataFrame:
    """Stored rows, one per key: the newest, where a key is stored more than once.

    Args:
        located: Key columns, ``__file``, ``__position``, and perhaps the stored sequence columns.
        key: The key columns.
        sequence: The sequence columns.
    """
    if located.select(pl.struct(key).n_unique() if len(key) > 1 else pl.col(key[0]).n_unique()).item() == len(
        located
    ):
        return located
    names = [stored(column) for column in sequence if stored(column) in located.columns]
    ordered = located.sort([*names, FILE, POSITION], nulls_last=False)
    return ordered.unique(subset=list(key), keep="last", maintain_order=True)
