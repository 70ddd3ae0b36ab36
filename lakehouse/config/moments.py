"""How moments are written: in UTC, as ISO 8601 with a ``Z``, the same in plans, errors and JSON."""

from __future__ import annotations

from datetime import UTC, datetime


def iso(moment: datetime, *, timespec: str = "auto") -> str:
    """A moment as ``2026-03-04T05:06:07Z``.

    Args:
        moment: The moment; one without a timezone is written without ``Z``.
        timespec: As for `datetime.isoformat`: how fine.
    """
    if moment.tzinfo is None:
        return moment.isoformat(timespec=timespec)
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec=timespec) + "Z"
