"""Keys for tests: the same in every process."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256

from lakehouse.errors import KeysError
from lakehouse.pii.keys.ring import Key


@dataclass(frozen=True)
class Ring:
    """Keys in as many versions as a test wants; `rotated` adds one."""

    newest: int = 1
    purposes: tuple[str, ...] = ("mask", "research")
    oldest: int = 1

    def current(self, purpose: str) -> Key:
        return self.version(purpose, self.newest)

    def version(self, purpose: str, version: int) -> Key:
        if version not in self.versions(purpose):
            raise KeysError(f"there is no version {version} of the key `{purpose}`")
        return Key(purpose, version, sha256(f"{purpose}/{version}".encode()).digest())

    def versions(self, purpose: str) -> tuple[int, ...]:
        return tuple(range(self.oldest, self.newest + 1)) if purpose in self.purposes else ()

    def rotated(self) -> Ring:
        return Ring(self.newest + 1, self.purposes, self.oldest)
