"""The bytes of an object: a local file, or fetched in pieces, large ones not into memory."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Final

from lakehouse.delta.locations import is_local
from lakehouse.errors import NotFoundError
from lakehouse.storage import Storage

_IN_MEMORY: Final = 64 << 20
_PIECE: Final = 16 << 20


@contextlib.contextmanager
def opened(storage: Storage, path: str) -> Iterator[IO[bytes]]:
    """Opens an object for reading.

    Args:
        storage: Where it is.
        path: Its path.

    Yields:
        A file at its beginning; it keeps its content when the object is replaced meanwhile.

    Raises:
        NotFoundError: It is not there.
        StorageError: The store failed.
    """
    if is_local(storage):
        try:
            local = Path(storage.uri(path)).open("rb")  # noqa: SIM115 - closed below
        except (FileNotFoundError, NotADirectoryError):
            raise NotFoundError(f"an object in {storage.url} is gone") from None
        with local:
            yield local
        return
    size = storage.head(path).size
    with tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY) as file:
        for start in range(0, size, _PIECE):
            file.write(storage.get_range(path, start=start, length=min(_PIECE, size - start)))
        file.seek(0)
        yield file


def read_at(file: IO[bytes], start: int, length: int) -> bytes:
    """A part of a file; less where it ends before.

    Args:
        file: The file.
        start: From where.
        length: How many bytes.
    """
    file.seek(start)
    return file.read(length)
