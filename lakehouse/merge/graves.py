"""The deletes of keys that live: what they bury is null, also in columns that come later."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from lakehouse.cdc.changes import DELETE, OP
from lakehouse.cdc.folding import FLOOR
from lakehouse.cdc.order import Collapsed
from lakehouse.merge import verdicts
from lakehouse.merge.tombstones import Manifest, find
from lakehouse.storage import Storage


def to_remember(
    storage: Storage, manifest: Manifest, collapsed: Collapsed, *, verdict: pl.Series
) -> pl.DataFrame:
    """The deletes of a batch that a version must remember.

    Those that took effect or found no row; and those that a later change of their key has overtaken: no row
    shows them, but what is older than them must not come back in a column that nobody knows yet.

    Args:
        storage: The table's folder.
        manifest: What is remembered.
        collapsed: The changes.
        verdict: What becomes of each.

    Returns:
        Key and sequence columns.
    """
    if not collapsed.sequence:
        return pl.DataFrame()
    frame, names = collapsed.frame, list(dict.fromkeys([*collapsed.key, *collapsed.sequence]))
    is_delete = frame[OP] == DELETE
    effective = frame.filter(is_delete & verdict.is_in([verdicts.DELETED, verdicts.ABSENT])).select(names)
    overtaken = frame.filter(is_delete & (verdict == verdicts.STALE)).select(names)
    if FLOOR in frame.columns:
        overtaken = pl.concat([overtaken, _before(collapsed).select(names)])
    if overtaken.is_empty():
        return effective
    known = last_deletes(storage, manifest, overtaken.select(collapsed.key), sequence=collapsed.sequence)
    marks = [verdicts.buried(name) for name in collapsed.sequence]
    dated = overtaken.with_columns(known[name].alias(m) for name, m in zip(known.columns, marks, strict=True))
    news = dated.filter(verdicts.compare(collapsed.sequence, marks) > 0)
    return pl.concat([effective, news.select(names)])


def _before(collapsed: Collapsed) -> pl.DataFrame:
    """The deletes that came before the final changes of their keys in the batch; its truncate is none."""
    frame, sequence = collapsed.frame.filter(pl.col(FLOOR).is_not_null()), collapsed.sequence
    # A key column can be a sequence column too; then nothing of it differs within a key.
    dates = [pl.col(FLOOR).struct.field(name) for name in sequence if name not in collapsed.key]
    found = frame.select(*collapsed.key, *dates)
    if collapsed.truncate is None:
        return found
    mark = collapsed.truncate.sequence
    same = pl.all_horizontal(
        pl.col(name).eq_missing(pl.lit(mark[name][0], dtype=mark.schema[name])) for name in sequence
    )
    return found.filter(~same)


def last_deletes(
    storage: Storage, manifest: Manifest, keys: pl.DataFrame, *, sequence: Sequence[str]
) -> pl.DataFrame:
    """The newest delete of each of some keys that a version remembers, truncates included.

    Args:
        storage: The table's folder.
        manifest: What it remembers.
        keys: The key columns.
        sequence: The sequence columns.

    Returns:
        The sequence columns, row by row; null where nothing is remembered.
    """
    found = find(storage, manifest, keys=keys.unique(), sequence=sequence)
    if found is None:
        return pl.DataFrame({name: [None] * keys.height for name in sequence})
    joined = keys.join(found, on=keys.columns, how="left", maintain_order="left")
    return joined.select(pl.col(verdicts.buried(name)).alias(name) for name in sequence)
