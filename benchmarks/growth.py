"""The same changes into ever larger tables: what a merge costs as its table grows, in time and memory.

    python -m benchmarks.growth                      # 1 M and 10 M rows
    python -m benchmarks.growth --largest 100000000  # and 100 M
    python -m benchmarks.growth --smallest 100000 --largest 1000000 --changes 10000    # a quick look

Each run takes a fresh copy of a table (written by delta-rs, in files of up to a million rows), and measures
one merge in a process of its own. Clustered changes lie in the last rows, five for each change, whatever the
size. Median of ``--repeat`` runs; peak memory is that of the whole process with the changes in it. The goals
are ratios from one size to ten times it: 1.5 where the changes lie together, 6 where they lie everywhere.
"""

from __future__ import annotations

import argparse
import itertools
import json
import shutil
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from benchmarks.data import Spread, make_changes, make_table
from benchmarks.measure import Run, command_line, fresh_copy, machine, median, run_child, write_report
from benchmarks.merge import child

MODULE: Final = "benchmarks.growth"
GOALS: Final[dict[Spread, float]] = {"clustered": 1.5, "uniform": 6.0}
ROWS_A_FILE: Final = 1_000_000
ROWS_A_CHANGE: Final = 5
MEMORY_GOAL_MB: Final = 700.0


def sizes(smallest: int, largest: int) -> Iterator[int]:
    """The sizes from the smallest on, each ten times the one before, and the largest.

    Args:
        smallest: Rows.
        largest: Rows; it is measured too where it is no tenfold of the smallest.
    """
    rows = smallest
    while rows < largest:
        yield rows
        rows *= 10
    yield largest


def measure(
    table: Path, *, rows: int, changes: int, spread: Spread, repeat: int, folder: Path
) -> dict[str, Any]:
    """Merges the changes into copies of a table.

    Args:
        table: The table.
        rows: Its rows.
        changes: How many changes.
        spread: Where their keys lie.
        repeat: How many runs.
        folder: Where to work.
    """
    file = folder / "changes.parquet"
    within = min(rows, changes * ROWS_A_CHANGE)
    make_changes(rows=rows, changes=changes, spread=spread, within=within).write_parquet(file)
    runs: list[Run] = []
    for _ in range(repeat):
        copy = fresh_copy(table, folder)
        runs.append(run_child(MODULE, ["--child", "lakehouse", str(copy), str(file)]))
    return {
        "rows": rows,
        "changes": changes,
        "spread": spread,
        "repeat": repeat,
        "seconds": round(median([run.seconds for run in runs]), 3),
        "peak_mb": round(max(run.peak_mb for run in runs)),
        "phases": runs[-1].detail["phases"],
    }


def growth(points: Sequence[dict[str, Any]], *, goal: float) -> list[dict[str, Any]]:
    """What each step to a larger table costs.

    Args:
        points: One spread's measurements, by size.
        goal: The largest ratio of times that a tenfold of the rows may have.
    """
    return [
        {
            "from_rows": before["rows"],
            "to_rows": after["rows"],
            "ratio": round(after["seconds"] / before["seconds"], 2),
            "memory_ratio": round(after["peak_mb"] / before["peak_mb"], 2),
            "goal": goal,
        }
        for before, after in itertools.pairwise(points)
    ]


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line of the benchmark.

    Args:
        arguments: The words after ``python -m benchmarks.growth``; those of the process if left out.

    Returns:
        The exit code: 1 where a goal is missed.
    """
    parser = command_line(__doc__, module=MODULE, rows=None)
    parser.add_argument("--smallest", type=int, default=1_000_000, help="rows of the smallest table")
    parser.add_argument("--largest", type=int, default=10_000_000, help="rows of the largest table")
    parser.add_argument("--changes", type=int, default=100_000, help="changes that are merged into each")
    parser.add_argument("--spread", choices=sorted(GOALS), help="only one of the two")
    parser.add_argument("--child", nargs=3, metavar=("CONTENDER", "TABLE", "CHANGES"), help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.child:
        child(options.child[0], Path(options.child[1]), Path(options.child[2]))
        return 0
    options.folder.mkdir(parents=True, exist_ok=True)
    spreads: list[Spread] = [options.spread] if options.spread else ["clustered", "uniform"]
    points: dict[Spread, list[dict[str, Any]]] = {spread: [] for spread in spreads}
    for rows in sizes(options.smallest, options.largest):
        table = make_table(options.folder, rows=rows, files=max(1, rows // ROWS_A_FILE))
        for spread in spreads:
            point = measure(
                table,
                rows=rows,
                changes=options.changes,
                spread=spread,
                repeat=options.repeat,
                folder=options.folder,
            )
            points[spread].append(point)
            print(json.dumps(point))
    shutil.rmtree(options.folder / "table", ignore_errors=True)
    steps = {spread: growth(points[spread], goal=GOALS[spread]) for spread in spreads}
    report = {
        "benchmark": "growth",
        "machine": machine(),
        "memory_goal_mb": MEMORY_GOAL_MB,
        "points": [point for spread in spreads for point in points[spread]],
        "growth": steps,
    }
    write_report(report, options.json)
    print(json.dumps(steps, indent=2))
    met = all(step["ratio"] <= step["goal"] for group in steps.values() for step in group)
    small = all(point["peak_mb"] <= MEMORY_GOAL_MB for group in points.values() for point in group)
    return 0 if met and small else 1


if __name__ == "__main__":
    sys.exit(main())
