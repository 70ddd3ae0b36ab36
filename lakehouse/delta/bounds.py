"""What statistics and partition values promise about a file's rows, as values that can be compared.

Delta protocol, section "Per-file Statistics". What other writers rounded or cut off is widened again here,
so that a bound is never tighter than the rows: texts may be cut at any length, timestamps down to
milliseconds, decimals to the digits of a float or to 64 bits. NaN lies outside of any bounds: comparisons
that hold for NaN can't rely on them.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal
from functools import partial
from typing import Any, Final, TypeAlias

import orjson
import polars as pl

from lakehouse.delta import column_mapping, partitions
from lakehouse.delta.actions import AddFile
from lakehouse.delta.schema import DataType, DecimalType, PrimitiveType, StructType, type_to_polars
from lakehouse.delta.snapshot import Snapshot
from lakehouse.errors import UsageError

_Convert: TypeAlias = Callable[[Any], Any]

_LAST_CHARACTER: Final = "\U0010ffff"
_MILLISECOND: Final = timedelta(milliseconds=1)
_EXACT: Final = Context(prec=110)
# A float holds this many decimal digits exactly; beyond, a bound may be this many floats away.
_FLOAT_DIGITS: Final = 15
_FLOAT_STEPS: Final = 4
_CUT_OFF: Final = frozenset({Decimal(2**63 - 1), Decimal(-(2**63))})


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
    lower: _Convert
    upper: _Convert
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
        lower, upper = _converters(inside)
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
        self.low.append(_convert(self.lower, _at(stats.get("minValues"), self.physical)))
        self.high.append(_convert(self.upper, _at(stats.get("maxValues"), self.physical)))

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


def _convert(convert: _Convert, value: Any) -> Any:
    """The value, or None for one that does not fit: statistics are optional, so that loses nothing."""
    if value is None:
        return None
    try:
        return convert(value)
    except (ValueError, TypeError, ArithmeticError):
        return None


def _converters(data_type: DataType) -> tuple[_Convert, _Convert]:
    if isinstance(data_type, DecimalType):
        return (
            partial(_decimal_bound, kind=data_type, upper=False),
            partial(_decimal_bound, kind=data_type, upper=True),
        )
    name = data_type.name if isinstance(data_type, PrimitiveType) else ""
    return _CONVERTERS.get(name, (_nothing, _nothing))


def _nothing(_: Any) -> None:
    return None


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(type(value))
    return value


def _boolean(value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError(type(value))
    return value


def _finite(value: Any) -> float:
    number = float(value)
    if not math.isfinite(number):
        raise ValueError(value)
    return number


def _date(value: Any) -> date:
    return date.fromisoformat(value[:10])


def _moment(value: Any) -> datetime:
    moment = datetime.fromisoformat(value)
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _local_moment(value: Any) -> datetime:
    return datetime.fromisoformat(value).replace(tzinfo=None)


def _decimal(value: Any) -> Decimal:
    return Decimal(repr(value)) if isinstance(value, float) else Decimal(value)


def _decimal_bound(value: Any, kind: DecimalType, *, upper: bool) -> Decimal:
    number, step = _decimal(value), Decimal(1).scaleb(-kind.scale)
    if kind.precision > _FLOAT_DIGITS:
        # Some writers cut such bounds to what 64 bits hold, others compute them in floats.
        if number in _CUT_OFF:
            raise ValueError(value)
        slack = Decimal(_FLOAT_STEPS * math.ulp(float(value)))
        number = _EXACT.add(number, slack if upper else -slack)
    number = number.quantize(step, rounding=ROUND_CEILING if upper else ROUND_FLOOR, context=_EXACT)
    largest = Decimal(10**kind.precision - 1).scaleb(-kind.scale, context=_EXACT)
    return max(-largest, min(largest, number))


def _text_above(value: Any) -> str:
    return _text(value) + _LAST_CHARACTER


def _moment_above(value: Any) -> datetime:
    return _moment(value) + _MILLISECOND


def _local_moment_above(value: Any) -> datetime:
    return _local_moment(value) + _MILLISECOND


# For each type how its lower and its upper bound are read.
_CONVERTERS: Final[Mapping[str, tuple[_Convert, _Convert]]] = {
    **dict.fromkeys(("long", "integer", "short", "byte"), (math.floor, math.ceil)),
    **dict.fromkeys(("float", "double"), (_finite, _finite)),
    "string": (_text, _text_above),
    "boolean": (_boolean, _boolean),
    "date": (_date, _date),
    "timestamp": (_moment, _moment_above),
    "timestamp_ntz": (_local_moment, _local_moment_above),
}
