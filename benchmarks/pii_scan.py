"""Finding personal data in a wide table: 300 columns, 5,000 values of each, on disk.

    python -m benchmarks.pii_scan
    python -m benchmarks.pii_scan --columns 60 --rows 20000    # a quick look

The table has columns of all kinds, with and without personal data, free text among them; it is sampled and
classified by one call of `lake.pii.scan` in a process of its own, with the language model and without.
The peer, `presidio-structured`, is timed on a few values of a few columns; all would take hours.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
import warnings
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
from deltalake import write_deltalake

from benchmarks import pii_columns
from benchmarks.measure import command_line, machine, median, peak_mb, run_child, write_report
from benchmarks.pii_peer import StockFinder, our_finder, stock_engine

MODULE = "benchmarks.pii_scan"
GOAL_SECONDS = 60
_FILES = 8
_DISTINCT = 6_000


def make_table(folder: Path, *, columns: int, rows: int) -> Path:
    """Writes the table, or reuses the one of an earlier run."""
    path = folder / f"pii-{columns}-{rows}"
    if (path / "_done").exists():
        return path
    specs = pii_columns.DEVELOPMENT
    made = pii_columns.columns(specs, rows=_DISTINCT, seed=3)
    for part in range(_FILES):
        size = rows * (part + 1) // _FILES - rows * part // _FILES
        frame = pl.DataFrame(
            [
                made[at % len(made)]
                .values.sample(size, with_replacement=True, seed=at * 100 + part)
                .alias(f"{made[at % len(made)].name}_{at // len(made)}")
                for at in range(columns)
            ]
        )
        write_deltalake(path, frame, mode="append")
    (path / "_done").touch()
    return path


def child(table: Path, *, model: bool, sample: int) -> None:
    """What a measured process does; prints one line of JSON."""
    from lakehouse import Lakehouse
    from lakehouse.pii.scan.verbs import ScanPlace, scan

    warnings.simplefilter("ignore")
    lake = Lakehouse.open(
        {
            "version": 1,
            "name": "bench",
            "storage": {"root": str(table.parent)},
            "tables": {table.name: {}},
        }
    )
    finder = (our_finder() or StockFinder(stock_engine())) if model else None
    if finder is not None:
        # Loading the model is no part of the figure.
        finder.find(["Ada Lovelace was here."], entities=["PERSON"])
    place = ScanPlace(config=lake.config, table=lake.table, finder=lambda: finder)
    start, cpu = time.perf_counter(), time.process_time()
    found = scan(place, tables=[table.name], sample=sample).tables[0]
    print(
        json.dumps(
            {
                "seconds": time.perf_counter() - start,
                "cpu_seconds": time.process_time() - cpu,
                "peak_mb": peak_mb(),
                "personal": len(found.columns),
                "paths": found.paths,
                "sampled": found.sampled,
            }
        )
    )


def stock_seconds_per_value(*, values: int) -> float:
    """What presidio-structured takes of CPU for a value, over a few columns of different kinds."""
    from presidio_structured import PandasAnalysisBuilder

    chosen = ("full_name", "email", "notes", "order_number", "product_description", "amount")
    made = pii_columns.columns(pii_columns.DEVELOPMENT, rows=values, seed=3)
    frame = pl.DataFrame([each.values.cast(pl.String) for each in made if each.name in chosen]).to_pandas()
    builder = PandasAnalysisBuilder(analyzer=stock_engine())
    builder.generate_analysis(frame.head(2))
    start = time.process_time()
    builder.generate_analysis(frame)
    return (time.process_time() - start) / frame.size


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs it and writes the report; exit code 1 where the goal is missed."""
    parser: argparse.ArgumentParser = command_line(__doc__, module=MODULE, rows=100_000, repeat=3)
    parser.add_argument("--columns", type=int, default=300)
    parser.add_argument("--sample", type=int, default=5_000)
    parser.add_argument("--child", nargs=2, metavar=("TABLE", "MODEL"), help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.child:
        child(Path(options.child[0]), model=options.child[1] == "model", sample=options.sample)
        return 0
    warnings.simplefilter("ignore")
    table = make_table(options.folder, columns=options.columns, rows=options.rows)
    report: dict[str, Any] = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine("presidio-analyzer", "presidio-structured", "spacy"),
        "columns": options.columns,
        "rows": options.rows,
        "sample": options.sample,
        "finder": "lakehouse" if our_finder() is not None else "stock presidio",
        "load": round(os.getloadavg()[0], 1),
    }
    values = options.columns * options.sample
    stock = stock_seconds_per_value(values=60)
    print(f"presidio-structured: {stock * 1000:.2f} ms of CPU a value")
    report["presidio"] = {"cpu_seconds_per_value": stock}
    for model in ("model", "none"):
        words = ["--child", str(table), model, "--sample", str(options.sample)]
        runs = [run_child(MODULE, words) for _ in range(options.repeat)]
        seconds = median([run.seconds for run in runs])
        cpu = median([run.detail["cpu_seconds"] for run in runs])
        report[model] = {
            "seconds": seconds,
            "cpu_seconds": cpu,
            "peak_mb": max(run.peak_mb for run in runs),
            "personal": runs[0].detail["personal"],
            "ratio_per_value": stock * values / cpu,
        }
        print(
            f"{'with' if model == 'model' else 'without'} a model: {seconds:.1f} s ({cpu:.1f} s of CPU), "
            f"{report[model]['peak_mb']:.0f} MB, {runs[0].detail['personal']} of {options.columns} columns "
            f"personal; {report[model]['ratio_per_value']:.0f}x presidio-structured per value"
        )
    report["goal_met"] = report["model"]["seconds"] <= GOAL_SECONDS
    write_report(report, options.json)
    return 0 if report["goal_met"] else 1


if __name__ == "__main__":
    sys.exit(main())
