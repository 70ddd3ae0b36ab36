"""A folder that only one user can read, and files in it that appear whole, once, and for nobody else.

Everything goes through one open descriptor of the folder, so that nobody can put another folder, or a link,
in its place between a look and the next step.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from lakehouse.errors import KeysError

_OTHERS: Final = 0o077
_NO_LINKS: Final = frozenset({errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK})
_LINK: Final = frozenset({errno.ELOOP, errno.EMLINK, errno.ENOTDIR})


class PrivateFolder:
    """A folder for this user alone.

    Args:
        path: Where it is.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def names(self) -> tuple[str, ...]:
        """The names of what is in it, sorted; none where the folder is not there.

        Raises:
            KeysError: Others can read it, it is another's, or it can't be read.
        """
        with self._opened(make=False) as folder:
            return () if folder is None else tuple(sorted(os.listdir(folder)))  # noqa: PTH208 - by descriptor

    def read(self, name: str, *, longest: int) -> bytes | None:
        """The content of a file.

        Args:
            name: Its name.
            longest: Bytes that are read at most.

        Returns:
            The content; None where there is no such file.

        Raises:
            KeysError: It, or the folder, is a link, can be read by others, or is another's.
        """
        with self._opened(make=False) as folder:
            if folder is None:
                return None
            try:
                # Not blocking: a pipe of that name would wait for a writer.
                flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
                descriptor = os.open(name, flags, dir_fd=folder)
            except FileNotFoundError:
                return None
            except OSError as error:
                raise self._failed(self.path / name, error) from None
            try:
                _ensure_private(os.fstat(descriptor), self.path / name, folder=False)
                return os.read(descriptor, longest + 1)
            except OSError as error:
                raise self._failed(self.path / name, error) from None
            finally:
                os.close(descriptor)

    def create(self, name: str, data: bytes) -> bool:
        """Makes a file; the folder too, if it is not there.

        Args:
            name: Its name.
            data: Its content.

        Returns:
            Whether it was made: False where a file of that name was there, which stays as it is.

        Raises:
            KeysError: The folder can be read by others, is another's, or the file can't be written.
        """
        with self._opened(make=True) as folder:
            assert folder is not None  # noqa: S101 - it was made
            staging = f".{name}.{secrets.token_hex(8)}"
            try:
                _write(staging, data, folder=folder)
                # A link, since it never takes the place of what is there, and what it names is whole.
                os.link(staging, name, src_dir_fd=folder, dst_dir_fd=folder, follow_symlinks=False)
                os.fsync(folder)
            except FileExistsError:
                return False
            except OSError as error:
                raise self._failed(self.path / name, error) from None
            finally:
                with contextlib.suppress(OSError):
                    os.unlink(staging, dir_fd=folder)
            return True

    @contextmanager
    def _opened(self, *, make: bool) -> Iterator[int | None]:
        """The folder's descriptor, once it is known that it is private; None where it is not there."""
        if os.name != "posix":
            raise KeysError(
                "keys in files need a system on which a file can be one user's alone (POSIX)",
                advice="use another provider in `keys`: env, aws_kms or vault",
            )
        if make:
            self._make()
        try:
            descriptor = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except FileNotFoundError:
            yield None
            return
        except OSError as error:
            raise self._failed(self.path, error) from None
        try:
            _ensure_private(os.fstat(descriptor), self.path, folder=True)
            yield descriptor
        finally:
            os.close(descriptor)

    def _make(self) -> None:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with contextlib.suppress(FileExistsError):
                self.path.mkdir(mode=0o700)
                # The mask of the process could have taken rights away from ourselves.
                self.path.chmod(0o700)
                _sync(self.path.parent)
        except OSError as error:
            raise self._failed(self.path, error) from None

    def _failed(self, path: Path, error: OSError) -> KeysError:
        if error.errno in _LINK and (path.is_symlink() or error.errno == errno.ELOOP):
            return KeysError(
                f"{path} is a link, and what it leads to can be changed by others",
                advice="name the folder, and lay the files, where they really are; `keys.path` says where",
            )
        if error.errno == errno.ENOTDIR:
            return KeysError(f"{path} is no folder", advice="let `keys.path` name a folder")
        if error.errno in _NO_LINKS:
            return KeysError(
                f"the file system of {self.path} has no hard links, so a key could take another's place",
                advice="let `keys.path` name a folder on another one (ext4, xfs, btrfs, apfs)",
            )
        if error.errno in {errno.EACCES, errno.EROFS}:
            return KeysError(
                f"this user may not use {path}: {error.strerror}",
                advice="run this as the user whose keys they are, or give that user the folder",
            )
        return KeysError(f"{path} can't be used: {error.strerror}", advice="look at its disk, then try again")


def _ensure_private(found: os.stat_result, path: Path, *, folder: bool) -> None:
    if not folder and not stat.S_ISREG(found.st_mode):
        raise KeysError(f"{path} is no ordinary file", advice="lay the key file itself there")
    if found.st_uid != os.geteuid():
        raise KeysError(
            f"{path} belongs to another user, who can read and change it",
            advice="run this as that user; or, if the keys are yours, make them so: "
            f"chown -R {os.geteuid()} {path if folder else path.parent}",
        )
    if found.st_mode & _OTHERS:
        mode = 700 if folder else 600
        raise KeysError(
            f"{path} can be read or changed by others (its mode is {stat.S_IMODE(found.st_mode):o}): a key "
            "that others know protects nothing",
            advice=f"chmod {mode} {path}; and if somebody may have looked, `lakehouse keys rotate`, and mask "
            "again",
        )


def _write(name: str, data: bytes, *, folder: int) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(name, flags, 0o600, dir_fd=folder)
    with os.fdopen(descriptor, "wb") as file:
        os.fchmod(descriptor, 0o600)
        file.write(data)
        file.flush()
        os.fsync(descriptor)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
