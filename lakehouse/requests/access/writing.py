"""The file that a bundle is: a ZIP archive for its reader alone, the same bytes for the same content."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Final
from uuid import uuid4

from lakehouse.errors import NotFoundError, RefusedError, StorageError, UsageError

_MODE: Final = 0o600
_FIRST_YEAR: Final = 1980
_BUFFER: Final = 1 << 20


class Archive:
    """A ZIP archive that is being written.

    Args:
        file: Where to.
        folder: Where what is too large for memory waits; nothing that waits there has a name.
        now: The time that all entries get (timezone-aware).
    """

    def __init__(self, file: IO[bytes], *, folder: Path, now: datetime) -> None:
        self._zip = zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=6)
        self._folder = folder
        moment = now.astimezone(UTC)
        year = max(moment.year, _FIRST_YEAR)
        self._time = (year, moment.month, moment.day, moment.hour, moment.minute, moment.second)

    def add(self, name: str, content: bytes | str) -> None:
        """Adds an entry.

        Args:
            name: Its path in the archive.
            content: What is in it; text becomes UTF-8.
        """
        data = content.encode("utf-8", "replace") if isinstance(content, str) else content
        self._zip.writestr(self._info(name, len(data)), data)

    def add_file(self, name: str, waiting: IO[bytes]) -> None:
        """Adds what has been waiting.

        Args:
            name: Its path in the archive.
            waiting: A file of `spool`.
        """
        size = waiting.tell()
        waiting.seek(0)
        with self._zip.open(self._info(name, size), "w") as entry:
            shutil.copyfileobj(waiting, entry, _BUFFER)

    def spool(self) -> IO[bytes]:
        """A file without a name, to be closed when it is not needed any more."""
        return tempfile.TemporaryFile(dir=self._folder)

    def close(self) -> None:
        """Writes the end of the archive."""
        self._zip.close()

    def abandon(self) -> None:
        """Leaves the archive as it is: its end is not written, also not when it is collected."""
        self._zip.fp = None

    def _info(self, name: str, size: int) -> zipfile.ZipInfo:
        info = zipfile.ZipInfo(name, date_time=self._time)
        info.compress_type = zipfile.ZIP_DEFLATED
        # As if made on Unix, wherever it is made; readable for its owner alone.
        info.create_system = 3
        info.external_attr = (0o100000 | _MODE) << 16
        info.file_size = size
        return info


@contextmanager
def writing(path: Path, *, now: datetime, replace: bool) -> Iterator[Archive]:
    """Writes an archive, which is at its place when it is whole, and not before.

    Args:
        path: Where to.
        now: The time.
        replace: Whether a file that is there may go.

    Raises:
        StorageError: It can't be written.
    """
    partial = path.with_name(f".{path.name}.{uuid4().hex[:8]}.partial")
    try:
        handle = os.open(partial, os.O_CREAT | os.O_EXCL | os.O_WRONLY, _MODE)
        try:
            with os.fdopen(handle, "wb") as file:
                archive = Archive(file, folder=path.parent, now=now)
                try:
                    yield archive
                except BaseException:
                    archive.abandon()
                    raise
                archive.close()
                file.flush()
                os.fsync(file.fileno())
            if path.exists() and not replace:
                raise _there(path)
            partial.replace(path)
        except BaseException:
            partial.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise StorageError(
            f"the bundle can't be written to {path} ({type(error).__name__})",
            advice="is there room, and may this user write there?",
        ) from None


def target(to: str | Path, *, name: str, replace: bool, lake: str) -> Path:
    """Where a bundle goes.

    Args:
        to: A file that ends in ``.zip``, or a folder that is there.
        name: What it is called in a folder.
        replace: Whether a file that is there may go.
        lake: The lake's root.

    Raises:
        NotFoundError: There is no such folder.
        UsageError: It is neither.
        RefusedError: The file is there, or would lie in the lake.
    """
    wanted = Path(to).expanduser()
    path = (wanted / name if wanted.is_dir() else wanted).absolute()
    if path.suffix.lower() != ".zip":
        raise UsageError(f"a bundle is a ZIP file, and {path.name} is none", advice="let it end in .zip")
    if not path.parent.is_dir():
        raise NotFoundError(f"there is no folder {path.parent}", advice="make it, or name another one")
    if lake.startswith("/") and path.resolve().is_relative_to(Path(lake).resolve()):
        raise RefusedError(
            f"the bundle would lie in the lake ({lake}), where nobody would look for a person's data",
            advice="name a folder outside of it",
        )
    if path.exists() and not replace:
        raise _there(path)
    return path


def digest_of(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal.

    Args:
        path: The file.
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _there(path: Path) -> RefusedError:
    return RefusedError(
        f"there is a file {path} already", advice="name another one, or say that it may go (`--overwrite`)"
    )
