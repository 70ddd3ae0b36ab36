"""What is seen to once a commit is made: the version is read, and a checkpoint written where one is due."""

from __future__ import annotations

from lakehouse.delta.checkpoint import checkpoint_if_due
from lakehouse.delta.snapshot import Snapshot, load_snapshot
from lakehouse.delta.transaction import Committed
from lakehouse.errors import LakehouseError
from lakehouse.storage.objects import Storage


def look_after(storage: Storage, *, base: Snapshot, done: Committed) -> Snapshot:
    """Sees to what comes after a commit. It never raises: the commit stands, whatever fails now.

    Args:
        storage: The table's root.
        base: The version that the commit was made on.
        done: The commit.

    Returns:
        The newest version; the base itself where that can't be read just now.
    """
    try:
        after = load_snapshot(storage, base=base, known={done.version: done.content})
    except LakehouseError:
        return base
    checkpoint_if_due(storage, done.version, after.metadata, last=after.checkpoint_version)
    return after
