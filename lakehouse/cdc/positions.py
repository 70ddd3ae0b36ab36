"""Where a change stands in the order: its sequence, then its rank among changes of the same sequence.

A position is a list of columns: the sequence columns as the user named them, then the rank (Int64). It is
compared column by column. The rank is `DELETED` for deletes and truncates, so that at the same sequence a
delete wins, and the number of the content (see `content_hash`) for upserts. A null sequence is older than
anything: it stands for rows that nobody gave one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import polars as pl

DELETED: Final = 2**63 - 1
"""The rank of deletes and truncates: above every rank of a content."""


def compare(left: Sequence[pl.Expr], right: Sequence[pl.Expr]) -> pl.Expr:
    """Compares two positions, or the beginnings of two positions.

    Args:
        left: One expression per column.
        right: As many, of the same types.

    Returns:
        Int8: 1 where left is newer, 0 where equal, -1 where older. Null is older than anything but null.
    """
    result = pl.lit(0, dtype=pl.Int8)
    newer, older = pl.lit(1, dtype=pl.Int8), pl.lit(-1, dtype=pl.Int8)
    for a, b in zip(reversed(left), reversed(right), strict=True):
        result = (
            pl.when(a.is_not_null() & (b.is_null() | (a > b)))
            .then(newer)
            .when(b.is_not_null() & (a.is_null() | (a < b)))
            .then(older)
            .otherwise(result)
        )
    return result
