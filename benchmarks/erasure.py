"""Erasing people: found, erased, purged, searched for and certified, against taking the same rows away.

    python -m benchmarks.erasure                    # 10 M rows in three tables, 1,000 people
    python -m benchmarks.erasure --rows 1000000     # a quick look

Three tables, written by delta-rs: customers (e-mail, name, a note), orders and visits, which name a customer
by number. Ours carries out one request for each person: finds their rows in all files, writes these anew
without them, takes the old files and the log before away, opens and searches all that is left, signs a
certificate for each. Beside it, in the same run: delta-rs deleting the same people from copies of the same
tables, with a full vacuum and a clean-up of the log, which proves nothing (and leaves values of theirs in the
log's statistics). One more case: a single person. Memory is that of the first process; the processes that
search have about as much each as one alone.
"""

from __future__ import annotations

import argparse
import json
import shutil
import time
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any

from deltalake import DeltaTable

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
from benchmarks.search import TABLES, make_table

MODULE = "benchmarks.erasure"
STEP = 97
"""Every so manieth customer asks to be erased."""


def config(root: Path) -> dict[str, Any]:
    """The lake of the three tables."""
    return {
        "version": 1,
        "name": "erasure",
        "storage": {"root": str(root / "lake")},
        "keys": {"path": str(root / "keys")},
        "tables": {name: {"key": ["id"]} for name in TABLES},
        "subjects": {
            "customer": {
                "identifiers": {"id": "customers.id", "email": "customers.email"},
                "rows": [
                    {"table": "customers", "where": {"id": "id"}, "do": "delete"},
                    {"table": "orders", "where": {"customer": "id"}, "do": "delete"},
                    {"table": "visits", "where": {"customer": "id"}, "do": "delete"},
                ],
            }
        },
    }


def copies(arguments: argparse.Namespace, name: str) -> Path:
    """Fresh copies of the tables, as a lake's root."""
    root: Path = arguments.tables[0].parent / f"erasure-{name}"
    shutil.rmtree(root, ignore_errors=True)
    for table, path in zip(TABLES, arguments.tables, strict=True):
        fresh_copy(path, root / "lake" / "copy").rename(root / "lake" / table)
    shutil.rmtree(root / "lake" / "copy", ignore_errors=True)
    return root


def ours(arguments: argparse.Namespace) -> dict[str, Any]:
    """Requests carried out."""
    from lakehouse import Lakehouse

    with suppress(ImportError):
        # Arrow loads it where it is, as for tests; nobody here uses it, and imports are not measured.
        import_module("pandas")
    root = copies(arguments, "ours")
    lake = Lakehouse.open(config(root))
    for purpose in ("suppress", "requests", "sign"):
        lake.keys.create(purpose)
    people = root / "people.jsonl"
    people.write_text("".join(f'{{"id": {number * STEP}}}\n' for number in range(arguments.people)))
    lake.requests.submit_file(people, kind="erasure", subject="customer")
    parts: dict[str, float] = {}
    started = last = time.perf_counter()

    def step(what: str, _done: int, _total: int) -> None:
        nonlocal last
        now = time.perf_counter()
        parts[what.split(" ", maxsplit=1)[0]] = parts.get(what.split(" ", maxsplit=1)[0], 0.0) + now - last
        last = now

    report = lake.requests.run(step=step)
    seconds = time.perf_counter() - started
    if {each.status for each in report.outcomes} != {"completed"} or report.search is None:
        raise SystemExit(f"not all are done: {report.outcomes[:3]}")
    result = {
        "seconds": seconds,
        "peak_mb": peak_mb(),
        "deleted": sum(each.deleted for each in report.erased),
        "searched_bytes": report.search.total.bytes,
        "search_seconds": round(report.search.seconds, 3),
    }
    shutil.rmtree(root)
    return result


def delta_rs(arguments: argparse.Namespace) -> dict[str, Any]:
    """delta-rs deletes the same people, vacuums, and cleans the log."""
    root = copies(arguments, "peer")
    ids = ", ".join(str(number * STEP) for number in range(arguments.people))
    deleted = 0
    started = time.perf_counter()
    for name in TABLES:
        table = DeltaTable(root / "lake" / name)
        done = table.delete(f"{'id' if name == 'customers' else 'customer'} IN ({ids})")
        deleted += done["num_deleted_rows"]
        table.vacuum(retention_hours=0, enforce_retention_duration=False, dry_run=False, full=True)
        table.create_checkpoint()
        table.cleanup_metadata()
    result = {"seconds": time.perf_counter() - started, "peak_mb": peak_mb(), "deleted": deleted}
    shutil.rmtree(root)
    return result


CONTENDERS = {"ours": ours, "delta_rs": delta_rs}


def main() -> None:
    """Runs both contenders and writes the report."""
    parser = command_line(__doc__, module=MODULE)
    parser.add_argument("--child", choices=CONTENDERS, help=argparse.SUPPRESS)
    parser.add_argument("--tables", type=Path, nargs="*", help=argparse.SUPPRESS)
    parser.add_argument("--people", type=int, default=0, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        print(json.dumps(CONTENDERS[arguments.child](arguments)))
        return
    customers = int(arguments.rows * TABLES["customers"])
    tables = [
        make_table(arguments.folder, name, rows=int(arguments.rows * share), people=customers)
        for name, share in TABLES.items()
    ]
    report: dict[str, Any] = {"machine": machine(), "rows": arguments.rows, "cases": {}}
    for people in (1_000, 1):
        found: dict[str, list[Run]] = {name: [] for name in CONTENDERS}
        for _ in range(arguments.repeat):
            for name, runs in found.items():
                runs.append(
                    run_child(
                        MODULE,
                        ["--child", name, "--people", str(people), "--tables", *map(str, tables)],
                    )
                )
        report["cases"][str(people)] = told(people, found)
    write_report(report, arguments.json)


def told(people: int, found: dict[str, list[Run]]) -> dict[str, Any]:
    """Prints and returns the figures of a number of people."""
    if found["ours"][0].detail["deleted"] != found["delta_rs"][0].detail["deleted"]:
        raise SystemExit("the two do not delete the same rows")
    figures: dict[str, Any] = {
        name: {
            "seconds": round(median([run.seconds for run in runs]), 3),
            "peak_mb": round(max(run.peak_mb for run in runs)),
            **runs[-1].detail,
        }
        for name, runs in found.items()
    }
    figures["ratio"] = round(figures["ours"]["seconds"] / figures["delta_rs"]["seconds"], 2)
    print(
        f"{people:,} people: ours {figures['ours']['seconds']:.2f} s, {figures['ours']['peak_mb']} MB; "
        f"delta-rs {figures['delta_rs']['seconds']:.2f} s, {figures['delta_rs']['peak_mb']} MB; "
        f"{figures['ratio']} of its time",
        flush=True,
    )
    return figures


if __name__ == "__main__":
    main()
