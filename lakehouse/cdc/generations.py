"""Since when the columns of a table count: whether a row could say something of a column at all. Pure.

A row that was written before a column was there says nothing of it: its cell was never set, and a late, older
change that states the column fills it. A row that was written since says null where it is null. Both look the
same in a data file, all the more after it was written anew. So every time that columns come to a table which
has rows, a new generation of columns begins: `PROPERTY` of the table says in which generation a column came,
and every row written from then on says in the stored column `GENERATION` which ones it knew. Rows without a
value there are of generation 0, and so are columns that the property does not name.

A column of which nothing but nulls has come has no type yet and is not in the table; that it was stated is
remembered all the same, in the property (``untyped``), and a merge carries it as a column of `PLACEHOLDER`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import orjson
import polars as pl

from lakehouse.cdc.cells import CELLS, COLUMN, RANK, ROW, at, empty_long, pack, unpack
from lakehouse.cdc.positions import DELETED

GENERATION: Final = "_generation"
"""Name of the stored column that says which columns a row knew (Int32); null stands for 0."""

PROPERTY: Final = "lakehouse.columns"
"""The table property: JSON with ``since`` and ``untyped``, both from names of columns to generations."""

PLACEHOLDER: Final = pl.Boolean()
"""The type in which columns without a type are carried."""


@dataclass(frozen=True, slots=True)
class Generations:
    """In which generation the columns of a table came.

    Args:
        since: By name of a column that the table has; columns that are not named came with it.
        untyped: By name of a column that the table does not have, since nothing but nulls of it has come.
    """

    since: Mapping[str, int] = field(default_factory=dict)
    untyped: Mapping[str, int] = field(default_factory=dict)

    @property
    def newest(self) -> int:
        """The generation of rows that are written now."""
        return max([*self.since.values(), *self.untyped.values()], default=0)

    @property
    def later(self) -> dict[str, int]:
        """The columns that came when there were rows, those without a type included."""
        return {name: number for name, number in {**self.since, **self.untyped}.items() if number}

    def with_columns(self, *, typed: Collection[str], untyped: Collection[str], anew: bool) -> Generations:
        """The generations after columns came.

        Args:
            typed: Columns that the table gets.
            untyped: Columns that are stated and still have no type.
            anew: Whether the table has no rows yet, so that nobody needs to be told apart.
        """
        number = self.newest if anew else self.newest + 1
        came = {name: self.untyped.get(name, number) for name in typed}
        since = {**self.since, **{name: generation for name, generation in came.items() if generation}}
        waiting = {name: self.untyped.get(name, number) for name in [*self.untyped, *untyped]}
        return Generations(
            since, {name: generation for name, generation in waiting.items() if name not in typed}
        )

    def properties(self) -> dict[str, str]:
        """The table property that says so; none where there is nothing to say."""
        if not self.since and not self.untyped:
            return {}
        body = {"since": dict(self.since), "untyped": dict(self.untyped)}
        return {PROPERTY: orjson.dumps(body, option=orjson.OPT_SORT_KEYS).decode()}


def generations_of(configuration: Mapping[str, str]) -> Generations:
    """What the properties of a table say.

    Args:
        configuration: All of them.
    """
    text = configuration.get(PROPERTY)
    if text is None:
        return Generations()
    body = orjson.loads(text)
    return Generations(dict(body.get("since", {})), dict(body.get("untyped", {})))


def unknown_to(generation: pl.Expr, column: str, since: int) -> pl.Expr:
    """Whether a row says nothing of a column since it did not know it.

    Somebody who keeps no generations may have filled the cell since; then it is as old as its row.

    Args:
        generation: That of the row.
        column: The column's name.
        since: The generation in which it came.
    """
    return (generation.fill_null(0) < since) & pl.col(column).is_null()


def unknown_cells(rows: pl.DataFrame, generations: Generations) -> pl.DataFrame:
    """Finds the cells of stored rows that never were set, since their columns came later.

    Args:
        rows: Stored rows, with `GENERATION` where the table has it.
        generations: Those of the columns.

    Returns:
        ``__row`` and ``__column`` of those cells.
    """
    own = pl.col(GENERATION) if GENERATION in rows.columns else pl.lit(None, dtype=pl.Int32)
    numbered = rows.with_row_index(ROW)
    parts = [
        numbered.filter(unknown_to(own, column, since)).select(
            pl.col(ROW).cast(pl.UInt32), pl.lit(column).alias(COLUMN)
        )
        for column, since in generations.later.items()
        if column in rows.columns
    ]
    return pl.concat([pl.DataFrame(schema={ROW: pl.UInt32(), COLUMN: pl.String()}), *parts])


def mark_unknown(
    rows: pl.DataFrame, cells: pl.DataFrame, *, graves: pl.DataFrame, sequence: Sequence[str]
) -> pl.DataFrame:
    """Says of cells of stored rows that they never were set, as `lakehouse.cdc.cells` does.

    Args:
        rows: Stored rows.
        cells: ``__row`` and ``__column`` of the cells; at least one. What a row says of a cell itself stands.
        graves: The sequence columns, row by row, of the last delete of the key; null where there is none that
            anybody remembers. A cell that never was set is null since then.
        sequence: The sequence columns.

    Returns:
        The rows with `CELLS`.
    """
    types = {name: rows.schema[name] for name in sequence}
    dated = [
        graves[name].cast(kind).gather(cells[ROW]).alias(place)
        for place, (name, kind) in zip(at(len(types)), types.items(), strict=True)
    ]
    rank = pl.when(dated[0].is_not_null()).then(DELETED).cast(pl.Int64)
    unset = cells.with_columns(*dated, rank.alias(RANK))
    told = unpack(rows[CELLS], sequence=types) if CELLS in rows.columns else empty_long(types)
    unset = pl.concat([told, unset.join(told, on=[ROW, COLUMN], how="anti").select(told.columns)])
    return rows.with_columns(pack(unset, height=rows.height, sequence=types))
