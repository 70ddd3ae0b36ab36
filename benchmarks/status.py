"""What `lakehouse status` takes for a lake with many tables, jobs and runs.

    python -m benchmarks.status                      # 200 tables, 50 jobs, 10,000 runs
    python -m benchmarks.status --tables 20

Measured is the command as it is typed, in a process of its own, and the call in a process that has looked
before.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from benchmarks.measure import command_line, machine, median, write_report

GOAL = 2.0
_SCHEDULES = ("every 1h", "*/5 * * * *", "0 3 * * *")


def config_of(*, tables: int, jobs: int) -> dict[str, Any]:
    """A lake of many small tables and jobs."""
    expect = [{"name": "fresh", "freshness": "30d"}]
    return {
        "version": 1,
        "name": "many",
        "storage": {"root": "./lake"},
        "tables": {f"t{number:03}": {"key": ["id"], "expect": expect} for number in range(tables)},
        "jobs": {
            f"job{number:02}": {"do": "compact", "schedule": _SCHEDULES[number % 3]} for number in range(jobs)
        },
    }


def fill(folder: Path, options: argparse.Namespace) -> None:
    """Makes the lake: each table with some versions, and a history of runs."""
    from lakehouse import Lakehouse
    from lakehouse.state import open_state

    (folder / "lakehouse.yaml").write_text(json.dumps(config_of(tables=options.tables, jobs=options.jobs)))
    lake = Lakehouse.open(folder / "lakehouse.yaml")
    for name in lake.tables:
        for version in range(options.versions):
            lake.table(name).merge([{"id": number + version} for number in range(10)])
    lake.holds.add(table=lake.tables[0], reason="so that there is a state database")
    state = open_state(lake.config.state.get_secret_value())
    start = datetime(2026, 1, 1, tzinfo=UTC)
    names = list(lake.config.jobs)
    for number in range(options.runs):
        moment = start + timedelta(minutes=number)
        run, _ = state.jobs.enqueue(
            job=names[number % len(names)],
            fire_time=moment,
            kind="compact",
            cause="schedule",
            author="benchmark",
            now=moment,
        )
        claim = state.leases.start(run.id, owner="benchmark", lease=timedelta(minutes=1))
        state.leases.end(run.id, "succeeded", {"counts": {"files_removed": 3}}, token=claim.token)
    state.close()


def measure(folder: Path, *, repeat: int) -> dict[str, float]:
    """Seconds of the command and of the call, medians of some."""
    from lakehouse import Lakehouse

    command, call = [], []
    for _ in range(repeat):
        start = time.perf_counter()
        words = [sys.executable, "-m", "lakehouse", "-c", str(folder / "lakehouse.yaml"), "status", "--json"]
        subprocess.run(words, check=True, capture_output=True)
        command.append(time.perf_counter() - start)
    lake = Lakehouse.open(folder / "lakehouse.yaml")
    lake.status()
    for _ in range(repeat):
        start = time.perf_counter()
        lake.status()
        call.append(time.perf_counter() - start)
    return {"command_seconds": round(median(command), 3), "call_seconds": round(median(call), 3)}


def main() -> None:
    """Runs the benchmark and prints what came of it."""
    parser = command_line(__doc__, module="benchmarks.status", rows=None, repeat=5)
    parser.add_argument("--tables", type=int, default=200)
    parser.add_argument("--versions", type=int, default=3)
    parser.add_argument("--jobs", type=int, default=50)
    parser.add_argument("--runs", type=int, default=10_000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="lakehouse-status-") as folder:
        fill(Path(folder), options)
        found = measure(Path(folder), repeat=options.repeat)
    sizes = {name: getattr(options, name) for name in ("tables", "versions", "jobs", "runs", "repeat")}
    report = {"machine": machine(), **sizes, **found, "goal_seconds": GOAL}
    write_report(report, options.json)
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
