"""What an event tells of a run, without any library; and how tables are named. Pure."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Literal
from urllib.parse import urlsplit

from lakehouse.jobs.status import RunView

THREAD: Final = "lakehouse lineage"
"""What threads are called that send events."""
Event = Literal["START", "COMPLETE", "FAIL", "ABORT"]

_NAMES: Final = uuid.UUID("6b0b4dfb-3d5d-5b55-9d3f-2a6a1f0c7e51")
_ENDS: Final[Mapping[str, Event]] = {"succeeded": "COMPLETE", "failed": "FAIL"}
_RETENTION: Final = ("rows_deleted", "rows_archived", "rows_anonymized")


@dataclass(frozen=True, slots=True, kw_only=True)
class TableStory:
    """What an event tells of a table.

    Args:
        name: The table.
        namespace: Where it lies, as OpenLineage names places.
        path: Its name there.
        uri: Both, as a URL.
        owner: Who answers for it; empty where nobody said.
        columns: Names and types; empty where they are not known.
        rules: Its rules of retention, as JSON can hold them.
        version: The version that the run made; None where it made none.
        rows: Rows that were written with that version; None where it does not say.
        bytes: Their size.
        files: Their files.
    """

    name: str
    namespace: str
    path: str
    uri: str
    owner: str = ""
    columns: tuple[tuple[str, str], ...] = ()
    rules: tuple[Mapping[str, Any], ...] = ()
    version: int | None = None
    rows: int | None = None
    bytes: int | None = None
    files: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunStory:
    """What an event tells.

    Args:
        event: What happened.
        at: When (timezone-aware).
        run: A UUID, made from the run's id.
        job: The job's name.
        kind: What the job does.
        namespace: The namespace of the job.
        own: Our own facts of the run: its id, cause, attempts and counts.
        nominal: The moment that it is for (timezone-aware).
        tables: The tables that it is for.
        error: Why it failed; without values of rows.
        retention: Rows that rules took, by what was done; empty where none did.
        erasure: What was done for people who asked, in numbers; empty where nothing was.
    """

    event: Event
    at: datetime
    run: str
    job: str
    kind: str
    namespace: str
    own: Mapping[str, Any]
    nominal: datetime
    tables: tuple[TableStory, ...] = ()
    error: str = ""
    retention: Mapping[str, int] = field(default_factory=dict)
    erasure: Mapping[str, Any] = field(default_factory=dict)


def story_of(
    run: RunView,
    *,
    namespace: str,
    database: str,
    tables: tuple[TableStory, ...],
    at: datetime,
    certificates: tuple[int, ...] = (),
) -> RunStory | None:
    """What to tell of a run as it is now.

    Args:
        run: The run.
        namespace: The namespace of the job.
        database: The id of the state database: ids of runs are told apart only within one.
        tables: The tables that it is for.
        at: The time.
        certificates: The numbers of the certificates that it issued.

    Returns:
        What to tell; None where somebody else has the run by now, who tells of its end.
    """
    event: Event | None = "START" if run.status == "running" and run.ended is None else None
    if run.ended is not None:
        event = _ENDS.get(run.status, "ABORT")
    if event is None:
        return None
    over = event != "START"
    did = {name: run.counts[name] for name in _RETENTION if name in run.counts}
    erased: dict[str, Any] = {}
    if over and run.kind == "erase":
        erased = {"requests": _notes(run.notes), "certificates": list(certificates), **did}
    return RunStory(
        event=event,
        at=run.ended if over and run.ended is not None else run.started or at,
        run=run_uuid(database, run.id),
        job=run.job,
        kind=run.kind,
        namespace=namespace,
        own={
            "run": run.id,
            "cause": run.cause,
            "status": run.status,
            "attempts": run.attempts,
            "counts": dict(run.counts),
        },
        nominal=run.fire_time,
        tables=tables,
        error=run.reason if event == "FAIL" else "",
        retention=did if over and run.kind == "retention" else {},
        erasure=erased,
    )


def run_uuid(database: str, run: str) -> str:
    """The UUID of a run.

    Args:
        database: The id of the state database.
        run: The run's id.
    """
    return str(uuid.uuid5(_NAMES, f"{database} {run}"))


def place_of(url: str) -> tuple[str, str, str]:
    """How OpenLineage names a place: namespace, name, and both as a URL.

    Args:
        url: A folder, or ``s3://bucket/prefix`` or the like.
    """
    if "://" not in url:
        return "file", url, f"file://{url}"
    parts = urlsplit(url)
    if parts.scheme == "file":
        return "file", parts.path, url
    return f"{parts.scheme}://{parts.netloc}", parts.path.lstrip("/") or "/", url


def _notes(notes: tuple[str, ...]) -> dict[str, int]:
    """``3 completed`` as the job kind ``erase`` notes it."""
    found: dict[str, int] = {}
    for each in notes:
        number, _, status = each.partition(" ")
        if number.isdecimal() and status.isalpha():
            found[status] = int(number)
    return found
