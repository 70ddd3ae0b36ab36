"""Local folders: read and listed through obstore, written so that a power cut loses nothing committed."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO, ClassVar

from lakehouse.storage import naming
from lakehouse.storage.staging import publish
from lakehouse.storage.stores import FAILURES, ObjectStorage, need_file


class LocalStorage(ObjectStorage):
    """A folder of this machine (or of a network share that has hard links).

    obstore writes whole or absent files too, but never forces them to the disk: after a power cut a
    commit could be an empty file. So writing is done here; see ``staging``.
    """

    is_local: ClassVar[bool] = True

    def put(self, path: str, data: bytes | memoryview) -> None:
        """See ``Storage.put``."""
        with self._doing(f"write {path!r}"):
            publish(self._file(path), lambda file: file.write(data), replace=True, fsync=self._fsync)

    def put_keeping_time(self, path: str, data: bytes) -> None:
        """Write over a file, which keeps the time of its last change; see `lakehouse.storage.keeping`.

        Args:
            path: The file.
            data: Its new content.

        Raises:
            NotFoundError: There is none.
        """
        target = self._file(path)

        def write(file: BinaryIO) -> None:
            known = target.stat()
            file.write(data)
            file.flush()
            os.utime(file.fileno(), ns=(known.st_atime_ns, known.st_mtime_ns))

        with self._reading(path):
            publish(target, write, replace=True, fsync=self._fsync)

    def put_file(self, path: str, source: Path) -> None:
        """See ``Storage.put_file``."""
        need_file(source)

        def copy(file: BinaryIO) -> None:
            with source.open("rb") as content:
                shutil.copyfileobj(content, file)

        with self._doing(f"write {path!r}"):
            publish(self._file(path), copy, replace=True, fsync=self._fsync)

    def put_if_absent(self, path: str, data: bytes) -> bool:
        """See ``Storage.put_if_absent``. Here an answer is lost only on a network share."""
        target = self._file(path)
        try:
            return publish(target, lambda file: file.write(data), replace=False, fsync=self._fsync)
        except FAILURES as error:
            raise self._failure(error, f"create {path!r}") from None

    def delete(self, paths: Sequence[str]) -> None:
        """See ``Storage.delete``."""
        for path in paths:
            with self._doing(f"delete {path!r}"), contextlib.suppress(FileNotFoundError, NotADirectoryError):
                self._file(path).unlink()

    @property
    def _fsync(self) -> bool:
        return self._connection.options.fsync

    def _file(self, path: str) -> Path:
        return Path(self._url, naming.checked(path))
