"""Which version is meant: by number, by time, or by tag."""

from __future__ import annotations

from datetime import datetime

from lakehouse.delta.log import version_at
from lakehouse.errors import UsageError
from lakehouse.storage import Storage
from lakehouse.timetravel.tags import get_tag


def resolve(
    storage: Storage,
    lake: Storage,
    *,
    table: str,
    version: int | None = None,
    timestamp: datetime | str | None = None,
    tag: str | None = None,
) -> int | None:
    """Finds the version that is meant.

    Args:
        storage: The table's folder.
        lake: The lake's root, where tags are.
        table: The table's name.
        version: A version's number.
        timestamp: A time with a timezone; the newest version that is not younger is meant.
        tag: A tag's name.

    Returns:
        The version's number; None where none of the three is given, which means the newest.

    Raises:
        UsageError: More than one of the three is given, the version is negative, or the time has no timezone.
        NotFoundError: No such tag.
        VersionNotFoundError: The table is younger than the time.
    """
    given = [
        name
        for name, value in (("version", version), ("timestamp", timestamp), ("tag", tag))
        if value is not None
    ]
    if len(given) > 1:
        raise UsageError(f"{' and '.join(given)} can't be used together", advice="give one of them")
    if tag is not None:
        return get_tag(lake, table=table, name=tag).version
    if timestamp is not None:
        return version_at(storage, aware(timestamp))
    return None if version is None else checked_version(version, table=table)


def checked_version(version: object, *, table: str) -> int:
    """A version's number that can be one.

    Args:
        version: What was given for it.
        table: The table's name.

    Returns:
        The number.

    Raises:
        UsageError: It is no whole number, or below 0. True is none either, though Python would take it for 1.
    """
    if not isinstance(version, int) or isinstance(version, bool):
        raise UsageError(
            f"a version of table {table} is a whole number, not {type(version).__name__}",
            advice="give its number; times and tags have arguments of their own",
        )
    if version < 0:
        raise UsageError(f"version {version} of table {table} can't be: versions start at 0")
    return version


def aware(moment: object) -> datetime:
    """A time that is beyond doubt.

    Args:
        moment: A datetime, or ISO 8601 text.

    Returns:
        The datetime.

    Raises:
        UsageError: It is no time, or has no timezone: it would mean different versions on different machines.
    """
    if isinstance(moment, str):
        try:
            moment = datetime.fromisoformat(moment)
        except ValueError:
            raise UsageError(
                "a timestamp is not ISO 8601", advice="as in 2026-11-22T10:00:00+01:00"
            ) from None
    if not isinstance(moment, datetime):
        raise UsageError(
            f"a timestamp is a datetime or ISO 8601 text, not {type(moment).__name__}",
            advice="as in 2026-11-22T10:00:00+01:00",
        )
    if moment.tzinfo is None:
        raise UsageError(
            "a timestamp has no timezone, so it could mean several versions",
            advice="add one, as in 2026-11-22T10:00:00+01:00 or ...Z",
        )
    return moment
