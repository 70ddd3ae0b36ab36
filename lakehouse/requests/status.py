"""What a request's events make of it. Pure: status is derived, and what may happen next follows from it.

::

    received ── approved ── started ── erased ── purged ── verified ── completed
       │           │           │          │         │          │
       ├ rejected  ├ cancelled ├ held, failed (and from these on again by `started`)
       └ cancelled

Terminal are ``completed``, ``rejected`` and ``cancelled``: nothing happens to a request after them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, Literal, TypeAlias, get_args

from lakehouse.errors import RefusedError
from lakehouse.state.rows import RequestEvent

Status: TypeAlias = Literal[
    "received", "approved", "erasing", "purging", "verifying", "completed", "held", "rejected", "failed",
    "cancelled",
]  # fmt: skip

STATUSES: Final[tuple[Status, ...]] = get_args(Status)
TERMINAL: Final[frozenset[Status]] = frozenset({"completed", "rejected", "cancelled"})

_STATUS: Final[Mapping[str, Status]] = {
    "received": "received",
    "approved": "approved",
    "started": "erasing",
    "erased": "purging",
    "purged": "verifying",
    "verified": "verifying",
    "completed": "completed",
    "held": "held",
    "rejected": "rejected",
    "failed": "failed",
    "cancelled": "cancelled",
}
_NEXT: Final[Mapping[Status, frozenset[str]]] = {
    "received": frozenset({"approved", "rejected", "cancelled", "started", "held", "completed"}),
    "approved": frozenset({"started", "held", "rejected", "cancelled", "completed"}),
    # An access request is completed at once; nothing is erased for it.
    "erasing": frozenset({"erased", "held", "failed", "started", "completed"}),
    "purging": frozenset({"purged", "failed", "started", "held"}),
    "verifying": frozenset({"verified", "completed", "failed", "started", "held"}),
    "held": frozenset({"started", "held", "cancelled", "rejected"}),
    "failed": frozenset({"started", "cancelled", "failed"}),
    "completed": frozenset(),
    "rejected": frozenset(),
    "cancelled": frozenset(),
}


def status_of(events: Sequence[RequestEvent]) -> Status:
    """What a request is now.

    Args:
        events: All of its events, in order.

    Returns:
        The status that the last event of a known kind gives it.
    """
    for each in reversed(events):
        found = _STATUS.get(each.event)
        if found is not None:
            return found
    return "received"


def approved_by(events: Sequence[RequestEvent]) -> str | None:
    """Who approved a request; None where nobody has."""
    return next((each.author for each in events if each.event == "approved"), None)


def ensure_next(request_id: str, events: Sequence[RequestEvent], event: str) -> None:
    """Refuses what can't happen to a request any more, or not yet.

    Args:
        request_id: The request, for the error.
        events: What happened so far.
        event: What is to happen.

    Raises:
        RefusedError: It can't.
    """
    status = status_of(events)
    begun = event in {"cancelled", "rejected"} and any(each.event == "started" for each in events)
    if event in _NEXT[status] and not begun:
        return
    if begun and status not in TERMINAL:
        raise RefusedError(
            f"request {request_id} can't be {event}: it was begun, and rows of its person may be gone",
            advice=f"`lakehouse request run {request_id}` brings it to its end",
        )
    done = f"it is {status}, and that is final" if status in TERMINAL else f"it is {status}"
    raise RefusedError(
        f"request {request_id} can't be {_SAID.get(event, event)}: {done}",
        advice=f"`lakehouse request show {request_id}` tells what happened to it",
    )


_SAID: Final = {"started": "carried out"}
