"""Where a table's files lie in a store, and reading or writing a little of many of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

from lakehouse.delta import paths
from lakehouse.storage import Storage, open_storage

_REMOTE_THREADS: Final = 32

_Item = TypeVar("_Item")
_Answer = TypeVar("_Answer")


def is_local(storage: Storage) -> bool:
    """Whether a storage answers at once, so that asking several things at a time gains nothing.

    Args:
        storage: Any.

    Returns:
        True for folders of this machine.
    """
    return "://" not in storage.url


def map_files(
    function: Callable[[_Item], _Answer], items: Sequence[_Item], *, storage: Storage
) -> list[_Answer]:
    """Call a function that reads or writes a little for each item, at once where answers take their time.

    Args:
        function: What to do.
        items: For what.
        storage: Local ones are read one after the other, which is faster.

    Returns:
        The answers, in order. Where one call raises, those under way have ended before this does.
    """
    if len(items) < 2 or is_local(storage):
        return [function(item) for item in items]
    with ThreadPoolExecutor(min(_REMOTE_THREADS, len(items))) as pool:
        return list(pool.map(function, items))


def locate(storage: Storage, path: str) -> tuple[Storage, str]:
    """The storage that holds a file of the table, and the file's path in it.

    Args:
        storage: The table's root.
        path: As in the log: percent-encoded, relative or absolute.

    Returns:
        The table's own storage, or for a file that lies elsewhere one of the folder that it is in, reached
        with the same options.
    """
    relative = paths.relative(path, root=storage.url)
    if relative is not None:
        return storage, relative
    folder, _, name = paths.location(path, root=storage.url).rpartition("/")
    return open_storage(folder, options=storage.library_options()), name
