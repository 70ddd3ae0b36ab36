"""What to say of tables and versions that are not there."""

from __future__ import annotations

from collections.abc import Sequence

from lakehouse.delta.log_files import LOG_FOLDER, LogListing
from lakehouse.delta.vacuum_notes import taken_by
from lakehouse.errors import TableNotFoundError, VersionNotFoundError
from lakehouse.storage.objects import Storage


def what_remains(ranges: Sequence[tuple[int, int]]) -> str:
    """Which versions there are, for people.

    Args:
        ranges: First and last version of each.

    Returns:
        Such as ``versions 3 to 7, 12 can be read``.
    """
    if not ranges:
        return "no version can be read"
    spoken = ", ".join(f"{first} to {last}" if last > first else str(first) for first, last in ranges)
    return f"{'version' if spoken.isdecimal() else 'versions'} {spoken} can be read"


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
    remain = what_remains(ranges)
    if latest is not None and version > latest:
        raise VersionNotFoundError(
            f"version {version} of {storage.url} was never made: the newest is {latest}", advice=remain
        )
    if version < 0:
        raise VersionNotFoundError(
            f"version {version} of {storage.url} can't be: versions start at 0", advice=remain
        )
    if version < first:
        note = taken_by(storage, version)
        if note is not None:
            raise VersionNotFoundError(
                f"version {version} of {storage.url} is gone: {note.spoken()}", advice=remain
            )
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
