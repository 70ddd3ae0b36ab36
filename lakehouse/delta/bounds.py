"""What statistics and partition values promise about a file's rows, as values that can be compared.

Delta protocol, section "Per-file Statistics". What other writers rounded or cut off is widened again (see
`lakehouse.delta.bound_values`), so that a bound is never tighter than the rows. NaN lies outside of any
bounds: comparisons that hold for NaN can't rely on them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
import polars as pl

from lakehouse.delta import column_mapping, partitions
from lakehouse.delta.actions import AddFile
from lakehouse.delta.bound_values import Convert, convert, converters
from lakehouse.delta.schema import DataType, StructType, type_to_polars
from lakehouse.delta.snapshot import Snapshot
from lakehouse.errors import UsageError


def min_name(column: str) -> str:
    """The column of `bounds_frame` with the lower bounds.

    Args:
        column: A table's column.

    Returns:
        Its name.
    """
    return f"min.{column}"


def max_name(column: str) -> str:
    """The column of `bounds_frame` with the upper bounds.

    Args:
        column: A table's column.

    Returns:
        Its name.
    """
    return f"max.{column}"


def nulls_name(column: str) -> str:
    """The column of `bounds_frame` with the numbers of nulls.

    Args:
        column: A table's column.

    Returns:
        Its name.
    """
    return f"nulls.{column}"


def file_bounds(add: AddFile, column: str, *, snapshot: Snapshot) -> tuple[Any, Any] | None:
    """Between which values a column lies in one file.

    Args:
        add: The file.
        column: Display name of a column; ``a.b`` for a field of a struct (unless a column is called so).
        snapshot: The version that the files are read at.

    Returns:
        (smallest, largest) as Python values, both inclusive and never tighter than the rows, or None
        where nothing is known (no statistics, all null, a type without bounds).

    Raises:
        UsageError: There is no such column.
    """
    frame = bounds_frame([add], [column], snapshot=snapshot)
    low, high = frame[min_name(column)][0], frame[max_name(column)][0]
    return None if low is None or high is None else (low, high)


def bounds_frame(files: Sequence[AddFile], columns: Sequence[str], *, snapshot: Snapshot) -> pl.DataFrame:
    """Between which values columns lie, for many files at once.

    Args:
        files: The files.
        columns: Display names; ``a.b`` for a field of a struct (unless a column is called so).
        snapshot: The version that the files are read at.

    Returns:
        One row a file, in order: ``path`` (as in the log), ``num_records`` (rows in the data file), and for
        each column `min_name`, `max_name` (the column's type; both inclusive, never tighter than the rows)
        and `nulls_name` (exact, 0, or all rows). Null means not known. Where all rows are null there
        are no bounds, and the number of nulls equals ``num_records``.

    Raises:
        UsageError: There is no such column.
    """
    wanted = [_Wanted.of(name, snapshot) for name in columns]
    records: list[int | None] = []
    for add in files:
        stats = _parse(add.stats)
        count = stats.get("numRecords")
        rows = count if isinstance(count, int) else None
        records.append(rows)
        for item in wanted:
            item.add(add, stats, rows)
    series = [pl.Series("path", [add.path for add in files], dtype=pl.String)]
    series.append(pl.Series("num_records", records, dtype=pl.Int64))
    for item in wanted:
        series += item.series()
    return pl.DataFrame(series)


@dataclass(slots=True)
class _Wanted:
    """One asked column, and what was found of it so far."""

    name: str
    physical: tuple[str, ...]
    type: DataType
    partition: bool
    lower: Convert
    upper: Convert
    low: list[Any]
    high: list[Any]
    nulls: list[int | None]

    @classmethod
    def of(cls, name: str, snapshot: Snapshot) -> _Wanted:
        schema = snapshot.schema
        mapped = column_mapping.mode(snapshot.metadata, protocol=snapshot.protocol) != "none"
        path = (name,) if name in schema else tuple(name.split("."))
        physical: list[str] = []
        inside: DataType = schema
        for part in path:
            if not isinstance(inside, StructType):
                raise UsageError(
                    f"there is no column {name!r}", advice=f"columns are {', '.join(schema.names)}"
                )
            item = inside.field(part)
            physical.append(item.physical_name if mapped else item.name)
            inside = item.type
        lower, upper = converters(inside)
        partition = name in snapshot.metadata.partition_columns
        return cls(name, tuple(physical), inside, partition, lower, upper, [], [], [])

    def add(self, add: AddFile, stats: Mapping[str, Any], rows: int | None) -> None:
        if self.partition:
            value = partitions.parse_value(add.partition_values.get(self.physical[0]), self.type)
            self.low.append(value)
            self.high.append(value)
            self.nulls.append(rows if value is None else 0)
            return
        nulls = _at(stats.get("nullCount"), self.physical)
        loose = add.deletion_vector is not None or stats.get("tightBounds") is False
        known = isinstance(nulls, int) and (not loose or nulls in (0, rows))
        self.nulls.append(nulls if known else None)
        self.low.append(convert(self.lower, _at(stats.get("minValues"), self.physical)))
        self.high.append(convert(self.upper, _at(stats.get("maxValues"), self.physical)))

    def series(self) -> list[pl.Series]:
        kind = type_to_polars(self.type)
        # Whole numbers too large for the type count for nothing.
        strict = not kind.is_integer()
        return [
            pl.Series(min_name(self.name), self.low, dtype=kind, strict=strict),
            pl.Series(max_name(self.name), self.high, dtype=kind, strict=strict),
            pl.Series(nulls_name(self.name), self.nulls, dtype=pl.Int64),
        ]


def _parse(stats: str | None) -> Mapping[str, Any]:
    if not stats:
        return {}
    try:
        found = orjson.loads(stats)
    except orjson.JSONDecodeError:
        found = _parse_lenient(stats)
    return found if isinstance(found, dict) else {}


def _parse_lenient(stats: str) -> object:
    # NaN and Infinity are no JSON, yet some writers put them among the bounds.
    try:
        found: object = json.loads(stats, parse_constant=lambda _: None)
    except ValueError:
        return None
    return found


def _at(tree: object, path: Sequence[str]) -> Any:
    for name in path:
        if not isinstance(tree, dict):
            return None
        tree = tree.get(name)
    return tree
