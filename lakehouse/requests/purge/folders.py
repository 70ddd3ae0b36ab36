"""Empty folders of this machine: they keep their names, and a partition's can be a person's."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path, PurePosixPath

from lakehouse.delta.locations import is_local
from lakehouse.storage import Storage


def drop_folders(storage: Storage, paths: Iterable[str]) -> None:
    """Removes folders of partitions in which nothing is left.

    Args:
        storage: The table's folder.
        paths: What was in them, below it.
    """
    if not is_local(storage) or storage.url.startswith("memory:"):
        return
    folders = {folder for path in paths for folder in PurePosixPath(path).parents if "=" in folder.name}
    # The innermost first. One in which somebody writes just now is not empty, or is made again.
    for folder in sorted(folders, key=lambda each: len(each.parts), reverse=True):
        with suppress(OSError):
            Path(storage.url, folder).rmdir()
