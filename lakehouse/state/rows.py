"""What the state database keeps, as it is handed in and out: frozen, and without SQLAlchemy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """An order to keep something, whatever any rule says.

    Its condition and identifiers can be personal: they are not part of its text form, and they are forgotten
    when it is released.

    Args:
        id: Its name in commands and plans.
        reason: Why, as ``case 12/2026``. Shown wherever the hold stands in the way.
        author: Who placed it.
        placed: When (timezone-aware).
        table: The table it is about; None where it is about a data subject in all tables.
        where: The rows it is about, as a SQL condition; None with ``table`` means the whole table. It can
            hold personal values, so it is never logged or put into errors.
        columns: The columns that the condition names.
        subject: The kind of data subject, as the config names it; None for holds on a table.
        identifiers: The subject's identifiers: pairs of name and value, never logged.
        resolved: The tables in which the subject is, as the config said when the hold was placed: pairs of
            table and condition; None instead of a condition means the whole table.
        until: When it ends by itself; None means when it is released.
        released: When it was released; None while it stands.
        released_by: Who released it.
        release_reason: Why.
    """

    id: str
    reason: str
    author: str
    placed: datetime
    table: str | None = None
    where: str | None = field(default=None, repr=False)
    columns: tuple[str, ...] = ()
    subject: str | None = None
    identifiers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    resolved: tuple[tuple[str, str | None], ...] = field(default=(), repr=False)
    until: datetime | None = None
    released: datetime | None = None
    released_by: str | None = None
    release_reason: str = ""

    def active(self, now: datetime) -> bool:
        """Whether it binds at a moment.

        Args:
            now: Timezone-aware.
        """
        return self.released is None and (self.until is None or now < self.until)

    def status(self, now: datetime) -> str:
        """``active``, ``released`` or ``ended`` (its ``until`` has passed).

        Args:
            now: Timezone-aware.
        """
        if self.released is not None:
            return "released"
        return "active" if self.active(now) else "ended"


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanRecord:
    """A plan that was made, so that exactly it can be carried out later.

    Args:
        id: Its name in commands.
        kind: What for: ``retention``, ``vacuum``, ...
        made: When (timezone-aware).
        author: Who made it.
        versions: For each table the version that it was made on.
        digest: Of all that the plan would do; two plans with one digest do the same.
        document: The plan as JSON can hold it; without values of rows.
    """

    id: str
    kind: str
    made: datetime
    author: str
    versions: Mapping[str, int]
    digest: str
    document: Mapping[str, Any] = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class WrappedKey:
    """One version of a key, wrapped by a service: of no use without it.

    Args:
        purpose: What the key is for.
        version: Which, from 1.
        created: When it was made (timezone-aware).
        author: On whose order.
        provider: The kind of service, as the config names it.
        lake: The name that the lake had then; it is part of what the key is bound to.
        wrapping_key: The service's key that wrapped it.
        wrapped: The key as the service wrapped it, as text.
    """

    purpose: str
    version: int
    created: datetime
    author: str
    provider: str
    lake: str
    wrapping_key: str
    wrapped: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionRecord:
    """One thing that was done to a table, by which rule, when.

    Args:
        kind: By which verb: ``retention``, ``vacuum``, ...
        action: What was done: ``delete``, ``archive``, ``anonymize``, ...
        table: To which table.
        at: When (timezone-aware).
        author: On whose order.
        plan: The plan that was carried out; None where there was none.
        rule: The rule's name; empty where there is none.
        version_before: The table's version before; None where that says nothing.
        version_after: The table's version after; None where none was made.
        rows: Rows that were touched; None where they were not counted.
        files: Files that went or were written anew.
        bytes: Their size in bytes.
        held_back: Rows that holds kept back.
        detail: More, as JSON can hold it; without values of rows.
    """

    kind: str
    action: str
    table: str
    at: datetime
    author: str
    plan: str | None = None
    rule: str = ""
    version_before: int | None = None
    version_after: int | None = None
    rows: int | None = None
    files: int = 0
    bytes: int = 0
    held_back: int = 0
    detail: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateRecord:
    """A signed certificate.

    Args:
        sequence: Its number, from 1.
        previous: The digest of the one before; None for the first.
        digest: SHA-256 of its canonical JSON, in hexadecimal.
        request: What it is about.
        at: When it was signed (timezone-aware).
        document: Its canonical JSON; no personal data.
    """

    sequence: int
    previous: str | None
    digest: str
    request: str
    at: datetime
    document: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanRecord:
    """Where personal data was found in a table.

    Args:
        table: Which.
        version: At which version of it.
        at: When (timezone-aware).
        author: Who looked.
        document: Paths and kinds, as JSON can hold it; without values of rows.
    """

    table: str
    version: int
    at: datetime
    author: str
    document: Mapping[str, Any] = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentifierDigest:
    """An identifier of a person, as it may be remembered.

    Args:
        identifier: What the config calls it, as ``email``.
        key_version: Of the key of the purpose ``suppress``.
        digest: The keyed hash of its value; 64 hexadecimal digits.
    """

    identifier: str
    key_version: int
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What was asked for a person. It holds no value of an identifier.

    Args:
        id: Its name in commands; empty for one that is not kept yet.
        kind: ``erasure`` or ``access``.
        subject: The kind of person, as the config calls it.
        submitted: When (timezone-aware).
        due: When it must be done (timezone-aware).
        author: Who submitted it.
        digests: Its identifiers.
        person: A keyed hash of all of them, by which another request about the person is known.
        external_id: The sender's own name for it; a second one of that name is the same request.
        same_as: An earlier request of the kind about the same person.
    """

    id: str
    kind: str
    subject: str
    submitted: datetime
    due: datetime
    author: str
    digests: tuple[IdentifierDigest, ...]
    person: str
    external_id: str | None = None
    same_as: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestEvent:
    """One thing that happened to a request.

    Args:
        request: The request.
        number: Which of its events, from 1.
        event: ``received``, ``approved``, ``started``, ...
        at: When (timezone-aware).
        author: On whose order, or by whose run.
        detail: More, as JSON can hold it; without values of rows or identifiers.
    """

    request: str
    number: int
    event: str
    at: datetime
    author: str
    detail: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Suppression:
    """An identifier that must not come back, or that may again.

    Args:
        request: The request by which it went.
        event: ``suppressed`` or ``readmitted``.
        subject: The kind of person.
        digest: The identifier.
        at: When (timezone-aware).
        author: On whose order.
        reason: Why it may again; empty where it must not.
    """

    request: str
    event: str
    subject: str
    digest: IdentifierDigest
    at: datetime
    author: str
    reason: str = ""


class SubjectKey(NamedTuple):
    """The key of one person, wrapped. A tuple, since there can be a million of them.

    Args:
        digest: Names the person: 22 characters of a keyed hash.
        subject: The kind of person, as the config calls it.
        generation: From 1; a person who came back after an erasure has the next.
        wrapped: The key as the lake's key wrapped it; None for one that was destroyed. Never shown.
        wrapped_by: The version of the lake's key; None for one that was destroyed.
    """

    digest: str
    subject: str
    generation: int
    wrapped: bytes | None
    wrapped_by: int | None

    def __repr__(self) -> str:
        return f"SubjectKey({self.digest!r}, {self.subject!r}, {self.generation})"

    @property
    def destroyed(self) -> bool:
        """Whether the person was erased."""
        return self.wrapped is None


@dataclass(frozen=True, slots=True, kw_only=True)
class SubjectKeyCount:
    """How many people of a kind have a key.

    Args:
        subject: The kind of person.
        keys: Those with a key.
        destroyed: Those whose key was destroyed.
    """

    subject: str
    keys: int
    destroyed: int
