"""From moments to versions.

Delta protocol, section "Recommendations for Readers of Tables with In-Commit Timestamps"; for tables
without them the modification times of the commit files count, made to rise from version to version as the
reference implementation does, since clocks and copies of files can set them back.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from lakehouse.config.moments import iso
from lakehouse.delta.features import in_commit_timestamps
from lakehouse.delta.kept_times import kept_times
from lakehouse.delta.log_files import LogListing
from lakehouse.delta.log_reading import Commit, list_log, read_commit_info, to_millis
from lakehouse.delta.missing import no_table, what_remains
from lakehouse.delta.segments import plan_segment
from lakehouse.delta.snapshot import load_snapshot
from lakehouse.errors import UsageError, VersionNotFoundError
from lakehouse.storage.objects import Storage

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class _Clock:
    """When each readable version was made.

    Args:
        versions: Ascending.
        time_of: Version to milliseconds since the epoch; rising.
    """

    versions: Sequence[int]
    time_of: Callable[[int], int]

    def last_at(self, moment_ms: int) -> int | None:
        """The newest version made at or before a moment."""
        low, high = 0, len(self.versions)
        while low < high:
            middle = (low + high) // 2
            if self.time_of(self.versions[middle]) <= moment_ms:
                low = middle + 1
            else:
                high = middle
        return self.versions[low - 1] if low else None


def earliest_version(storage: Storage) -> int:
    """The oldest version that can be read.

    Args:
        storage: The table's root.

    Returns:
        The version. From it on, all can be read unless the log has a gap.

    Raises:
        TableNotFoundError: There is no table.
        CorruptTableError: No version can be read: the log's beginning is missing.
    """
    listing = list_log(storage)
    if listing.latest is None:
        raise no_table(storage)
    ranges = listing.readable()
    if not ranges:
        plan_segment(listing, listing.latest)
    return ranges[0][0]


def earliest_commit(storage: Storage) -> int:
    """The oldest version whose commit file is still there, readable or not: how far back the history goes.

    Args:
        storage: The table's root.

    Returns:
        The version; the newest one where only a checkpoint is left.

    Raises:
        TableNotFoundError: There is no table.
    """
    listing = list_log(storage)
    if listing.latest is None:
        raise no_table(storage)
    return min(listing.commits, default=listing.latest)


def version_at(storage: Storage, timestamp: datetime) -> int:
    """The version that was the newest one at a moment.

    Args:
        storage: The table's root.
        timestamp: Aware. A moment after the newest version gives the newest version.

    Returns:
        The version.

    Raises:
        UsageError: The timestamp has no time zone.
        TableNotFoundError: There is no table.
        VersionNotFoundError: It lies before the oldest version that can be read.
    """
    if timestamp.tzinfo is None:
        raise UsageError(
            f"the timestamp {timestamp.isoformat()} has no time zone",
            advice="add one, for example Z for UTC",
        )
    moment = to_millis(timestamp)
    listing = list_log(storage)
    if listing.latest is None:
        raise no_table(storage)
    # Newest period first: in-commit timestamps where they are on, file times from before that.
    clocks = _clocks(storage, listing, listing.latest)
    for clock in clocks:
        found = clock.last_at(moment)
        if found is not None:
            return found
    oldest, newest = clocks[-1], clocks[0]
    first, last = oldest.versions[0], newest.versions[-1]
    raise VersionNotFoundError(
        f"{storage.url} has no version of {timestamp.isoformat()}: "
        f"the oldest is {first} of {_spoken(oldest.time_of(first))}",
        advice=f"{what_remains([(first, last)])}, the newest of {_spoken(newest.time_of(last))}",
    )


def commit_times(storage: Storage) -> Callable[[Commit], int]:
    """When commits were made, in the same counting as `version_at`.

    Args:
        storage: The table's root.

    Returns:
        A function of a commit: milliseconds since the epoch, rising from version to version.

    Raises:
        TableNotFoundError: There is no table.
    """
    listing = list_log(storage)
    if listing.latest is None:
        raise no_table(storage)
    since = _in_commit_since(storage, listing, listing.latest)
    times = _file_times(storage, listing)

    def made(commit: Commit) -> int:
        if since is not None and commit.version >= since:
            return commit.timestamp_ms
        return times.get(commit.version, commit.timestamp_ms)

    return made


def moment_of(millis: int) -> datetime:
    """A time of the log as a moment.

    Args:
        millis: Milliseconds since the epoch.

    Returns:
        Aware, UTC.
    """
    return _EPOCH + timedelta(milliseconds=millis)


def _clocks(storage: Storage, listing: LogListing, latest: int) -> list[_Clock]:
    readable = [number for first, last in listing.readable() for number in range(first, last + 1)]
    if not readable:
        plan_segment(listing, latest)
    # Where compactions alone bridge the log, at least the newest version can be read.
    readable = readable or [latest]
    since = _in_commit_since(storage, listing, latest)
    times = _file_times(storage, listing)
    if since is None:
        return [_Clock(readable, times.__getitem__)]

    def committed(version: int) -> int:
        info = read_commit_info(storage, listing.commits[version]) if version in listing.commits else None
        stamp = None if info is None else info.in_commit_timestamp
        return times[version] if stamp is None else stamp

    stamped = _Clock([number for number in readable if number >= since], committed)
    before = _Clock([number for number in readable if number < since], times.__getitem__)
    return [clock for clock in (stamped, before) if clock.versions]


def _in_commit_since(storage: Storage, listing: LogListing, latest: int) -> int | None:
    """The version from which on commits carry their time; None where they don't."""
    if latest in listing.commits:
        # Where they are on, every commit has one: most tables are told by that without being loaded.
        info = read_commit_info(storage, listing.commits[latest])
        if info is None or info.in_commit_timestamp is None:
            return None
    snapshot = load_snapshot(storage, version=latest)
    if not in_commit_timestamps(snapshot.protocol, snapshot.metadata):
        return None
    text = snapshot.configuration.get("delta.inCommitTimestampEnablementVersion", "0")
    return int(text) if text.isascii() and text.isdigit() else 0


def _spoken(millis: int) -> str:
    return iso(moment_of(millis), timespec="milliseconds")


def _file_times(storage: Storage, listing: LogListing) -> dict[int, int]:
    """Modification times, each at least a millisecond after the one before."""
    kept = kept_times(storage)
    files = {number: items[0].files[0] for number, items in listing.checkpoints.items()} | dict(
        listing.commits
    )
    times: dict[int, int] = {}
    last: int | None = None
    for number in sorted(files):
        now = kept.get(number, to_millis(files[number].modified))
        last = now if last is None else max(now, last + 1)
        times[number] = last
    return times
