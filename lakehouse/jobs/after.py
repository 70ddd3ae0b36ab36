"""Jobs that wait for others: in which order, and for which moment. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from graphlib import TopologicalSorter

from lakehouse.config.models.jobs import JobConfig
from lakehouse.jobs.status import RunView


def in_order(jobs: Mapping[str, JobConfig]) -> list[str]:
    """All jobs, each behind those that it waits for; otherwise as in the config.

    Args:
        jobs: The jobs; none waits for itself, in whatever way.
    """
    sorter = TopologicalSorter({name: job.after for name, job in jobs.items()})
    sorter.prepare()
    place = {name: at for at, name in enumerate(jobs)}
    order: list[str] = []
    while sorter.is_active():
        ready = sorted(sorter.get_ready(), key=place.__getitem__)
        order += ready
        sorter.done(*ready)
    return order


def moment_after(newest: Sequence[RunView | None]) -> datetime | None:
    """The moment for which a job may run that waits for others.

    Args:
        newest: The newest run of each of them; None for one that never ran.

    Returns:
        The latest moment of those runs; None as long as one is missing or has not succeeded.
    """
    done = [each.fire_time for each in newest if each is not None and each.status == "succeeded"]
    return max(done) if done and len(done) == len(newest) else None
