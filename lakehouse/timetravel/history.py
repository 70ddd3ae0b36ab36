"""What happened to a table: one entry per version, newest first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from lakehouse.delta.actions import CommitInfo
from lakehouse.delta.log import Commit, moment_of
from lakehouse.delta.vacuum_notes import VacuumNote
from lakehouse.timetravel.tags import Tag

_COUNTS: Final = {
    "inserted": ("numTargetRowsInserted", "num_target_rows_inserted", "num_added_rows", "num_inserted_rows"),
    "updated": ("numTargetRowsUpdated", "num_target_rows_updated", "numUpdatedRows", "num_updated_rows"),
    "deleted": ("numTargetRowsDeleted", "num_target_rows_deleted", "numDeletedRows", "num_deleted_rows"),
    "files_added": (
        "numTargetFilesAdded",
        "num_target_files_added",
        "numAddedFiles",
        "num_added_files",
        "numFiles",
    ),
    "files_removed": (
        "numTargetFilesRemoved",
        "num_target_files_removed",
        "numRemovedFiles",
        "num_removed_files",
    ),
}
"""Our name of a count, and the names that the writers of today give it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryEntry:
    """One version of a table.

    Args:
        version: Its number.
        timestamp: When it was made (UTC).
        operation: What was done, as ``MERGE``; None where the writer did not say.
        client: Which program did it; None where the writer did not say.
        user: Who did it; None where the writer did not say.
        counts: Rows ``inserted``, ``updated``, ``deleted``, files added and removed, as far as the writer
            said.
        parameters: The operation's parameters, as the writer noted them.
        tags: The names that the version has.
        gone: Why the version can't be read any more; empty where it can, as far as it is known here.
    """

    version: int
    timestamp: datetime
    operation: str | None
    client: str | None
    user: str | None
    counts: Mapping[str, int]
    parameters: Mapping[str, Any]
    tags: tuple[str, ...]
    gone: str = ""

    @property
    def readable(self) -> bool:
        """Whether the version can be read."""
        return not self.gone


def entry(commit: Commit, *, made_ms: int, tags: Sequence[Tag] = (), gone: str = "") -> HistoryEntry:
    """Reads a commit as an entry of the history: pure.

    Args:
        commit: The commit.
        made_ms: When it was made, as time travel counts, in milliseconds since the epoch.
        tags: The table's tags.
        gone: Why the version can't be read any more.
    """
    info = next((action for action in commit.actions if isinstance(action, CommitInfo)), CommitInfo())
    user = info.extra.get("userName")
    engine = info.engine_info or info.extra.get("clientVersion")
    return HistoryEntry(
        version=commit.version,
        timestamp=moment_of(made_ms),
        operation=info.operation,
        client=engine if isinstance(engine, str) else None,
        user=user if isinstance(user, str) else None,
        counts=_counts(info.operation_metrics),
        parameters=dict(info.operation_parameters),
        tags=tuple(tag.name for tag in tags if tag.version == commit.version),
        gone=gone,
    )


def why_gone(version: int, *, first: int, notes: Sequence[VacuumNote]) -> str:
    """Why a version can't be read: pure.

    Args:
        version: The version.
        first: The oldest version that the log still tells.
        notes: What vacuums took.

    Returns:
        The reason; empty where it can be read, as far as it is known.
    """
    note = next((each for each in reversed(notes) if each.takes(version)), None)
    if note is not None:
        return note.spoken()
    return f"the log before version {first} was cleaned up" if version < first else ""


def _counts(metrics: Mapping[str, Any]) -> dict[str, int]:
    found: dict[str, int] = {}
    for name, spellings in _COUNTS.items():
        for spelling in spellings:
            number = _whole(metrics.get(spelling))
            if number is not None:
                found[name] = number
                break
    return found


def _whole(value: object) -> int | None:
    """Spark writes its metrics as text, others as numbers."""
    try:
        return int(value) if isinstance(value, int | str) else None
    except ValueError:
        return None
