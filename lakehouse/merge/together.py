"""Several writings of one commit: one after the other in a folder, at once where each waits for a store."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from lakehouse.delta.locations import map_files
from lakehouse.merge.files import FileChanges
from lakehouse.storage import Storage

Writing = Callable[[FileChanges], None]
"""Writes objects and notes them, and the actions that speak of them, in the list that it is given."""


def write_together(
    changes: FileChanges, writings: Sequence[Writing], *, storage: Storage
) -> list[FileChanges]:
    """Does writings that don't need each other.

    Args:
        changes: Where all of it is noted, in the order of the writings. Where one fails, what the others have
            written by then is noted too: none is left at work when this returns or raises.
        writings: What to do.
        storage: The table's folder.

    Returns:
        What each of them noted.
    """
    # Each notes for itself, so that no two threads count in the same list.
    parts = [FileChanges() for _ in writings]

    def write(number: int) -> None:
        writings[number](parts[number])

    try:
        map_files(write, range(len(writings)), storage=storage)
    finally:
        for part in parts:
            changes.take(part)
    return parts
