"""Searching what remains for those who are gone: what the proof of an erasure costs.

    python -m benchmarks.search                    # 10 M rows in three tables, 1,000 and 10,000 people
    python -m benchmarks.search --rows 1000000     # a quick look

Three tables, written by delta-rs: customers (e-mail, name, a note), orders and visits, which name a customer
by number. For each person an e-mail address and a number are looked for, and nobody is there. Beside it, in
the same run: pyarrow decoding the same files in one process and looking at nothing, and delta-rs deleting
1,000 other people from the three tables, with a full vacuum and a clean-up of the log.
Memory is that of the first process; with several, each of the others has about as much as one alone has.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import time
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow.parquet as pq
from deltalake import DeltaTable, write_deltalake

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

MODULE = "benchmarks.search"
TABLES = {"customers": 0.2, "orders": 0.4, "visits": 0.4}
PEOPLE = (1_000, 10_000)
PROCESSES = os.cpu_count() or 1


def make_table(folder: Path, name: str, *, rows: int, people: int, files: int = 4) -> Path:
    """Writes a table, or reuses the one of an earlier run."""
    path = folder / f"search-{name}-{rows}"
    done = path / "_done.json"
    if done.exists():
        return path
    shutil.rmtree(path, ignore_errors=True)
    edges = np.linspace(0, rows, files + 1).astype(np.int64)
    for part in range(files):
        ids = np.arange(edges[part], edges[part + 1], dtype=np.int64)
        write_deltalake(path, frame_of(name, ids, people=people, seed=part), mode="append")
    DeltaTable(path).create_checkpoint()
    done.write_text(json.dumps({"rows": rows}))
    return path


def frame_of(
    name: str, ids: np.ndarray[tuple[int], np.dtype[np.int64]], *, people: int, seed: int
) -> pl.DataFrame:
    """Rows of one of the tables."""
    rng = np.random.default_rng(seed)
    n = len(ids)
    words = pl.Series([f"word{number}" for number in range(5_000)])
    cities = pl.Series([f"City{number}" for number in range(1_000)])
    moments = np.datetime64("2026-01-01", "us") + rng.integers(0, 86_400_000_000, n).astype("timedelta64[us]")
    common = {"city": cities.gather(rng.integers(0, 1_000, n)), "at": moments, "amount": rng.random(n)}
    if name == "customers":
        return pl.DataFrame({"id": ids, **common}).with_columns(
            pl.format("first{}.last{}@example{}.com", "id", pl.col("id") % 977, pl.col("id") % 50).alias(
                "email"
            ),
            pl.format("First{} Last{}", "id", pl.col("id") % 977).alias("name"),
            note=pl.concat_str(*(words.gather(rng.integers(0, 5_000, n)) for _ in range(6)), separator=" "),
        )
    return pl.DataFrame({"id": ids, "customer": rng.integers(0, people, n), **common}).with_columns(
        pl.format("/path/{}/item-{}?ref={}", "city", pl.col("id") % 9_973, "id").alias("link")
    )


def search(arguments: argparse.Namespace) -> dict[str, float]:
    """Our search, of a folder with the three tables."""
    from lakehouse.pii.executor import Here, Processes
    from lakehouse.requests.needles import Needle
    from lakehouse.requests.search import Folder
    from lakehouse.requests.search import search as go
    from lakehouse.requests.search.work import Item
    from lakehouse.storage import open_storage

    numbers = range(10**8, 10**8 + arguments.people)
    columns = (("customers", "id"), ("orders", "customer"), ("visits", "customer"))
    mail = (("customers", "email"),)
    needles = [
        each
        for number in numbers
        for each in (
            Needle(f"r{number}", "id", str(number % 10**8 + 10**7), columns),
            Needle(f"r{number}", "email", f"first{number}.last{number % 977}@example{number % 50}.com", mail),
        )
    ]
    places = [
        Folder(storage=open_storage(path), shown=name, table=name)
        for name, path in zip(TABLES, arguments.tables, strict=True)
    ]
    executor = Here() if arguments.processes == 1 else Processes(arguments.processes)
    # The processes import what such an item needs: that is not measured, as nobody's imports are.
    list(executor.map(bool, [Item("", 0)] * (2 * arguments.processes)))
    started = time.perf_counter()
    report = go(places, needles, executor=executor)
    seconds = time.perf_counter() - started
    if not report.clean:
        raise SystemExit(f"found what is not there: {report.hits[:3]} {report.not_searched[:3]}")
    total = report.total
    return {"seconds": seconds, "peak_mb": peak_mb(), "bytes": total.bytes, "rows": total.rows}


def decode(arguments: argparse.Namespace) -> dict[str, float]:
    """pyarrow decodes every column of every file and looks at nothing."""
    started = time.perf_counter()
    for path in arguments.tables:
        for file in sorted(path.glob("*.parquet")):
            for _ in pq.ParquetFile(file).iter_batches(batch_size=1 << 17, use_threads=False):
                pass
    return {"seconds": time.perf_counter() - started, "peak_mb": peak_mb()}


def delete(arguments: argparse.Namespace) -> dict[str, float]:
    """delta-rs deletes 1,000 people from fresh copies of the tables, vacuums, and cleans the log."""
    ids = ", ".join(str(number * 97) for number in range(1_000))
    seconds = 0.0
    for name, path in zip(TABLES, arguments.tables, strict=True):
        table = DeltaTable(fresh_copy(path, arguments.tables[0].parent / f"copy-{name}"))
        started = time.perf_counter()
        table.delete(f"{'id' if name == 'customers' else 'customer'} IN ({ids})")
        table.vacuum(retention_hours=0, enforce_retention_duration=False, dry_run=False, full=True)
        table.create_checkpoint()
        table.cleanup_metadata()
        seconds += time.perf_counter() - started
        shutil.rmtree(arguments.tables[0].parent / f"copy-{name}")
    return {"seconds": seconds, "peak_mb": peak_mb()}


CONTENDERS = {"search": search, "decode": decode, "delete": delete}


def main() -> None:
    """Runs all contenders and writes the report."""
    parser = command_line(__doc__, module=MODULE)
    parser.add_argument("--child", choices=CONTENDERS, help=argparse.SUPPRESS)
    parser.add_argument("--tables", type=Path, nargs="*", help=argparse.SUPPRESS)
    parser.add_argument("--people", type=int, default=0, help=argparse.SUPPRESS)
    parser.add_argument("--processes", type=int, default=PROCESSES, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        print(json.dumps(CONTENDERS[arguments.child](arguments)))
        return
    customers = int(arguments.rows * TABLES["customers"])
    tables = [
        make_table(arguments.folder, name, rows=int(arguments.rows * share), people=customers)
        for name, share in TABLES.items()
    ]
    cases = {"decode (pyarrow, 1 process)": ["decode"], "delta-rs delete, vacuum, clean-up": ["delete"]}
    for people in PEOPLE:
        for processes in sorted({1, PROCESSES}):
            cases[f"search, {people:,} people, {processes} processes"] = [
                *("search", "--people", str(people), "--processes", str(processes))
            ]
    report = {"machine": machine(), "rows": arguments.rows, "cases": {}}
    for name, (child, *more) in cases.items():
        runs = [
            run_child(MODULE, ["--child", child, *more, "--tables", *map(str, tables)])
            for _ in range(arguments.repeat)
        ]
        report["cases"][name] = told(name, runs)
    write_report(report, arguments.json)


def told(name: str, runs: list[Run]) -> dict[str, float]:
    """Prints and returns the figures of a contender."""
    seconds, peak = median([run.seconds for run in runs]), max(run.peak_mb for run in runs)
    size = runs[0].detail.get("bytes", 0)
    speed = f", {size / 1e6 / seconds:.0f} MB of files/s" if size else ""
    print(f"{name:45} {seconds:7.2f} s, {peak:6.0f} MB{speed}", flush=True)
    return {"seconds": round(seconds, 3), "peak_mb": round(peak), **runs[0].detail}


if __name__ == "__main__":
    main()
