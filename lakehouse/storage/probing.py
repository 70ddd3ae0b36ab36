"""Refuses a store on which two writers could both believe that they made the same commit."""

from __future__ import annotations

import contextlib
import uuid

from lakehouse.errors import StorageError
from lakehouse.storage.objects import Storage
from lakehouse.storage.stores import refused

PROBE_FOLDER = "_lakehouse/probe"


def probe(storage: Storage) -> None:
    """Try whether the store honours put-if-absent, with two writes of a probe object that is then removed.

    It takes four requests, so call it once per lake rather than per commit. What it proves is that the
    store minds the condition, not that it is atomic: no number of tries could prove that.

    Args:
        storage: Where commits shall be made. The probe lies below ``_lakehouse/probe`` in it.

    Raises:
        StoreRefusedError: The second write went through, or the store has no such operation.
        StorageError: The store failed otherwise.
    """
    path = f"{PROBE_FOLDER}/{uuid.uuid4().hex}"
    first, second = f"first {path}".encode(), f"second {path}".encode()
    try:
        # False would be our own first try whose answer was lost: the name is new.
        storage.put_if_absent(path, first)
        accepted = storage.put_if_absent(path, second)
        if accepted or storage.get(path) != first:
            raise refused(f"{storage.url} wrote over an object that was there")
    finally:
        # A store that keeps everything (object lock) keeps the probe too.
        with contextlib.suppress(StorageError):
            storage.delete([path])
