"""Gives the readers of a lake clear values of cells that are stored under keys of people."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import polars as pl

from lakehouse.delta.exact import column
from lakehouse.delta.snapshot import Snapshot
from lakehouse.merge.shredded import shredded_in

if TYPE_CHECKING:
    from lakehouse.pii.shred.person_keys import PersonKeys


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
        # By columns: a condition on others is still tried while files are read, and a column that nobody
        # asks for is not opened.
        return rows.with_columns(
            column(name).map_batches(
                partial(_opened, keys=self.keys, table=self.table, name=name),
                return_dtype=pl.String,
                is_elementwise=True,
            )
            for name in wanted
            if name in known
        )


def _opened(values: pl.Series, *, keys: Callable[[], PersonKeys], table: str, name: str) -> pl.Series:
    if values.dtype != pl.String or values.null_count() == len(values):
        return values
    from lakehouse.pii.shred.cells import opened  # noqa: PLC0415 - most tables have no such cells

    return opened(values.alias(name), keys().of_names, table=table)
