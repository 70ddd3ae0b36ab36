"""The last step of every format: keys and sequences are checked, what can't be used is taken out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import polars as pl

from lakehouse.cdc.changes import (
    OP,
    ORDINAL,
    TRUNCATE,
    UPSERT,
    ChangeBatch,
    Misfit,
    Origin,
    Rejected,
    absence,
    by_position,
    is_control,
)
from lakehouse.errors import DataError

NULL_KEY: Final = "null_key"
NAN_KEY: Final = "nan_key"
NULL_SEQUENCE: Final = "null_sequence"
UNKNOWN_OP: Final = "unknown_op"


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Draft:
    """Changes that are in columns, but not checked yet.

    Args:
        frame: The business columns, ``__op``, ``__ordinal`` and absence columns, ordered by ``__ordinal``.
        key: The table's key columns.
        sequence: The columns that order the changes of a key.
        origin: The records that the rows came from.
        total: Input records.
        ignored: Records that are no change.
        rejected: Records that were rejected before they were in columns.
        misfits: Why further records are rejected, by ordinal.
        ignore_null_updates: Whether null in an upsert means "not stated".
    """

    frame: pl.DataFrame
    key: tuple[str, ...]
    sequence: tuple[str, ...]
    origin: Origin
    total: int
    ignored: int = 0
    rejected: Sequence[Rejected] = ()
    misfits: Mapping[int, Misfit] = field(default_factory=dict)
    ignore_null_updates: bool = False


def finish(draft: Draft) -> ChangeBatch:
    """Checks a draft and makes it a batch.

    Args:
        draft: What a format read.

    Returns:
        The batch: no null or NaN in a key (but for truncates, which have none) or in a sequence; what a
        delete says beyond key and sequence is gone, and everything that a truncate says but the sequence.

    Raises:
        DataError: The table has no key, a key or sequence column is in none of the records, or two
            columns have names that differ by case only.
    """
    if not draft.key:
        raise DataError(
            "changes can't be merged into a table without a key",
            advice="name the columns that identify a row: `key` in the table's config",
        )
    frame = draft.frame
    columns = [name for name in frame.columns if not is_control(name)]
    check_names(columns)
    frame = _with_keys(frame, draft)
    kept = (*draft.key, *draft.sequence)
    frame = frame.drop([absence(name) for name in kept], strict=False)
    frame = _without_leftovers(frame, kept, draft.key)
    if draft.ignore_null_updates:
        frame = _nulls_unstated(frame, kept)
    rows_of = frame[ORDINAL]
    batch = ChangeBatch(
        frame=frame,
        key=draft.key,
        sequence=draft.sequence,
        rejected=by_position(draft.rejected),
        ignored=draft.ignored,
        total=draft.total,
        derived=rows_of.len() - rows_of.n_unique(),
        origin=draft.origin,
    )
    return batch.reject({**_unusable(frame, draft), **draft.misfits})


def check_names(names: Sequence[str]) -> None:
    """Refuses column names that a table can't have side by side.

    Args:
        names: The business columns.

    Raises:
        DataError: Two names differ by case only, or a name is one of the normal form's own.
    """
    known: dict[str, str] = {}
    for name in names:
        if is_control(name):
            raise DataError(
                f"the column name {name} is reserved", advice="rename the column before it is merged"
            )
        other = known.setdefault(name.lower(), name)
        if other != name:
            raise DataError(
                f"the columns {other} and {name} differ by case only, which Delta does not allow",
                advice="rename one of them",
            )


def no_key(missing: Iterable[str], found: Iterable[str]) -> DataError:
    """The error for data without the table's key.

    Args:
        missing: Key columns that are not there.
        found: The columns that are.

    Returns:
        The error, to be raised.
    """
    names = ", ".join(found) or "none"
    return DataError(
        f"the changes have no key column {', '.join(missing)}; their columns are: {names}",
        advice="give the key columns with every change, or correct `key` in the table's config",
    )


def _with_keys(frame: pl.DataFrame, draft: Draft) -> pl.DataFrame:
    """Key columns may be missing only where no row needs them: nothing to merge, or truncates only."""
    found = [name for name in frame.columns if not is_control(name)]
    missing = [name for name in draft.key if name not in frame.columns]
    if missing and not (frame[OP] == TRUNCATE).all():
        raise no_key(missing, found)
    unordered = [name for name in draft.sequence if name not in frame.columns]
    if unordered and frame.height:
        raise DataError(
            f"the changes have no sequence column {', '.join(unordered)}; they have {', '.join(found)}",
            advice="give it with every change, or correct `changes.sequence` in the table's config",
        )
    nested = [
        name for name in (*draft.key, *draft.sequence) if name in found and frame[name].dtype.is_nested()
    ]
    if nested:
        raise DataError(f"the column {nested[0]} is nested and can be neither key nor sequence")
    # A key column can be a sequence column too.
    blank = [pl.lit(None).alias(name) for name in dict.fromkeys((*missing, *unordered))]
    return frame.with_columns(blank)


def _without_leftovers(frame: pl.DataFrame, kept: Sequence[str], key: Sequence[str]) -> pl.DataFrame:
    """Deletes keep key and sequence, truncates the sequence; nothing of theirs is absent."""
    if (frame[OP] == UPSERT).all():
        return frame
    upserts, truncates = pl.col(OP) == UPSERT, pl.col(OP) == TRUNCATE
    cleared: list[pl.Expr] = []
    for name in frame.columns:
        if name in key:
            cleared.append(pl.when(~truncates).then(pl.col(name)).alias(name))
        elif name.startswith(absence("")):
            cleared.append(pl.col(name) & upserts)
        elif not is_control(name) and name not in kept:
            cleared.append(pl.when(upserts).then(pl.col(name)).alias(name))
    return frame.with_columns(cleared)


def _nulls_unstated(frame: pl.DataFrame, kept: Sequence[str]) -> pl.DataFrame:
    marks: list[pl.Expr] = []
    for name in frame.columns:
        if is_control(name) or name in kept or not frame[name].null_count():
            continue
        unstated = pl.col(name).is_null() & (pl.col(OP) == UPSERT)
        marks.append(unstated.alias(absence(name)))
    return frame.with_columns(marks)


def _unusable(frame: pl.DataFrame, draft: Draft) -> dict[int, Misfit]:
    keyed = frame[OP] != TRUNCATE
    misfits: dict[int, Misfit] = {}
    for name in draft.sequence:
        hit = _missing(frame[name])
        _note(misfits, frame, hit, Misfit(NULL_SEQUENCE, f"the sequence column {name} has no value"))
    for name in draft.key:
        column = frame[name]
        if column.dtype.is_float():
            hit = column.is_nan().fill_null(value=False) & keyed
            _note(misfits, frame, hit, Misfit(NAN_KEY, f"the key column {name} is not a number"))
        hit = column.is_null() & keyed
        _note(misfits, frame, hit, Misfit(NULL_KEY, f"the key column {name} has no value"))
    return misfits


def _missing(column: pl.Series) -> pl.Series:
    missing = column.is_null()
    return missing | column.is_nan().fill_null(value=False) if column.dtype.is_float() else missing


def _note(misfits: dict[int, Misfit], frame: pl.DataFrame, hit: pl.Series, misfit: Misfit) -> None:
    if hit.any():
        misfits.update(dict.fromkeys(frame.filter(hit)[ORDINAL].to_list(), misfit))
