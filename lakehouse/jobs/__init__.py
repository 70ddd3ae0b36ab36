"""Jobs: work of the config that is carried out once for each moment, by whoever is there to do it.

`schedule` says when, `deciding` what is due, `status` what became of it (pure); `leases` keep a run
somebody's as long as they live, `runner` carries it out, `kinds` are what there is to do, `verbs` what users
call. The truth is in the state database, so that several processes can share the work.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lakehouse.jobs.context import JobContext
    from lakehouse.jobs.result import JobResult
    from lakehouse.jobs.status import RunView

__all__ = ["JobContext", "JobResult", "RunView"]

_ROOMS = {"JobContext": "context", "JobResult": "result", "RunView": "status"}


def __getattr__(name: str) -> Any:
    """Loads a public name on first use (PEP 562): a daemon that waits needs none of them."""
    if name not in _ROOMS:
        raise AttributeError(f"module 'lakehouse.jobs' has no attribute {name!r}")
    return getattr(import_module(f"lakehouse.jobs.{_ROOMS[name]}"), name)
