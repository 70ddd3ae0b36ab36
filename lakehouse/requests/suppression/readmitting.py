"""Who was erased is let in again, as after a new consent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from lakehouse.errors import NotFoundError
from lakehouse.pii.keys.ring import KeyRing
from lakehouse.requests.identity import Person, known_digests
from lakehouse.state.database import State
from lakehouse.state.rows import IdentifierDigest, Suppression


def readmit(
    state: State | None, person: Person, *, ring: KeyRing, now: datetime, author: str, reason: str
) -> list[IdentifierDigest]:
    """Takes a person from the list of those who must not come back.

    Args:
        state: The state database; None where there is none.
        person: The person, by identifiers as the columns write them.
        ring: The keys of the lake.
        now: The time (timezone-aware).
        author: Who decides.
        reason: Why.

    Returns:
        What may come back: the identifiers of all erasures by which the person went.

    Raises:
        NotFoundError: None of them is suppressed.
        KeysError: A key is not there.
    """
    held = [] if state is None else state.requests.suppressed()
    wanted: dict[str, set[str]] = {}
    for name, value in person.identifiers:
        wanted.setdefault(name, set()).update(_all_digests(ring, person.subject, name, value))
    mine = [each for each in held if each.subject == person.subject]
    # The other identifiers of the same erasure are the same person's.
    requests = _erasures_of(mine, wanted)
    found = [each for each in mine if each.request in requests]
    if state is None or not found:
        raise NotFoundError(
            f"no erased {person.subject} is known by that", advice="nothing keeps this person out"
        )
    state.requests.suppress([_readmission(each, now=now, author=author, reason=reason) for each in found])
    return [each.digest for each in found]


def _readmission(erased: Suppression, *, now: datetime, author: str, reason: str) -> Suppression:
    return Suppression(
        request=erased.request,
        event="readmitted",
        subject=erased.subject,
        digest=erased.digest,
        at=now,
        author=author,
        reason=reason,
    )


def _erasures_of(held: Sequence[Suppression], wanted: Mapping[str, set[str]]) -> set[str]:
    """The requests by which a person went who is known by some identifiers.

    A request is theirs if all of these that it knows of fit: one identifier alone, as that of a company, can
    be that of many.
    """
    known: dict[tuple[str, str], set[str]] = {}
    for each in held:
        known.setdefault((each.request, each.digest.identifier), set()).add(each.digest.digest)
    fitting: dict[str, list[bool]] = {}
    for (request, name), digests in known.items():
        if name in wanted:
            fitting.setdefault(request, []).append(bool(digests & wanted[name]))
    return {request for request, fits in fitting.items() if all(fits)}


def _all_digests(ring: KeyRing, subject: str, identifier: str, value: str) -> set[str]:
    (found,) = known_digests([value], ring=ring, subject=subject, identifier=identifier)
    return found
