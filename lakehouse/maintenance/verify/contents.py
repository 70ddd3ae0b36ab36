"""Reading the rows of a data file, batch by batch, for what statistics and rules say of them.

Row groups are decoded by PyArrow, which minds the checksums of pages where there are any and whose batches
can be validated; only then Polars sees them, in the table's types.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from lakehouse.delta import column_mapping, partitions
from lakehouse.delta.actions import AddFile
from lakehouse.delta.exact import column
from lakehouse.delta.read_plan import ColumnSource, plan_by_footer
from lakehouse.delta.schema import PrimitiveType
from lakehouse.delta.snapshot import Snapshot
from lakehouse.delta.stat_columns import Leaf, leaves
from lakehouse.maintenance.verify.footer_facts import FooterFacts
from lakehouse.storage import Storage

_BATCH_ROWS: Final = 1 << 16
_TIMES: Final = frozenset({"date", "timestamp", "timestamp_ntz"})
_FLOATS: Final = frozenset({"float", "double"})


@dataclass(frozen=True, slots=True)
class RowRule:
    """A rule that every row of a table meets.

    Args:
        columns: The columns that it looks at.
        holds: From rows to true for those that meet it; None where that can't be told here.
        detail: What it asks for; no values.
    """

    columns: tuple[str, ...]
    holds: Callable[[pl.DataFrame], pl.Series | None]
    detail: str


@dataclass(slots=True)
class LeafFacts:
    """What was seen of one leaf column. Times are their number of days or microseconds.

    Args:
        nulls: Rows where it is null, deleted ones included.
        live_nulls: Of rows that are not deleted.
        low: The smallest value of rows that are not deleted, NaN aside.
        high: The largest.
    """

    nulls: int = 0
    live_nulls: int = 0
    low: Any = None
    high: Any = None

    def take_in(self, low: Any, high: Any) -> None:
        """Widen the bounds by those of another batch."""
        if low is not None:
            self.low = low if self.low is None else min(self.low, low)
        if high is not None:
            self.high = high if self.high is None else max(self.high, high)


@dataclass(slots=True)
class Contents:
    """What was seen of a file's rows.

    Args:
        complete: Whether all of its rows were read.
        rows: How many were read, deleted ones included.
        live: How many of them are not deleted.
        leaves: What was seen of each leaf column.
        broken: How many live rows break a rule, by what it asks for.
        unchecked: Rules that can't be evaluated here.
        damaged: Columns, under the file's own names, that hold other values than the file's footer says.
    """

    complete: bool
    rows: int = 0
    live: int = 0
    leaves: list[tuple[Leaf, LeafFacts]] = field(default_factory=list)
    broken: dict[str, int] = field(default_factory=dict)
    unchecked: set[str] = field(default_factory=set)
    damaged: set[str] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class Reading:
    """How the rows of one file are read.

    Args:
        sources: How each stored column is read.
        constants: The partition columns.
        leaves: The leaf columns to look at.
        rules: The rules that rows meet.
        dead: Positions of deleted rows, ascending.
    """

    sources: Sequence[ColumnSource]
    constants: Sequence[pl.Expr]
    leaves: Sequence[Leaf]
    rules: Sequence[RowRule]
    dead: npt.NDArray[np.uint64]

    @classmethod
    def plan(
        cls,
        storage: Storage,
        snapshot: Snapshot,
        add: AddFile,
        *,
        footer: Any,
        rules: Sequence[RowRule],
        dead: npt.NDArray[np.uint64],
    ) -> Reading:
        """Find out how the columns of a file become those of the table.

        Args:
            storage: The table's root.
            snapshot: The version.
            add: The file.
            footer: Its footer.
            rules: The rules that rows meet.
            dead: Positions of deleted rows, ascending.

        Returns:
            The plan.

        Raises:
            CorruptTableError: The file lacks the ids that the table goes by, or a partition value is none.
            UnsupportedFeatureError: A column's type is not known here.
        """
        mapping = column_mapping.mode(snapshot.metadata, protocol=snapshot.protocol)
        by_value = frozenset(snapshot.partition_columns)
        stored = [item for item in snapshot.schema.fields if item.name not in by_value]
        names = column_mapping.physical_names(snapshot.schema, mapping)
        constants = [
            partitions.literal(add.partition_values.get(names[item.name]), item.type).alias(item.name)
            for item in snapshot.schema.fields
            if item.name in by_value
        ]
        sources = plan_by_footer(storage, snapshot, add, fields=stored, mapping=mapping, footer=footer)
        files_columns = snapshot.schema.without(snapshot.partition_columns)
        found = tuple(leaves(files_columns, mapped=mapping != "none"))
        return cls(sources, constants, found, rules, dead)

    def read(self, file: pq.ParquetFile, groups: Sequence[int]) -> Contents:
        """Read row groups.

        Args:
            file: The file.
            groups: Numbers of row groups, ascending.

        Returns:
            What was seen.

        Raises:
            pyarrow.ArrowException: A page can't be decoded.
            OSError: The same, or a checksum is wrong.
            polars.exceptions.PolarsError: A column is not of a type that the table's type can be read from.
        """
        footer = file.metadata
        seen = Contents(complete=len(groups) == footer.num_row_groups)
        seen.leaves = [(leaf, LeafFacts()) for leaf in self.leaves]
        sizes = [footer.row_group(number).num_rows for number in range(footer.num_row_groups)]
        for number in groups:
            at = sum(sizes[:number])
            facts = FooterFacts(footer, number)
            for rows in self._batches(file, number, facts):
                self._look(rows, seen, at=at)
                at += rows.height
            seen.damaged.update(facts.differing())
        return seen

    def _batches(self, file: pq.ParquetFile, group: int, facts: FooterFacts) -> Iterator[pl.DataFrame]:
        wanted = list(dict.fromkeys(item.source for item in self.sources if item.source is not None))
        values = [*(item.value for item in self.sources), *self.constants]
        # All columns are decoded, also those that the table has no more.
        for batch in file.iter_batches(batch_size=_BATCH_ROWS, row_groups=[group], use_threads=False):
            batch.validate(full=True)
            facts.take_in(batch)
            table = pa.Table.from_batches([batch]).select(wanted)
            rows = pl.DataFrame(table) if wanted else pl.DataFrame(height=batch.num_rows)
            yield rows.with_columns(values).select(*(value.meta.output_name() for value in values))

    def _look(self, rows: pl.DataFrame, seen: Contents, *, at: int) -> None:
        """Take in one batch, whose first row is at a position."""
        live = rows
        start, end = np.searchsorted(self.dead, [at, at + rows.height])
        if end > start:
            alive = np.ones(rows.height, dtype=np.bool_)
            alive[(self.dead[start:end] - np.uint64(at)).astype(np.int64)] = False
            live = rows.filter(pl.Series(alive))
        seen.rows += rows.height
        seen.live += live.height
        self._count(rows, live, seen)
        for rule in self.rules:
            holds = rule.holds(live)
            if holds is None or holds.dtype != pl.Boolean:
                seen.unchecked.add(rule.detail)
                continue
            broken = int((~holds.fill_null(value=False)).sum())
            if broken:
                seen.broken[rule.detail] = seen.broken.get(rule.detail, 0) + broken

    def _count(self, rows: pl.DataFrame, live: pl.DataFrame, seen: Contents) -> None:
        if not self.leaves:
            return
        nulls = [_value(leaf).null_count().alias(str(at)) for at, leaf in enumerate(self.leaves)]
        bounds = [one for at, leaf in enumerate(self.leaves) for one in _bounds(leaf, at)]
        all_nulls = rows.select(nulls).row(0)
        live_nulls = all_nulls if live is rows else live.select(nulls).row(0)
        found = live.select(bounds).row(0, named=True) if bounds and live.height else {}
        for at, (_, facts) in enumerate(seen.leaves):
            facts.nulls += all_nulls[at]
            facts.live_nulls += live_nulls[at]
            facts.take_in(found.get(f"low{at}"), found.get(f"high{at}"))


def _value(leaf: Leaf) -> pl.Expr:
    value = column(leaf.path[0])
    for name in leaf.path[1:]:
        value = value.struct.field(name)
    return value


def _bounds(leaf: Leaf, at: int) -> list[pl.Expr]:
    name = leaf.type.name if isinstance(leaf.type, PrimitiveType) else ""
    if not leaf.ordered and name != "boolean":
        return []
    value = _value(leaf)
    if name in _TIMES:
        # As numbers, since Python's dates end with the year 9999 and Polars' do not.
        value = value.to_physical()
    elif name in _FLOATS:
        value = value.fill_nan(None)
    return [value.min().alias(f"low{at}"), value.max().alias(f"high{at}")]
