"""Other writers of a table: what they committed meanwhile, whether a change still stands, who they were."""

from __future__ import annotations

import random
import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal, TypeAlias

from lakehouse.delta.conflicts import Finding
from lakehouse.delta.log import Commit, commits
from lakehouse.delta.snapshot import Snapshot
from lakehouse.errors import ConflictError, LakehouseError
from lakehouse.storage import Storage

FIRST_PAUSE: Final = 0.02
LONGEST_PAUSE: Final = 2.0

OutcomeName: TypeAlias = Literal["committed", "conflicted", "unknown"]


class Outcomes:
    """Counts how commits went: committed, conflicted (somebody was faster), unknown; thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter()

    def __getstate__(self) -> dict[str, Any]:
        return {}

    def __setstate__(self, state: Mapping[str, Any]) -> None:
        # What another process does, it counts itself.
        self._lock, self._counts = threading.Lock(), Counter()

    def note(self, outcome: OutcomeName) -> None:
        """Counts one more.

        Args:
            outcome: How a commit went.
        """
        with self._lock:
            self._counts[outcome] += 1

    def counts(self) -> dict[str, int]:
        """How often each outcome was, zeros included."""
        with self._lock:
            return {name: self._counts[name] for name in ("committed", "conflicted", "unknown")}


def winners(storage: Storage, *, since: Snapshot, until: Snapshot) -> list[Commit] | None:
    """The commits that others made between two versions.

    Args:
        storage: The table's folder.
        since: The version that a change was worked out on.
        until: The newest version.

    Returns:
        All of them in order; None where one can't be read (any more), or the log is not the same one.
    """
    wanted = range(since.version + 1, until.version + 1)
    if not wanted:
        return None
    try:
        found = list(commits(storage, start=wanted.start, end=until.version))
    except LakehouseError:
        return None
    return found if [commit.version for commit in found] == list(wanted) else None


def pause(conflicts: int) -> float:
    """How long to wait after so many conflicts in a row, in seconds: random, so that losers spread out.

    Args:
        conflicts: At least 1.
    """
    longest = min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** min(conflicts - 1, 16))
    return random.uniform(0.0, longest)  # noqa: S311 - no secret


def gave_up(
    table: str, *, tries: int, winner: Commit | None, findings: Sequence[Finding] = ()
) -> ConflictError:
    """The error after the last try: who was faster, and what to do.

    Args:
        table: The table's name.
        tries: How many there were.
        winner: The last commit of somebody else, as far as it is known.
        findings: What of it stood in the way; none where it was only faster.
    """
    who = ""
    if winner is not None:
        info = winner.info
        operation = (info.operation if info else None) or "an unnamed operation"
        engine = (info.engine_info if info else None) or "an unnamed engine"
        who = f"; the last was version {winner.version}, {operation} by {engine}"
    final = next((finding for finding in findings if not finding.rebase), None)
    if final is not None:
        return ConflictError(f"table {table}: {final.message}{who}", advice=final.advice)
    what = f": {findings[-1].message}" if findings else ""
    return ConflictError(
        f"table {table} was changed by other writers in each of {tries} tries{who}{what}",
        advice="try again; if it happens often, let fewer writers work on the table at once",
    )
