"""When commits were made, where their files have been written over since.

Without in-commit timestamps the time of a commit's file is the time of its version. Object stores give a file
that is written over the time of now; so the time of before is kept beside the log, in the name of an empty
object: ``_lakehouse/times/<version>/<milliseconds>``. One LIST tells all of them. Other readers know nothing
of it: for them such versions seem to be made now.
"""

from __future__ import annotations

from typing import Final

from lakehouse.delta.log_files import commit_version
from lakehouse.delta.log_reading import to_millis
from lakehouse.storage.keeping import keeps_times, put_keeping_time
from lakehouse.storage.objects import Storage

FOLDER: Final = "_lakehouse/times"


def rewrite_commit(storage: Storage, path: str, data: bytes) -> bool:
    """Writes over a commit, whose version keeps its time.

    Args:
        storage: The table's root.
        path: The commit's file; it has to be there.
        data: Its new content.

    Returns:
        Whether its file kept its time too, as other readers look at it.

    Raises:
        NotFoundError: The file is gone; it is not made anew.
        StorageError: The store failed.
    """
    if keeps_times(storage):
        return put_keeping_time(storage, path, data)
    version = commit_version(path)
    before = to_millis(storage.head(path).modified)
    # What was kept first counts: a later look sees the time of the writing over.
    if version is not None and not storage.list(f"{FOLDER}/{version:020}"):
        storage.put(f"{FOLDER}/{version:020}/{before}", b"")
    storage.put(path, data)
    return False


def kept_times(storage: Storage) -> dict[int, int]:
    """The times of versions whose commits were written over.

    Args:
        storage: The table's root.

    Returns:
        Version to milliseconds since the epoch.
    """
    found: dict[int, int] = {}
    for item in storage.list(FOLDER):
        version, _, millis = item.path.removeprefix(f"{FOLDER}/").partition("/")
        if version.isdecimal() and millis.isdecimal():
            known = found.get(int(version))
            found[int(version)] = int(millis) if known is None else min(known, int(millis))
    return found
