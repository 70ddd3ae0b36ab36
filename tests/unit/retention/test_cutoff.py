"""From when on a row is past its time: calendars, clocks that are set, units, columns that tell no age."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lakehouse.config.models import RetentionRule
from lakehouse.delta.schema import StructField, StructType, type_to_polars
from lakehouse.delta.type_names import parse_type
from lakehouse.errors import RefusedError
from lakehouse.retention.cutoff import Cutoff, cutoff_of

BERLIN = "Europe/Berlin"


def cutoff(kind: str, *, keep: str, now: datetime, zone: str = "UTC", unit: str | None = None) -> Cutoff:
    rule = RetentionRule.model_validate(
        {"name": "r", "column": "c", "keep": keep, "action": "delete", "timezone": zone, "unit": unit}
    )
    return cutoff_of(rule, StructType((StructField("c", parse_type(kind)),)), now=now)


def goes(kind: str, value: Any, **more: Any) -> bool | None:
    found = cutoff(kind, **more)
    values = pl.Series([value]).cast(type_to_polars(parse_type(kind)))
    return pl.select(found.past(pl.lit(values))).item()  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    ("keep", "now", "expected"),
    [
        ("10d", datetime(2026, 3, 11, 15, tzinfo=UTC), datetime(2026, 3, 1, 15, tzinfo=UTC)),
        ("2w", datetime(2026, 3, 15, tzinfo=UTC), datetime(2026, 3, 1, tzinfo=UTC)),
        ("1mo", datetime(2026, 3, 31, tzinfo=UTC), datetime(2026, 2, 28, tzinfo=UTC)),
        ("1mo", datetime(2024, 3, 31, tzinfo=UTC), datetime(2024, 2, 29, tzinfo=UTC)),
        ("1y", datetime(2024, 2, 29, tzinfo=UTC), datetime(2023, 2, 28, tzinfo=UTC)),
        ("4y", datetime(2024, 2, 29, tzinfo=UTC), datetime(2020, 2, 29, tzinfo=UTC)),
        ("36h", datetime(2026, 3, 30, tzinfo=UTC), datetime(2026, 3, 28, 12, tzinfo=UTC)),
    ],
)
def test_periods_go_by_the_calendar(keep: str, now: datetime, expected: datetime) -> None:
    assert cutoff("timestamp", keep=keep, now=now).value == expected


def test_a_day_is_a_day_on_the_rules_clock_though_clocks_are_set() -> None:
    # On 29 March 2026 Berlin's clocks go from 2 to 3: that day has 23 hours.
    now = datetime(2026, 3, 29, 12, tzinfo=ZoneInfo(BERLIN))
    found = cutoff("timestamp", keep="1d", now=now, zone=BERLIN)
    assert found.value == datetime(2026, 3, 28, 11, tzinfo=UTC)
    assert now - found.moment == timedelta(hours=23)
    assert cutoff("timestamp", keep="24h", now=now, zone=BERLIN).value == datetime(
        2026, 3, 28, 10, tzinfo=UTC
    )


def test_a_time_that_the_clock_skips_or_shows_twice_is_the_earlier_one() -> None:
    skipped = cutoff("timestamp", keep="1d", now=datetime(2026, 3, 30, 0, 30, tzinfo=UTC), zone=BERLIN)
    assert skipped.value == datetime(2026, 3, 29, 0, 30, tzinfo=UTC)
    twice = cutoff("timestamp", keep="1d", now=datetime(2026, 10, 26, 1, 30, tzinfo=UTC), zone=BERLIN)
    assert twice.value == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)


def test_a_date_stays_until_its_day_has_ended_in_the_rules_zone() -> None:
    # In Auckland it is already 2 June.
    now = datetime(2026, 6, 1, 12, tzinfo=UTC)
    assert goes("date", date(2026, 5, 30), keep="1d", now=now, zone="UTC") is True
    assert goes("date", date(2026, 5, 31), keep="1d", now=now, zone="UTC") is False
    assert goes("date", date(2026, 5, 31), keep="1d", now=now, zone="Pacific/Auckland") is True


def test_exactly_as_old_as_allowed_is_not_too_old() -> None:
    now = datetime(2026, 6, 1, 12, tzinfo=UTC)
    edge = datetime(2026, 5, 31, 12, tzinfo=UTC)
    assert goes("timestamp", edge, keep="1d", now=now) is False
    assert goes("timestamp", edge - timedelta(microseconds=1), keep="1d", now=now) is True


@pytest.mark.parametrize(
    ("kind", "unit", "edge"),
    [
        ("long", "days", 20604),
        ("long", "seconds", 1780228800),
        ("integer", "seconds", 1780228800),
        ("long", "millis", 1780228800_000),
        ("long", "micros", 1780228800_000_000),
        ("long", "nanos", 1780228800_000_000_000),
        ("double", "seconds", 1780228800.0),
        ("decimal(20,3)", "seconds", 1780228800),
    ],
)
def test_numbers_count_what_the_unit_says(kind: str, unit: str, edge: float) -> None:
    now = datetime(2026, 6, 1, 12, tzinfo=UTC)
    assert datetime.fromtimestamp(1780228800, UTC) == datetime(2026, 5, 31, 12, tzinfo=UTC)
    assert goes(kind, edge, keep="1d", now=now, unit=unit) is False
    assert goes(kind, edge - 1, keep="1d", now=now, unit=unit) is True


def test_a_number_that_is_too_small_for_the_moment_is_compared_all_the_same() -> None:
    assert goes("byte", 5, keep="1d", now=datetime(2026, 6, 1, tzinfo=UTC), unit="seconds") is True


def test_no_number_is_no_date() -> None:
    found = cutoff("double", keep="1d", now=datetime(2026, 6, 1, tzinfo=UTC), unit="seconds")
    rows = pl.DataFrame({"c": [float("nan"), None, 0.0]})
    assert rows.select(found.undated(pl.col("c")))["c"].to_list() == [True, True, False]
    assert rows.select(found.past(pl.col("c")).fill_null(value=False))["c"].to_list() == [False, False, True]


@pytest.mark.parametrize(
    ("kind", "unit", "message"),
    [
        ("string", None, "type string, which tells no age"),
        ("boolean", None, "type boolean"),
        ("struct<a:long>", None, "type struct<a:long>"),
        ("long", None, "does not say what it counts"),
        ("timestamp", "seconds", "`unit` is for numbers"),
    ],
)
def test_columns_that_tell_no_age_are_refused(kind: str, unit: str | None, message: str) -> None:
    with pytest.raises(RefusedError, match=message) as caught:
        cutoff(kind, keep="1d", now=datetime(2026, 6, 1, tzinfo=UTC), unit=unit)
    assert caught.value.advice


def test_a_period_that_leads_out_of_the_calendar_is_refused() -> None:
    with pytest.raises(RefusedError, match="out of the calendar"):
        cutoff("date", keep="900y", now=datetime(500, 1, 1, tzinfo=UTC))


@settings(deadline=None)
@given(
    wall=st.datetimes(min_value=datetime(2020, 1, 1), max_value=datetime(2030, 1, 1)),
    now=st.datetimes(min_value=datetime(2021, 1, 1), max_value=datetime(2030, 1, 1), timezones=st.just(UTC)),
    keep=st.sampled_from(["1h", "5h", "1d", "7d", "1mo", "1y"]),
    zone=st.sampled_from([BERLIN, "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", "UTC"]),
    near=st.integers(min_value=-5400, max_value=5400),
)
def test_a_time_without_a_zone_goes_only_when_both_its_meanings_are_past(
    wall: datetime, now: datetime, keep: str, zone: str, near: int
) -> None:
    found = cutoff("timestamp_ntz", keep=keep, now=now, zone=zone)
    here = ZoneInfo(zone)
    for value in (wall, found.moment.astimezone(here).replace(tzinfo=None) + timedelta(seconds=near)):
        meanings = [value.replace(tzinfo=here, fold=fold).astimezone(UTC) for fold in (0, 1)]
        if any(each.astimezone(here).replace(tzinfo=None) != value for each in meanings):
            continue  # a clock skips it
        pure = value.replace(tzinfo=None, fold=0)
        expected = max(meanings) < found.moment
        assert pl.select(found.past(pl.lit(pure, dtype=pl.Datetime("us")))).item() is expected


@pytest.mark.parametrize("near", range(-4000, 8000, 370))
def test_around_the_hour_that_comes_twice(near: int) -> None:
    here = ZoneInfo(BERLIN)
    now = datetime(2026, 10, 25, 0, 30, tzinfo=UTC) + timedelta(hours=1)
    found = cutoff("timestamp_ntz", keep="1h", now=now, zone=BERLIN)
    value = datetime(2026, 10, 25, 2, 0) + timedelta(seconds=near)
    latest = max(value.replace(tzinfo=here, fold=fold).astimezone(UTC) for fold in (0, 1))
    assert pl.select(found.past(pl.lit(value, dtype=pl.Datetime("us")))).item() is (latest < found.moment)
