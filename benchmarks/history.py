"""Merging changes into a table with full history (SCD 2): Lakehouse against the two-row merge of delta-rs.

    python -m benchmarks.history                      # 10 M rows
    python -m benchmarks.history --rows 1000000       # a quick look

The peer does what is done by hand everywhere: changes of keys that have a current row go into the source
twice, once with the key, to close that row, and once without, so that they match nothing and are inserted.
It takes every change for newer than what is stored, which they are here; it could not put a late one into
its place. The two results are compared row by row.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

import numpy as np
import polars as pl
from deltalake import DeltaTable, write_deltalake

from benchmarks.data import make_changes, rows_for
from benchmarks.measure import (
    Run,
    command_line,
    fresh_copy,
    machine,
    median,
    peak_mb,
    run_child,
    write_report,
)

MODULE = "benchmarks.history"
GOAL = 10.0


def make_table(folder: Path, *, rows: int, files: int = 10) -> Path:
    """A table of ``rows`` current rows, ten columns and those of the history; made once."""
    path = folder / f"history-checkpointed-{rows}-{files}"
    done = path / "_done"
    if not done.exists():
        edges = np.linspace(0, rows, files + 1).astype(np.int64)
        for part in range(files):
            ids = np.arange(edges[part], edges[part + 1], dtype=np.int64) * 2
            frame = rows_for(ids, seed=1000 + part).with_columns(
                pl.col("updated_at").alias("_valid_from"),
                pl.lit(None, dtype=pl.Datetime("us", "UTC")).alias("_valid_to"),
                pl.lit(value=True).alias("_is_current"),
            )
            write_deltalake(path, frame, mode="append")
        DeltaTable(path).create_checkpoint()
        done.touch()
    return path


def merge_lakehouse(table: Path, changes: pl.DataFrame) -> dict[str, object]:
    """Our merge, on a table that it sees for the first time."""
    from lakehouse import Lakehouse

    section = {"key": ["id"], "changes": {"sequence": "updated_at"}, "history": "full", "merge": "on_read"}
    config = {
        "version": 1,
        "name": "bench",
        "storage": {"root": str(table.parent)},
        "tables": {table.name: section},
    }
    result = Lakehouse.open(config).table(table.name).merge(changes)
    return {"counts": result.counts, "phases": {k: round(v, 4) for k, v in result.seconds.items()}}


def merge_delta_rs(table: Path, changes: pl.DataFrame) -> dict[str, object]:
    """The peer: the same by two rows for each changed key."""
    current = pl.scan_delta(str(table)).filter("_is_current").select("id")
    there = changes.lazy().join(current, on="id", how="semi").collect()
    again = there.filter(pl.col("_op") != "delete").with_columns(pl.lit(None, dtype=pl.Int64).alias("match"))
    source = pl.concat([changes.with_columns(pl.col("id").alias("match")), again])
    values = {name: f"s.{name}" for name in changes.columns if name != "_op"}
    report = (
        DeltaTable(table)
        .merge(source, "t.id = s.match AND t._is_current", source_alias="s", target_alias="t")
        .when_matched_update({"_valid_to": "s.updated_at", "_is_current": "false"})
        .when_not_matched_insert(
            {**values, "_valid_from": "s.updated_at", "_is_current": "true"}, predicate="s._op <> 'delete'"
        )
        .execute()
    )
    return {"counts": {key: report[key] for key in report if key.startswith("num_target_rows")}}


def child(contender: str, table: Path, changes_file: Path) -> None:
    """What a measured process does; prints one line of JSON."""
    changes = pl.read_parquet(changes_file)
    if contender == "lakehouse":
        # Imports are not part of the figure, for the peer neither; a first checkpoint loads pyarrow.compute.
        import pyarrow.compute  # noqa: F401

        import lakehouse.lake  # noqa: F401
    start = time.perf_counter()
    merge = merge_lakehouse if contender == "lakehouse" else merge_delta_rs
    detail = merge(table, changes)
    print(json.dumps({"seconds": time.perf_counter() - start, "peak_mb": peak_mb(), **detail}))


def contents(table: Path) -> pl.DataFrame:
    """All versions, read by Polars, in one order; the hidden column is ours alone."""
    rows = pl.scan_delta(str(table))
    return rows.select(pl.exclude("_events")).sort("id", "_valid_from").collect()


def main() -> None:
    """Command line of the benchmark."""
    parser = command_line(__doc__, module=MODULE)
    parser.add_argument("--changes", type=int, default=100_000, help="changes to merge (default 100,000)")
    parser.add_argument("--child", nargs=3, metavar=("CONTENDER", "TABLE", "CHANGES"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        child(options.child[0], Path(options.child[1]), Path(options.child[2]))
        return
    options.folder.mkdir(parents=True, exist_ok=True)
    table = make_table(options.folder, rows=options.rows)
    changes_file = options.folder / "changes.parquet"
    make_changes(rows=options.rows, changes=options.changes).write_parquet(changes_file)
    runs: dict[str, list[Run]] = {"lakehouse": [], "delta-rs": []}
    results: dict[str, pl.DataFrame] = {}
    for _ in range(options.repeat):
        for contender, group in runs.items():
            copy = fresh_copy(table, options.folder)
            group.append(run_child(MODULE, ["--child", contender, str(copy), str(changes_file)]))
            results.setdefault(contender, contents(copy))
    ours, theirs = results["lakehouse"], results["delta-rs"].select(results["lakehouse"].columns)
    if not ours.equals(theirs):
        sys.exit("the two results differ")
    seconds = {name: median([run.seconds for run in group]) for name, group in runs.items()}
    memory = {name: median([run.peak_mb for run in group]) for name, group in runs.items()}
    report = {
        "benchmark": "history",
        "machine": machine(),
        "rows": options.rows,
        "changes": options.changes,
        "repeat": options.repeat,
        "contenders": {
            name: {"seconds": round(seconds[name], 3), "peak_mb": round(memory[name])} for name in runs
        },
        "same_rows": ours.height,
        "ratio": round(seconds["delta-rs"] / seconds["lakehouse"], 1),
        "memory_ratio": round(memory["lakehouse"] / memory["delta-rs"], 2),
        "goal": GOAL,
        "phases": runs["lakehouse"][-1].detail["phases"],
    }
    write_report(report, options.json)
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
