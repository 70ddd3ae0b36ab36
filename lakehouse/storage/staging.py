"""Writes local files so that they are whole or absent, also after a kill or a power cut.

A file is first written under a staging name next to its place, then given its own name in one step: by
rename (over what was there) or by hard link (only where nothing was, which is atomic on every POSIX file
system). A kill can leave a staging file behind; its name ends in ``#`` and digits, which the object_store
crate, and so obstore and deltalake, never list.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

from lakehouse.errors import StoreRefusedError

_NO_LINKS = frozenset({errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK})


def publish(target: Path, write: Callable[[BinaryIO], object], *, replace: bool, fsync: bool) -> bool:
    """Write a file and let it appear in one step.

    Args:
        target: Where it shall be. Missing folders are made.
        write: Puts the content into the open file it is given.
        replace: Whether it may take the place of an existing file.
        fsync: Whether content and names are forced to the disk before this returns, so that a power
            cut can't leave an empty file under the right name.

    Returns:
        False where a file was there and ``replace`` is false; else True.

    Raises:
        OSError: The system's own; the staging file is gone by then.
        StoreRefusedError: The file system has no hard links.
    """
    with _staged(target, fsync=fsync) as (staging, file):
        write(file)
        file.flush()
        if fsync:
            os.fsync(file.fileno())
        file.close()
        if replace:
            staging.replace(target)
        else:
            try:
                _link(staging, target)
            except FileExistsError:
                return False
        if fsync:
            _sync_folder(target.parent)
    return True


@contextlib.contextmanager
def _staged(target: Path, *, fsync: bool) -> Iterator[tuple[Path, BinaryIO]]:
    staging, file = _open_staging(target, fsync=fsync)
    try:
        with file:
            yield staging, file
    finally:
        # After a rename it is gone already; after a link, or a failure, it has to go.
        with contextlib.suppress(FileNotFoundError):
            staging.unlink()


def _open_staging(target: Path, *, fsync: bool) -> tuple[Path, BinaryIO]:
    while True:
        staging = target.with_name(f"{target.name}#{secrets.randbelow(10**12)}")
        try:
            return staging, staging.open("xb")
        except FileExistsError:
            continue
        except FileNotFoundError:
            _make_folders(target.parent, fsync=fsync)


def _make_folders(folder: Path, *, fsync: bool) -> None:
    missing = [folder]
    while not missing[-1].parent.exists():
        missing.append(missing[-1].parent)
    folder.mkdir(parents=True, exist_ok=True)
    if fsync:
        for made in missing:
            _sync_folder(made.parent)


def _link(staging: Path, target: Path) -> None:
    try:
        target.hardlink_to(staging)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        raise StoreRefusedError(
            f"the file system of {target.parent} has no hard links, so commits could overwrite each other",
            advice="put the lake on a file system with hard links (ext4, xfs, btrfs, apfs, ntfs) or in S3",
        ) from None


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
