"""What a daemon and its workers say to each other: one JSON document a line, over pipes."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import IO, Any

import orjson

from lakehouse.state.job_rows import JobRun


def said(**message: Any) -> bytes:
    """Makes a line.

    Args:
        **message: What to say.
    """
    return orjson.dumps(message) + b"\n"


def heard(stream: IO[bytes]) -> Iterator[dict[str, Any]]:
    """Reads lines until the other side is gone; what is no message is left out.

    Args:
        stream: Where from.
    """
    for line in iter(stream.readline, b""):
        try:
            found = orjson.loads(line)
        except orjson.JSONDecodeError:
            continue
        if isinstance(found, dict):
            yield found


def of_run(run: JobRun) -> dict[str, Any]:
    """A run, as a message has it.

    Args:
        run: The run.
    """
    return {
        "id": run.id,
        "job": run.job,
        "fire_time": run.fire_time,
        "kind": run.kind,
        "cause": run.cause,
        "queued": run.queued,
        "author": run.author,
    }


def to_run(message: dict[str, Any]) -> JobRun:
    """The run of a message.

    Args:
        message: As `of_run` made it.
    """
    return JobRun(
        id=message["id"],
        job=message["job"],
        fire_time=datetime.fromisoformat(message["fire_time"]),
        kind=message["kind"],
        cause=message["cause"],
        queued=datetime.fromisoformat(message["queued"]),
        author=message["author"],
    )
