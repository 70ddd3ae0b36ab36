"""When a hold ends: as it is written, and as a moment. In doubt later: a hold is not to end too early."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from lakehouse.config.durations import Period, parse_duration
from lakehouse.config.moments import iso
from lakehouse.errors import UsageError

_LOCAL: Final = re.compile(r"(\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d)?)?) +([A-Za-z][A-Za-z0-9_+/-]*)")
_DATE: Final = re.compile(r"(\d{4}-\d\d-\d\d)(Z|[+-]\d\d:?\d\d)?", re.IGNORECASE)
_ADVICE: Final = (
    "write 90d, 3y, 2027-01-31T12:00:00Z, 2027-01-31T12:00:00+01:00, or a day or time with its zone as "
    "2027-01-31 Europe/Berlin"
)


def end_of_hold(until: str | datetime | timedelta, *, now: datetime) -> datetime:
    """The moment at which a hold ends by itself.

    Args:
        until: A moment with a timezone; a length of time from now on (``90d``; months and years follow the
            calendar); or text: an ISO time with offset, a day or a time with a zone (``2027-01-31
            Europe/Berlin``). A day is held to its end. A time that a clock shows twice, or never, as summer
            time changes, is the later one.
        now: The time (timezone-aware).

    Returns:
        The moment, in UTC.

    Raises:
        UsageError: It can't be read, has no timezone, or has passed.
    """
    try:
        moment = _moment(until, now=now).astimezone(UTC)
    except OverflowError:
        raise UsageError("the end of the hold is beyond the calendar", advice=_ADVICE) from None
    if moment <= now:
        raise UsageError(f"the end of the hold has passed: {iso(moment, timespec='seconds')}", advice=_ADVICE)
    return moment


def _moment(until: object, *, now: datetime) -> datetime:
    if isinstance(until, timedelta):
        return now.astimezone(UTC) + until
    if isinstance(until, datetime):
        return _aware(until)
    if not isinstance(until, str):
        raise UsageError(f"the end of a hold is a text or a time, not {type(until).__name__}", advice=_ADVICE)
    text = until.strip()
    local = _LOCAL.fullmatch(text)
    if local is not None:
        return _in_zone(local.group(1), local.group(2))
    day = _DATE.fullmatch(text)
    if day is not None and day.group(2):
        return _iso(f"{day.group(1)}T00:00:00{day.group(2)}") + timedelta(days=1)
    length = _length(text, now=now)
    return length if length is not None else _aware(_iso(text))


def _length(text: str, *, now: datetime) -> datetime | None:
    if not re.fullmatch(r"[0-9].*[a-z]", text, re.DOTALL) or "-" in text:
        return None
    try:
        return Period.parse(text).after(now.astimezone(UTC))
    except ValueError:
        pass
    try:
        return now.astimezone(UTC) + parse_duration(text)
    except ValueError as error:
        raise UsageError(f"the end of the hold can't be read: {error}", advice=_ADVICE) from None


def _iso(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        raise UsageError("the end of the hold can't be read", advice=_ADVICE) from None


def _aware(moment: datetime) -> datetime:
    if moment.utcoffset() is None:
        raise UsageError("the end of the hold has no timezone", advice=_ADVICE)
    return _latest(moment)


def _in_zone(text: str, zone: str) -> datetime:
    try:
        info = ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise UsageError(f"there is no timezone {zone}", advice=_ADVICE) from None
    moment = _iso(text)
    if len(text) == len("2027-01-31"):
        following = date.fromisoformat(text) + timedelta(days=1)
        moment = datetime(following.year, following.month, following.day, tzinfo=None)  # noqa: DTZ001 - zone below
    return _latest(moment.replace(tzinfo=info))


def _latest(moment: datetime) -> datetime:
    """Of the moments that a clock's reading can mean, the last."""
    return max(moment.replace(fold=fold).astimezone(UTC) for fold in (0, 1))
