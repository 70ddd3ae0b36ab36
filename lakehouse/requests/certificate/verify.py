"""Checks certificates: one by itself, or the whole chain. Each check has a name and says what it found."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from pydantic import ValidationError

from lakehouse.errors import DataError, KeysError, UsageError
from lakehouse.pii.keys.ring import KeyRing
from lakehouse.requests.certificate.canonical import canonical, digest, read
from lakehouse.requests.certificate.document import Signed
from lakehouse.requests.certificate.signing import PURPOSE, public_bytes

CheckName = Literal["document", "schema", "key", "signature", "chain", "search"]
Source = bytes | str | Mapping[str, Any]

_A_PAGE: Final = "that is a page to read; what is signed, and can be checked, is the certificate's JSON"


@dataclass(frozen=True, slots=True)
class Check:
    """One check.

    Args:
        name: Which.
        passed: Whether it did; None where it could not be made.
        explanation: What was found, without a value of the document.
    """

    name: CheckName
    passed: bool | None
    explanation: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is to be thought of a certificate.

    Args:
        sequence: Its number; None where it can't be read.
        checks: All checks that were made.
    """

    sequence: int | None
    checks: tuple[Check, ...]

    @property
    def valid(self) -> bool:
        """Whether no check failed. One that could not be made is told in the checks."""
        return all(check.passed is not False for check in self.checks)

    def check(self, name: CheckName) -> Check:
        """One of the checks.

        Args:
            name: Which; it must have been made.
        """
        return next(check for check in self.checks if check.name == name)


def verify_certificate(
    document: Source,
    *,
    public_key: bytes | None = None,
    ring: KeyRing | None = None,
    previous: Source | None = None,
) -> Verdict:
    """Checks one certificate.

    Args:
        document: The certificate.
        public_key: The lake's public key, 32 bytes, from a source that is trusted: the key within the
            document proves nothing by itself.
        ring: The lake's keys, in place of that.
        previous: The certificate before it; without it the chain can't be checked, save for the first.

    Returns:
        Each check, and what it found.

    Raises:
        UsageError: Neither a key nor a ring is given.
    """
    if public_key is None and ring is None:
        raise UsageError(
            "a certificate can't be checked without the lake's public key",
            advice="give the key from a source that you trust; the one in the file could be anybody's",
        )
    try:
        found = _document(document)
    except DataError as error:
        said = _A_PAGE if _is_page(document) else error.message
        return Verdict(None, (Check("document", False, said),))
    checks = [Check("document", True, "it is JSON, and says one thing only")]
    try:
        signed = Signed.model_validate_json(canonical(found))
    except ValidationError as error:
        places = {".".join(str(part) for part in each["loc"]) or "it" for each in error.errors()}
        return Verdict(
            None,
            (*checks, Check("schema", False, f"{len(places)} fields are not as a certificate has them")),
        )
    checks.append(_schema(signed, found))
    checks.append(_key(signed, public_key=public_key, ring=ring))
    checks.append(_signature(signed, found))
    checks.append(_chain(signed, previous))
    checks.append(_search(signed))
    return Verdict(signed.certificate.sequence, tuple(checks))


def verify_chain(
    documents: Iterable[Source], *, public_key: bytes | None = None, ring: KeyRing | None = None
) -> tuple[Verdict, ...]:
    """Checks all certificates of a lake, in their order, from the first.

    That the newest ones were left out can't be seen from the others: compare how many there are with
    another source.

    Args:
        documents: The certificates.
        public_key: As for `verify_certificate`; of no use where the key was rotated.
        ring: As for `verify_certificate`.

    Returns:
        For each what `verify_certificate` says, compared with the one before it.
    """
    verdicts: list[Verdict] = []
    before: Source | None = None
    for number, document in enumerate(documents, start=1):
        verdict = verify_certificate(document, public_key=public_key, ring=ring, previous=before)
        if verdict.sequence is not None and verdict.sequence != number:
            wrong = Check("chain", False, f"it is number {number} in the chain, and says another one")
            kept = tuple(check for check in verdict.checks if check.name != "chain")
            verdict = Verdict(verdict.sequence, (*kept, wrong))
        verdicts.append(verdict)
        before = document
    return tuple(verdicts)


def _document(document: Source) -> Any:
    found = read(document) if isinstance(document, bytes | str) else dict(document)
    canonical(found)
    return found


def _is_page(document: Source) -> bool:
    if isinstance(document, Mapping):
        return False
    head = document[:64] if isinstance(document, bytes) else document[:64].encode("utf-8", "replace")
    return head.lstrip().startswith(b"<")


def _schema(signed: Signed, found: Any) -> Check:
    # What a model reads in two ways, as a time with another offset, is signed in one.
    if signed.model_dump(mode="json") != found:
        return Check("schema", False, "a field is not written as certificates write it")
    return Check("schema", True, f"all fields are those of {signed.certificate.format}")


def _key(signed: Signed, *, public_key: bytes | None, ring: KeyRing | None) -> Check:
    given = base64.b64decode(signed.key.public)
    if public_key is not None and public_key != given:
        return Check("key", False, "it was signed with another key than the one given")
    if ring is not None:
        try:
            known = public_bytes(ring.version(PURPOSE, signed.key.version))
        except KeysError:
            return Check("key", False, "the lake has no such version of its signing key")
        if known != given:
            return Check(
                "key", False, "it names a version of the lake's key, and was signed with another key"
            )
    return Check("key", True, f"it was signed with version {signed.key.version} of the key")


def _signature(signed: Signed, found: Any) -> Check:
    content = canonical({"certificate": found["certificate"], "key": found["key"]})
    try:
        public = Ed25519PublicKey.from_public_bytes(base64.b64decode(signed.key.public))
        public.verify(base64.b64decode(signed.signature, validate=True), content)
    except (InvalidSignature, ValueError, binascii.Error):
        return Check("signature", False, "the signature is not that of this document and key")
    # Base64 has several ways to write the last bits; only one is ours.
    if base64.b64encode(base64.b64decode(signed.signature)).decode() != signed.signature:
        return Check("signature", False, "the signature is not written as certificates write it")
    return Check("signature", True, "the document is as it was signed")


def _chain(signed: Signed, previous: Source | None) -> Check:
    certificate = signed.certificate
    first = certificate.sequence == 1
    if first != (certificate.previous is None):
        what = "the first, and names one" if first else "not the first, and names none"
        return Check("chain", False, f"it is {what} before it")
    if first:
        said = (
            "it is the first" if previous is None else "it says that it is the first, and there is one before"
        )
        return Check("chain", previous is None, said)
    if previous is None:
        return Check("chain", None, "the one before it was not given, so the chain was not checked")
    try:
        before = _document(previous)
        known = (digest(before), before["certificate"]["sequence"] + 1)
    except (DataError, KeyError, TypeError):
        return Check("chain", False, "the one before it can't be read")
    if known != (certificate.previous, certificate.sequence):
        return Check("chain", False, "the one before it is another one than it names")
    return Check("chain", True, f"the one before it is number {certificate.sequence - 1}, unchanged")


def _search(signed: Signed) -> Check:
    hits = signed.certificate.search.hits
    if hits:
        return Check("search", False, f"the person was found {hits} times")
    missing = len(signed.certificate.search.not_searched)
    if missing:
        return Check("search", True, f"nothing was found; {missing} things were not searched, as it says")
    return Check("search", True, "nothing was found, and all was searched")


def previous_of(document: Source) -> str | None:
    """The digest of the certificate that one names as the one before it, as far as it can be read.

    Args:
        document: The certificate.
    """
    try:
        found = _document(document)["certificate"]["previous"]
    except (DataError, KeyError, TypeError):
        return None
    return found if isinstance(found, str) else None
