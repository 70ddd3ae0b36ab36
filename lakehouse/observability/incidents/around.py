"""What changed around a signal: versions and what made them, runs, and what hangs on it. No values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from lakehouse.config import Config
from lakehouse.delta.log import Commit, read_commit
from lakehouse.errors import LakehouseError
from lakehouse.jobs.status import RunView
from lakehouse.state.chart_rows import Point
from lakehouse.storage import Storage
from lakehouse.timetravel.history import entry

_MOST: Final = 20


def around_table(
    name: str,
    *,
    config: Config,
    storage: Storage,
    commits: Sequence[Commit],
    points: Sequence[Point],
    run: RunView | None,
) -> dict[str, Any]:
    """What happened to a table from the last point before a signal to the newest.

    Args:
        name: The table.
        config: The lake's config.
        storage: The table's folder.
        commits: Those that were read already.
        points: From the point before the signal on.
        run: The run after which the signal came.

    Returns:
        As JSON can hold it.
    """
    versions = [each.version for each in points if each.version is not None]
    runs = {each.version: each.run for each in points if each.version is not None and each.run}
    known = {each.version: each for each in commits}
    told = []
    if versions:
        first = max(min(versions), max(versions) - _MOST + 1)
        for version in range(first, max(versions) + 1):
            commit = known.get(version) or _read(storage, version)
            if commit is not None:
                told.append(_version(commit, runs.get(version, "")))
    return {
        "versions": told,
        "runs": [] if run is None else [_run(run)],
        "lineage": lineage_of_table(config, name),
    }


def around_job(run: RunView, *, config: Config, points: Sequence[Point]) -> dict[str, Any]:
    """What a run did that gave a signal, and which runs came before.

    Args:
        run: The run.
        config: The lake's config.
        points: From the point before the signal on.
    """
    job = config.jobs.get(run.job)
    tables = [] if job is None else list(config.tables) if job.tables == "all" else list(job.tables)
    return {
        "versions": [{"table": table, "version": version} for table, version in run.versions.items()],
        "runs": [_run(run), *({"run": each.run} for each in reversed(points[:-1]) if each.run != run.id)][
            :_MOST
        ],
        "lineage": {
            "jobs_before": [] if job is None else list(job.after),
            "tables": tables,
            "derived": sorted({each for table in tables for each in _derived(config, table)}),
        },
    }


def lineage_of_table(config: Config, name: str) -> dict[str, Any]:
    """What a table hangs on, and what hangs on it, as the config tells.

    Args:
        config: The lake's config.
        name: The table.
    """
    section = config.tables.get(name)
    jobs = [job for job, each in config.jobs.items() if each.tables == "all" or name in each.tables]
    return {
        "jobs": jobs,
        "derived_from": [] if section is None else list(section.derived_from),
        "derived": _derived(config, name),
    }


def _derived(config: Config, name: str) -> list[str]:
    return [table for table, each in config.tables.items() if name in each.derived_from]


def _version(commit: Commit, run: str) -> dict[str, Any]:
    found = entry(commit, made_ms=commit.timestamp_ms)
    return {
        "version": found.version,
        "time": found.timestamp.isoformat(),
        "operation": found.operation,
        "counts": dict(found.counts),
        "run": run or None,
    }


def _run(run: RunView) -> dict[str, Any]:
    counts: Mapping[str, int] = {name: number for name, number in run.counts.items() if number}
    return {"run": run.id, "job": run.job, "status": run.status, "seconds": run.seconds, "counts": counts}


def _read(storage: Storage, version: int) -> Commit | None:
    try:
        return read_commit(storage, version)
    except LakehouseError:
        # It was cleaned up, or can't be reached: the incident matters more.
        return None
