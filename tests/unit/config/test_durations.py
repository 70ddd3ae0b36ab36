from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakehouse.config.durations import Period, PeriodUnit, format_duration, parse_duration

_BERLIN = ZoneInfo("Europe/Berlin")
_PERIODS = st.builds(
    Period, st.integers(1, 40), st.sampled_from(["h", "d", "w", "mo", "y"])
)  # far from both ends of the calendar
_MOMENTS = st.datetimes(min_value=datetime(1800, 1, 1), max_value=datetime(2200, 1, 1))


@pytest.mark.parametrize(
    ("text", "duration"),
    [
        ("7d", timedelta(days=7)),
        ("12h", timedelta(hours=12)),
        ("30m", timedelta(minutes=30)),
        ("45s", timedelta(seconds=45)),
        ("250ms", timedelta(milliseconds=250)),
        ("2w", timedelta(weeks=2)),
        ("400d", timedelta(days=400)),
        ("6mo", timedelta(days=180)),
        ("3y", timedelta(days=1095)),
        ("1h30m", timedelta(minutes=90)),
        (" 1h 30m ", timedelta(minutes=90)),
        ("0h", timedelta()),
    ],
)
def test_durations(text: str, duration: timedelta) -> None:
    assert parse_duration(text) == duration


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is no duration"),
        ("7", "write a number and a unit"),
        ("d", "is no duration"),
        ("-7d", "is no duration"),
        ("1.5h", "is no duration"),
        ("7D", "did you mean `7d`"),
        ("7 days", "did you mean `7d`"),
        ("15 min", "did you mean `15m`"),
        ("3 months", "did you mean `3mo`"),
        ("2 Years", "did you mean `2y`"),
        ("10 seconds", "did you mean `10s`"),
        ("100 millis", "did you mean `100ms`"),
        ("7d x", "is no duration"),
        ("\u0667d", "is no duration"),
        ("1001y", "longer than a thousand years"),
        ("9999999999d", "is no duration"),
    ],
)
def test_what_is_no_duration(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse_duration(text)


@given(st.integers(0, 1000 * 365 * 86_400_000))
def test_a_duration_is_read_as_it_is_written(milliseconds: int) -> None:
    duration = timedelta(milliseconds=milliseconds)
    assert parse_duration(format_duration(duration)) == duration


@pytest.mark.parametrize(("text", "written"), [("7d", "7d"), ("24h", "1d"), ("90m", "1h30m"), ("0d", "0s")])
def test_how_durations_are_written(text: str, written: str) -> None:
    assert format_duration(parse_duration(text)) == written


@pytest.mark.parametrize(
    ("text", "count", "unit"),
    [("3y", 3, "y"), ("6mo", 6, "mo"), ("2w", 2, "w"), (" 10 d ", 10, "d"), ("5h", 5, "h")],
)
def test_periods(text: str, count: int, unit: PeriodUnit) -> None:
    assert Period.parse(text) == Period(count, unit)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("0d", "keeps nothing"),
        ("3", "is no period"),
        ("30m", "is no period"),
        ("1y6mo", "is no period"),
        ("3 years", "did you mean `3y`"),
        ("99999y", "longer than a thousand years"),
    ],
)
def test_what_is_no_period(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Period.parse(text)


@pytest.mark.parametrize(
    ("period", "moment", "before"),
    [
        ("3y", datetime(2026, 3, 1, tzinfo=UTC), datetime(2023, 3, 1, tzinfo=UTC)),
        ("1y", datetime(2024, 2, 29, tzinfo=UTC), datetime(2023, 2, 28, tzinfo=UTC)),
        ("4y", datetime(2024, 2, 29, tzinfo=UTC), datetime(2020, 2, 29, tzinfo=UTC)),
        ("1mo", datetime(2026, 3, 31, tzinfo=UTC), datetime(2026, 2, 28, tzinfo=UTC)),
        ("13mo", datetime(2026, 1, 15, tzinfo=UTC), datetime(2024, 12, 15, tzinfo=UTC)),
        ("2w", datetime(2026, 1, 15, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC)),
        # A day is a day on the clock, also when it has 23 hours; hours pass alike.
        ("1d", datetime(2026, 3, 29, 12, tzinfo=_BERLIN), datetime(2026, 3, 28, 12, tzinfo=_BERLIN)),
        ("24h", datetime(2026, 3, 29, 12, tzinfo=_BERLIN), datetime(2026, 3, 28, 11, tzinfo=_BERLIN)),
    ],
)
def test_periods_follow_the_calendar(period: str, moment: datetime, before: datetime) -> None:
    assert Period.parse(period).before(moment) == before


@given(_PERIODS, _MOMENTS)
def test_before_and_after_are_counterparts(period: Period, moment: datetime) -> None:
    back = period.after(period.before(moment))
    # Days that a month does not have become its last: at most three are lost.
    assert timedelta() <= moment - back <= timedelta(days=3)
    assert period.before(moment) < moment < period.after(moment)


@given(_PERIODS)
def test_a_period_is_read_as_it_is_written(period: Period) -> None:
    assert Period.parse(str(period)) == period


@given(_PERIODS, _MOMENTS, _MOMENTS)
def test_earlier_moments_have_earlier_cutoffs(period: Period, one: datetime, other: datetime) -> None:
    first, second = sorted((one, other))
    assert period.before(first) <= period.before(second) or period.unit in {"mo", "y"}


def test_the_calendar_has_ends() -> None:
    with pytest.raises(OverflowError):
        Period(30, "y").before(datetime(20, 1, 1, tzinfo=UTC))
