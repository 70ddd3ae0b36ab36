"""Footers of Parquet files, read by the end of the file alone."""

from __future__ import annotations

import io
import struct
from collections.abc import Sequence
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from lakehouse.delta.actions import AddFile
from lakehouse.delta.locations import locate, map_files
from lakehouse.errors import CorruptTableError, NotFoundError
from lakehouse.storage import Storage

_TAIL: Final = 1 << 16
_TRAILER: Final = 8
_MAGIC: Final = b"PAR1"


def read_footer(storage: Storage, add: AddFile) -> Any:
    """Read the footer of a data file.

    Args:
        storage: The table's root.
        add: The file.

    Returns:
        A ``pyarrow.parquet.FileMetaData``.

    Raises:
        CorruptTableError: The file is missing or is no Parquet; the message names it.
        StorageError: The store failed.
    """
    home, path = locate(storage, add.path)
    try:
        tail = _read_end(home, path, add.size, _TAIL)
        if len(tail) < _TRAILER or not tail.endswith(_MAGIC):
            raise _broken(storage, add, "is no Parquet file, or not of the size that the log says")
        length = struct.unpack("<I", tail[-_TRAILER:-4])[0] + _TRAILER
        if length > len(tail):
            tail = _read_end(home, path, add.size, length)
    except NotFoundError as error:
        raise _broken(storage, add, "is missing") from error
    try:
        return pq.read_metadata(io.BytesIO(tail))
    except (pa.ArrowException, OSError) as error:
        raise _broken(storage, add, "has a damaged footer") from error


def row_counts(storage: Storage, adds: Sequence[AddFile]) -> list[int]:
    """Count the rows of data files, deleted ones included, by what the files themselves say.

    Args:
        storage: The table's root.
        adds: The files.

    Returns:
        Rows of each, in order.

    Raises:
        CorruptTableError: A file is missing or is no Parquet; the message names it.
        StorageError: The store failed.
    """
    return map_files(lambda add: int(read_footer(storage, add).num_rows), adds, storage=storage)


def _read_end(storage: Storage, path: str, size: int, length: int) -> bytes:
    start = max(size - length, 0)
    return storage.get_range(path, start=start, length=size - start)


def _broken(storage: Storage, add: AddFile, what: str) -> CorruptTableError:
    return CorruptTableError(
        f"the data file {add.path} of {storage.url} {what}",
        advice="restore the file from a backup, or read a version that does not need it",
    )
