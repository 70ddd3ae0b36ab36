"""The work of a run in a thread of its own: tried again where that can help, and what became of it."""

from __future__ import annotations

import logging
import threading
import traceback
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from lakehouse.config.durations import format_duration
from lakehouse.config.models.jobs import JobConfig
from lakehouse.errors import LakehouseError, UsageError, VerificationError
from lakehouse.jobs.context import JobContext
from lakehouse.jobs.kinds import work_of
from lakehouse.jobs.leases import Held
from lakehouse.jobs.result import JobResult
from lakehouse.jobs.stop import RunStoppedError, Stop
from lakehouse.jobs.tail import Tail, heard

_LOG: Final = logging.getLogger("lakehouse.jobs")


@dataclass(slots=True)
class Going:
    """What the thread that works leaves for the one that waits for it."""

    done: threading.Event = field(default_factory=threading.Event)
    tail: Tail = field(default_factory=Tail)
    result: JobResult | None = None
    error: BaseException | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a run.

    Args:
        event: As it is written down: ``succeeded``, ``failed``, ``cancelled``; ``queued`` where another
            process is to go on with it; ``lost`` where one does already.
        detail: More.
        log: The last lines of what it said.
    """

    event: str
    detail: Mapping[str, Any]
    log: str = ""


def work(context: JobContext, held: Held, stop: Stop, going: Going) -> None:
    """Does the work of a run; whatever comes of it is left in ``going``.

    Args:
        context: The run.
        held: That it is ours.
        stop: Tells it to end.
        going: Where to leave what came of it.
    """
    with heard(going.tail):
        try:
            going.result = _try(context, held, stop)
        except BaseException as error:  # noqa: BLE001 - the one that waits tells of it
            going.error = error
    going.done.set()


def _try(context: JobContext, held: Held, stop: Stop) -> JobResult:
    job = context.config
    do = work_of(job.do)
    attempt = 0
    while True:
        try:
            stop.check()
            return do(context)
        except Exception as error:
            if isinstance(error, RunStoppedError) or not can_pass(error) or attempt >= job.retries:
                raise
            reason = reason_of(error)
        pause = job.backoff * 2**attempt
        attempt += 1
        _LOG.warning("try %d failed: %s; the next one in %s", attempt, reason, format_duration(pause))
        held.note("retrying", {"reason": reason, "attempt": attempt, "pause": pause.total_seconds()})
        stop.wait(pause.total_seconds())


def can_pass(error: Exception) -> bool:
    """Whether trying again can help.

    Args:
        error: What was raised.
    """
    if isinstance(error, LakehouseError):
        return error.retryable
    return isinstance(error, ConnectionError | TimeoutError)


def reason_of(error: BaseException) -> str:
    """What is kept and shown of an error.

    Args:
        error: One of ours says it itself; of others only the kind and the place, since a message could carry
            values of rows.
    """
    if isinstance(error, LakehouseError):
        return str(error)
    frames = traceback.extract_tb(error.__traceback__)
    place = f" at {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    return f"{type(error).__name__}{place}"


def outcome_of(going: Going, stop: Stop, job: JobConfig, *, ended: bool) -> Outcome:
    """What became of a run, as an event.

    Args:
        going: What its thread has left.
        stop: Whether it was asked to end.
        job: Its job.
        ended: Whether the thread has ended.
    """
    log = going.tail.text
    if stop.why == "lost":
        return Outcome("lost", {"reason": "somebody else has begun it since"}, log)
    error = going.error
    if not ended or isinstance(error, RunStoppedError):
        return Outcome(*_stopped(stop, job, ended=ended), log)
    if error is not None:
        code = error.exit_code if isinstance(error, LakehouseError) else 1
        detail = {"error": type(error).__name__, "reason": reason_of(error), "exit_code": code}
        return Outcome("failed", detail, log)
    result = going.result or JobResult()
    if result.found:
        broken = VerificationError
        more = {"error": broken.__name__, "reason": result.found, "exit_code": broken.exit_code}
        return Outcome("failed", {**result.to_dict(), **more}, log)
    return Outcome("succeeded", result.to_dict(), log)


def _stopped(stop: Stop, job: JobConfig, *, ended: bool) -> tuple[str, dict[str, Any]]:
    late = "" if ended else ", and did not end when it was asked to"
    if stop.why == "timeout" and job.timeout is not None:
        reason = f"it took longer than its timeout ({format_duration(job.timeout)}){late}"
        return "failed", {"error": "TimeoutError", "reason": reason, "exit_code": 1}
    if stop.why == "handed_over":
        return "queued", {"reason": f"its daemon ended{late}"}
    return "cancelled", {"reason": f"it was stopped{late}"}


def ensure_runnable(job: JobConfig) -> None:
    """Refuses a job whose function is not there, before a run of it is written down.

    Args:
        job: The job.

    Raises:
        UsageError: It is not there.
    """
    try:
        work_of(job.do)
    except ImportError as error:
        raise UsageError(f"the job's function {job.do} can't be imported ({type(error).__name__})") from None
