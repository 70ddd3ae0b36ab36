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

from collections.abc import Callable, Sequence
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
    sequence: Sequence[str],
    located: pl.DataFrame,
    tombstones: pl.DataFrame | None = None,
) -> pl.Series:
    """Gives each change its verdict.

    Args:
        changes: The collapsed changes, one row per key: ``__op`` and the sequence columns.
        sequence: The sequence columns; empty where arrival is the order.
        located: The stored rows that have one of the keys: ``__change`` (the number of the change with that
            key) and, unless all of them are known to be older, the stored sequence columns named by
            `stored`. A key may be there more than once (tables written without a key): the newest counts.
        tombstones: Deletes that the table remembers for keys of the batch: ``__change`` and the sequence
            columns named by `buried`, at most one row per key. None where there are none.

    Returns:
        ``__verdict``, one per change.
    """
    newest = newest_per_change(located, sequence=sequence)
    is_delete = changes[OP] == DELETE
    verdict = _pick(is_delete, ABSENT, INSERT)
    if tombstones is not None and sequence:
        number, against = _against(changes, tombstones, sequence, buried)
        gone = is_delete.gather(number)
        known = _pick(against < 0, STALE, verdict.gather(number))
        verdict = verdict.scatter(number, _pick(against == 0, _pick(gone, DUPLICATE, BEATEN), known))
    if sequence and stored(sequence[0]) in newest.columns:
        number, against = _against(changes, newest, sequence, stored)
        effect = _pick(is_delete.gather(number), DELETED, UPDATE)
        return verdict.scatter(number, _pick(against < 0, STALE, _pick(against == 0, EQUAL, effect)))
    number = newest[CHANGE]
    return verdict.scatter(number, _pick(is_delete.gather(number), DELETED, UPDATE))


def newest_per_change(located: pl.DataFrame, *, sequence: Sequence[str]) -> pl.DataFrame:
    """Stored rows, one per key: the newest, where a key is stored more than once.

    Args:
        located: ``__change``, and perhaps ``__file``, ``__position`` and the stored sequence columns.
        sequence: The sequence columns.
    """
    if located[CHANGE].n_unique() == len(located):
        return located
    names = [stored(column) for column in sequence] + [FILE, POSITION]
    ordered = located.sort([name for name in names if name in located.columns], nulls_last=False)
    return ordered.unique(subset=[CHANGE], keep="last", maintain_order=True)


def _against(
    changes: pl.DataFrame, known: pl.DataFrame, sequence: Sequence[str], name: Callable[[str], str]
) -> tuple[pl.Series, pl.Series]:
    """The numbers of the changes whose key is known, and how each compares with what is known of it."""
    number = known[CHANGE]
    pairs = changes.select(sequence)[number].with_columns(known[name(column)] for column in sequence)
    against = pairs.select(compare(sequence, [name(column) for column in sequence]).alias("against"))
    return number, against["against"]


def _pick(mask: pl.Series, yes: pl.Series | int, no: pl.Series | int) -> pl.Series:
    """One of two verdicts, row by row."""
    values = [item if isinstance(item, pl.Series) else pl.lit(item, dtype=pl.Int8) for item in (yes, no)]
    chosen = pl.select(pl.when(mask).then(values[0]).otherwise(values[1]).cast(pl.Int8).alias(VERDICT))
    return chosen[VERDICT]
