"""A request as its users see it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from lakehouse.config.moments import iso
from lakehouse.requests.status import TERMINAL, Status, approved_by, status_of
from lakehouse.state.rows import Request, RequestEvent


@dataclass(frozen=True, slots=True, kw_only=True)
class Promise:
    """By when a request can be done, as far as can be told.

    Args:
        earliest: The earliest time at which all of it is done; None where that can't be told.
        reasons: What it waits for, in words.
        decided_by: What the time depends on, or what makes that it can't be told; empty where it can be done
            at once.
    """

    earliest: datetime | None
    reasons: tuple[str, ...] = ()
    decided_by: str = ""

    def late(self, due: datetime) -> bool:
        """Whether it is already known that a request will not be done in time."""
        return self.earliest is None or self.earliest > due


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestView:
    """A request: what was asked, what became of it. Holds no identifier of a person.

    Args:
        id: Its name in commands.
        kind: ``erasure`` or ``access``.
        subject: The kind of person.
        status: ``received``, ``approved``, ``erasing``, ``purging``, ``verifying``, ``completed``, ``held``,
            ``rejected``, ``failed`` or ``cancelled``.
        submitted: When it came (timezone-aware).
        due: When it must be done (timezone-aware).
        author: Who submitted it.
        identifiers: The names of the identifiers that were given.
        events: What happened to it, in order.
        external_id: The sender's own name for it.
        same_as: An earlier request about the same person.
        is_new: Whether it was made by this call; false where the external id was known.
        promise: By when it can be done; only told at submission, and by ``show``.
    """

    id: str
    kind: str
    subject: str
    status: Status
    submitted: datetime
    due: datetime
    author: str
    identifiers: tuple[str, ...]
    events: tuple[RequestEvent, ...]
    external_id: str | None = None
    same_as: str | None = None
    is_new: bool = False
    promise: Promise | None = None

    @property
    def approved_by(self) -> str | None:
        """Who approved it."""
        return approved_by(self.events)

    def overdue(self, now: datetime) -> bool:
        """Whether it is not done, and should be.

        Args:
            now: The time (timezone-aware).
        """
        return self.status not in TERMINAL and now > self.due

    def to_dict(self) -> dict[str, Any]:
        """The same as JSON can hold it."""
        document: dict[str, Any] = {
            "id": self.id,
            "kind": self.kind,
            "subject": self.subject,
            "status": self.status,
            "submitted": iso(self.submitted),
            "due": iso(self.due),
            "author": self.author,
            "identifiers": list(self.identifiers),
            "external_id": self.external_id,
            "same_as": self.same_as,
            "new": self.is_new,
            "events": [
                {"event": each.event, "at": iso(each.at), "author": each.author, **dict(each.detail)}
                for each in self.events
            ],
        }
        if self.promise is not None:
            earliest = self.promise.earliest
            document["promise"] = {
                "earliest": None if earliest is None else iso(earliest),
                "decided_by": self.promise.decided_by,
                "late": self.promise.late(self.due),
                "reasons": list(self.promise.reasons),
            }
        return document


def view_of(
    request: Request,
    events: tuple[RequestEvent, ...],
    *,
    is_new: bool = False,
    promise: Promise | None = None,
) -> RequestView:
    """Makes the view of a request.

    Args:
        request: The request.
        events: What happened to it, in order.
        is_new: Whether it was made just now.
        promise: By when it can be done.
    """
    return RequestView(
        id=request.id,
        kind=request.kind,
        subject=request.subject,
        status=status_of(events),
        submitted=request.submitted,
        due=request.due,
        author=request.author,
        identifiers=tuple(dict.fromkeys(each.identifier for each in request.digests)),
        events=events,
        external_id=request.external_id,
        same_as=request.same_as,
        is_new=is_new,
        promise=promise,
    )
