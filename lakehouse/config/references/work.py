"""Rules over jobs: the tables that they work on, and who waits for whom."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from lakehouse.config.nearest import suggestion
from lakehouse.config.references.lookup import Finding, Lookup
from lakehouse.config.references.people import selection_findings


def work_findings(lookup: Lookup) -> Iterator[Finding]:
    """Checks jobs.

    Args:
        lookup: The names that there are.

    Yields:
        What is wrong.
    """
    jobs = lookup.config.jobs
    for name, job in jobs.items():
        if job.tables != "all":
            yield from selection_findings(lookup, job.tables, ("jobs", name, "tables"))
        into = tuple(lookup.config.tables) if job.tables == "all" else tuple(job.tables)
        if job.arrivals is not None and len(into) != 1:
            yield Finding(
                ("jobs", name, "from"), f"its files go into one table, and `tables` names {len(into)}"
            )
        for at, before in enumerate(job.after):
            way = ("jobs", name, "after", at)
            if before not in lookup.jobs:
                yield Finding(
                    way, f"there is no job `{before}`{suggestion(before, lookup.jobs, what='jobs')}"
                )
            elif before == name:
                yield Finding(way, f"the job `{name}` waits for itself")
    for cycle in cycles({name: job.after for name, job in jobs.items()}):
        shown = " → ".join(f"`{name}`" for name in (*cycle, cycle[0]))
        yield Finding(("jobs", cycle[0], "after"), f"these jobs wait for each other: {shown}")


def cycles(after: Mapping[str, tuple[str, ...]]) -> list[tuple[str, ...]]:
    """Finds jobs that wait for each other.

    Args:
        after: Job: the jobs that it waits for.

    Returns:
        One cycle for each group of such jobs, beginning with the job that comes first in the config; a job
        that waits for itself is none.
    """
    found: list[tuple[str, ...]] = []
    done: set[str] = set()
    for start in after:
        path: list[str] = []
        waiting = [iter((start,))]
        while waiting:
            name = next(waiting[-1], None)
            if name is None:
                waiting.pop()
                if path:
                    done.add(path.pop())
            elif name in path:
                cycle = tuple(path[path.index(name) :])
                if len(cycle) > 1:
                    found.append(_from_first(cycle, list(after)))
            elif name in after and name not in done:
                path.append(name)
                waiting.append(iter(after[name]))
    return list(dict.fromkeys(found))


def _from_first(cycle: tuple[str, ...], order: list[str]) -> tuple[str, ...]:
    start = min(range(len(cycle)), key=lambda at: order.index(cycle[at]))
    return cycle[start:] + cycle[:start]
