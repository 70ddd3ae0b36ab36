"""What listings of a local folder show too much or too little: links to elsewhere, and staging files."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from lakehouse.delta.locations import is_local
from lakehouse.storage import ObjectInfo, Storage

_STAGING: Final = re.compile(r"[^/]+#\d+")


def inside(storage: Storage, objects: Sequence[ObjectInfo]) -> list[ObjectInfo]:
    """Leaves out what is reached through links: it may be somebody else's, and may be the only copy.

    Args:
        storage: The table's folder.
        objects: What was listed in it.
    """
    if not is_local(storage) or storage.url.startswith("memory:"):
        return list(objects)
    root = Path(storage.url)
    known: dict[Path, bool] = {root: True}

    def own(folder: Path) -> bool:
        if folder not in known:
            known[folder] = not folder.is_symlink() and own(folder.parent)
        return known[folder]

    return [
        item for item in objects if own((root / item.path).parent) and not (root / item.path).is_symlink()
    ]


def staging_files(storage: Storage) -> list[ObjectInfo]:
    """Files of local writes that were never finished: no store lists them.

    Args:
        storage: The table's folder.
    """
    if not is_local(storage):
        return []
    return list(_staged(Path(storage.url)))


def _staged(root: Path) -> Iterator[ObjectInfo]:
    for folder, _, names in os.walk(root):
        for name in names:
            if not _STAGING.fullmatch(name):
                continue
            path = Path(folder, name)
            try:
                facts = path.lstat()
            except FileNotFoundError:
                continue
            modified = datetime.fromtimestamp(facts.st_mtime, UTC)
            yield ObjectInfo(path.relative_to(root).as_posix(), facts.st_size, modified)
