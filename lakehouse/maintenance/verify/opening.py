"""A data file as PyArrow reads it, wherever it lies, without holding it in memory."""

from __future__ import annotations

import io
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from lakehouse.delta.locations import is_local
from lakehouse.storage import Storage

_BUFFER: Final = 1 << 20


def open_parquet(home: Storage, path: str, *, size: int, footer: Any) -> pq.ParquetFile:
    """Open a file whose footer is known; checksums of pages count where the file has them.

    Args:
        home: The storage that holds it.
        path: Below it.
        size: Its bytes.
        footer: Its ``pyarrow.parquet.FileMetaData``.

    Returns:
        The file. A remote one fetches a row group at once; a local one reads a column megabyte by megabyte.
    """
    local = is_local(home)
    source = pa.OSFile(home.uri(path)) if local else pa.PythonFile(_Ranges(home, path, size), mode="r")
    return pq.ParquetFile(
        source,
        metadata=footer,
        pre_buffer=not local,
        buffer_size=_BUFFER if local else 0,
        page_checksum_verification=True,
    )


class _Ranges(io.RawIOBase):
    """An object as a file that is read by ranges."""

    def __init__(self, home: Storage, path: str, size: int) -> None:
        super().__init__()
        self._home, self._path, self._size, self._at = home, path, size, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        self._at = max(start + offset, 0)
        return self._at

    def read(self, size: int = -1) -> bytes:
        length = max(self._size - self._at, 0) if size < 0 else size
        data = self._home.get_range(self._path, start=self._at, length=length) if length else b""
        self._at += len(data)
        return data
