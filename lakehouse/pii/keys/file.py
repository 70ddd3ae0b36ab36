"""Keys in files: a folder for this user alone, one file for each version of each key."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Final

from lakehouse.errors import ConflictError, KeysError
from lakehouse.pii.keys.folder import PrivateFolder
from lakehouse.pii.keys.key_file import LONGEST, DamagedKeyFileError, KeyFile, read_key_file, write_key_file
from lakehouse.pii.keys.provider import SIZE, KeyInfo
from lakehouse.pii.keys.purposes import is_purpose

_FILE: Final = re.compile(r"(?P<purpose>[a-z0-9_]+)\.(?P<version>[1-9][0-9]{0,8})\.key")


class FileKeys:
    """`KeyProvider` over a folder of files, as ``mask.1.key``.

    The folder has the mode 0700 and the files 0600; anything wider is refused, and so are links and what
    belongs to another user.

    Args:
        path: The folder; made with the first key.
    """

    name = "file"

    def __init__(self, path: str | Path) -> None:
        self._folder = PrivateFolder(Path(path))

    def __repr__(self) -> str:
        return f"FileKeys({str(self._folder.path)!r})"

    def versions(self, purpose: str) -> tuple[int, ...]:
        """See `KeyProvider.versions`."""
        return tuple(version for name, version in self._there() if name == purpose)

    def found(self) -> tuple[KeyInfo, ...]:
        """See `KeyProvider.found`."""
        return tuple(self._info(purpose, version) for purpose, version in self._there())

    def load(self, purpose: str, version: int) -> bytes:
        """See `KeyProvider.load`."""
        return self._read(purpose, version).material

    def make(self, purpose: str, version: int, *, now: datetime, author: str) -> KeyInfo:
        """See `KeyProvider.make`."""
        content = KeyFile(purpose, version, now.replace(microsecond=0), secrets.token_bytes(SIZE))
        name = _name(purpose, version)
        if not self._folder.create(name, write_key_file(content).encode()):
            raise ConflictError(
                f"version {version} of the key `{purpose}` is there already",
                advice="another process was faster; `lakehouse keys list` shows what there is",
            )
        return KeyInfo(
            purpose=purpose,
            version=version,
            place=str(self._folder.path / name),
            created=content.created,
            author=author,
        )

    def lost(self, purpose: str, version: int) -> str:
        """See `KeyProvider.lost`."""
        return f"bring {self._folder.path / _name(purpose, version)} back from a copy"

    def _there(self) -> list[tuple[str, int]]:
        return sorted(_named(self._folder.names()))

    def _info(self, purpose: str, version: int) -> KeyInfo:
        place = str(self._folder.path / _name(purpose, version))
        try:
            content = self._read(purpose, version)
        except KeysError as error:
            return KeyInfo(purpose=purpose, version=version, place=place, problem=str(error))
        return KeyInfo(purpose=purpose, version=version, place=place, created=content.created)

    def _read(self, purpose: str, version: int) -> KeyFile:
        name = _name(purpose, version)
        data = self._folder.read(name, longest=LONGEST)
        if data is None:
            raise KeysError(
                f"version {version} of the key `{purpose}` is not there",
                advice=self.lost(purpose, version),
            )
        try:
            if len(data) > LONGEST:
                raise DamagedKeyFileError("it is too long for one")
            content = read_key_file(data)
            if (content.purpose, content.version) != (purpose, version):
                raise DamagedKeyFileError("it says to be another key, or another version, than its name")
        except DamagedKeyFileError as error:
            raise KeysError(
                f"the key file {self._folder.path / name} is damaged: {error}",
                advice="bring it back from a copy; nothing is masked with a key that is not whole",
            ) from None
        return content


def _name(purpose: str, version: int) -> str:
    return f"{purpose}.{version}.key"


def _named(names: tuple[str, ...]) -> Iterator[tuple[str, int]]:
    """Purpose and version of what is a key file by its name; unfinished and other files are none."""
    for name in names:
        match = _FILE.fullmatch(name)
        if match is not None and is_purpose(match["purpose"]):
            yield match["purpose"], int(match["version"])
