"""A Python function as a job: ``package.module.function(lake, context)``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

from lakehouse.errors import DataError, UsageError
from lakehouse.jobs.context import JobContext
from lakehouse.jobs.result import JobResult


def find(name: str) -> Callable[..., Any]:
    """Finds a function.

    Args:
        name: As ``shop.jobs.refresh`` or ``shop.jobs:refresh``.

    Raises:
        UsageError: It is not there, or is no function.
    """
    module, _, function = name.replace(":", ".").rpartition(".")
    try:
        found = getattr(import_module(module), function, None)
    except ModuleNotFoundError as error:
        raise UsageError(
            f"the Python module {error.name} of the job's function {name} is not there",
            advice="install it where lakehouse is installed, or name its folder in PYTHONPATH",
        ) from None
    if not callable(found):
        raise UsageError(f"the module {module} has no function {function}", advice="see `do` of the job")
    return found  # type: ignore[no-any-return]


def call(function: Callable[..., Any], context: JobContext) -> JobResult:
    """Calls a function with the lake and its run's context.

    Args:
        function: What it returns are counts by name, a `JobResult`, or nothing.
        context: The run.

    Raises:
        DataError: It returned something else.
    """
    answer = function(context.lake, context)
    if answer is None:
        return JobResult()
    if isinstance(answer, JobResult):
        return answer
    if isinstance(answer, Mapping) and all(
        isinstance(name, str) and isinstance(number, int) for name, number in answer.items()
    ):
        return JobResult(counts={name: int(number) for name, number in answer.items()})
    raise DataError(
        f"the function of the job {context.job} returned {type(answer).__name__}",
        advice="let it return whole numbers by name, a lakehouse.jobs.JobResult, or nothing",
    )
