"""Gives the readers of a lake clear values of cells that are stored under keys of people."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

import polars as pl

from lakehouse.delta.exact import column
from lakehouse.delta.snapshot import Snapshot
from lakehouse.merge.shredded import shredded_in

if TYPE_CHECKING:
    from lakehouse.pii.shred.person_keys import PersonKeys


_TOGETHER: Final = "__shredded"


@dataclass(frozen=True, slots=True)
class ShreddedCells:
    """The `lakehouse.verbs.opened.Cells` of a table of a lake.

    What is shredded says the version that is read, not the config. Keys are looked up when rows are
    collected, each time: a key that was destroyed meanwhile opens nothing, whoever still has the lazy frame.

    Args:
        table: The table.
        keys: Gives the keys of people.
    """

    table: str
    keys: Callable[[], PersonKeys]

    def clear(
        self, rows: pl.LazyFrame, snapshot: Snapshot, *, only: Collection[str] | None = None
    ) -> pl.LazyFrame:
        """See `lakehouse.verbs.opened.Cells.clear`."""
        there = shredded_in(snapshot.configuration)
        wanted = [name for name in there if name in snapshot.schema and (only is None or name in only)]
        if not wanted:
            return rows
        known = set(rows.collect_schema())
        names = [name for name in wanted if name in known]
        if not names:
            return rows
        # All of them together, since a person's key is dear to get and serves each of them; apart from the
        # rest: a condition on others is still tried while files are read, and where nobody asks for any of
        # them none is opened.
        together = pl.struct(column(name) for name in names).map_batches(
            partial(_opened, keys=self.keys, table=self.table),
            return_dtype=pl.Struct(dict.fromkeys(names, pl.String)),
            is_elementwise=True,
        )
        rows = rows.with_columns(together.alias(_TOGETHER))
        return rows.with_columns(pl.col(_TOGETHER).struct.field(name) for name in names).drop(_TOGETHER)


def _opened(cells: pl.Series, *, keys: Callable[[], PersonKeys], table: str) -> pl.Series:
    columns = cells.struct.unnest().get_columns()
    todo = [each for each in columns if each.dtype == pl.String and each.null_count() < len(each)]
    if not todo:
        return cells
    from lakehouse.pii.shred.cells import opened  # noqa: PLC0415 - most tables have no such cells

    done = {each.name: each for each in opened(todo, keys().of_names, table=table)}
    return pl.DataFrame([done.get(each.name, each) for each in columns]).to_struct(cells.name)
