"""Who a request is about: the identifiers, sealed while it is open, and remembered as keyed hashes alone.

A value is hashed in a normal form, so that another way to write it is the same person: Unicode NFC, without
blanks around it, and case-folded. HMAC with SHA-256 (RFC 2104) under a key of its own: without the key nobody
can try out whether somebody is among them.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

import orjson
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from lakehouse.errors import KeysError
from lakehouse.pii.keys.ring import Key, KeyRing
from lakehouse.state.rows import IdentifierDigest

SUPPRESS: Final = "suppress"
"""The purpose of the key that identifiers are hashed with."""

REQUESTS: Final = "requests"
"""The purpose of the key that seals identifiers of open requests."""

_NONCE: Final = 12


@dataclass(frozen=True, slots=True)
class Person:
    """A person, by identifiers. Never shown, logged or kept as it is.

    Args:
        subject: The kind of person, as the config calls it.
        identifiers: Pairs of name and value, each once.
        ties: Numbers of identifiers with the number of a row in which they stood together; 0 is the request
            itself. Empty where all are from there.
    """

    subject: str
    identifiers: tuple[tuple[str, str], ...] = field(repr=False)
    ties: tuple[tuple[int, int], ...] = field(default=(), repr=False)

    def values(self, identifier: str) -> tuple[str, ...]:
        """The values of one identifier."""
        return tuple(value for name, value in self.identifiers if name == identifier)


def normal_form(value: str) -> str:
    """The form in which values of identifiers are compared when they are remembered as hashes.

    Args:
        value: As it is written.
    """
    return unicodedata.normalize("NFC", value).strip().casefold()


def hasher(key: Key, *, subject: str, identifier: str) -> Callable[[str], str]:
    """Makes what hashes the values of one identifier, quickly for many.

    Args:
        key: A version of the key with the purpose `SUPPRESS`.
        subject: The kind of person.
        identifier: Which identifier.

    Returns:
        From a value to 64 hexadecimal digits.
    """
    start = hmac.new(key.derive("suppression"), f"{subject}\0{identifier}\0".encode(), hashlib.sha256)

    def digest(value: str) -> str:
        found = start.copy()
        found.update(normal_form(value).encode())
        return found.hexdigest()

    return digest


def digests_of(person: Person, *, ring: KeyRing) -> tuple[IdentifierDigest, ...]:
    """The identifiers of a person as they may be remembered.

    Args:
        person: The person.
        ring: The keys.

    Raises:
        KeysError: The key is not there.
    """
    key = ring.current(SUPPRESS)
    return tuple(
        IdentifierDigest(
            identifier=name,
            key_version=key.version,
            digest=hasher(key, subject=person.subject, identifier=name)(value),
        )
        for name, value in person.identifiers
    )


def fingerprint(digests: Iterable[IdentifierDigest]) -> str:
    """One hash of all identifiers of a person, by which a second request about them is known.

    Args:
        digests: The identifiers.
    """
    lines = sorted(f"{each.identifier}:{each.digest}" for each in digests)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def seal(person: Person, *, request: str, ring: KeyRing) -> str:
    """Encrypts the identifiers of a request that is open: AES-GCM (NIST SP 800-38D), bound to its id.

    Args:
        person: Who it is about.
        request: The request's id.
        ring: The keys.

    Returns:
        Text for the state database.

    Raises:
        KeysError: The key is not there.
    """
    key = ring.current(REQUESTS)
    nonce = os.urandom(_NONCE)
    content = orjson.dumps([person.subject, person.identifiers, person.ties])
    sealed = AESGCM(key.derive("identifiers")).encrypt(nonce, content, request.encode())
    return f"{key.version}.{base64.b64encode(nonce + sealed).decode()}"


def unseal(sealed: str, *, request: str, ring: KeyRing) -> Person:
    """Opens what `seal` made.

    Args:
        sealed: The text.
        request: The request's id.
        ring: The keys.

    Raises:
        KeysError: The key is not there, or is another one.
    """
    version, _, rest = sealed.partition(".")
    content = base64.b64decode(rest)
    key = ring.version(REQUESTS, int(version))
    try:
        opened = AESGCM(key.derive("identifiers")).decrypt(
            content[:_NONCE], content[_NONCE:], request.encode()
        )
    except InvalidTag:
        raise KeysError(
            f"the identifiers of request {request} can't be opened with version {version} of the key "
            f"{REQUESTS}: they were sealed with another one, or were changed",
            advice="put the key in place that was there when the request came",
        ) from None
    subject, pairs, *more = orjson.loads(opened)
    ties = more[0] if more else ()
    return Person(
        subject, tuple((name, value) for name, value in pairs), tuple((at, tie) for at, tie in ties)
    )


def known_digests(values: Sequence[str], *, ring: KeyRing, subject: str, identifier: str) -> list[set[str]]:
    """The hashes of values under every version of the key, to compare with what was remembered earlier.

    Args:
        values: Values of one identifier.
        ring: The keys.
        subject: The kind of person.
        identifier: Which identifier.

    Returns:
        For each value its hashes.
    """
    hashers = [
        hasher(ring.version(SUPPRESS, version), subject=subject, identifier=identifier)
        for version in ring.versions(SUPPRESS)
    ]
    return [{each(value) for each in hashers} for value in values]
