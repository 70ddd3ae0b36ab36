"""What the state database keeps of alerts, as it is handed in and out: frozen, and without SQLAlchemy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Something that is wrong, or was.

    Args:
        key: What, as ``failed:vacuum``; of each there is one at a time that is not over.
        kind: ``failed``, ``late``, ``overdue`` or ``out_of_control``.
        subject: The job, request or incident.
        opened: Since when (timezone-aware).
        last: When it happened last (timezone-aware).
        times: How often it happened.
        upto: The last event that it knows of; 0 where it does not come from events.
        detail: More, as JSON can hold it; without values of rows.
        closed: When it was over (timezone-aware); None while it is not.
        seq: Its number in the database; 0 for one that is not kept yet.
    """

    key: str
    kind: str
    subject: str
    opened: datetime
    last: datetime
    times: int = 1
    upto: int = 0
    detail: Mapping[str, Any] = field(default_factory=dict)
    closed: datetime | None = None
    seq: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class RunEnd:
    """That a run of a job was over.

    Args:
        seq: The number of the event.
        job: The job.
        run: The run.
        event: ``succeeded``, ``failed``, ``skipped`` or ``cancelled``.
        at: When (timezone-aware).
        fire_time: The moment that it was for (timezone-aware).
        cause: ``schedule``, ``manual`` or ``backfill``.
        began: When it was begun first (timezone-aware); None where it never was.
        started: When it was begun last.
        detail: Counts, versions, the reason; without values of rows.
    """

    seq: int
    job: str
    run: str
    event: str
    at: datetime
    fire_time: datetime
    cause: str
    began: datetime | None
    started: datetime | None
    detail: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenRequest:
    """What was asked and is not done.

    Args:
        id: Its name in commands.
        kind: ``erasure`` or ``access``.
        submitted: When it came (timezone-aware).
        due: When it must be done (timezone-aware).
    """

    id: str
    kind: str
    submitted: datetime
    due: datetime


@dataclass(frozen=True, slots=True)
class Told:
    """What a target was told of a problem last.

    Args:
        at: When (timezone-aware).
        done: Whether it knows that it is over.
    """

    at: datetime
    done: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How it stands with a target.

    Args:
        id: Which.
        name: As it may be shown.
        since: When it was first seen (timezone-aware).
        tries: Tries that failed since its last message.
        next_try: Not before this (timezone-aware).
        reason: Why the last try failed; empty where it did not.
        failures: Tries that failed, ever.
        sent: The times of its last messages, newest first (timezone-aware).
        messages: How many messages it got, ever.
        told: What it knows, by the number of the problem.
        token: Proves that it is ours to send to; 0 for one who only looks.
    """

    id: str
    name: str
    since: datetime
    tries: int = 0
    next_try: datetime | None = None
    reason: str = ""
    failures: int = 0
    sent: tuple[datetime, ...] = ()
    messages: int = 0
    told: Mapping[int, Told] = field(default_factory=dict)
    token: int = 0
