"""Which files of the log together make a version.

Delta protocol, sections "Checkpoints" and "Log Compaction Files".
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from lakehouse.delta.log_files import Checkpoint, LogListing, commit_path
from lakehouse.errors import CorruptTableError
from lakehouse.storage.objects import ObjectInfo


@dataclass(frozen=True, slots=True)
class LogSegment:
    """The files that together make one version.

    Args:
        version: The version.
        checkpoint: Where to start; None to start from nothing.
        steps: Files to replay on it, oldest first: commits, and compactions in the place of several.
        commit: The version's own commit file; None where only its checkpoint is left.
    """

    version: int
    checkpoint: Checkpoint | None
    steps: tuple[ObjectInfo, ...]
    commit: ObjectInfo | None


def plan_segment(
    listing: LogListing, version: int, *, broken: Collection[Checkpoint] = (), compactions: bool = True
) -> LogSegment:
    """Choose the files that make a version: the newest complete checkpoint, then every commit after it.

    Args:
        listing: What the log holds.
        version: The version wanted.
        broken: Checkpoints that turned out to be unreadable.
        compactions: Whether compaction files may stand for commits.

    Returns:
        The files.

    Raises:
        CorruptTableError: A commit in between is missing; the message names the file.
    """
    checkpoint = next((item for item in listing.newest_first(version) if item not in broken), None)
    usable = listing.compactions if compactions else ()
    longest = {item.start: item for item in sorted(usable, key=lambda item: item.end) if item.end <= version}
    steps: list[ObjectInfo] = []
    at = 0 if checkpoint is None else checkpoint.version + 1
    while at <= version:
        compaction = longest.get(at)
        if compaction is not None and compaction.end > at:
            steps.append(compaction.file)
            at = compaction.end + 1
        elif at in listing.commits:
            steps.append(listing.commits[at])
            at += 1
        else:
            raise log_gap(listing, at)
    return LogSegment(version, checkpoint, tuple(steps), listing.commits.get(version))


def log_gap(listing: LogListing, version: int) -> CorruptTableError:
    """The error for a commit that is missing between others.

    Args:
        listing: What the log holds.
        version: The missing commit.

    Returns:
        An error that names the file, and the missing parts of a checkpoint that would have bridged the gap.
    """
    parts = [name for number, names in sorted(listing.broken.items()) if number >= version for name in names]
    also = f"; its checkpoint can't be used either, as it lacks {', '.join(parts)}" if parts else ""
    return CorruptTableError(
        f"the log has a gap: {commit_path(version)} is missing{also}",
        advice="restore the file from a backup or another replica; versions before the gap may be readable",
    )
