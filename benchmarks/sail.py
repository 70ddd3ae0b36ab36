"""Merging changes: Lakehouse against the MERGE of Sail, another engine that writes deletion vectors.

    python -m benchmarks.sail                       # 10 M rows
    python -m benchmarks.sail --rows 1000000        # a quick look

Needs `pysail` and `pyspark-client`. The same tables and changes as `benchmarks.merge`, deletion vectors
enabled; Sail's server is up and has answered a first statement before its time begins, and the changes lie in
a Parquet file that it reads. Its peak memory is that of the server, ours that of the whole process.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

from benchmarks.data import make_changes, make_table
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
from benchmarks.merge import CASES, Case, contents
from benchmarks.merge import MODULE as OURS

MODULE = "benchmarks.sail"
COLUMNS = ("id", "name", "city", "quantity", "price", "paid", "created_on", "updated_at", "score", "code")
MERGE = f"""
MERGE INTO {{table}} AS t USING changes AS s ON t.id = s.id
WHEN MATCHED AND s._op = 'delete' AND s.updated_at > t.updated_at THEN DELETE
WHEN MATCHED AND s._op <> 'delete' AND s.updated_at > t.updated_at
  THEN UPDATE SET {", ".join(f"{name} = s.{name}" for name in COLUMNS)}
WHEN NOT MATCHED AND s._op <> 'delete'
  THEN INSERT ({", ".join(COLUMNS)}) VALUES ({", ".join(f"s.{name}" for name in COLUMNS)})
"""


def enable_vectors(table: Path) -> None:
    """Lets a table have deletion vectors; Sail writes them only where they are allowed."""
    from deltalake import DeltaTable, TableFeatures

    handle = DeltaTable(table)
    handle.alter.add_feature(TableFeatures.DeletionVectors, allow_protocol_versions_increase=True)
    handle.alter.set_table_properties({"delta.enableDeletionVectors": "true"})


def child(table: Path, changes_file: Path) -> None:
    """What a measured process does; prints one line of JSON."""
    from tests.fixtures.sail import run_sail

    with run_sail() as sail:
        name = sail.name(table)
        sail.session.read.parquet(str(changes_file)).createOrReplaceTempView("changes")
        sail.sql("SELECT 1")
        start = time.perf_counter()
        sail.sql(MERGE.format(table=name))
        seconds = time.perf_counter() - start
        print(json.dumps({"seconds": seconds, "peak_mb": peak_mb(sail.pid)}))


def run_case(case: Case, *, table: Path, repeat: int, folder: Path, rows: int) -> dict[str, object]:
    """Measures both contenders of one case and compares their results."""
    changes_file = folder / "changes.parquet"
    make_changes(rows=rows, changes=case.changes, spread=case.spread).write_parquet(changes_file)
    runs: dict[str, list[Run]] = {"lakehouse": [], "sail": []}
    results = {}
    for _ in range(repeat):
        for contender, group in runs.items():
            copy = fresh_copy(table, folder)
            enable_vectors(copy)
            if contender == "lakehouse":
                group.append(run_child(OURS, ["--child", contender, str(copy), str(changes_file)]))
            else:
                group.append(run_child(MODULE, ["--child", str(copy), str(changes_file)]))
            if contender not in results:
                results[contender] = contents(copy)
    if not results["lakehouse"].equals(results["sail"]):
        sys.exit(f"{case.name}: the two results differ")
    seconds = {name: median([run.seconds for run in group]) for name, group in runs.items()}
    return {
        "case": case.name,
        "rows": rows,
        "repeat": repeat,
        "contenders": {
            name: {
                "seconds": round(seconds[name], 3),
                "peak_mb": round(median([run.peak_mb for run in group])),
            }
            for name, group in runs.items()
        },
        "same_rows": results["sail"].height,
        "ratio": round(seconds["sail"] / seconds["lakehouse"], 1),
    }


def main() -> None:
    """Command line of the benchmark."""
    parser = command_line(__doc__, module=MODULE)
    parser.add_argument("--case", help="only the cases whose name contains this")
    parser.add_argument("--child", nargs=2, metavar=("TABLE", "CHANGES"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        child(Path(options.child[0]), Path(options.child[1]))
        return
    options.folder.mkdir(parents=True, exist_ok=True)
    table = make_table(options.folder, rows=options.rows)
    cases = []
    for case in CASES:
        if (options.case and options.case not in case.name) or not case.fits(options.rows):
            continue
        result = run_case(case, table=table, repeat=options.repeat, folder=options.folder, rows=options.rows)
        print(json.dumps(result, indent=2))
        cases.append(result)
    report = {"benchmark": "sail", "machine": machine("pysail"), "cases": cases}
    write_report(report, options.json)


if __name__ == "__main__":
    main()
