"""Keys of people, wrapped under the lake's key of the purpose ``shred``: AES-256-GCM (NIST SP 800-38D).

A wrapped key is 12 bytes of a random nonce, the key and the tag. It is bound to the person's name and
generation, so that nobody can give one person the key of another.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from lakehouse.errors import KeysError
from lakehouse.pii.keys.ring import KeyRing
from lakehouse.state.rows import SubjectKey
from lakehouse.state.subject_keys import WrappedKey

SHRED: Final = "shred"
"""The purpose of the key that wraps."""

SIZE: Final = 32
"""Bytes of a person's key."""

NONCE: Final = 12
"""Bytes with which a wrapped key begins."""
_POOL: Final = 4096


@dataclass(frozen=True, slots=True)
class Materials:
    """Keys of many people, for those who open cells. In plain dicts: a million objects are dear to keep.

    Args:
        keys: The keys, by name and generation as cells write them: ``<name>:<generation>``.
        destroyed: The same of those that were destroyed.
    """

    keys: dict[str, bytes] = field(default_factory=dict, repr=False)
    destroyed: set[str] = field(default_factory=set, repr=False)

    def generations(self) -> dict[str, int]:
        """By name the generation that there is. To be asked once: it goes through all of them."""
        parts = (key.partition(":") for key in (*self.keys, *self.destroyed))
        return {name: int(generation) for name, _, generation in parts}


@dataclass(slots=True)
class Wrapping:
    """Wraps and unwraps keys, many at once. Made for one piece of work: it holds keys of the lake.

    Args:
        ring: The keys of the lake.
    """

    ring: KeyRing
    _ciphers: dict[int, AESGCM] = field(default_factory=dict, repr=False)
    _newest: int = 0
    _pool: bytes = field(default=b"", repr=False)

    @property
    def newest(self) -> int:
        """The version that wraps.

        Raises:
            KeysError: There is no such key.
        """
        if not self._newest:
            self._newest = self.ring.current(SHRED).version
        return self._newest

    def made(self, name: str, subject: str, *, generation: int = 1) -> tuple[SubjectKey, bytes]:
        """Makes a key for a person.

        Args:
            name: The person's name.
            subject: The kind of person.
            generation: Which key of the person it is.

        Returns:
            The wrapped key, and the key.
        """
        material = self._random(SIZE)
        return self._wrapped(SubjectKey(name, subject, generation, None, None), material), material

    def opened(self, key: SubjectKey) -> bytes:
        """Unwraps a key that was not destroyed.

        Args:
            key: The wrapped key.

        Raises:
            KeysError: The lake's key is not there, or is another one.
        """
        wrapped, by = key.wrapped, key.wrapped_by
        if wrapped is None or by is None:
            raise KeysError("the key of a person was destroyed")
        try:
            return self._cipher(by).decrypt(wrapped[:NONCE], wrapped[NONCE:], _bound(key))
        except InvalidTag:
            raise _not_ours(by) from None

    def materials(self, keys: Iterable[WrappedKey]) -> Materials:
        """Unwraps very many keys.

        Args:
            keys: Wrapped keys, as `SqlSubjectKeys.wrapped` gives them with the head `NONCE`.

        Raises:
            KeysError: The lake's key is not there, or is another one.
        """
        found = Materials()
        known = found.keys
        by, decrypt = 0, None
        for key, nonce, sealed, version in keys:
            if nonce is None or sealed is None or version is None:
                found.destroyed.add(key)
                continue
            if version != by or decrypt is None:
                by, decrypt = version, self._cipher(version).decrypt
            try:
                known[key] = decrypt(nonce, sealed, key.encode())
            except InvalidTag:
                raise _not_ours(version) from None
        return found

    def anew(self, key: SubjectKey) -> SubjectKey:
        """The same key, wrapped by the newest version.

        Args:
            key: A wrapped key.
        """
        return self._wrapped(key, self.opened(key))

    def _wrapped(self, key: SubjectKey, material: bytes) -> SubjectKey:
        nonce = self._random(NONCE)
        sealed = self._cipher(self.newest).encrypt(nonce, material, _bound(key))
        return key._replace(wrapped=nonce + sealed, wrapped_by=self.newest)

    def _random(self, size: int) -> bytes:
        """Random bytes of the system, asked for some thousands at a time."""
        if len(self._pool) < size:
            self._pool = os.urandom(_POOL)
        taken, self._pool = self._pool[:size], self._pool[size:]
        return taken

    def _cipher(self, version: int) -> AESGCM:
        found = self._ciphers.get(version)
        if found is None:
            found = AESGCM(self.ring.version(SHRED, version).derive("subject keys"))
            self._ciphers[version] = found
        return found


def _bound(key: SubjectKey) -> bytes:
    return f"{key.digest}:{key.generation}".encode()


def _not_ours(by: int) -> KeysError:
    return KeysError(
        f"the key of a person can't be unwrapped with version {by} of the key `{SHRED}`: it was wrapped with "
        "another one, or was changed",
        advice="put the key in place that was there when it was wrapped",
    )
