"""Puts partial changes of one key together, cell by cell. The second half of `order`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import polars as pl

from lakehouse.cdc.cells import CELLS, COLUMN, RANK, ROW, SEPARATOR, at, empty_long, joined, pack
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
_SOURCE: Final = "__source"
_OWN: Final = "__own"
_TIED: Final = "__tied"


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
    older = _older_cells(frame, sources.columns, rows, sequence=types, values=values)
    cells = joined(
        _unstated_cells(kept, dict(zip(sources.columns, missing, strict=True)), sequence=types),
        pack(older, height=kept.height, sequence=types) if older.height else None,
    )
    return kept if cells is None else kept.with_columns(cells)


def _unstated_cells(
    kept: pl.DataFrame, missing: Mapping[str, pl.Series], *, sequence: Mapping[str, pl.DataType]
) -> pl.Series | None:
    """One entry per row for the cells that no change of the batch states; None where there are none.

    They are as old as the floor. Short for the long form: this case is as common as partial changes are.
    """
    flags = {column: flag for column, flag in sorted(missing.items()) if flag.any()}
    if not flags:
        return None
    floor = kept[FLOOR] if FLOOR in kept.columns else None
    when = [
        floor.struct.field(name) if floor is not None else pl.lit(None, dtype=sequence[name])
        for name in sequence
    ]
    rank = pl.when(floor.is_not_null()).then(DELETED) if floor is not None else pl.lit(None, dtype=pl.Int64)
    texts = pl.DataFrame(flags).select(
        pl.concat_str(
            [pl.when(pl.col(column)).then(pl.lit(column)) for column in flags],
            separator=SEPARATOR,
            ignore_nulls=True,
        ).alias("columns")
    )
    entry = pl.struct(
        "columns",
        pl.struct(part.alias(name) for name, part in zip(sequence, when, strict=True)).alias("at"),
        rank.cast(pl.Int64).alias("rank"),
    )
    return texts.select(pl.when(pl.col("columns") != "").then(pl.concat_list(entry)).alias(CELLS))[CELLS]


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
) -> pl.DataFrame:
    """The cells that come from an older change than the final one, in long form."""
    rows = rows.with_row_index(_NUMBER)
    long = pl.concat(
        rows.filter(pl.col(source(n)) != pl.col(ROW)).select(
            pl.col(_NUMBER).alias(ROW),
            pl.lit(column).alias(COLUMN),
            pl.col(source(n)).alias(_SOURCE),
            pl.col(ROW).alias(_OWN),
        )
        for n, column in enumerate(columns)
    )
    if long.is_empty():
        return empty_long(sequence)
    places = at(len(sequence))
    dated = frame.select(list(sequence))
    origin, own = dated[long[_SOURCE]], dated[long[_OWN]]
    positions = [origin[name].alias(place) for place, name in zip(places, sequence, strict=True)]
    ties = pl.DataFrame([(origin[name] == own[name]).alias(name) for name in sequence])
    long = long.with_columns(*positions, ties.select(pl.all_horizontal(pl.all()).alias(_TIED))[_TIED])
    ranks = _ranks(frame, long, values)
    long = long.with_columns(ranks.gather(long[_SOURCE]).alias(RANK))
    # A cell from another change of the very same position is as old as the row: it needs no entry.
    twin = long[_TIED] & (long[RANK] == ranks.gather(long[_OWN]))
    return long.filter(~twin.fill_null(value=False)).select(empty_long(sequence).columns)


def _ranks(frame: pl.DataFrame, long: pl.DataFrame, values: Sequence[str]) -> pl.Series:
    """The content ranks of the changes whose rank matters, by row of the frame; null for the others."""
    needed = pl.concat([long[_SOURCE], long.filter(_TIED)[_OWN]]).unique()
    ranks = pl.Series([None], dtype=pl.Int64).new_from_index(0, frame.height)
    return ranks.scatter(needed, content_rank(frame[needed], values))
