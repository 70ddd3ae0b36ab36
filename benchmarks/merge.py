"""Merging changes into a table: Lakehouse against ``DeltaTable.merge``, the results compared row by row.

    python -m benchmarks.merge                      # 10 M rows, the figures of the README
    python -m benchmarks.merge --rows 1000000       # a quick look

Each run takes a fresh copy of the same table (written by delta-rs), reads the changes into memory, and then
measures one call in a process of its own. Median of ``--repeat`` runs; peak memory is that of the whole
process.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from benchmarks.data import Spread, make_changes, make_table
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

MODULE = "benchmarks.merge"


@dataclass(frozen=True, slots=True)
class Case:
    """One row of the table of results.

    Args:
        changes: How many changes are merged.
        spread: Where in the table their keys lie.
        goal: The least ratio of the peer's time to ours.
    """

    changes: int
    spread: Spread
    goal: float

    @property
    def name(self) -> str:
        """As ``100,000 uniform``."""
        return f"{self.changes:,} {self.spread}"

    def fits(self, rows: int) -> bool:
        """Whether a table has enough rows for so many changes, in the part that they hit.

        Args:
            rows: Of the table.
        """
        return self.changes <= (rows // 4 if self.spread == "uniform" else rows // 20)


CASES = (
    Case(1_000, "uniform", 25),
    Case(100_000, "uniform", 20),
    Case(1_000_000, "uniform", 8),
    Case(100_000, "clustered", 25),
)


def merge_lakehouse(table: Path, changes: pl.DataFrame) -> dict[str, object]:
    """Our merge, on a table that it sees for the first time."""
    from lakehouse import Lakehouse

    config = {
        "version": 1,
        "name": "bench",
        "storage": {"root": str(table.parent)},
        "tables": {table.name: {"key": ["id"], "changes": {"sequence": "updated_at"}, "merge": "on_read"}},
    }
    lake = Lakehouse.open(config)
    result = lake.table(table.name).merge(changes)
    return {"counts": result.counts, "phases": {k: round(v, 4) for k, v in result.seconds.items()}}


def merge_delta_rs(table: Path, changes: pl.DataFrame, *, streamed: bool) -> dict[str, object]:
    """The peer: the same merge by ``DeltaTable.merge``."""
    from deltalake import DeltaTable

    report = (
        DeltaTable(table)
        .merge(changes, "t.id = s.id", source_alias="s", target_alias="t", streamed_exec=streamed)
        .when_matched_delete(predicate="s._op = 'delete' AND s.updated_at > t.updated_at")
        .when_matched_update_all(
            predicate="s._op <> 'delete' AND s.updated_at > t.updated_at", except_cols=["_op"]
        )
        .when_not_matched_insert_all(predicate="s._op <> 'delete'", except_cols=["_op"])
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
    else:
        import deltalake  # noqa: F401
    start = time.perf_counter()
    if contender == "lakehouse":
        detail = merge_lakehouse(table, changes)
    else:
        detail = merge_delta_rs(table, changes, streamed=contender == "delta-rs")
    seconds = time.perf_counter() - start
    print(json.dumps({"seconds": seconds, "peak_mb": peak_mb(), **detail}))


def contents(table: Path) -> pl.DataFrame:
    """All rows of a table, read by Polars, in the order of the key."""
    return pl.scan_delta(str(table)).sort("id").collect()


def run_case(case: Case, *, table: Path, rows: int, repeat: int, folder: Path) -> dict[str, object]:
    """Measures all contenders of one case and compares their results."""
    changes_file = folder / "changes.parquet"
    make_changes(rows=rows, changes=case.changes, spread=case.spread).write_parquet(changes_file)
    contenders = ["lakehouse", "delta-rs"] + (
        ["delta-rs (not streamed)"] if case.spread == "clustered" else []
    )
    runs: dict[str, list[Run]] = {name: [] for name in contenders}
    results: dict[str, pl.DataFrame] = {}
    for _ in range(repeat):
        for contender in contenders:
            copy = fresh_copy(table, folder)
            runs[contender].append(run_child(MODULE, ["--child", contender, str(copy), str(changes_file)]))
            if contender not in results and contender in ("lakehouse", "delta-rs"):
                results[contender] = contents(copy)
                if len(results) == 2 and not results["lakehouse"].equals(results["delta-rs"]):
                    sys.exit(f"{case.name}: the two results differ")
    ours, peer = runs["lakehouse"], runs["delta-rs"]
    figures = {
        name: {
            "seconds": round(median([r.seconds for r in group]), 3),
            "peak_mb": round(median([r.peak_mb for r in group])),
        }
        for name, group in runs.items()
    }
    return {
        "case": case.name,
        "rows": rows,
        "repeat": repeat,
        "contenders": figures,
        "same_rows": results["lakehouse"].height,
        "ratio": round(median([r.seconds for r in peer]) / median([r.seconds for r in ours]), 1),
        "memory_ratio": round(median([r.peak_mb for r in ours]) / median([r.peak_mb for r in peer]), 2),
        "goal": case.goal,
        "phases": ours[-1].detail["phases"],
    }


def main() -> None:
    """Command line of the benchmark."""
    parser = command_line(__doc__, module=MODULE)
    parser.add_argument("--case", help="only the cases whose name contains this")
    parser.add_argument("--child", nargs=3, metavar=("CONTENDER", "TABLE", "CHANGES"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        child(options.child[0], Path(options.child[1]), Path(options.child[2]))
        return
    options.folder.mkdir(parents=True, exist_ok=True)
    table = make_table(options.folder, rows=options.rows)
    report: dict[str, object] = {"benchmark": "merge", "machine": machine(), "cases": []}
    cases = []
    for case in CASES:
        if (options.case and options.case not in case.name) or not case.fits(options.rows):
            continue
        result = run_case(case, table=table, rows=options.rows, repeat=options.repeat, folder=options.folder)
        cases.append(result)
        print(json.dumps(result, indent=2))
    report["cases"] = cases
    write_report(report, options.json)
    shutil.rmtree(options.folder / "table", ignore_errors=True)


if __name__ == "__main__":
    main()
