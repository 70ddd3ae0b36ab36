"""Which requests are carried out now, and from where they go on. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

from lakehouse.config.moments import iso
from lakehouse.requests.status import TERMINAL, approved_by, status_of
from lakehouse.state.rows import Request, RequestEvent

Events = Mapping[str, tuple[RequestEvent, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """What is to be done now, by request ids in the order in which they came.

    Args:
        erase: Their people are looked for and erased.
        purge: Their people are erased; the old files are due.
        verify: The old files are gone; what is left is to be searched.
        access: Somebody wants to see what is known of them.
        waiting: Why the others are not carried out now.
    """

    erase: tuple[str, ...] = ()
    purge: tuple[str, ...] = ()
    verify: tuple[str, ...] = ()
    access: tuple[str, ...] = ()
    waiting: Mapping[str, str] = field(default_factory=dict)


def choose(
    requests: Sequence[Request],
    events: Events,
    *,
    approval: Literal["none", "optional", "required"],
    purge_after: timedelta,
    now: datetime,
    only: Sequence[str] | None = None,
) -> Chosen:
    """Chooses what to do.

    Args:
        requests: All requests.
        events: What happened to them.
        approval: Whether somebody has to approve first.
        purge_after: How long old files stay after an erasure.
        now: The time (timezone-aware).
        only: The requests that are asked for; None means all that are not over.
    """
    lots: dict[str, list[str]] = {"erase": [], "purge": [], "verify": [], "access": []}
    waiting: dict[str, str] = {}
    for request in requests:
        mine = events.get(request.id, ())
        status = status_of(mine)
        if only is not None and request.id not in only:
            continue
        if status in TERMINAL:
            if only is not None:
                waiting[request.id] = f"it is {status}"
            continue
        if status == "received" and approval == "required" and approved_by(mine) is None:
            waiting[request.id] = "it has to be approved by somebody else than who submitted it"
        elif request.kind == "access":
            lots["access"].append(request.id)
        elif status == "purging":
            due = last(mine, "erased").at + purge_after
            if now < due:
                waiting[request.id] = f"its old files stay until {iso(due)} (`requests.purge_after`)"
            else:
                lots["purge"].append(request.id)
        else:
            lots["verify" if status == "verifying" else "erase"].append(request.id)
    return Chosen(
        erase=tuple(lots["erase"]),
        purge=tuple(lots["purge"]),
        verify=tuple(lots["verify"]),
        access=tuple(lots["access"]),
        waiting=waiting,
    )


def last(events: Sequence[RequestEvent], event: str) -> RequestEvent:
    """The newest event of a kind; there must be one."""
    return next(each for each in reversed(events) if each.event == event)
