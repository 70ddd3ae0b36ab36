"""Many merges in a row, then a full read: what vectors and small files cost those who read.

    python -m benchmarks.many                        # 50 merges of 10,000 changes into 1 M rows
    python -m benchmarks.many --merges 10

The table is compacted as its config says. The read of the whole table by Polars is compared with the read of
a fresh table of the same rows, written by delta-rs in one go.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl
from deltalake import write_deltalake

from benchmarks.data import make_changes, make_table
from benchmarks.measure import command_line, fresh_copy, machine, median, write_report

if TYPE_CHECKING:
    from lakehouse.table import Table

GOAL = 1.2


def read_seconds(table: Path, *, repeat: int) -> float:
    """Seconds of a full read by Polars, the median of some."""
    seconds = []
    for _ in range(repeat):
        start = time.perf_counter()
        pl.scan_delta(str(table)).collect()
        seconds.append(time.perf_counter() - start)
    return median(seconds)


def merge_often(table: Table, options: argparse.Namespace) -> tuple[list[float], list[float], int]:
    """Seconds of each merge, seconds of each compaction, and the most files that the table had."""
    merges: list[float] = []
    compactions: list[float] = []
    most_files = 0
    for number in range(1, options.merges + 1):
        changes = make_changes(rows=options.rows, changes=options.changes, seed=100 + number, day=number)
        start = time.perf_counter()
        table.merge(changes)
        merges.append(time.perf_counter() - start)
        most_files = max(most_files, len(table.snapshot().files))
        if options.compact_every and number % options.compact_every == 0:
            start = time.perf_counter()
            table.compact()
            compactions.append(time.perf_counter() - start)
    return merges, compactions, most_files


def main() -> None:
    """Command line of the benchmark."""
    parser = command_line(__doc__, module="benchmarks.many", rows=1_000_000, repeat=5)
    parser.add_argument("--merges", type=int, default=50, help="merges in a row (default 50)")
    parser.add_argument("--changes", type=int, default=10_000, help="changes of each (default 10,000)")
    parser.add_argument("--compact-every", type=int, default=10, help="merges between compactions; 0: never")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    table = fresh_copy(make_table(options.folder, rows=options.rows), options.folder)
    from lakehouse import Lakehouse

    section = {"key": ["id"], "changes": {"sequence": "updated_at"}, "merge": "on_read"}
    lake = Lakehouse.open(
        {
            "version": 1,
            "name": "bench",
            "storage": {"root": str(table.parent)},
            "tables": {table.name: section},
        }
    )
    place = lake.table(table.name)
    merges, compactions, most_files = merge_often(place, options)
    fresh = options.folder / "fresh"
    shutil.rmtree(fresh, ignore_errors=True)
    rows = place.read()
    write_deltalake(fresh, rows)
    if not pl.scan_delta(str(table)).collect().sort("id").equals(rows.sort("id")):
        sys.exit("Polars reads other rows than Lakehouse")
    ours, peer = read_seconds(table, repeat=options.repeat), read_seconds(fresh, repeat=options.repeat)
    report = {
        "benchmark": "many",
        "machine": machine(),
        "rows": options.rows,
        "merges": options.merges,
        "changes": options.changes,
        "compact_every": options.compact_every,
        "merge_seconds": {"first": round(merges[0], 3), "median": round(median(merges), 3)},
        "compaction_seconds": round(median(compactions), 3) if compactions else None,
        "most_files": most_files,
        "files": len(place.snapshot().files),
        "read_seconds": {"lakehouse": round(ours, 3), "fresh": round(peer, 3)},
        "ratio": round(ours / peer, 2),
        "goal": GOAL,
    }
    shutil.rmtree(fresh, ignore_errors=True)
    write_report(report, options.json)
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
