"""Schedules of jobs: a cron line, an interval or a date, checked when they are read.

Cron lines have the five fields of POSIX ``crontab``, with the usual additions: steps (``*/15``), names
(``mon``, ``jan``) and 7 for Sunday.
"""

from __future__ import annotations

import calendar
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal

from lakehouse.config.durations import parse_duration
from lakehouse.config.nearest import suggestion

_MONTHS: Final = tuple(name.lower() for name in calendar.month_abbr)
_DAYS: Final = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_NICKNAMES: Final = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
# A leap year: the 29th of February is a day on which a job can fire.
_LEAP: Final = 2024


@dataclass(frozen=True, slots=True)
class _Field:
    name: str
    lowest: int
    highest: int
    names: tuple[str, ...] = ()
    first_named: int = 0


_FIELDS: Final = (
    _Field("minute", 0, 59),
    _Field("hour", 0, 23),
    _Field("day of the month", 1, 31),
    _Field("month", 1, 12, _MONTHS[1:], 1),
    _Field("day of the week", 0, 7, _DAYS, 0),
)


@dataclass(frozen=True, slots=True)
class Schedule:
    """When a job runs.

    Args:
        text: As written.
        kind: ``cron`` a cron line, ``every`` an interval, ``once`` a date.
        every: The interval, for ``every``.
        at: The moment, for ``once``; without a time zone it is meant in the job's.
    """

    text: str
    kind: Literal["cron", "every", "once"]
    every: timedelta | None = None
    at: datetime | None = None

    def __str__(self) -> str:
        return self.text

    @classmethod
    def parse(cls, text: str) -> Schedule:
        """Reads a schedule.

        Args:
            text: ``0 3 * * *``, ``every 15m`` or ``2026-01-31T03:00``.

        Returns:
            The schedule.

        Raises:
            ValueError: It is none of these, or a cron line that can never fire.
        """
        words = text.split()
        if words and words[0].lower() == "every":
            interval = parse_duration(" ".join(words[1:]) or "nothing")
            if not interval:
                raise ValueError(f"`{text}` has no length: write every 15m")
            return cls(text, "every", every=interval)
        if len(words) > 2 or (len(words) == 2 and not words[0][:4].isdigit()):
            _check_cron(text, words)
            return cls(" ".join(words), "cron")
        if text.strip().lower() in _NICKNAMES:
            raise ValueError(f'`{text}` is written as "{_NICKNAMES[text.strip().lower()]}" here')
        try:
            return cls(text, "once", at=datetime.fromisoformat(text.strip()))
        except ValueError:
            raise ValueError(
                f'`{text}` is no schedule: write a cron line ("0 3 * * *"), an interval (every 15m) '
                "or a date (2026-01-31T03:00)"
            ) from None


@dataclass(frozen=True, slots=True)
class CronFields:
    """What the five fields of a cron line name.

    Args:
        minutes: Minutes.
        hours: Hours.
        days: Days of the month.
        months: Months.
        weekdays: Days of the week, Sunday is 0.
        any_day: Whether the field of the day of the month begins with ``*``.
        any_weekday: Whether the field of the day of the week begins with ``*``.
        any_hour: Whether the field of the hour begins with ``*``: such a line follows time as it passes, not
            the clock on the wall.
    """

    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    any_day: bool
    any_weekday: bool
    any_hour: bool


def cron_fields(text: str) -> CronFields:
    """Reads a cron line that was checked.

    Args:
        text: As `Schedule.text` has it.
    """
    words = text.split()
    minutes, hours, days, months, weekdays = (
        _values(word, field) for word, field in zip(words, _FIELDS, strict=True)
    )
    return CronFields(
        minutes=minutes,
        hours=hours,
        days=days,
        months=months,
        weekdays=weekdays,
        any_day=words[2].startswith("*"),
        any_weekday=words[4].startswith("*"),
        any_hour=words[1].startswith("*"),
    )


def _check_cron(text: str, words: list[str]) -> None:
    if len(words) != len(_FIELDS):
        raise ValueError(
            f"`{text}` has {len(words)} fields; a cron line has 5: minute, hour, day of the month, month, "
            "day of the week"
        )
    _, _, days, months, weekdays = (_values(word, field) for word, field in zip(words, _FIELDS, strict=True))
    can_fire = any(min(days) <= calendar.monthrange(_LEAP, month)[1] for month in months)
    if not can_fire and len(weekdays - {7}) == 7:
        raise ValueError(f"`{text}` never fires: no such month has a day {min(days)}")


def _values(word: str, field: _Field) -> frozenset[int]:
    """All values that one field of a cron line names."""
    values: set[int] = set()
    for item in word.split(","):
        span, slash, step_text = item.partition("/")
        step = _number(step_text, field, lowest=1) if slash else 1
        if span == "*":
            first, last = field.lowest, field.highest
        else:
            start, dash, end = span.partition("-")
            first = _number(start, field)
            last = _number(end, field) if dash else (field.highest if slash else first)
            if first > last:
                raise ValueError(f"`{item}` in the field {field.name} runs backwards")
        values.update(range(first, last + 1, step))
    if field.highest == 7:
        values = {0 if value == 7 else value for value in values}
    return frozenset(values)


def _number(text: str, field: _Field, *, lowest: int | None = None) -> int:
    if text.isascii() and text.isdigit() and len(text) < 5:
        number = int(text)
        if not (field.lowest if lowest is None else lowest) <= number <= field.highest:
            raise ValueError(
                f"`{text}` is out of range in the field {field.name}: {field.lowest} to {field.highest}"
            )
        return number
    if text.lower() in field.names:
        return field.names.index(text.lower()) + field.first_named
    hint = suggestion(text, field.names) if field.names and text.isalpha() else ""
    raise ValueError(f"`{text}` is not understood in the field {field.name}{hint}")
