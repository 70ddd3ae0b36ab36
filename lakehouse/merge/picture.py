"""Makes changes of a full picture of a table (format ``snapshot``) by comparing it with what is stored."""

from __future__ import annotations

from dataclasses import replace

import polars as pl

from lakehouse.cdc.changes import DELETE, OP, ORDINAL, UPSERT, ChangeBatch, absence
from lakehouse.cdc.timeline import IS_CURRENT
from lakehouse.delta.scan import scan_table
from lakehouse.delta.snapshot import Snapshot
from lakehouse.errors import RefusedError
from lakehouse.storage import Storage

_MINE = "__mine"
_THEIRS = "__theirs"


def changes_of(
    storage: Storage, snapshot: Snapshot, batch: ChangeBatch, *, max_deletes: float, table: str
) -> ChangeBatch:
    """Compares a picture with a version of its table.

    Args:
        storage: The table's folder.
        snapshot: The version.
        batch: The picture, cast to the table's types.
        max_deletes: The largest share of the stored rows, from 0 to 1, that may be missing from the picture.
        table: The table's name, for errors.

    Returns:
        The changes, in order of arrival: rows that are new or differ, and deletes of stored rows that the
        picture lacks. Rows that are as they are stored count as ignored. Deletes have ordinals behind those
        of the records, and count as derived.

        A picture with rejected records deletes nothing. What was left out of it, since it would bring an
        erased person back, is not missing: whether that row goes is not for the picture to say.

    Raises:
        RefusedError: More rows are missing than may be: the picture may be cut off.
    """
    key = list(batch.key)
    names = [name for name in batch.columns if name in snapshot.schema.names]
    kept = [IS_CURRENT] if IS_CURRENT in snapshot.schema.names else []
    rows = scan_table(storage, snapshot, columns=[*names, *kept])
    stored = (rows.filter(IS_CURRENT).drop(IS_CURRENT) if kept else rows).collect(engine="streaming")
    last = batch.frame.filter(pl.col(OP) == UPSERT).unique(key, keep="last", maintain_order=True)
    gone = stored.select(key).join(last, on=key, how="anti").unique(maintain_order=True)
    if batch.withheld is not None:
        gone = gone.join(batch.withheld, on=key, how="anti", maintain_order="left")
    if batch.rejected:
        # A record that can't be used may be the row that seems to be missing.
        gone = gone.clear()
    _guard(gone.height, stored.height, max_deletes=max_deletes, table=table)
    same = _unchanged(batch.frame, stored, names, key)
    deletes = gone.with_columns(
        pl.lit(DELETE, dtype=pl.Int8).alias(OP),
        pl.int_range(batch.total, batch.total + gone.height, dtype=pl.Int64, eager=True).alias(ORDINAL),
    )
    flags = [name for name in batch.frame.columns if name.startswith(absence(""))]
    frame = pl.concat([batch.frame.filter(~same), deletes], how="diagonal_relaxed")
    frame = frame.with_columns(pl.col(flag).fill_null(value=False) for flag in flags)
    return replace(
        batch,
        frame=frame.select(batch.frame.columns),
        ignored=batch.ignored + int(same.sum()),
        derived=batch.derived + gone.height,
        full=False,
    )


def _guard(gone: int, stored: int, *, max_deletes: float, table: str) -> None:
    if gone > max_deletes * stored:
        raise RefusedError(
            f"the picture of table {table} lacks {gone:,} of {stored:,} stored rows, which would be deleted; "
            f"at most {max_deletes:.0%} may be",
            advice="if that is how it is, merge it again with allow_deletes (--allow-deletes)",
        )


def _unchanged(frame: pl.DataFrame, stored: pl.DataFrame, names: list[str], key: list[str]) -> pl.Series:
    """Which rows of the picture are as they are stored. Rows whose key occurs twice in it never are."""
    same = pl.repeat(value=False, n=frame.height, eager=True)
    mine = frame.select(key).with_row_index(_MINE)
    mine = mine.filter(~mine.select(pl.struct(key).is_duplicated()).to_series() & (frame[OP] == UPSERT))
    pairs = mine.join(stored.select(key).with_row_index(_THEIRS), on=key, how="inner")
    pairs = pairs.unique(_MINE, keep="first", maintain_order=True)
    left, right = frame[pairs[_MINE]], stored[pairs[_THEIRS]]
    equal = pl.repeat(value=True, n=pairs.height, eager=True)
    for name in names:
        told = left[name].eq_missing(right[name].cast(left[name].dtype))
        flag = absence(name)
        equal &= told | left[flag] if flag in left.columns else told
    for name in frame.columns:
        # A column that the table does not have yet: the row changes where it says something.
        if name not in names and name not in {OP, ORDINAL} and not name.startswith(absence("")):
            equal &= left[name].is_null()
    return same.scatter(pairs[_MINE].filter(equal), values=True)
