"""Lengths of time: durations (``30m``: so many seconds) and periods (``3y``: by the calendar)."""

from __future__ import annotations

import calendar
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, Literal, TypeAlias, cast

PeriodUnit: TypeAlias = Literal["h", "d", "w", "mo", "y"]

DURATION_PATTERN: Final = r"^\s*([0-9]{1,9}\s*(ms|mo|s|m|h|d|w|y)\s*)+$"
PERIOD_PATTERN: Final = r"^\s*[0-9]{1,5}\s*(h|d|w|mo|y)\s*$"

_MILLISECONDS: Final = {
    "ms": 1,
    "s": 1_000,
    "m": 60_000,
    "h": 3_600_000,
    "d": 86_400_000,
    "w": 7 * 86_400_000,
    "mo": 30 * 86_400_000,
    "y": 365 * 86_400_000,
}
_PART: Final = re.compile(r"([0-9]{1,9})\s*(ms|mo|[smhdwy])\s*")
_PERIOD: Final = re.compile(r"([0-9]{1,5})\s*(mo|[hdwy])")
_LONGEST: Final = timedelta(days=365 * 1000)
_IN_WORDS: Final = re.compile(r"([0-9]{1,9})\s*([A-Za-z]+)")
_WORDS: Final = (
    ("milli", "ms"), ("ms", "ms"), ("mo", "mo"), ("m", "m"), ("s", "s"),
    ("h", "h"), ("d", "d"), ("w", "w"), ("y", "y"),
)  # fmt: skip


def parse_duration(text: str) -> timedelta:
    """Reads a duration.

    Args:
        text: One or more numbers with units: ``ms s m h d w mo y``; a month is 30 days here, a year 365.

    Returns:
        The duration.

    Raises:
        ValueError: It is no duration, or longer than a thousand years.
    """
    rest = text.strip()
    total = 0
    at = 0
    while (part := _PART.match(rest, at)) is not None:
        total += int(part.group(1)) * _MILLISECONDS[part.group(2)]
        at = part.end()
    if at == 0 or at != len(rest):
        meant = _meant(rest) or "write a number and a unit, as 30m, 12h or 7d"
        raise ValueError(f"`{text}` is no duration; {meant}")
    if total > _LONGEST / timedelta(milliseconds=1):
        raise ValueError(f"`{text}` is longer than a thousand years")
    return timedelta(milliseconds=total)


def format_duration(duration: timedelta) -> str:
    """Writes a duration; `parse_duration` reads it back.

    Args:
        duration: Not negative; fractions of a millisecond are lost.

    Returns:
        Such as ``7d`` or ``1h30m``.
    """
    left = duration // timedelta(milliseconds=1)
    if left == 0:
        return "0s"
    parts = []
    for unit in ("d", "h", "m", "s", "ms"):
        count, left = divmod(left, _MILLISECONDS[unit])
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts)


@dataclass(frozen=True, slots=True)
class Period:
    """A length of time by the calendar: three years before 1 March is 1 March, however many days that is.

    Args:
        count: How many units, at least 1.
        unit: ``h`` hours, ``d`` days, ``w`` weeks, ``mo`` months, ``y`` years.
    """

    count: int
    unit: PeriodUnit

    def __str__(self) -> str:
        return f"{self.count}{self.unit}"

    @classmethod
    def parse(cls, text: str) -> Period:
        """Reads a period.

        Args:
            text: A number and a unit, as ``10d``, ``2w``, ``6mo`` or ``3y``.

        Returns:
            The period.

        Raises:
            ValueError: It is no period, or is none at all (``0d``), or longer than a thousand years.
        """
        stripped = text.strip()
        match = _PERIOD.fullmatch(stripped)
        if match is None:
            meant = _meant(stripped) or "write a number and a unit, as 10d, 2w, 6mo or 3y"
            raise ValueError(f"`{text}` is no period; {meant}")
        count, unit = int(match.group(1)), cast("PeriodUnit", match.group(2))
        if count == 0:
            raise ValueError(f"`{text}` keeps nothing: a period is at least 1{unit}")
        if timedelta(milliseconds=count * _MILLISECONDS[unit]) > _LONGEST:
            raise ValueError(f"`{text}` is longer than a thousand years")
        return cls(count, unit)

    def before(self, moment: datetime) -> datetime:
        """The moment this long before another.

        Args:
            moment: Any moment; days and more are counted on the clock of its time zone.

        Returns:
            The earlier moment. A day that its month does not have becomes the month's last.

        Raises:
            OverflowError: It lies before the year 1.
        """
        return self._moved(moment, -self.count)

    def after(self, moment: datetime) -> datetime:
        """The moment this long after another; the counterpart of `before`.

        Args:
            moment: Any moment.

        Returns:
            The later moment.

        Raises:
            OverflowError: It lies after the year 9999.
        """
        return self._moved(moment, self.count)

    def _moved(self, moment: datetime, count: int) -> datetime:
        match self.unit:
            case "h" if moment.tzinfo is not None:
                # Hours pass alike whatever the clocks show.
                return (moment.astimezone(UTC) + timedelta(hours=count)).astimezone(moment.tzinfo)
            case "h":
                return moment + timedelta(hours=count)
            case "d":
                return moment + timedelta(days=count)
            case "w":
                return moment + timedelta(weeks=count)
            case "mo":
                return _months_later(moment, count)
            case "y":
                return _months_later(moment, 12 * count)


def _months_later(moment: datetime, months: int) -> datetime:
    year, month = divmod(moment.year * 12 + moment.month - 1 + months, 12)
    if not 1 <= year <= 9999:
        raise OverflowError(f"{moment.date()} moved by {months} months leaves the calendar")
    day = min(moment.day, calendar.monthrange(year, month + 1)[1])
    return moment.replace(year=year, month=month + 1, day=day)


def _meant(text: str) -> str:
    """Guesses at ``7 days`` and ``3 Years``."""
    match = _IN_WORDS.fullmatch(text)
    if match is not None:
        for start, unit in _WORDS:
            if match.group(2).lower().startswith(start):
                return f"did you mean `{match.group(1)}{unit}`?"
    return ""
