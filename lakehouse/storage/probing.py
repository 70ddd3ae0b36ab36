"""Refuses a store on which two writers could both believe that they made the same commit."""

from __future__ import annotations

import contextlib
from typing import Final

from lakehouse.errors import StorageError
from lakehouse.storage.objects import Storage
from lakehouse.storage.stores import refused

PROBE: Final = "_lakehouse/put-if-absent"
"""The object that each lake keeps for asking. It always has the same content, and nothing reads it."""

_CONTENT: Final = b"Lakehouse tries to write over this object to see that the store does not let it.\n"


def probe(storage: Storage) -> None:
    """Try whether the store honours put-if-absent, by writing an object that is there already.

    It takes one request, and one more in a new lake, so call it once per lake rather than per commit. What
    it proves is that the store minds the condition now, not that it is atomic: no number of tries could
    prove that.

    Args:
        storage: Where commits shall be made.

    Raises:
        StoreRefusedError: The store wrote over what was there, or has no such operation.
        StorageError: The store failed otherwise.
    """
    # True the first time means only that the object is new, or was removed.
    if storage.put_if_absent(PROBE, _CONTENT) and storage.put_if_absent(PROBE, _CONTENT):
        with contextlib.suppress(StorageError):
            storage.delete([PROBE])
        raise refused(f"{storage.url} wrote over an object that was there")
