"""What to say of tables and versions that are not there."""

from __future__ import annotations

from collections.abc import Iterable

from lakehouse.delta.log_files import LOG_FOLDER, LogListing
from lakehouse.errors import TableNotFoundError, VersionNotFoundError
from lakehouse.storage.objects import Storage


def describe_ranges(ranges: Iterable[tuple[int, int]]) -> str:
    """Ranges of versions for people.

    Args:
        ranges: First and last version of each.

    Returns:
        Such as ``3 to 7, 12``.
    """
    return ", ".join(f"{first} to {last}" if last > first else str(first) for first, last in ranges) or "none"


def check_there(storage: Storage, listing: LogListing, version: int) -> None:
    """Refuse a version that was never made or is gone; a gap in the log is left for the replay to name.

    Args:
        storage: The table's root.
        listing: The whole log.
        version: The version wanted.

    Raises:
        VersionNotFoundError: It says which versions remain and why this one is not there.
    """
    ranges, latest = listing.readable(), listing.latest
    first = ranges[0][0] if ranges else 0
    remain = f"versions {describe_ranges(ranges)} can be read"
    if latest is not None and version > latest:
        raise VersionNotFoundError(
            f"version {version} of {storage.url} was never made: the newest is {latest}", advice=remain
        )
    if version < 0:
        raise VersionNotFoundError(
            f"version {version} of {storage.url} can't be: versions start at 0", advice=remain
        )
    if version < first:
        raise VersionNotFoundError(
            f"version {version} of {storage.url} is gone: the log before version {first} was cleaned up",
            advice=f"{remain}; writers remove commits older than the table property "
            "delta.logRetentionDuration (30 days unless set) once a checkpoint covers them",
        )


def no_table(storage: Storage) -> TableNotFoundError:
    """The error for a place without a table.

    Args:
        storage: The place.

    Returns:
        The error.
    """
    return TableNotFoundError(
        f"there is no Delta table at {storage.url}",
        advice=f"a table has commits in its folder {LOG_FOLDER}; check the path, or make the table first",
    )
