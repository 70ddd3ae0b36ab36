"""When jobs run: cron lines over the changes of clocks, intervals, dates, and what is made up for."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from lakehouse.config.firing import _begin, _moments, _moments_of_a_change, due, fires, jitter, next_fire
from lakehouse.config.models.jobs import JobConfig
from lakehouse.config.schedules import Schedule, cron_fields


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def moments(line: str, start: str, end: str, zone: str = "Europe/Berlin") -> list[str]:
    found = fires(Schedule.parse(line), start=at(start), end=at(end), zone=zone)
    return [f"{each:%d %H:%M}" for each in found]


# Berlin: on 2026-03-29 the hour from 02:00 (01:00Z) is left out; on 2026-10-25 it comes twice.
@pytest.mark.parametrize(
    ("line", "start", "end", "expected"),
    [
        ("30 2 * * *", "2026-03-28", "2026-03-31", ["28 01:30", "29 01:30", "30 00:30"]),
        ("0 3 * * *", "2026-03-28", "2026-03-31", ["28 02:00", "29 01:00", "30 01:00"]),
        ("30 2,3 * * *", "2026-03-29", "2026-03-30", ["29 01:30"]),
        ("0 * * * *", "2026-03-29", "2026-03-29T04:00", ["29 00:00", "29 01:00", "29 02:00", "29 03:00"]),
        ("0 */2 * * *", "2026-03-28T23:00", "2026-03-29T05:00", ["28 23:00", "29 02:00", "29 04:00"]),
        ("30 2 * * *", "2026-10-24", "2026-10-27", ["24 00:30", "25 00:30", "26 01:30"]),
        (
            "*/30 * * * *",
            "2026-10-24T23:30",
            "2026-10-25T02:00",
            ["24 23:30", "25 00:00", "25 00:30", "25 01:00", "25 01:30"],
        ),
        ("0 9 * * mon", "2026-03-20", "2026-04-01", ["23 08:00", "30 07:00"]),
    ],
)
def test_a_cron_line_over_changes_of_the_clock(line: str, start: str, end: str, expected: list[str]) -> None:
    assert moments(line, start, end) == expected


def test_a_change_of_half_an_hour_and_one_at_midnight() -> None:
    # Lord Howe: 02:00 becomes 02:30 on 2026-10-04; 02:15 runs as 02:45, half an hour later by the new clock.
    assert moments("15 2 * * *", "2026-10-03T12:00", "2026-10-04T12:00", "Australia/Lord_Howe") == [
        "03 15:45"
    ]
    # Beirut: midnight of 2026-03-29 is left out.
    assert moments("0 0 * * *", "2026-03-28T12:00", "2026-03-29T12:00", "Asia/Beirut") == ["28 22:00"]


def test_days_of_month_and_week_are_as_in_cron() -> None:
    assert moments("0 0 13 * fri", "2026-02-01", "2026-02-28", "UTC") == [
        "06 00:00", "13 00:00", "20 00:00", "27 00:00",
    ]  # fmt: skip
    assert moments("0 0 */10 * 1", "2026-06-01", "2026-06-30", "UTC") == ["01 00:00"]
    leap = next_fire(Schedule.parse("0 0 29 2 *"), after=at("2096-03-01"))
    assert leap == at("2104-02-29")


def test_intervals_are_the_same_for_all_who_ask() -> None:
    every = Schedule.parse("every 15m")
    assert next_fire(every, after=at("2026-03-01T12:00")) == at("2026-03-01T12:15")
    assert next_fire(every, after=at("2026-03-01T12:14:59.999999")) == at("2026-03-01T12:15")
    week = Schedule.parse("every 7d")
    assert next_fire(week, after=at("2026-03-01")) == next_fire(week, after=at("2026-03-02"))


def test_a_date_is_meant_in_the_zone_and_comes_once() -> None:
    once = Schedule.parse("2026-07-31T03:00")
    assert next_fire(once, after=at("2026-01-01"), zone="Europe/Berlin") == at("2026-07-31T01:00")
    assert next_fire(once, after=at("2026-07-31T01:00"), zone="Europe/Berlin") is None


def job(**more: Any) -> JobConfig:
    return JobConfig.model_validate({"do": "vacuum", "schedule": "0 3 * * *", **more})


NOW = at("2026-03-05T03:00:30")


@pytest.mark.parametrize(
    ("catch_up", "last", "expected"),
    [
        ("latest", "2026-03-01T03:00", ["05"]),
        ("all", "2026-03-01T03:00", ["02", "03", "04", "05"]),
        ("none", "2026-03-01T03:00", ["05"]),
        ("latest", "2026-03-05T03:00", []),
        ("all", None, ["05"]),
        ("latest", None, ["05"]),
    ],
)
def test_what_was_missed_is_made_up_for(catch_up: str, last: str | None, expected: list[str]) -> None:
    found = due(job(catch_up=catch_up), name="v", last=None if last is None else at(last), now=NOW)
    assert [f"{each:%d}" for each in found] == expected


def test_what_was_missed_is_left_out_with_none() -> None:
    later = NOW + timedelta(hours=1)
    assert due(job(catch_up="none"), name="v", last=at("2026-03-01T03:00"), now=later) == []
    assert due(job(schedule="every 1h", catch_up="all"), name="v", last=at("1990-01-01"), now=NOW)[-1:] == [
        at("2026-03-05T03:00")
    ]
    assert due(job(schedule="0 3 29 2 *"), name="v", last=None, now=NOW) == []


def test_jitter_is_by_chance_and_the_same_for_all() -> None:
    jittered = job(jitter="10m", schedule="every 1h")
    delays = {jitter(jittered, name="v", fire_time=NOW + timedelta(hours=n)) for n in range(50)}
    assert len(delays) == 50
    assert all(timedelta(0) <= each < timedelta(minutes=10) for each in delays)
    moment = at("2026-03-05T03:00")
    delay = jitter(jittered, name="v", fire_time=moment)
    before = moment - timedelta(hours=1)
    assert due(jittered, name="v", last=before, now=moment + delay - timedelta(microseconds=1)) == []
    assert due(jittered, name="v", last=before, now=moment + delay) == [moment]


@pytest.mark.parametrize(
    "zone", ["Europe/Berlin", "America/Sao_Paulo", "Australia/Lord_Howe", "Pacific/Apia", "America/Havana"]
)
def test_days_on_which_no_clock_is_changed_are_not_looked_up_moment_by_moment(zone: str) -> None:
    fields, place = cron_fields("30 0,2,23 * * *"), ZoneInfo(zone)
    quick = 0
    for number in range(366 * 3):
        day = date(2010, 1, 1) + timedelta(days=number)
        assert list(_moments(fields, day, place)) == list(_moments_of_a_change(fields, day, place))
        quick += _begin(day, place) is not None
    assert quick > 366 * 2
