"""From when on a row is past its time, in the terms of a rule's column. Pure: the time is handed in.

A row is kept at least as long as the rule says, wherever a column leaves something open: a date counts until
its day has ended on the rule's clock, a time without a zone as the later of the two moments that it can mean
when clocks are set back.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Final
from zoneinfo import ZoneInfo

import polars as pl

from lakehouse.config.models import RetentionRule
from lakehouse.delta.schema import DataType, DecimalType, PrimitiveType, StructType
from lakehouse.delta.type_names import type_string
from lakehouse.errors import RefusedError

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_MINUTE: Final = timedelta(minutes=1)
# Microseconds of a unit, and how many of the unit are a microsecond.
_UNITS: Final = {"seconds": (1_000_000, 1), "millis": (1_000, 1), "micros": (1, 1), "nanos": (1, 1_000)}
_WHOLE: Final = frozenset({"long", "integer", "short", "byte"})
_FLOATS: Final = frozenset({"float", "double"})
_MOMENTS: Final = frozenset({"date", "timestamp", "timestamp_ntz"})
_MOST_SCALE: Final = 18

Value = date | datetime | int | float


@dataclass(frozen=True, slots=True, kw_only=True)
class Cutoff:
    """Rows whose column lies before it are past their time.

    Args:
        moment: The moment (UTC).
        value: The same in the column's terms.
        type: The column's type.
        unit: What a number in it counts since 1970; None for times and dates.
    """

    moment: datetime
    value: Value
    type: DataType
    unit: str | None = None

    @property
    def trusts_bounds(self) -> bool:
        """Whether bounds speak for all rows: NaN lies outside of any."""
        return not _is_float(self.type)

    def past(self, values: pl.Expr) -> pl.Expr:
        """Whether values are past; null for null.

        Args:
            values: Of the column's type.
        """
        return self._comparable(values) < self._literal(self.value)

    def after(self, values: pl.Expr, limit: Cutoff) -> pl.Expr:
        """Whether values lie behind another moment; null for null."""
        return self._comparable(values) > self._literal(limit.value)

    def undated(self, values: pl.Expr) -> pl.Expr:
        """Whether values say no time: null, or NaN."""
        if _is_float(self.type):
            return values.is_null() | values.is_nan().fill_null(value=False)
        return values.is_null()

    def _comparable(self, values: pl.Expr) -> pl.Expr:
        if _is_float(self.type):
            # NaN counts as the largest of all numbers, which makes it neither past nor null.
            return values.cast(pl.Float64)
        return values.cast(pl.Int64) if _name(self.type) in _WHOLE else values

    def _literal(self, value: Value) -> pl.Expr:
        if isinstance(self.type, DecimalType):
            return pl.lit(Decimal(value)).cast(pl.Decimal(38, self.type.scale))  # type: ignore[arg-type]
        match _name(self.type):
            case "date":
                return pl.lit(value, dtype=pl.Date)
            case "timestamp":
                return pl.lit(value, dtype=pl.Datetime("us", "UTC"))
            case "timestamp_ntz":
                return pl.lit(value, dtype=pl.Datetime("us"))
            case name if name in _FLOATS:
                return pl.lit(float(value), dtype=pl.Float64)  # type: ignore[arg-type]
            case _:
                return pl.lit(value, dtype=pl.Int64)


def cutoff_of(rule: RetentionRule, schema: StructType, *, now: datetime) -> Cutoff:
    """Works out from when on rows are past their time.

    Args:
        rule: A rule for rows.
        schema: The table's schema.
        now: The moment (timezone-aware).

    Raises:
        RefusedError: The column is not there, has a type that says no time, or lacks (or has) a ``unit``; or
            the period leads out of the calendar.
    """
    kind = type_of(rule, schema)
    assert rule.keep is not None  # noqa: S101 - the config sees to it
    zone = ZoneInfo(rule.timezone)
    try:
        local = _earliest(rule.keep.before(now.astimezone(zone)))
    except OverflowError:
        raise RefusedError(
            f"rule {rule.name}: {rule.keep} before now leads out of the calendar", advice="shorten `keep`"
        ) from None
    return cutoff_at(local, kind, unit=rule.unit, zone=zone)


def cutoff_at(moment: datetime, kind: DataType, *, unit: str | None, zone: ZoneInfo) -> Cutoff:
    """A moment in the terms of a column.

    Args:
        moment: Timezone-aware.
        kind: The column's type; one that `type_of` lets through.
        unit: What a number counts since 1970.
        zone: On whose clock dates and times without a zone are.
    """
    utc, local = moment.astimezone(UTC), moment.astimezone(zone)
    value: Value
    match _name(kind):
        case "date":
            value = local.date()
        case "timestamp":
            value = utc
        case "timestamp_ntz":
            value = _wall(local)
        case name:
            value = _number(utc, local.date(), unit or "seconds", whole=name in _WHOLE, kind=kind)
    return Cutoff(moment=utc, value=value, type=kind, unit=unit)


def type_of(rule: RetentionRule, schema: StructType) -> DataType:
    """The type of a rule's column.

    Args:
        rule: A rule for rows.
        schema: The table's schema.

    Raises:
        RefusedError: The column is not there, or says no time.
    """
    column = str(rule.column)
    if column not in schema:
        raise RefusedError(
            f"rule {rule.name}: there is no column {column}",
            advice=f"the columns are: {', '.join(schema.names)}",
        )
    kind = schema.field(column).type
    name = _name(kind)
    if name in _MOMENTS:
        if rule.unit is not None:
            raise RefusedError(
                f"rule {rule.name}: column {column} is of the type {name}, and `unit` is for numbers",
                advice="take `unit` out of the rule",
            )
        return kind
    number = (
        name in _WHOLE or name in _FLOATS or (isinstance(kind, DecimalType) and kind.scale <= _MOST_SCALE)
    )
    if not number:
        raise RefusedError(
            f"rule {rule.name}: column {column} is of the type {type_string(kind)}, which tells no age",
            advice="name a date, a timestamp, or a number with `unit`",
        )
    if rule.unit is None:
        raise RefusedError(
            f"rule {rule.name}: column {column} is a number, and the rule does not say what it counts",
            advice="give `unit`: days, seconds, millis, micros or nanos since 1970",
        )
    return kind


def _name(kind: DataType) -> str:
    return kind.name if isinstance(kind, PrimitiveType) else ""


def _is_float(kind: DataType) -> bool:
    return _name(kind) in _FLOATS


def _earliest(local: datetime) -> datetime:
    """The earlier of the moments that a clock's time can mean; also for a time that a clock skips."""
    return min((local.replace(fold=fold) for fold in (0, 1)), key=lambda moment: moment.astimezone(UTC))


def _wall(local: datetime) -> datetime:
    """From which time on the clock rows may be younger than a moment.

    In the hours that a clock shows twice a time counts as the later of its two moments. So where the moment
    is in the first of them, all times that come again are younger.
    """
    wall = local.replace(tzinfo=None, fold=0)
    if local.fold or not _twice(local):
        return wall
    first = wall.replace(second=0, microsecond=0)
    while _twice((first - _MINUTE).replace(tzinfo=local.tzinfo)):
        first -= _MINUTE
    return first


def _twice(local: datetime) -> bool:
    """Whether the clock shows this time twice (and not that it skips it)."""
    return local.replace(fold=0).astimezone(UTC) < local.replace(fold=1).astimezone(UTC)


def _number(utc: datetime, day: date, unit: str, *, whole: bool, kind: DataType) -> int | float:
    if unit == "days":
        return (day - _EPOCH.date()).days
    micros = (utc - _EPOCH) // _MICROSECOND
    one, many = _UNITS[unit]
    if whole:
        # The smallest whole number that is not before the moment.
        return -(-micros * many // one)
    if isinstance(kind, DecimalType):
        return micros * many // one
    return micros * many / one
