"""What the rest of the house sees of keys: for a purpose, the newest version or a named one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF


@dataclass(frozen=True, slots=True)
class Key:
    """One version of a key.

    Args:
        purpose: What it is for, as ``mask``.
        version: Which, from 1; a rotation adds the next.
        material: 32 random bytes. Never shown.
    """

    purpose: str
    version: int
    material: bytes = field(repr=False)

    def derive(self, use: str, *, length: int = 32) -> bytes:
        """A key for one use, so that no two algorithms share one (HKDF with SHA-256, RFC 5869).

        Args:
            use: Names the use, as ``tokenize``; the same name gives the same key.
            length: Bytes, at most 8160.
        """
        return HKDF(algorithm=SHA256(), length=length, salt=None, info=use.encode()).derive(self.material)


class KeyRing(Protocol):
    """The keys of a lake. All methods raise a `KeysError` that says what to do where a key is not there."""

    def current(self, purpose: str) -> Key:
        """The newest version of a key: what new values are masked with."""

    def version(self, purpose: str, version: int) -> Key:
        """One version of a key: what older values were masked with."""

    def versions(self, purpose: str) -> tuple[int, ...]:
        """The versions that there are, oldest first; none for a key that was not created."""


@dataclass(frozen=True, slots=True)
class LateRing:
    """A `KeyRing` that is opened when the first key is asked for: who needs none need not have any.

    Args:
        ring: Opens it.
    """

    ring: Callable[[], KeyRing]

    def current(self, purpose: str) -> Key:
        """See `KeyRing.current`."""
        return self.ring().current(purpose)

    def version(self, purpose: str, version: int) -> Key:
        """See `KeyRing.version`."""
        return self.ring().version(purpose, version)

    def versions(self, purpose: str) -> tuple[int, ...]:
        """See `KeyRing.versions`."""
        return self.ring().versions(purpose)


@dataclass(frozen=True, slots=True)
class OnceRing:
    """A `KeyRing` that is asked once for each key: for many values at once, and for one piece of work alone.

    Args:
        ring: The keys.
    """

    ring: KeyRing
    _known: dict[tuple[str, int | None], Key] = field(default_factory=dict, repr=False)

    def current(self, purpose: str) -> Key:
        """See `KeyRing.current`."""
        if (purpose, None) not in self._known:
            self._known[purpose, None] = self.ring.current(purpose)
        return self._known[purpose, None]

    def version(self, purpose: str, version: int) -> Key:
        """See `KeyRing.version`."""
        if (purpose, version) not in self._known:
            self._known[purpose, version] = self.ring.version(purpose, version)
        return self._known[purpose, version]

    def versions(self, purpose: str) -> tuple[int, ...]:
        """See `KeyRing.versions`."""
        return self.ring.versions(purpose)
