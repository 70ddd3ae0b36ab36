"""Dates, timestamps and times of day: whole numbers since the epoch, or ISO 8601 text.

What can be kept are the years 1 to 9999, the range that engines agree on. PostgreSQL's ``infinity``
reaches us as text, or as a number whose year lies far beyond 100 000: such values say "no date" and
become null. A date between those bounds is a real one that can't be kept: its record is rejected.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Sequence
from typing import Final

import polars as pl

from lakehouse.cdc.formats.values.codec import Unit
from lakehouse.cdc.formats.values.decoded import (
    BAD_VALUE,
    OUT_OF_RANGE,
    Decoded,
    OutOfRangeError,
    by_value,
    kinds,
    null_misfits,
)
from lakehouse.delta.datatypes import DATE, TIMESTAMP, TIMESTAMP_NTZ, DataType

_DAY_US: Final = 86_400_000_000
_PER_UNIT: Final[dict[Unit, tuple[int, int]]] = {
    # one unit in microseconds, as a fraction
    "d": (_DAY_US, 1),
    "ms": (1000, 1),
    "us": (1, 1),
    "ns": (1, 1000),
}
_FIRST_US: Final = -62_135_596_800_000_000
_LAST_US: Final = 253_402_300_799_999_999
_FAR_US: Final = 100_000 * 36525 * _DAY_US // 100
_FAR_YEAR: Final = 100_000
_ZONED: Final = "%Y-%m-%dT%H:%M:%S%.f%#z"
_LOCAL: Final = "%Y-%m-%dT%H:%M:%S%.f"
_ZONE: Final = r"(?:[Zz]|[+-]\d{2}(?::?\d{2})?)$"
_DATE: Final = r"^([+-]?\d{4,}-\d{2}-\d{2})(?:[Zz]|[+-]\d{2}:\d{2})$"
_YEAR: Final = re.compile(r"([+-]?)(\d{4,})-\d\d-\d\d")
_TIME: Final = r"^(-?\d{2,}):(\d{2})(?::(\d{2})(?:\.(\d{1,9}))?)?(?:[Zz]|[+-]\d{2}(?::?\d{2})?)?$"
_MAX_I64: Final = 2**63 - 1
_MAX_I32: Final = 2**31
"""Days since the epoch are 32-bit numbers everywhere; more is no date at all, and not infinity either."""


def temporal(values: Sequence[object], *, target: DataType, unit: Unit) -> Decoded:
    """Reads dates or timestamps.

    Args:
        values: Whole numbers, ISO 8601 text, or Python dates and datetimes; any mix of them.
        target: ``date``, ``timestamp`` (UTC; text without a zone is taken as UTC) or ``timestamp_ntz``
            (the wall clock; a zone in the text is dropped).
        unit: What whole numbers count. For a date, numbers always count days.

    Returns:
        Date, or Datetime in microseconds. Nanoseconds are cut off. Text or datetimes with times of day
        where dates were expected give a Datetime: whether the column is widened is decided with the table's
        schema.
    """
    found = kinds(values)
    count: Unit = "d" if target == DATE else unit
    if found <= {int}:
        micros, misfits = _from_numbers(values, count)
    elif found <= {str}:
        micros, misfits = _from_text(values, target)
        if target == DATE and BAD_VALUE in misfits.values():
            moments, rest = _from_text(values, TIMESTAMP_NTZ)
            if BAD_VALUE not in rest.values():
                return Decoded(_as_type(moments, TIMESTAMP_NTZ), rest)
    else:
        parsed = by_value(values, lambda value: _one(value, target, count), pl.Int64())
        micros, misfits = parsed.series, dict(parsed.misfits)
        if target == DATE and (micros % _DAY_US != 0).any():
            return Decoded(_as_type(micros, TIMESTAMP_NTZ), misfits)
    return Decoded(_as_type(micros, target), misfits)


def time_of_day(values: Sequence[object], *, unit: Unit) -> Decoded:
    """Reads times of day as text of fixed width, since Delta has no type for them.

    Args:
        values: Whole numbers since midnight, or ISO 8601 text; any mix.
        unit: What whole numbers count.

    Returns:
        Text ``HH:MM:SS.ffffff`` (nine digits for ``ns``), without zone. PostgreSQL's 24:00:00 and the
        durations that MySQL keeps as times (up to 838 hours, also negative) keep their hours. Text in
        another form stays as it is.
    """
    found = kinds(values)
    if found <= {int}:
        return _times_from_numbers(values, unit)
    if found <= {str}:
        return Decoded(_times_from_text(pl.Series(values, dtype=pl.String), 9 if unit == "ns" else 6))
    text = [value.isoformat() if isinstance(value, dt.time) else value for value in values]
    whole = _times_from_numbers([value if type(value) is int else None for value in text], unit)
    spelled = _times_from_text(
        pl.Series([value if isinstance(value, str) else None for value in text], dtype=pl.String), 6
    )
    merged = spelled.zip_with(spelled.is_not_null(), whole.series)
    return Decoded(merged, {**null_misfits(values, merged), **whole.misfits})


def _from_numbers(values: Sequence[object], unit: Unit) -> tuple[pl.Series, dict[int, str]]:
    numerator, denominator = _PER_UNIT[unit]
    try:
        counts = pl.Series(values, dtype=pl.Int64, strict=True)
    except (TypeError, OverflowError):
        parsed = by_value(values, lambda value: _micros(value, unit), pl.Int64())
        return parsed.series, dict(parsed.misfits)
    first = max(_FIRST_US * denominator // numerator, -_MAX_I64)
    last = min(_LAST_US * denominator // numerator, _MAX_I64)
    far = min(_FAR_US * denominator // numerator, _MAX_I64)
    most = _MAX_I32 if unit == "d" else _MAX_I64
    inside = counts.is_between(first, last)
    micros = counts.set(~inside, None) * numerator // denominator
    if inside.all():
        return micros, {}
    lost = (~inside) & ((counts.abs() < far) | (counts.abs() > most))
    return micros, dict.fromkeys(lost.fill_null(value=False).arg_true().to_list(), OUT_OF_RANGE)


def _micros(value: object, unit: Unit) -> int | None:
    """One whole number in microseconds; None for what stands for infinity."""
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError
    numerator, denominator = _PER_UNIT[unit]
    micros = value * numerator // denominator
    if abs(micros) >= _FAR_US and abs(value) <= (_MAX_I32 if unit == "d" else _MAX_I64):
        return None
    if not _FIRST_US <= micros <= _LAST_US:
        raise OutOfRangeError
    return micros


def _from_text(values: Sequence[object], target: DataType) -> tuple[pl.Series, dict[int, str]]:
    text = pl.Series(values, dtype=pl.String)
    micros = _date_text(text) if target == DATE else _timestamp_text(text, target)
    micros = micros.set(~micros.is_between(_FIRST_US, _LAST_US), None)
    misfits = {}
    for index in null_misfits(values, micros):
        reason = _why_not(str(values[index]))
        if reason is not None:
            misfits[index] = reason
    return micros, misfits


def _date_text(text: pl.Series) -> pl.Series:
    days = text.str.replace(_DATE, "${1}").str.to_date("%Y-%m-%d", strict=False)
    return days.to_physical().cast(pl.Int64) * _DAY_US


def _timestamp_text(text: pl.Series, target: DataType) -> pl.Series:
    spelled = text.str.replace(r"^(.{10}) ", "${1}T")
    if target == TIMESTAMP:
        zoned = spelled.str.to_datetime(_ZONED, time_unit="us", time_zone="UTC", strict=False).to_physical()
        if zoned.null_count() == text.null_count():
            return zoned
        local = spelled.str.to_datetime(_LOCAL, time_unit="us", strict=False).to_physical()
        return zoned.zip_with(zoned.is_not_null(), local)
    wall = spelled.str.replace(rf"(T.*?){_ZONE}", "${1}").str.replace(r"^([^T]{10})$", "${1}T00:00:00")
    return wall.str.to_datetime(_LOCAL, time_unit="us", strict=False).to_physical()


def _why_not(text: str) -> str | None:
    """Why a text gave no date: a reason, or None where it stands for infinity."""
    if text.strip().lower() in {"infinity", "-infinity", "+infinity"}:
        return None
    match = _YEAR.match(text)
    if match is None:
        return BAD_VALUE
    year = int(match[2])
    if year >= _FAR_YEAR:
        return None
    return OUT_OF_RANGE if match[1] == "-" or not 1 <= year <= 9999 else BAD_VALUE


def _one(value: object, target: DataType, unit: Unit) -> int | None:
    """One value of any kind in microseconds."""
    if isinstance(value, dt.datetime):
        aware = value.astimezone(dt.UTC).replace(tzinfo=None) if value.tzinfo else value
        moment = value.replace(tzinfo=None) if target != TIMESTAMP else aware
        return (moment - dt.datetime(1970, 1, 1)) // dt.timedelta(microseconds=1)  # noqa: DTZ001
    if isinstance(value, dt.date):
        return (value - dt.date(1970, 1, 1)).days * _DAY_US
    if isinstance(value, str):
        micros, misfits = _from_text([value], target)
        if misfits:
            raise OutOfRangeError if misfits[0] == OUT_OF_RANGE else ValueError
        found: int | None = micros[0]
        return found
    return _micros(value, unit)


def _as_type(micros: pl.Series, target: DataType) -> pl.Series:
    if target == DATE:
        return (micros // _DAY_US).cast(pl.Int32).cast(pl.Date)
    zone = "UTC" if target == TIMESTAMP else None
    return micros.cast(pl.Datetime("us", zone))


def _times_from_numbers(values: Sequence[object], unit: Unit) -> Decoded:
    try:
        counts = pl.Series("t", values, dtype=pl.Int64, strict=True)
    except (TypeError, OverflowError):
        parsed = by_value(values, _small, pl.Int64())
        rest = _times_from_numbers(parsed.series.to_list(), unit)
        return Decoded(rest.series, {**rest.misfits, **parsed.misfits})
    second = {"d": 1, "ms": 1000, "us": 1_000_000, "ns": 1_000_000_000}[unit]
    inside = counts.abs() < second * 3600 * 1000
    kept = counts.set(~inside, None).alias("t")
    total = pl.col("t").abs() // second
    fraction = pl.col("t").abs() % second
    width = {"d": 0, "ms": 3, "us": 6, "ns": 9}[unit]
    text = pl.format(
        "{}{}:{}:{}.{}",
        pl.when(pl.col("t") < 0).then(pl.lit("-")).otherwise(pl.lit("")),
        (total // 3600).cast(pl.String).str.zfill(2),
        (total // 60 % 60).cast(pl.String).str.zfill(2),
        (total % 60).cast(pl.String).str.zfill(2),
        fraction.cast(pl.String).str.zfill(width) + pl.lit("0" * (6 - width)),
    )
    series = kept.to_frame().select(pl.when(pl.col("t").is_not_null()).then(text)).to_series()
    return Decoded(series, null_misfits(values, series, OUT_OF_RANGE))


def _small(value: object) -> object:
    if not isinstance(value, int) or abs(value) > _MAX_I64:
        raise OutOfRangeError
    return value


def _times_from_text(text: pl.Series, digits: int) -> pl.Series:
    frame = text.alias("t").to_frame()
    groups = [pl.col("t").str.extract(_TIME, index) for index in range(1, 5)]
    fraction = groups[3].fill_null("").str.pad_end(digits, "0").str.slice(0, max(digits, 6))
    spelled = pl.format("{}:{}:{}.{}", groups[0], groups[1], groups[2].fill_null("00"), fraction)
    return frame.select(pl.coalesce(spelled, pl.col("t"))).to_series()
