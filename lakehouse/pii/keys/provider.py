"""The port to whatever keeps keys: files, variables, AWS KMS, Vault."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final, Protocol, Self

SIZE: Final = 32
"""Bytes of a key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyInfo:
    """What there is to say of one version of a key, without the key.

    Args:
        purpose: What it is for.
        version: Which, from 1.
        place: Where it is: a file, a variable, the wrapping key.
        created: When it was made (timezone-aware); None where nobody knows.
        author: Who made it; empty where nobody knows.
        current: Whether it is the newest: what new values are masked with.
        problem: Why it can't be used; empty where it can.
    """

    purpose: str
    version: int
    place: str
    created: datetime | None = None
    author: str = ""
    current: bool = False
    problem: str = ""

    def marked(self, *, current: bool) -> Self:
        """The same, as the newest version or not."""
        return replace(self, current=current)


class KeyProvider(Protocol):
    """Keeps keys. Can be used from many threads.

    Every method raises `KeysError` where the keys can't be reached, or lie where others can read them.

    Attributes:
        name: As in the config: ``file``, ``env``, ``aws_kms``, ``vault``.
    """

    name: str

    def versions(self, purpose: str) -> tuple[int, ...]:
        """The versions of a key, oldest first; none where there is no such key."""

    def found(self) -> tuple[KeyInfo, ...]:
        """All keys, by purpose and version. One that can't be used says so in its ``problem``."""

    def load(self, purpose: str, version: int) -> bytes:
        """The material of a key: 32 bytes.

        Raises:
            KeysError: It is not there, is damaged, or can't be unwrapped.
        """

    def make(self, purpose: str, version: int, *, now: datetime, author: str) -> KeyInfo:
        """Makes a key. Of several that make the same version at once, one does.

        Args:
            purpose: What for.
            version: Which, from 1.
            now: The time (timezone-aware).
            author: Who makes it.

        Raises:
            ConflictError: That version is there already; it stays as it is.
            KeysError: It can't be made, or not here.
        """

    def lost(self, purpose: str, version: int) -> str:
        """What to do about a version that is gone: ends the advice of an error."""
