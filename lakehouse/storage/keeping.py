"""Writing over an object while it keeps its time, where the store lets that be said."""

from __future__ import annotations

from lakehouse.storage.local import LocalStorage
from lakehouse.storage.objects import Storage


def keeps_times(storage: Storage) -> bool:
    """Whether an object that is written over can keep its time.

    Args:
        storage: Where it is.
    """
    return isinstance(storage, LocalStorage)


def put_keeping_time(storage: Storage, path: str, data: bytes) -> bool:
    """Write over an object, which keeps the time of its last change where that can be done.

    The time of a commit's file is the time of its version, unless the table has in-commit timestamps.

    Args:
        storage: Where it is.
        path: The object; it has to be there.
        data: Its new content.

    Returns:
        Whether it kept its time: on local folders, yes; object stores give it the time of now.

    Raises:
        NotFoundError: The object is gone; it is not made anew.
        StorageError: The store failed.
    """
    if isinstance(storage, LocalStorage):
        storage.put_keeping_time(path, data)
        return True
    storage.head(path)
    storage.put(path, data)
    return False
