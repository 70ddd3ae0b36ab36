"""Which versions stay: every reason, at every border of the calendar, with clocks that lie."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakehouse.config.models.retention import VersionsToKeep
from lakehouse.protection.versions import Verdict, VersionMade, VersionRule, judge_versions

WEEK = timedelta(days=7)
NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)


def made(*moments: str) -> list[VersionMade]:
    return [VersionMade(number, datetime.fromisoformat(text)) for number, text in enumerate(moments)]


def judged(
    versions: list[VersionMade], *, zone: str = "UTC", now: datetime = NOW, **keep: int
) -> dict[int, tuple[str, ...]]:
    rules = [VersionRule("history", VersionsToKeep(**keep), zone)] if keep else []
    verdicts = judge_versions(versions, rules=rules, now=now, window=WEEK)
    assert [each.version for each in verdicts] == sorted(each.version for each in versions)
    assert all(each.keep == bool(each.reasons) == (not each.why_not) for each in verdicts)
    return {each.version: each.reasons for each in verdicts if each.keep}


def test_the_newest_by_number() -> None:
    versions = made(*(f"2026-01-0{day}T00:00Z" for day in range(1, 6)))
    assert judged(versions, last=2) == {3: ("last 2 of 2",), 4: ("newest", "last 1 of 2")}


def test_the_last_of_each_day_that_has_versions() -> None:
    versions = made(
        "2026-11-01T10:00Z",
        "2026-11-01T23:59Z",
        "2026-11-02T00:00Z",
        "2026-11-20T08:00Z",
        "2026-11-20T09:00Z",
    )
    assert judged(versions, daily=2) == {2: ("daily 2026-11-02",), 4: ("newest", "daily 2026-11-20")}
    # The quiet days between don't count: three days reach back to the first of November.
    assert set(judged(versions, daily=3)) == {1, 2, 4}


def test_days_are_those_of_the_rules_time_zone() -> None:
    versions = made("2026-11-01T22:30Z", "2026-11-01T23:30Z")
    assert set(judged(versions, daily=9)) == {1}
    assert judged(versions, daily=9, zone="Europe/Berlin") == {
        0: ("daily 2026-11-01",),
        1: ("newest", "daily 2026-11-02"),
    }


def test_weeks_are_iso_weeks_also_at_new_year() -> None:
    # 2026-12-31 and 2027-01-03 are both in week 53 of 2026; 2027-01-04 is a Monday.
    versions = made("2026-12-31T12:00Z", "2027-01-03T12:00Z", "2027-01-04T12:00Z")
    assert judged(versions, weekly=5) == {1: ("weekly 2026-W53",), 2: ("newest", "weekly 2027-W01")}


def test_months() -> None:
    versions = made("2024-02-28T12:00Z", "2024-02-29T12:00Z", "2024-03-01T00:00Z")
    assert judged(versions, monthly=2) == {1: ("monthly 2024-02",), 2: ("newest", "monthly 2024-03")}


def test_the_hour_that_comes_twice_is_two_hours() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    first = datetime(2026, 10, 25, 2, 30, tzinfo=berlin)
    again = first.replace(fold=1)
    versions = [VersionMade(0, first), VersionMade(1, again)]
    assert again.astimezone(UTC) - first.astimezone(UTC) == timedelta(hours=1)
    assert set(judged(versions, hourly=9, zone="Europe/Berlin")) == {0, 1}
    assert set(judged(versions, daily=9, zone="Europe/Berlin")) == {1}


def test_hours_of_half_hour_zones() -> None:
    versions = made("2026-11-01T10:20Z", "2026-11-01T10:40Z")
    assert set(judged(versions, hourly=9)) == {1}
    assert set(judged(versions, hourly=9, zone="Asia/Kolkata")) == {0, 1}


def test_a_clock_that_ran_ahead_takes_nothing() -> None:
    versions = made("2026-11-01T10:00Z", "2026-11-02T10:00Z", "2026-11-03T10:00Z")
    for now in (NOW, NOW + timedelta(days=9999), NOW - timedelta(days=9999)):
        assert set(judged(versions, daily=2, now=now)) == {1, 2}


def test_a_clock_that_went_back_ends_no_day_twice() -> None:
    versions = made("2026-11-02T10:00Z", "2026-11-01T10:00Z", "2026-11-02T09:00Z")
    assert judged(versions, daily=5) == {1: ("daily 2026-11-01",), 2: ("newest", "daily 2026-11-02")}


def test_without_rules_what_was_current_within_the_window() -> None:
    versions = made("2026-11-01T00:00Z", "2026-11-10T00:00Z", "2026-11-17T12:00Z", "2026-11-17T12:00:01Z")
    # Version 1 was current until exactly a week ago, version 2 a second longer.
    assert judged(versions) == {2: ("current within 7d",), 3: ("newest",)}


def test_equal_times_and_clocks_that_went_back_keep_more() -> None:
    assert set(judged(made("2026-11-01T00:00Z", "2026-11-23T00:00Z", "2026-11-02T00:00Z"))) == {0, 1, 2}
    same = made(*["2026-11-01T00:00Z"] * 3)
    assert set(judged(same)) == {2}
    assert set(judged(same, last=2, daily=1)) == {1, 2}


def test_tags_holds_and_readers() -> None:
    versions = made(*(f"2026-11-24T{hour:02d}:00Z" for hour in range(8, 13)))
    verdicts = judge_versions(
        versions,
        rules=[VersionRule("history", VersionsToKeep(last=1))],
        tags={0: ["q4"], 77: ["gone"]},
        holds={1: ["h-1", "h-2"]},
        now=NOW,
        window=WEEK,
        grace=timedelta(minutes=30),
    )
    assert [each.reasons for each in verdicts] == [
        ("tag q4",),
        ("hold h-1", "hold h-2"),
        (),
        ("current within 30m",),
        ("newest", "last 1 of 1"),
    ]
    assert verdicts[2] == Verdict(2, versions[2].made, (), "not kept by rule history")


def test_rules_add_up() -> None:
    versions = made("2026-10-01T10:00Z", "2026-11-01T10:00Z", "2026-11-01T11:00Z", "2026-11-01T12:00Z")
    rules = [VersionRule("a", VersionsToKeep(last=2)), VersionRule("b", VersionsToKeep(monthly=2))]
    verdicts = judge_versions(versions, rules=rules, now=NOW, window=WEEK)
    assert [each.version for each in verdicts if each.keep] == [0, 2, 3]
    assert verdicts[1].why_not == "not kept by rules a, b"


def test_no_versions() -> None:
    assert judge_versions([], now=NOW, window=WEEK) == ()


moments = st.datetimes(datetime(2026, 1, 1), datetime(2026, 12, 31), timezones=st.just(UTC))
counts = st.integers(0, 4)


@given(
    times=st.lists(moments, min_size=1, max_size=30),
    keep=st.fixed_dictionaries(
        dict.fromkeys(("last", "hourly", "daily", "weekly", "monthly"), counts)
    ).filter(lambda keep: any(keep.values())),
    zone=st.sampled_from(["UTC", "Europe/Berlin", "Asia/Kolkata", "America/New_York"]),
    tagged=st.sets(st.integers(0, 29)),
)
def test_whatever_the_clocks_say(
    times: list[datetime], keep: dict[str, int], zone: str, tagged: set[int]
) -> None:
    versions = [VersionMade(number, moment) for number, moment in enumerate(times)]

    def kept(counts: dict[str, int], of: list[VersionMade] = versions) -> set[int]:
        rule = VersionRule("r", VersionsToKeep(**counts), zone)
        found = judge_versions(of, rules=[rule], tags={each: ["t"] for each in tagged}, now=NOW, window=WEEK)
        return {each.version for each in found if each.keep}

    found = kept(keep)
    numbers = set(range(len(times)))
    assert {len(times) - 1} | (tagged & numbers) <= found
    assert set(sorted(numbers)[-keep["last"] :] if keep["last"] else []) <= found
    # Never more than asked for, and asking for more never keeps less.
    assert len(found - tagged) <= sum(keep.values()) + 1
    assert found <= kept({name: count + 1 for name, count in keep.items()})
    # What is kept now is kept again when the others are gone: vacuuming twice takes no more than once.
    assert kept(keep, [each for each in versions if each.version in found]) == found
    # The order in which versions are handed in means nothing.
    assert kept(keep, versions[::-1]) == found


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York", "UTC"])
def test_a_year_of_hours_gives_as_many_periods_as_were_asked_for(zone: str) -> None:
    start = datetime(2026, 1, 1, tzinfo=UTC)
    versions = [VersionMade(hour, start + timedelta(hours=hour)) for hour in range(24 * 365)]
    assert len(judged(versions, zone=zone, hourly=500)) == 500
    assert len(judged(versions, zone=zone, daily=200)) == 200
    assert len(judged(versions, zone=zone, weekly=30)) == 30
    assert len(judged(versions, zone=zone, monthly=8)) == 8
