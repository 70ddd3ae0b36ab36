"""Puts partial changes of one key together, cell by cell. The second half of `order`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import polars as pl

from lakehouse.cdc.cells import COLUMN, RANK, ROW, at, empty_long, pack
from lakehouse.cdc.changes import absence, is_control
from lakehouse.cdc.content_hash import content_rank
from lakehouse.cdc.positions import DELETED

BASE: Final = "__base"
"""Boolean: true where absent cells come from the stored row, false where they are null."""

FLOOR: Final = "__floor"
"""Struct of the sequence columns: the delete or truncate of the batch before the change; null where none."""

BURIED: Final = "__buried"
"""Column of `Sources.rows`: the newest delete before the change."""

_NUMBER: Final = "__number"
_FROM: Final = "__from"
_SOURCE: Final = "__source"
_OWN: Final = "__own"


def source(number: int) -> str:
    """Names the column of `Sources.rows` that says where the cells of a column come from."""
    return f"__source{number}"


@dataclass(frozen=True, slots=True, eq=False)
class Sources:
    """From which changes of a batch the final ones are put together.

    Args:
        columns: The columns that some upserts of the batch lack.
        rows: By numbers of rows of the batch's frame: ``__row`` the final change itself; ``__buried`` the
            newest delete of the key before it, or null; ``__source0``, ``__source1``... the change that each
            of ``columns`` comes from, null where it is still absent. One row per final change, in order of
            arrival; without ``columns`` only for some changes, among them all that a delete came before. None
            where there is nothing to tell.
    """

    columns: tuple[str, ...]
    rows: pl.DataFrame | None


def fold(
    frame: pl.DataFrame,
    lost: pl.Series,
    sources: Sources,
    *,
    key: Sequence[str],
    sequence: Sequence[str],
    truncate: pl.DataFrame | None,
) -> pl.DataFrame:
    """Fills the absent cells of the final changes from older changes, and notes how old they are.

    Args:
        frame: All changes of the batch that no truncate removed.
        lost: The numbers of those that are not final.
        sources: Where the cells come from.
        key: The key columns.
        sequence: The sequence columns; empty where arrival is the order.
        truncate: The sequence of a truncate before all of them (one row), or None.

    Returns:
        The final changes with their cells filled, absence columns for what is still absent, and ``__base``,
        ``__floor`` and ``_cells`` where they say something.
    """
    rows = sources.rows
    kept = _lay_floor(frame, rows, sequence=sequence, truncate=truncate)
    if lost.len():
        kept = kept.filter(pl.repeat(True, frame.height, eager=True).scatter(lost, values=False))
    if rows is None or not sources.columns:
        return kept
    filled = [frame[column].gather(rows[source(n)]).alias(column) for n, column in enumerate(sources.columns)]
    missing = [rows[source(n)].is_null().alias(absence(column)) for n, column in enumerate(sources.columns)]
    still = [flags for flags in missing if flags.any()]
    kept = kept.drop([flags.name for flags in missing]).with_columns(*filled, *still)
    if not sequence:
        return kept
    types = {name: frame.schema[name] for name in sequence}
    values = [name for name in frame.columns if not is_control(name) and name not in {*key, *sequence}]
    long = _older_cells(frame, sources.columns, rows, sequence=types, values=values, truncate=truncate)
    return kept if long.is_empty() else kept.with_columns(pack(long, height=kept.height, sequence=types))


def _lay_floor(
    frame: pl.DataFrame, rows: pl.DataFrame | None, *, sequence: Sequence[str], truncate: pl.DataFrame | None
) -> pl.DataFrame:
    """Adds ``__base`` and ``__floor`` where a delete or truncate came before a change."""
    if rows is None and truncate is None:
        return frame
    buried = pl.Series([None], dtype=pl.UInt32).new_from_index(0, frame.height)
    if rows is not None:
        buried = buried.scatter(rows[ROW], rows[BURIED])
    if truncate is None and buried.null_count() == frame.height:
        return frame
    marks = [
        pl.lit(truncate[name][0] if truncate is not None else None, dtype=frame.schema[name])
        for name in sequence
    ]
    graves = pl.DataFrame([frame[name].gather(buried) for name in sequence])
    floors = [pl.coalesce(name, mark).alias(name) for name, mark in zip(sequence, marks, strict=True)]
    based = buried.is_null() & (truncate is None)
    frame = frame.with_columns(based.alias(BASE))
    if not sequence:
        return frame
    return frame.with_columns(graves.select(pl.when(~based).then(pl.struct(floors)).alias(FLOOR))[FLOOR])


def _older_cells(
    frame: pl.DataFrame,
    columns: Sequence[str],
    rows: pl.DataFrame,
    *,
    sequence: Mapping[str, pl.DataType],
    values: Sequence[str],
    truncate: pl.DataFrame | None,
) -> pl.DataFrame:
    """The cells that did not come from the final change itself, in long form."""
    rows = rows.with_row_index(_NUMBER)
    long = pl.concat(
        rows.filter(pl.col(source(n)).is_null() | (pl.col(source(n)) != pl.col(ROW))).select(
            pl.col(ROW).alias(_OWN),
            pl.col(_NUMBER).alias(ROW),
            pl.lit(column).alias(COLUMN),
            pl.coalesce(source(n), BURIED).alias(_FROM),
            pl.col(source(n)).alias(_SOURCE),
        )
        for n, column in enumerate(columns)
    )
    if long.is_empty():
        return empty_long(sequence)
    places = at(len(sequence))
    positions = [
        frame[name].gather(long[_FROM]).alias(place) for place, name in zip(places, sequence, strict=True)
    ]
    own = [frame[name].gather(long[_OWN]) for name in sequence]
    long = long.with_columns(positions).with_columns(
        pl.all_horizontal(
            pl.col(_SOURCE).is_not_null(), *(pl.col(p) == o for p, o in zip(places, own, strict=True))
        ).alias("__tied")
    )
    ranks = _ranks(frame, long, values)
    long = long.with_columns(
        ranks.gather(long[_SOURCE]).alias(RANK), ranks.gather(long[_OWN]).alias("__own_rank")
    )
    # A cell from another change of the very same position is as old as the row: it needs no entry.
    twin = pl.col("__tied") & (pl.col(RANK) == pl.col("__own_rank"))
    long = long.filter(~twin.fill_null(value=False))
    unknown = pl.col(_FROM).is_null()
    if truncate is not None:
        marks = [pl.lit(truncate[name][0], dtype=dtype) for name, dtype in sequence.items()]
        long = long.with_columns(
            pl.when(unknown).then(mark).otherwise(pl.col(place)).alias(place)
            for place, mark in zip(places, marks, strict=True)
        )
        unknown = pl.lit(value=False)
    buried = pl.col(_SOURCE).is_null() & ~unknown
    return long.with_columns(pl.when(buried).then(DELETED).otherwise(pl.col(RANK)).alias(RANK)).select(
        empty_long(sequence).columns
    )


def _ranks(frame: pl.DataFrame, long: pl.DataFrame, values: Sequence[str]) -> pl.Series:
    """The content ranks of the changes whose rank matters, by row of the frame; null for the others."""
    needed = pl.concat([long[_SOURCE].drop_nulls(), long.filter("__tied")[_OWN]]).unique()
    ranks = pl.Series([None], dtype=pl.Int64).new_from_index(0, frame.height)
    return ranks.scatter(needed, content_rank(frame[needed], values)) if needed.len() else ranks
