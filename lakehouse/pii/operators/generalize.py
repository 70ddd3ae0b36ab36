"""``generalize``: coarser values of the same type."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable
from datetime import date, timedelta
from decimal import ROUND_FLOOR, Decimal
from functools import partial
from ipaddress import ip_address, ip_network
from typing import Final

import polars as pl

from lakehouse.config.models.operators import GeneralizeSettings
from lakehouse.pii.operators.common import Basic, each_text

_ISO: Final = re.compile(r"(\d{4}-\d{2}-\d{2})(?:[T ](\d{2})(:?\d{2}.*)?)?", re.ASCII | re.DOTALL)
_SMALLEST: Final = {pl.Int8: -(1 << 7), pl.Int16: -(1 << 15), pl.Int32: -(1 << 31), pl.Int64: -(1 << 63)}
_MOST_DIGITS: Final = 38
_SPANS: Final = {"hour": "1h", "day": "1d", "week": "1w", "month": "1mo", "quarter": "1q", "year": "1y"}


class Generalize(Basic):
    """Ranges of numbers, spans of time, networks, and beginnings of texts.

    ``step`` and ``bins``: a number becomes the beginning of its range, or the first of ``bins``.
    ``to``: a date or time becomes the first moment of its hour, day, week (Monday), month, quarter or year,
    in UTC; texts in ISO 8601 too. ``to: network``: the address of the network of an IP address.
    ``keep_first``: the beginning of a text. Texts that are no date or address become ``<ENTITY>``.
    """

    name = "generalize"

    def __init__(self, settings: GeneralizeSettings) -> None:
        self._settings = settings

    def takes(self, kind: pl.DataType) -> bool:
        """What the settings are for."""
        settings = self._settings
        if settings.step is not None or settings.bins is not None:
            return kind.is_numeric()
        if settings.keep_first is not None or settings.to == "network":
            return kind == pl.String
        return kind in {pl.String, pl.Date} or isinstance(kind, pl.Datetime)

    def looks_for_equal(self, values: pl.Series) -> bool:
        """What Python does value by value."""
        return isinstance(values.dtype, pl.Decimal) or values.dtype == pl.String

    def on_values(self, values: pl.Series, *, entity: str) -> pl.Series:
        """Makes values coarser."""
        settings = self._settings
        other = f"<{entity}>"
        if settings.step is not None:
            return _stepped(values, settings.step)
        if settings.bins is not None:
            return _binned(values, settings.bins)
        if settings.keep_first is not None:
            return values.str.head(settings.keep_first)
        if settings.to == "network":
            network = partial(_network, ipv4=settings.ipv4, ipv6=settings.ipv6, other=other)
            return each_text(values, network)
        return _in_time(values, str(settings.to), other)


def _in_time(values: pl.Series, unit: str, other: str) -> pl.Series:
    if values.dtype == pl.String:
        return each_text(values, partial(_iso, unit=unit, other=other))
    return values if values.dtype == pl.Date and unit == "hour" else values.dt.truncate(_SPANS[unit])


def _stepped(values: pl.Series, step: float) -> pl.Series:
    kind = values.dtype
    if isinstance(kind, pl.Decimal):
        return _stepped_decimals(values, Decimal(str(step)))
    if kind.is_integer() and step == int(step):
        value = values.cast(pl.Int64).alias("value")
        lower = (pl.col("value") // int(step) * int(step)).cast(pl.Int64)
        # The lowest range can begin below what the type holds, or what 64 bits do: that comes out above.
        smallest = next((least for narrow, least in _SMALLEST.items() if narrow == kind), 0)
        fits = (lower <= pl.col("value")) & (lower >= smallest)
        done = pl.when(fits).then(lower).when(pl.col("value").is_not_null()).then(smallest)
        return value.to_frame().select(done.cast(kind).alias(values.name)).to_series()
    number = (pl.col("value") / step).floor()
    # A quotient can be rounded to the wrong side of a border: a value on it is in the range that it begins.
    number = number + ((number + 1) * step <= pl.col("value")) - (number * step > pl.col("value"))
    begins = values.cast(pl.Float64).alias("value").to_frame().select(number * step).to_series()
    ranges = begins.alias(values.name)
    return ranges.floor().cast(kind) if kind.is_integer() else ranges.cast(kind)


def _stepped_decimals(values: pl.Series, width: Decimal) -> pl.Series:
    kind = values.dtype
    assert isinstance(kind, pl.Decimal)  # noqa: S101
    digits = kind.precision or _MOST_DIGITS
    exponent = width.normalize().as_tuple().exponent
    if digits >= _MOST_DIGITS - 1 or not isinstance(exponent, int) or -exponent > kind.scale:
        return _each_decimal(values, lambda value: (value / width).to_integral_value(ROUND_FLOOR) * width)
    wide = pl.Decimal(_MOST_DIGITS, kind.scale)
    value, step = values.cast(wide), pl.Series([width], dtype=wide)
    # As with integers, the lowest range can begin below what the type holds.
    least = pl.Series([Decimal(1 - 10**digits).scaleb(-kind.scale)], dtype=wide)
    lower = value - value % step
    return least.zip_with(lower < least, lower).cast(kind).alias(values.name)


def _binned(values: pl.Series, bins: tuple[float, ...]) -> pl.Series:
    kind = values.dtype
    if isinstance(kind, pl.Decimal):
        edges = [Decimal(str(edge)) for edge in bins]
        return _each_decimal(values, lambda value: edges[max(bisect_right(edges, value) - 1, 0)])
    begins = pl.Series("edge", bins, dtype=pl.Float64)
    places = pl.Series("place", begins.search_sorted(values.cast(pl.Float64), side="right")).cast(pl.Int64)
    lower = begins.gather((places - 1).clip(0))
    given = pl.Series("value", values)
    # What is no number stays none.
    known = given.is_not_null() & (given.is_not_nan() if kind.is_float() else True)
    done = pl.when(known).then((lower.floor() if kind.is_integer() else lower).cast(kind)).otherwise(given)
    return pl.select(done.alias(values.name)).to_series()


def _each_decimal(values: pl.Series, function: Callable[[Decimal], Decimal]) -> pl.Series:
    done = [None if value is None else function(value) for value in values.to_list()]
    return pl.Series(values.name, done, dtype=values.dtype)


def _network(text: str, *, ipv4: int, ipv6: int, other: str) -> str:
    if not text:
        return text
    try:
        address = ip_address(text.strip())
    except ValueError:
        return other
    bits = ipv4 if address.version == 4 else ipv6
    return str(ip_network(f"{address}/{bits}", strict=False).network_address)


def _iso(text: str, *, unit: str, other: str) -> str:
    if not text:
        return text
    found = _ISO.fullmatch(text)
    try:
        day = date.fromisoformat(found[1]) if found else None
    except ValueError:
        day = None
    if found is None or day is None:
        return other
    first = _first_day(day, unit).isoformat()
    if found[2] is None:
        return first
    hour = found[2] if unit == "hour" else "00"
    return f"{first}{text[10]}{hour}:00:00{_zone(found[3] or '')}"


def _first_day(day: date, unit: str) -> date:
    match unit:
        case "week":
            return day - timedelta(days=min(day.weekday(), day.toordinal() - 1))
        case "month":
            return day.replace(day=1)
        case "quarter":
            return day.replace(month=day.month - (day.month - 1) % 3, day=1)
        case "year":
            return day.replace(month=1, day=1)
    return day


def _zone(time: str) -> str:
    found = re.search(r"(Z|[+-]\d{2}:?\d{2})$", time, re.ASCII)
    return found[1] if found else ""
