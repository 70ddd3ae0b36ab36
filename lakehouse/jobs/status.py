"""What a run of a job is now, from what happened to it. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Literal, TypeAlias, cast

from lakehouse.errors import CorruptTableError
from lakehouse.state.job_rows import JobEvent, JobRun

Status: TypeAlias = Literal["queued", "running", "succeeded", "failed", "skipped", "abandoned", "cancelled"]

STATUSES: Final[tuple[Status, ...]] = (
    "queued",
    "running",
    "succeeded",
    "failed",
    "skipped",
    "abandoned",
    "cancelled",
)
TERMINAL: Final[frozenset[Status]] = frozenset({"succeeded", "failed", "skipped", "cancelled"})
"""From these nothing leads on, unless somebody asks for the run again."""

_AFTER: Final[Mapping[str, Status]] = {
    "queued": "queued",
    "started": "running",
    "retrying": "running",
    "stopping": "running",
    "abandoned": "abandoned",
    "succeeded": "succeeded",
    "failed": "failed",
    "skipped": "skipped",
    "cancelled": "cancelled",
}


def status_of(events: Sequence[JobEvent]) -> Status:
    """What a run is now.

    Args:
        events: All that happened to it, in order.

    Raises:
        CorruptTableError: Nothing happened to it, or something that this release does not know.
    """
    found = _AFTER.get(events[-1].event) if events else None
    if found is None:
        raise CorruptTableError("what happened to a run of a job is not known to this release")
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class RunView:
    """A run of a job, as it is now.

    Args:
        id: Its name in commands.
        job: The job.
        fire_time: The moment that it is for (UTC).
        kind: What the job does.
        cause: ``schedule``, ``manual`` or ``backfill``.
        author: On whose order.
        status: What it is now.
        queued: When it was written down (UTC).
        started: When it was begun last; None where it never was.
        ended: When it was over; None where it is not.
        attempts: How often it was tried.
        counts: What it did, in numbers, by name.
        versions: The versions of tables that it made, by table.
        notes: What else there is to know.
        reason: Why it failed, or was not carried out.
        error: The kind of error that it failed with.
        exit_code: What the command line ends with for that error; 0 where there is none.
        events: All that happened to it.
    """

    id: str
    job: str
    fire_time: datetime
    kind: str
    cause: str
    author: str
    status: Status
    queued: datetime
    started: datetime | None = None
    ended: datetime | None = None
    attempts: int = 0
    counts: Mapping[str, int] = field(default_factory=dict)
    versions: Mapping[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    reason: str = ""
    error: str = ""
    exit_code: int = 0
    events: tuple[JobEvent, ...] = field(default=(), repr=False)

    @property
    def seconds(self) -> float | None:
        """How long it took since it was begun last; None where it is not over or never was begun."""
        if self.started is None or self.ended is None:
            return None
        return (self.ended - self.started).total_seconds()

    def to_dict(self) -> dict[str, Any]:
        """The same as JSON can hold it."""
        return {
            "id": self.id,
            "job": self.job,
            "fire_time": self.fire_time,
            "do": self.kind,
            "cause": self.cause,
            "author": self.author,
            "status": self.status,
            "queued": self.queued,
            "started": self.started,
            "ended": self.ended,
            "seconds": self.seconds,
            "attempts": self.attempts,
            "counts": dict(self.counts),
            "versions": dict(self.versions),
            "notes": list(self.notes),
            "reason": self.reason,
            "error": self.error,
        }


def view_of(run: JobRun, events: Sequence[JobEvent]) -> RunView:
    """Puts a run and what happened to it together.

    Args:
        run: The run.
        events: All that happened to it, in order.
    """
    status = status_of(events)
    last = events[-1]
    begun = [each.at for each in events if each.event == "started"]
    detail = last.detail
    return RunView(
        id=run.id,
        job=run.job,
        fire_time=run.fire_time,
        kind=run.kind,
        cause=run.cause,
        author=run.author,
        status=status,
        queued=run.queued,
        started=begun[-1] if begun else None,
        ended=last.at if status in TERMINAL else None,
        attempts=len(begun) + sum(each.event == "retrying" for each in events),
        counts=cast("Mapping[str, int]", detail.get("counts", {})),
        versions=cast("Mapping[str, int]", detail.get("versions", {})),
        notes=tuple(detail.get("notes", ())),
        reason=str(detail.get("reason", "")),
        error=str(detail.get("error", "")),
        exit_code=int(detail.get("exit_code", 0)),
        events=tuple(events),
    )
