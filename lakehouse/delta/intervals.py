"""Lengths of time as table properties write them: ``interval 1 week``, ``interval 36 hours``.

Spark SQL's interval literals, as far as the reference implementation takes them for properties: no months and
no years, whose length differs.
"""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Final

from lakehouse.delta.actions import Metadata
from lakehouse.errors import RefusedError

DELETED_FILES: Final = "delta.deletedFileRetentionDuration"
LOG: Final = "delta.logRetentionDuration"
_DEFAULTS: Final = {DELETED_FILES: timedelta(days=7), LOG: timedelta(days=30)}

_PART: Final = re.compile(r"\s*(-?\d{1,12})\s+(microsecond|millisecond|second|minute|hour|day|week)s?")
_UNITS: Final = {
    "microsecond": timedelta(microseconds=1),
    "millisecond": timedelta(milliseconds=1),
    "second": timedelta(seconds=1),
    "minute": timedelta(minutes=1),
    "hour": timedelta(hours=1),
    "day": timedelta(days=1),
    "week": timedelta(weeks=1),
}


def parse_interval(text: str) -> timedelta:
    """Reads an interval.

    Args:
        text: As ``interval 2 weeks 3 days``; the word ``interval`` may be missing.

    Returns:
        Its length.

    Raises:
        ValueError: It is none, or is negative.
    """
    rest = text.strip().lower().removeprefix("interval")
    total, at = timedelta(0), 0
    try:
        while (part := _PART.match(rest, at)) is not None:
            total += int(part[1]) * _UNITS[part[2]]
            at = part.end()
    except OverflowError:
        at = 0
    if at == 0 or rest[at:].strip() or total < timedelta(0):
        raise ValueError(f"`{text}` is no interval, as `interval 7 days`")
    return total


def retention_of(metadata: Metadata, name: str) -> timedelta:
    """How long a table keeps something, by its properties.

    Args:
        metadata: The table's.
        name: `DELETED_FILES` or `LOG`.

    Returns:
        The property's value; 7 and 30 days where it is not set, as the protocol's reference implementation
        has it.

    Raises:
        RefusedError: It can't be read: what the table's owner wanted to keep is not known then.
    """
    text = metadata.configuration.get(name)
    if text is None:
        return _DEFAULTS[name]
    try:
        return parse_interval(text)
    except ValueError:
        raise RefusedError(
            f"the table property {name} can't be read, so nobody knows how long files must stay",
            advice="set it to an interval, such as `interval 7 days`",
        ) from None
