"""When jobs run: from a schedule and a time zone to moments. Pure.

Cron lines follow the clock on the wall. Where that jumps ahead, what was meant for the hour that is left out
runs as much later; where it goes back, what is meant for the hour that comes twice runs in the first one. A
line whose field of the hour begins with ``*`` follows time as it passes instead: each real hour counts.
Intervals are counted from 1970-01-01T00:00Z, so that all who ask get the same moments.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from itertools import takewhile
from typing import Final, Literal
from zoneinfo import ZoneInfo

from lakehouse.config.models.jobs import JobConfig
from lakehouse.config.schedules import CronFields, Schedule, cron_fields

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_DAYS: Final = 366 * 9
"""So far ahead is looked: the 29th of February comes at least each eight years."""
MISSED: Final = timedelta(minutes=1)
"""With ``catch_up: none``, a run that could not begin for so long is missed."""
MOST: Final = 1000
"""So many runs that were missed are made up for at once."""


def next_fire(schedule: Schedule, *, after: datetime, zone: str = "UTC") -> datetime | None:
    """The first moment of a schedule after another one.

    Args:
        schedule: When.
        after: The other one (timezone-aware).
        zone: Whose clock a cron line or a date follows.

    Returns:
        In UTC; None where there is none any more.
    """
    moment = after.astimezone(UTC)
    if schedule.every is not None:
        # In whole steps: a float would lose microseconds.
        steps = (moment - _EPOCH) // schedule.every + 1
        return _EPOCH + steps * schedule.every
    if schedule.at is not None:
        at = schedule.at if schedule.at.tzinfo else schedule.at.replace(tzinfo=ZoneInfo(zone))
        found = at.astimezone(UTC)
        return found if found > moment else None
    fields, place = cron_fields(schedule.text), ZoneInfo(zone)
    # What was left out of the day before can run on this one.
    day = moment.astimezone(place).date() - timedelta(days=1)
    for _ in range(_DAYS):
        if _on(fields, day):
            found_ = min((each for each in _moments(fields, day, place) if each > moment), default=None)
            if found_ is not None:
                return found_
        day += timedelta(days=1)
    return None


def last_fire(schedule: Schedule, *, until: datetime, zone: str = "UTC") -> datetime | None:
    """The newest moment of a schedule, up to and with another one.

    Args:
        schedule: When.
        until: The other one (timezone-aware).
        zone: As for `next_fire`.

    Returns:
        In UTC; None where there was none yet.
    """
    moment = until.astimezone(UTC)
    if schedule.every is not None:
        return _EPOCH + (moment - _EPOCH) // schedule.every * schedule.every
    if schedule.at is not None:
        found = next_fire(schedule, after=_EPOCH, zone=zone)
        return found if found is not None and found <= moment else None
    fields, place = cron_fields(schedule.text), ZoneInfo(zone)
    day = moment.astimezone(place).date()
    for _ in range(_DAYS):
        if _on(fields, day):
            newest = max((each for each in _moments(fields, day, place) if each <= moment), default=None)
            if newest is not None:
                return newest
        day -= timedelta(days=1)
    return None


def fires(
    schedule: Schedule, *, start: datetime, end: datetime, zone: str = "UTC", most: int | None = None
) -> list[datetime]:
    """All moments of a schedule in a window.

    Args:
        schedule: When.
        start: The window's start, in it (timezone-aware).
        end: Its end, not in it.
        zone: As for `next_fire`.
        most: At most so many, the last ones.
    """
    found: list[datetime] = []
    moment = next_fire(schedule, after=start - timedelta(microseconds=1), zone=zone)
    while moment is not None and moment < end:
        found.append(moment)
        if most is not None and len(found) > most:
            del found[0]
        moment = next_fire(schedule, after=moment, zone=zone)
    return found


def due(job: JobConfig, *, name: str, last: datetime | None, now: datetime) -> list[datetime]:
    """The moments for which a job should have been begun by now.

    Args:
        job: The job.
        name: Its name; which jitter a moment has depends on it.
        last: The latest moment that it was begun for; None where it never was: then only the newest counts.
        now: The time.

    Returns:
        In their order; those that ``catch_up`` leaves out are not there.
    """
    if job.schedule is None:
        return []
    end = now + timedelta(microseconds=1)
    start = _before(job.schedule, now=now) if last is None else last + timedelta(microseconds=1)
    found = fires(job.schedule, start=start, end=end, zone=job.timezone, most=MOST)
    # In their order, also where one that comes later would have to wait less.
    found = list(takewhile(lambda each: each + jitter(job, name=name, fire_time=each) <= now, found))
    policy: Literal["latest", "all", "none"] = job.catch_up
    if policy == "none":
        return [each for each in found if each + jitter(job, name=name, fire_time=each) > now - MISSED][-1:]
    return found if policy == "all" and last is not None else found[-1:]


def jitter(job: JobConfig, *, name: str, fire_time: datetime) -> timedelta:
    """How much later a run begins: by chance, and the same for all who ask.

    Args:
        job: The job.
        name: Its name.
        fire_time: The moment.
    """
    digest = hashlib.sha256(f"{name} {fire_time.isoformat()}".encode()).digest()
    return job.jitter * (int.from_bytes(digest[:4], "big") / 2**32)


def _before(schedule: Schedule, *, now: datetime) -> datetime:
    """From where on to look for the newest moment of a schedule, as near as is safe."""
    if schedule.every is not None:
        return now - schedule.every
    if schedule.at is not None:
        return _EPOCH
    fields = cron_fields(schedule.text)
    often = len(fields.hours) == 24 and len(fields.months) == 12 and fields.any_day and fields.any_weekday
    monthly = len(fields.months) == 12
    return now - (timedelta(hours=26) if often else timedelta(days=32 if monthly else 366))


def _on(fields: CronFields, day: date) -> bool:
    if day.month not in fields.months:
        return False
    by_day, by_weekday = day.day in fields.days, (day.isoweekday() % 7) in fields.weekdays
    # As cron has it: where both are named, one of them is enough.
    if fields.any_day or fields.any_weekday:
        return by_day and by_weekday
    return by_day or by_weekday


def _moments(fields: CronFields, day: date, zone: ZoneInfo) -> Iterator[datetime]:
    begin = _begin(day, zone)
    if begin is not None:
        for hour in sorted(fields.hours):
            for minute in sorted(fields.minutes):
                yield begin + timedelta(hours=hour, minutes=minute)
        return
    yield from _moments_of_a_change(fields, day, zone)


def _begin(day: date, zone: ZoneInfo) -> datetime | None:
    """When a day begins on which no clock is changed; None for others. To look up each moment is slow."""
    first = datetime.combine(day, time(), tzinfo=zone)
    offset = first.utcoffset()
    others = (first.replace(fold=1), first.replace(hour=12), first + timedelta(days=1))
    if offset is None or any(each.utcoffset() != offset for each in others):
        return None
    return datetime.combine(day, time(), tzinfo=UTC) - offset


def _moments_of_a_change(fields: CronFields, day: date, zone: ZoneInfo) -> Iterator[datetime]:
    for hour in sorted(fields.hours):
        for minute in sorted(fields.minutes):
            wall = datetime.combine(day, time(hour, minute), tzinfo=zone)
            first, second = (wall.replace(fold=fold).astimezone(UTC) for fold in (0, 1))
            real = first.astimezone(zone).replace(tzinfo=None) == wall.replace(tzinfo=None)
            if not fields.any_hour:
                # In the hour that is left out, fold 0 counts on with the time before it.
                yield first
            elif real:
                yield first
                if second != first:
                    yield second
