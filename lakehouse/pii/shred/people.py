"""Names of people in the state database and in cells: keyed hashes of their first identifier."""

from __future__ import annotations

import hmac
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final, Protocol

from lakehouse.pii.keys.ring import Key, KeyRing
from lakehouse.state.rows import IdentifierDigest

SUPPRESS: Final = "suppress"
"""The purpose of the key that identifiers are hashed with, here as in requests."""

_BYTES: Final = 16


class Hasher(Protocol):
    """Makes what hashes the values of one identifier: `lakehouse.requests.identity.hasher`."""

    def __call__(self, key: Key, /, *, subject: str, identifier: str) -> Callable[[str], str]:
        """Gives the function from a value to its digest."""


@dataclass(frozen=True, slots=True)
class Names:
    """Gives people their names.

    From the digest that requests and certificates have of a person nobody gets to the name that stands in
    cells without the key.

    Args:
        ring: The keys of the lake.
        hasher: Hashes identifiers as requests do.
    """

    ring: KeyRing
    hasher: Hasher

    def versions(self) -> tuple[int, ...]:
        """The versions of the key, newest first: new people are named under the first of them.

        Raises:
            KeysError: There is no such key.
        """
        newest = self.ring.current(SUPPRESS).version
        return (newest, *(each for each in reversed(self.ring.versions(SUPPRESS)) if each != newest))

    def under(self, version: int, *, subject: str, identifier: str) -> Callable[[str], str]:
        """Makes what names people under one version of the key, quickly for many.

        Args:
            version: Of the key.
            subject: The kind of person.
            identifier: The subject's first identifier.

        Returns:
            From a value of the identifier to 22 characters.
        """
        key = self.ring.version(SUPPRESS, version)
        digest = self.hasher(key, subject=subject, identifier=identifier)
        named = _namer(key)
        return lambda value: named(digest(value))

    def of_digests(self, digests: Iterable[IdentifierDigest]) -> Iterator[str]:
        """The names of people by what requests remember of them.

        Args:
            digests: Of the first identifier of people.
        """
        made: dict[int, Callable[[str], str]] = {}
        for each in digests:
            if each.key_version not in made:
                made[each.key_version] = _namer(self.ring.version(SUPPRESS, each.key_version))
            yield made[each.key_version](each.digest)


def _namer(key: Key) -> Callable[[str], str]:
    secret = key.derive("subject keys")

    def named(digest: str) -> str:
        found = hmac.digest(secret, digest.encode(), "sha256")[:_BYTES]
        return urlsafe_b64encode(found)[:22].decode()

    return named
