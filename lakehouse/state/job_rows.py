"""What the state database keeps of jobs, as it is handed in and out: frozen, and without SQLAlchemy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRun:
    """One time that a job was to run.

    Args:
        id: Its name in commands.
        job: The job's name in the config.
        fire_time: The moment that it is for (timezone-aware); of a job and a moment there is one run.
        kind: What the job does, as the config says: ``vacuum``, ``shop.jobs.refresh``.
        cause: ``schedule``, ``manual`` or ``backfill``.
        queued: When it was written down (timezone-aware).
        author: On whose order.
    """

    id: str
    job: str
    fire_time: datetime
    kind: str
    cause: str
    queued: datetime
    author: str


@dataclass(frozen=True, slots=True, kw_only=True)
class JobEvent:
    """One thing that happened to a run.

    Args:
        run: The run.
        number: Which of its events, from 1.
        event: ``queued``, ``started``, ``retrying``, ``stopping``, ``abandoned``, ``succeeded``, ``failed``,
            ``skipped`` or ``cancelled``.
        at: When (timezone-aware).
        detail: More, as JSON can hold it; without values of rows.
    """

    run: str
    number: int
    event: str
    at: datetime
    detail: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Claim:
    """What came of trying to begin a run.

    Args:
        outcome: ``started``: it is ours; ``taken``: somebody else works on it; ``overlap``: another run of
            the job goes on; ``over``: it is over already.
        token: With ``started``: proves that it is still ours, whenever something is written about it.
        again: With ``started``: whether somebody had begun it and was lost.
    """

    outcome: Literal["started", "taken", "overlap", "over"]
    token: int = 0
    again: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """A run that is not over.

    Args:
        run: The run.
        job: Its job.
        owner: The process that works on it; None while it waits.
        alive: Whether the owner was heard of in time.
        token: Rises each time that somebody begins it.
        left: How long it stays its owner's without a sign of life.
        cancelled: Whether it was asked to end.
    """

    run: str
    job: str
    owner: str | None
    alive: bool
    token: int = 0
    left: timedelta = timedelta(0)
    cancelled: bool = False


@dataclass(frozen=True, slots=True)
class Wanted:
    """A job that is to run for a moment.

    Args:
        job: The job.
        fire_time: The moment (timezone-aware).
        kind: What the job does.
    """

    job: str
    fire_time: datetime
    kind: str


@dataclass(frozen=True, slots=True)
class Policy:
    """How runs of a job are begun.

    Args:
        skip: A run that comes while another one goes on is left out; otherwise it waits.
        losses: So often a run may be lost with its process before it has failed.
    """

    skip: bool
    losses: int


@dataclass(frozen=True, slots=True)
class End:
    """The end of a run that its worker has done.

    Args:
        run: The run.
        token: That it is ours.
        event: How: ``succeeded``, ``failed`` or ``cancelled``.
        detail: More.
        log: The last lines of what it said.
    """

    run: str
    token: int
    event: str
    detail: Mapping[str, Any]
    log: str = ""


@dataclass(frozen=True, slots=True)
class Claimed:
    """A run that is ours now.

    Args:
        run: The run.
        token: That it is ours.
        again: Whether somebody had begun it before.
    """

    run: JobRun
    token: int
    again: bool


@dataclass(frozen=True, slots=True)
class Taken:
    """What came of asking for work.

    Args:
        claimed: The runs that are ours now.
        ended: Runs that were ended without work, with the event that did.
        waiting: So many others could be begun now.
        new: So many runs were written down that were not there before.
    """

    claimed: tuple[Claimed, ...] = ()
    ended: tuple[tuple[JobRun, str], ...] = ()
    waiting: int = 0
    new: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class DaemonRow:
    """A daemon, as it says it is.

    Args:
        id: What it is called.
        host: Where it runs.
        pid: Its process there.
        started: Since when (timezone-aware).
        seen: Its last sign of life.
        version: Of Lakehouse.
        config: A digest of its config, which tells it from others.
        alive: Whether it was heard of in time.
    """

    id: str
    host: str
    pid: int
    started: datetime
    seen: datetime
    version: str
    config: str
    alive: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Pause:
    """Why a schedule is at rest.

    Args:
        job: The job.
        at: Since when (timezone-aware).
        author: On whose order.
        reason: Why.
    """

    job: str
    at: datetime
    author: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ArrivedFile:
    """A file that a job is to merge, and has not yet.

    Args:
        seq: Its number in the database.
        path: Where it is, below the job's folder.
        mark: What the store says of its content.
        number: From 1 for each job, in the order in which files are merged.
    """

    seq: int
    path: str
    mark: str
    number: int
