"""Lines the changes of a batch up: by key, by sequence, and by a fixed rule where the sequences are equal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import polars as pl

from lakehouse.cdc.changes import ABSENT, DELETE, OP, ORDINAL, UPSERT, ChangeBatch
from lakehouse.cdc.content_hash import content_rank
from lakehouse.cdc.positions import DELETED

STALE: Final = "stale"
DUPLICATE: Final = "duplicate"
CONFLICTING: Final = "conflicting"

OUTCOMES: Final = pl.Enum([STALE, DUPLICATE, CONFLICTING])
"""Why a change is not in the result."""

ROW: Final = "__row"
"""Column of a line: number of the change in its frame (UInt32)."""

KEY: Final = "__key"
"""Column of a line: number of the key (UInt32)."""

LOST: Final = "__lost"
"""Column of a line: why the change is not in the result, or null."""

_TIE: Final = "__tie"
_RANK: Final = "__rank"


def line_up(frame: pl.DataFrame, batch: ChangeBatch, *, everything: bool) -> pl.DataFrame:
    """Sorts changes by key and sequence, and settles those of equal sequence.

    Args:
        frame: The changes.
        batch: The batch that they are from.
        everything: Whether keys that occur once are wanted too.

    Returns:
        ``__row``, ``__op``, ``__key`` and ``__lost``, sorted by key and then from the oldest to the newest
        change, so that the last of each key, for which ``__lost`` is null, is the one that stands.
    """
    values = tuple(name for name in batch.columns if name not in {*batch.key, *batch.sequence})
    line = _sort(frame, batch.key, batch.sequence, everything=everything)
    line = _settle(line, frame, values)
    superseded = (pl.col(KEY) == pl.col(KEY).shift(-1)).fill_null(value=False)
    stale = pl.when(superseded).then(pl.lit(STALE, dtype=OUTCOMES))
    return line.select(ROW, OP, KEY, pl.coalesce(pl.col(LOST), stale).alias(LOST))


def settle_ties(
    frame: pl.DataFrame, *, key: Sequence[str], sequence: Sequence[str], values: Sequence[str]
) -> pl.DataFrame:
    """Sorts changes by key and sequence, and lets one stand of those with the same key and sequence.

    Args:
        frame: Changes in normal form.
        key: The key columns.
        sequence: The sequence columns; at least one.
        values: The other columns, which tell copies from contradictions.

    Returns:
        ``__row``, ``__op``, ``__key`` and ``__lost``, sorted by key and then from the oldest to the newest
        change. Of copies the first of the frame stands.
    """
    return _settle(_sort(frame, key, sequence, everything=True), frame, values).drop(_TIE)


def _sort(
    frame: pl.DataFrame, key: Sequence[str], sequence: Sequence[str], *, everything: bool
) -> pl.DataFrame:
    """Sorts the changes by key and sequence (those of keys that occur once only if ``everything``).

    Returns:
        ``__row`` (number in ``frame``), ``__op``, and ``__key`` and ``__tie``, which number the keys and the
        pairs of key and sequence. Equal pairs stand in order of arrival.
    """
    # Sorting by a number is much faster than by texts or several columns: the first row of the same key.
    simple = len(key) == 1 and frame.schema[key[0]].is_integer()
    number = pl.col(key[0]) if simple else pl.col(ROW).first().over(key)
    order = [f"__order{place}" for place in range(len(sequence))]
    parts = [pl.col(name).alias(place) for name, place in zip(sequence, order, strict=True)]
    line = frame.with_row_index(ROW).select(ROW, OP, number.alias(KEY), *parts)
    if not everything:
        line = line.filter(pl.col(KEY).is_duplicated())
    line = line.sort(KEY, *order, maintain_order=True)
    new_key = _begins([KEY])
    # Where arrival is the order no two changes are equal.
    new_tie = _begins([KEY, *order]) if order else pl.repeat(value=True, n=pl.len())
    return line.select(
        ROW, OP, new_key.cast(pl.UInt32).cum_sum().alias(KEY), new_tie.cast(pl.UInt32).cum_sum().alias(_TIE)
    )


def _begins(columns: Sequence[str]) -> pl.Expr:
    """Whether a row differs from the one before in any of the columns; true for the first row."""
    differs = [pl.col(name).ne_missing(pl.col(name).shift()) for name in columns]
    return pl.any_horizontal(pl.int_range(pl.len()) == 0, *differs)


def _settle(line: pl.DataFrame, frame: pl.DataFrame, values: Sequence[str]) -> pl.DataFrame:
    """Orders changes of equal key and sequence: contradictions by the rule, copies backwards by arrival.

    Returns:
        The line in its final order with ``__lost``: ``duplicate`` or ``conflicting`` for all but the last of
        equal key and sequence, null for the last.
    """
    none = pl.lit(None, dtype=OUTCOMES).alias(LOST)
    if line.is_empty() or line[_TIE][-1] == line.height:
        return line.with_columns(none)
    # By name: the order of a table's columns is that in which they arrived.
    flags = sorted(name for name in frame.columns if name.startswith(ABSENT))
    tied = line.filter(pl.col(_TIE).is_duplicated())
    tied = pl.concat([tied, frame.select(ORDINAL, *values, *flags)[tied[ROW]]], how="horizontal")
    differs = (pl.col(OP) != pl.col(OP).shift()) | ((pl.col(OP) == UPSERT) & _begins([*values, *flags]))
    contradicts = tied.filter(~_begins([_TIE]) & differs)[_TIE].unique()
    marks = [_RANK, *flags] if contradicts.len() else []
    if marks:
        mixed = tied.filter(pl.col(_TIE).is_in(contradicts.implode()))
        line = line.join(_marked(mixed, values, flags), on=ROW, how="left", maintain_order="left")
    line = line.sort(_TIE, *marks, ROW, descending=[False, *(mark != _RANK for mark in marks), True])
    same = pl.all_horizontal(pl.lit(value=True), *(pl.col(m).eq_missing(pl.col(m).shift(-1)) for m in marks))
    duplicate, conflicting = pl.lit(DUPLICATE, dtype=OUTCOMES), pl.lit(CONFLICTING, dtype=OUTCOMES)
    lost = pl.when(same).then(duplicate).otherwise(conflicting)
    followed = pl.col(_TIE) == pl.col(_TIE).shift(-1)
    return line.select(ROW, OP, KEY, _TIE, pl.when(followed).then(lost).otherwise(None).alias(LOST))


def _marked(mixed: pl.DataFrame, values: Sequence[str], flags: Sequence[str]) -> pl.DataFrame:
    """What orders changes of equal key and sequence: ``__rank``, then what they do not state."""
    is_delete = pl.col(OP) == DELETE
    return mixed.select(ROW, OP, *flags, content_rank(mixed, values).alias(_RANK)).select(
        ROW,
        pl.when(is_delete).then(DELETED).otherwise(pl.col(_RANK)).alias(_RANK),
        *(pl.when(is_delete).then(pl.lit(value=False)).otherwise(pl.col(flag)).alias(flag) for flag in flags),
    )
