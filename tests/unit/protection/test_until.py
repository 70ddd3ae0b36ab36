from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from lakehouse.errors import UsageError
from lakehouse.protection.until import end_of_hold

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("until", "ends"),
    [
        ("2027-01-31T12:00:00Z", "2027-01-31T12:00:00+00:00"),
        ("2027-01-31 12:00:00+01:00", "2027-01-31T11:00:00+00:00"),
        # A day is held to its end.
        ("2027-01-31 Europe/Berlin", "2027-01-31T23:00:00+00:00"),
        ("2027-07-31 Europe/Berlin", "2027-07-31T22:00:00+00:00"),
        ("2027-01-31 UTC", "2027-02-01T00:00:00+00:00"),
        ("2027-01-31Z", "2027-02-01T00:00:00+00:00"),
        ("2027-12-31+01:00", "2027-12-31T23:00:00+00:00"),
        # 23 and 25 hours long.
        ("2027-03-28 Europe/Berlin", "2027-03-28T22:00:00+00:00"),
        ("2027-10-31 Europe/Berlin", "2027-10-31T23:00:00+00:00"),
        # Twice on the clock, and never: the later.
        ("2027-10-31 02:30 Europe/Berlin", "2027-10-31T01:30:00+00:00"),
        ("2027-03-28 02:30 Europe/Berlin", "2027-03-28T01:30:00+00:00"),
        ("90d", "2026-05-01T12:00:00+00:00"),
        ("1mo", "2026-02-28T12:00:00+00:00"),
        ("3y", "2029-01-31T12:00:00+00:00"),
        ("2w", "2026-02-14T12:00:00+00:00"),
        ("1h30m", "2026-01-31T13:30:00+00:00"),
        (timedelta(hours=3), "2026-01-31T15:00:00+00:00"),
        (datetime(2027, 1, 1, tzinfo=ZoneInfo("Asia/Tokyo")), "2026-12-31T15:00:00+00:00"),
    ],
)
def test_an_end_is_the_moment_that_is_meant(until: str | datetime | timedelta, ends: str) -> None:
    found = end_of_hold(until, now=NOW)
    assert found.isoformat() == ends
    assert found.utcoffset() == timedelta(0)


def test_a_leap_day_ends_a_year_later_on_the_last_of_february() -> None:
    now = datetime(2028, 2, 29, tzinfo=UTC)
    assert end_of_hold("1y", now=now) == datetime(2029, 2, 28, tzinfo=UTC)


@pytest.mark.parametrize(
    ("until", "said"),
    [
        ("2027-01-31", "no timezone"),
        ("2027-01-31T12:00", "no timezone"),
        (datetime(2027, 1, 1), "no timezone"),
        ("2027-01-31 Europe/Berlyn", "no timezone Europe/Berlyn"),
        ("2027-02-30 UTC", "can't be read"),
        ("tomorrow", "can't be read"),
        ("", "can't be read"),
        ("3 years", "can't be read"),
        ("2025-01-01T00:00:00Z", "has passed"),
        ("2026-01-31T12:00:00Z", "has passed"),
        ("-3d", "can't be read"),
        (timedelta(days=-1), "has passed"),
        ("9000y", "beyond the calendar|longer than"),
        (timedelta.max, "beyond the calendar"),
        (7, "not int"),
    ],
)
def test_an_end_that_is_none_is_refused_with_advice(until: object, said: str) -> None:
    with pytest.raises(UsageError, match=said) as caught:
        end_of_hold(until, now=NOW)  # type: ignore[arg-type]
    assert "Europe/Berlin" in caught.value.advice
