from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from lakehouse.config.schedules import Schedule


@pytest.mark.parametrize(
    "text",
    [
        "0 3 * * *",
        "*/15 * * * *",
        "0 4 * * 0",
        "0 4 * * 7",
        "0 4 * * sun",
        "30 2 1,15 * *",
        "0 0 1-7 jan-mar mon",
        "0 9-17/2 * * MON-FRI",
        "5 4 29 2 *",
        "0 0 30 2 mon",
        "10/20 * * * *",
        " 0  3 * * * ",
    ],
)
def test_cron_lines(text: str) -> None:
    schedule = Schedule.parse(text)
    assert schedule.kind == "cron"
    assert str(schedule) == " ".join(text.split())


@pytest.mark.parametrize(
    ("text", "every"),
    [
        ("every 15m", timedelta(minutes=15)),
        ("every 1h", timedelta(hours=1)),
        ("Every 1d", timedelta(days=1)),
        ("every 1h 30m", timedelta(minutes=90)),
    ],
)
def test_intervals(text: str, every: timedelta) -> None:
    assert Schedule.parse(text).every == every


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("2026-01-31", "2026-01-31T00:00:00"),
        ("2026-01-31T03:00", "2026-01-31T03:00:00"),
        ("2026-01-31 03:00", "2026-01-31T03:00:00"),
        ("2026-01-31T03:00:00+01:00", "2026-01-31T03:00:00+01:00"),
        ("2026-01-31T03:00:00Z", "2026-01-31T03:00:00+00:00"),
    ],
)
def test_dates(text: str, at: str) -> None:
    schedule = Schedule.parse(text)
    assert schedule.kind == "once"
    assert schedule.at == datetime.fromisoformat(at)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is no schedule"),
        ("hourly", "is no schedule"),
        ("tomorrow", "is no schedule"),
        ("2026-02-30", "is no schedule"),
        ("@daily", 'is written as "0 0 \\* \\* \\*" here'),
        ("every", "is no duration"),
        ("every 5", "is no duration"),
        ("every 0m", "has no length"),
        ("0 3 * *", "has 4 fields"),
        ("0 0 3 * * *", "has 6 fields"),
        ("60 * * * *", "`60` is out of range in the field minute: 0 to 59"),
        ("* 24 * * *", "in the field hour"),
        ("* * 0 * *", "in the field day of the month: 1 to 31"),
        ("* * * 13 *", "in the field month"),
        ("* * * * 8", "in the field day of the week: 0 to 7"),
        ("* * * * mno", "did you mean `mon`"),
        ("* * * foo *", "is not understood in the field month"),
        ("5-1 * * * *", "runs backwards"),
        ("*/0 * * * *", "out of range"),
        ("*/x * * * *", "is not understood"),
        ("1,,2 * * * *", "is not understood"),
        ("- * * * *", "is not understood"),
        ("L * * * *", "is not understood"),
        ("0 0 30 2 *", "never fires: no such month has a day 30"),
        ("0 0 31 4,6,9,11 *", "never fires"),
    ],
)
def test_what_is_no_schedule(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Schedule.parse(text)
