"""Deleting what is past its time: Lakehouse against ``DeltaTable.delete``, the results compared row by row.

    python -m benchmarks.retention                    # 10 M rows, the figures of the README
    python -m benchmarks.retention --rows 1000000     # a quick look

The oldest 30 % of a table's rows go, by a timestamp: once where files are sorted by it, as in a table of
events, and once where old rows are in every file. Each run takes a fresh copy of the same table (written by
delta-rs) and measures one call in a process of its own, planning and brakes included. The second benchmark
decides, by statistics alone, what is past its time in many tables of many files.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import orjson
import polars as pl
from deltalake import DeltaTable, write_deltalake

from benchmarks.data import rows_for
from benchmarks.measure import Run, command_line, fresh_copy, machine, median, peak_mb, run_child

if TYPE_CHECKING:
    from lakehouse import Lakehouse

MODULE = "benchmarks.retention"
NOW = datetime(2026, 1, 1, tzinfo=UTC)
DAYS = 1000
KEPT_DAYS = 700
GOALS = {"sorted": 5, "unsorted": 10}


def make_table(folder: Path, *, rows: int, layout: str, files: int = 8) -> Path:
    """Writes a table whose column ``at`` covers the last `DAYS` days, or reuses the one of an earlier run."""
    path = folder / f"retention-{layout}-{rows}-{files}"
    done = path / "_done.json"
    if done.exists():
        return path
    shutil.rmtree(path, ignore_errors=True)
    rng = np.random.default_rng(7)
    second = DAYS * 86_400 / rows
    ages = np.arange(rows, dtype=np.int64)[::-1]
    if layout == "unsorted":
        rng.shuffle(ages)
    start = np.datetime64(NOW.replace(tzinfo=None), "us")
    for part in range(files):
        low, high = rows * part // files, rows * (part + 1) // files
        moments = start - (ages[low:high] * second * 1_000_000).astype("timedelta64[us]")
        frame = rows_for(np.arange(low, high, dtype=np.int64), seed=part).with_columns(
            pl.Series("at", moments).dt.replace_time_zone("UTC")
        )
        settings = {"delta.enableDeletionVectors": "false"} if part == 0 else None
        write_deltalake(path, frame, mode="append", configuration=settings)
    DeltaTable(path).create_checkpoint()
    done.write_text(json.dumps({"rows": rows}))
    return path


def open_lake(table: Path) -> Lakehouse:
    """A lake with the table and its rule."""
    from lakehouse import Lakehouse

    rule = {"name": "old", "column": "at", "keep": f"{KEPT_DAYS}d", "action": "delete"}
    config = {
        "version": 1,
        "name": "bench",
        "storage": {"root": str(table.parent)},
        "tables": {table.name: {"key": ["id"], "merge": "on_read", "retention": [rule]}},
    }
    return Lakehouse.open(config)


def apply_lakehouse(table: Path) -> dict[str, object]:
    """Our retention, on a table that it sees for the first time; asks for holds and keeps a record."""
    result = open_lake(table).retention.apply(now=NOW).tables[0]
    return {
        "rows": result.rows_deleted,
        "files_dropped": result.files_dropped,
        "vectors": result.vectors,
        "bytes_written": result.bytes_written,
    }


def apply_delta_rs(table: Path) -> dict[str, object]:
    """The peer: the same rows by ``DeltaTable.delete``."""
    cutoff = (NOW - timedelta(days=KEPT_DAYS)).strftime("%Y-%m-%dT%H:%M:%SZ")
    report = DeltaTable(table).delete(f"at < '{cutoff}'")
    return {"rows": report["num_deleted_rows"], "files_rewritten": report["num_added_files"]}


def child(contender: str, table: Path) -> None:
    """What a measured process does; prints one line of JSON."""
    if contender == "lakehouse":
        # Imports are not part of the figure, for the peer neither.
        import numpy.ma  # noqa: F401
        import pyarrow.compute  # noqa: F401

        import lakehouse.retention.verbs  # noqa: F401

        # A lake has its state database from its first hold on; here it is made and opened once before.
        lake = open_lake(table)
        lake.holds.release(lake.holds.add(table=table.name, reason="first of this lake").id)
    start = time.perf_counter()
    detail = apply_lakehouse(table) if contender == "lakehouse" else apply_delta_rs(table)
    seconds = time.perf_counter() - start
    print(json.dumps({"seconds": seconds, "peak_mb": peak_mb(), **detail}))


def contents(table: Path) -> pl.DataFrame:
    """All rows of a table, read by Polars, in the order of the key."""
    return pl.scan_delta(str(table)).sort("id").collect()


def run_layout(layout: str, *, rows: int, repeat: int, folder: Path) -> dict[str, object]:
    """Measures both contenders on one layout and compares their results."""
    table = make_table(folder, rows=rows, layout=layout)
    runs: dict[str, list[Run]] = {"lakehouse": [], "delta-rs": []}
    results: dict[str, pl.DataFrame] = {}
    for _ in range(repeat):
        for contender, group in runs.items():
            copy = fresh_copy(table, folder)
            group.append(run_child(MODULE, ["--child", contender, str(copy)]))
            if contender not in results:
                results[contender] = contents(copy)
    if not results["lakehouse"].equals(results["delta-rs"]):
        sys.exit(f"{layout}: the two results differ")
    ours, peer = runs["lakehouse"], runs["delta-rs"]
    return {
        "case": f"30 % of {rows:,} rows, files {layout} by date",
        "rows": rows,
        "repeat": repeat,
        "contenders": {
            name: {
                "seconds": round(median([r.seconds for r in group]), 3),
                "peak_mb": round(median([r.peak_mb for r in group])),
            }
            for name, group in runs.items()
        },
        "deleted": ours[-1].detail["rows"],
        "same_rows": results["lakehouse"].height,
        "ratio": round(median([r.seconds for r in peer]) / median([r.seconds for r in ours]), 1),
        "memory_ratio": round(median([r.peak_mb for r in ours]) / median([r.peak_mb for r in peer]), 2),
        "goal": GOALS[layout],
        "detail": ours[-1].detail,
    }


def run_deciding(*, tables: int, files: int, goal: float = 10.0) -> dict[str, object]:
    """Decides for many tables of many files what is past its time, from their snapshots."""
    from lakehouse.config.models import RetentionRule
    from lakehouse.delta.actions import AddFile, Metadata, Protocol
    from lakehouse.delta.schema import parse_schema
    from lakehouse.delta.snapshot import Snapshot
    from lakehouse.protection import Protection
    from lakehouse.retention.cutoff import cutoff_of
    from lakehouse.retention.decide import ReadyRule, decide_files

    names = [f"c{number}" for number in range(8)]
    fields = [{"name": name, "type": "long", "nullable": True, "metadata": {}} for name in names]
    fields.append({"name": "at", "type": "timestamp", "nullable": True, "metadata": {}})
    text = json.dumps({"type": "struct", "fields": fields})
    adds: dict[str, AddFile] = {}
    for number in range(files):
        low = NOW - timedelta(hours=number)
        high = low + timedelta(hours=2)
        stats = {
            "numRecords": 1000,
            "minValues": {**dict.fromkeys(names, number), "at": f"{low:%Y-%m-%dT%H:%M:%S}.000Z"},
            "maxValues": {**dict.fromkeys(names, number + 9), "at": f"{high:%Y-%m-%dT%H:%M:%S}.000Z"},
            "nullCount": dict.fromkeys([*names, "at"], 0),
        }
        path = f"part-{number:05}.parquet"
        adds[path] = AddFile(
            path=path,
            partition_values={},
            size=1_000_000,
            modification_time=0,
            stats=orjson.dumps(stats).decode(),
        )
    snapshot = Snapshot(
        version=0,
        timestamp_ms=0,
        protocol=Protocol(min_reader_version=1, min_writer_version=2),
        metadata=Metadata(id="bench", schema_string=text),
        schema=parse_schema(text),
        files=adds,
        transactions={},
        domains={},
    )
    rule = RetentionRule.model_validate({"name": "old", "column": "at", "keep": "90d", "action": "delete"})
    protection = Protection("bench")
    start = time.perf_counter()
    whole = part = 0
    for _ in range(tables):
        ready = ReadyRule(rule=rule, cutoff=cutoff_of(rule, snapshot.schema, now=NOW))
        every = tuple(snapshot.files.values())
        (found,) = decide_files(snapshot, every, [ready], protection=protection, now=NOW)
        whole, part = whole + len(found.whole), part + len(found.part)
    seconds = time.perf_counter() - start
    return {
        "case": f"deciding for {tables:,} tables of {files:,} files",
        "seconds": round(seconds, 2),
        "files_whole": whole,
        "files_to_look_into": part,
        "peak_mb": round(peak_mb()),
        "goal_seconds": goal,
    }


def main() -> None:
    """Command line of the benchmark."""
    parser = command_line(__doc__, module=MODULE)
    parser.add_argument("--tables", type=int, default=200, help="tables to decide for (default 200)")
    parser.add_argument("--files", type=int, default=10_000, help="files of each of them (default 10,000)")
    parser.add_argument("--child", nargs=2, metavar=("CONTENDER", "TABLE"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        child(options.child[0], Path(options.child[1]))
        return
    options.folder.mkdir(parents=True, exist_ok=True)
    cases: list[dict[str, object]] = []
    for layout in GOALS:
        cases.append(run_layout(layout, rows=options.rows, repeat=options.repeat, folder=options.folder))
        print(json.dumps(cases[-1], indent=2))
    cases.append(run_deciding(tables=options.tables, files=options.files))
    print(json.dumps(cases[-1], indent=2))
    report = {"benchmark": "retention", "machine": machine(), "cases": cases}
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_text(json.dumps(report, indent=2) + "\n")
    shutil.rmtree(options.folder / "table", ignore_errors=True)


if __name__ == "__main__":
    main()
