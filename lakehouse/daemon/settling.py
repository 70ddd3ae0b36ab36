"""What is written down of a run whose worker is gone: by what is known of its end. Pure."""

from __future__ import annotations

import signal
from collections.abc import Callable
from typing import Any, TypeAlias

from lakehouse.config.durations import format_duration
from lakehouse.config.models.jobs import JobConfig
from lakehouse.daemon.workers import Task
from lakehouse.state.database import State

Debt: TypeAlias = Callable[[State], bool]
"""Something to write down as soon as the database can be reached."""


def settle(task: Task, code: int | None, job: JobConfig | None) -> tuple[Debt, str, dict[str, Any]]:
    """What to write down of a run.

    Args:
        task: The run, and what was asked of it.
        code: How its worker ended.
        job: Its job; None where the config does not have it any more.

    Returns:
        What to do, in a word what became of it (``lost`` where its worker died), and more.
    """
    run, token = task.id, task.claimed.token
    event, detail, log = _outcome(task, job)
    if event in {"lost", "queued"}:
        reason = str(detail.get("reason", "")) if event == "queued" else f"its process died{_how(code)}"
        lost = event == "lost"
        return (
            lambda state: state.leases.give_back(run, token, reason=reason, lost=lost, log=log),
            event,
            {"reason": reason},
        )
    return (
        lambda state: state.leases.end(run, event, detail, token=token, log=log),
        event,
        detail,
    )


def _outcome(task: Task, job: JobConfig | None) -> tuple[str, dict[str, Any], str]:
    late = ", and did not end when it was asked to"
    if task.stuck is not None:
        return task.stuck["event"], dict(task.stuck["detail"]), task.stuck["log"]
    if task.why == "timeout":
        limit = "" if job is None or job.timeout is None else f" ({format_duration(job.timeout)})"
        reason = f"it took longer than its timeout{limit}{late}"
        return "failed", {"error": "TimeoutError", "reason": reason, "exit_code": 1}, ""
    if task.why == "cancelled":
        return "cancelled", {"reason": f"it was stopped{late}"}, ""
    if task.why == "handed_over":
        return "queued", {"reason": f"its daemon ended{late}"}, ""
    return "lost", {}, ""


def _how(code: int | None) -> str:
    if code is None or code >= 0:
        return "" if code is None else f" (exit code {code})"
    try:
        return f" ({signal.Signals(-code).name})"
    except ValueError:
        return f" (signal {-code})"
