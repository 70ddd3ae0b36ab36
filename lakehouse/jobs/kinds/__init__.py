"""What jobs can do: one module a kind, each with ``work(context) -> JobResult``, imported when needed."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from importlib import import_module
from typing import Final

from lakehouse.jobs.context import JobContext
from lakehouse.jobs.result import JobResult

Work = Callable[[JobContext], JobResult]

MODULES: Final = {
    "retention": "retention",
    "vacuum": "vacuum",
    "compact": "compact",
    "erase": "erase",
    "pii-scan": "pii_scan",
    "verify": "verify",
    "merge": "merge",
    "freshness": "freshness",
}


def work_of(kind: str) -> Work:
    """Gives what a kind of job does.

    Args:
        kind: As the config says: one of ours, or a Python function by its dotted name.

    Raises:
        UsageError: There is no such function.
    """
    if kind in MODULES:
        work: Work = import_module(f"lakehouse.jobs.kinds.{MODULES[kind]}").work
        return work
    from lakehouse.jobs.kinds.function import call, find  # noqa: PLC0415 - only where it is asked for

    return partial(call, find(kind))
