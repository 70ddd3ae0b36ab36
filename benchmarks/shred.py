"""Columns under a key of each person: what that costs a merge and a read, with many people.

    python -m benchmarks.shred                     # a million people, SQLite and PostgreSQL
    python -m benchmarks.shred --rows 100000       # a quick look

A table of as many people as rows, with an e-mail address and a phone number of each. Measured, in this order:
the merges that fill it, in batches of 100,000 rows (all keys are made), one merge that changes 100,000
rows (all keys are looked up), one of 100,000 more people, reading all rows, reading one plain column, and
destroying the keys of 1,000 people. Beside it, in the same run, the same table as plain columns.
``cpu`` are the seconds of the processor in the first run: what counts where others keep the machine busy.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import time
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any
from unittest.mock import patch

import polars as pl

from benchmarks.measure import Run, command_line, machine, median, peak_mb, run_child, write_report

MODULE = "benchmarks.shred"
BATCH = 100_000
CONTENDERS = ("plain", "sqlite", "postgresql")
STEPS = ("fill", "change", "new people", "read all", "read the city", "destroy")


def config(root: Path, *, state: str | None, shred: bool) -> dict[str, Any]:
    """The lake of one contender."""
    subject = {"shred": "customer"} if shred else {}
    pii = {"email": {"entity": "EMAIL_ADDRESS", **subject}, "phone": {"entity": "PHONE_NUMBER", **subject}}
    return {
        "version": 1,
        "storage": {"root": str(root / "lake")},
        "keys": {"path": str(root / "keys")},
        **({} if state is None else {"state": state}),
        "tables": {"customers": {"key": ["id"], "changes": {"sequence": "seq"}, "pii": pii}},
        "subjects": {"customer": {"identifiers": {"id": "customers.id"}}},
    }


def rows_of(start: int, count: int, *, seq: int) -> pl.DataFrame:
    """Changes of people with numbers from a start on."""
    ids = pl.int_range(start, start + count, eager=True).alias("id")
    return ids.to_frame().select(
        "id",
        pl.lit(seq, dtype=pl.Int64).alias("seq"),
        pl.format("first{}.last{}@example{}.com", "id", pl.col("id") % 977 + seq, pl.col("id") % 50).alias(
            "email"
        ),
        pl.format("+49 30 {}", pl.col("id") + 10_000_000 + seq).alias("phone"),
        pl.format("City{}", pl.col("id") % 1_000).alias("city"),
    )


def contender(arguments: argparse.Namespace) -> dict[str, Any]:
    """All steps of one contender."""
    from lakehouse import Lakehouse

    shred = arguments.contender != "plain"
    lake = Lakehouse.open(config(arguments.folder, state=arguments.state, shred=shred))
    for purpose in ("shred", "suppress"):
        lake.keys.create(purpose)
    table = lake.table("customers")
    found: dict[str, float] = {}
    cpu: dict[str, float] = {}

    def timed(name: str, work: Callable[[], Any]) -> Any:
        started, busy = time.perf_counter(), time.process_time()
        done = work()
        found[name] = found.get(name, 0.0) + time.perf_counter() - started
        cpu[name] = cpu.get(name, 0.0) + time.process_time() - busy
        return done

    total = arguments.rows
    for start in range(0, total, BATCH):
        batch = rows_of(start, min(BATCH, total - start), seq=1)
        timed("fill", partial(table.merge, batch))
    batch = rows_of(0, min(BATCH, total), seq=2)
    timed("change", lambda: table.merge(batch))
    batch = rows_of(total, BATCH, seq=1)
    timed("new people", lambda: table.merge(batch))
    read = timed("read all", table.read)
    assert read.height == total + BATCH
    assert read["email"].str.contains("@example").all()
    timed("read the city", lambda: table.read(columns=["city"]))
    if shred:
        keys = lake.subject_keys
        gone = [str(number) for number in range(1_000)]
        assert timed("destroy", lambda: keys.destroy("customer", keys.digests_of("customer", gone))) == 1_000
        assert table.read(columns=["email"])["email"].null_count() == 1_000
    return {"seconds": sum(found.values()), "peak_mb": peak_mb(), "steps": found, "cpu": cpu}


def run(folder: Path, name: str, *, rows: int, postgres: str | None) -> Run:
    """One run of one contender, in a folder of its own."""
    place = folder / f"shred-{name}"
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    more = [] if postgres is None else ["--state", postgres]
    return run_child(MODULE, ["--contender", name, "--rows", str(rows), "--folder", str(place), *more])


def server(stack: ExitStack, folder: Path) -> Callable[[int], str]:
    """A PostgreSQL of its own; gives a fresh database for each run."""
    import psycopg

    stack.enter_context(patch.dict(os.environ, {"XDG_RUNTIME_DIR": str(folder)}))
    shutil.rmtree(folder / "shred-pg", ignore_errors=True)
    pgserver: Any = import_module("pgserver")
    started = pgserver.get_server(folder / "shred-pg")
    stack.callback(started.cleanup)
    uri = str(started.get_uri())

    def fresh(number: int) -> str:
        with psycopg.connect(uri, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE shred{number}".encode())
        return uri.replace("/postgres?", f"/shred{number}?")

    return fresh


def main() -> None:
    """Runs all contenders in turn and writes the report."""
    parser = command_line(__doc__, module=MODULE, rows=1_000_000, repeat=1)
    parser.add_argument("--contender", choices=CONTENDERS)
    parser.add_argument("--state")
    arguments = parser.parse_args()
    if arguments.contender is not None:
        print(json.dumps(contender(arguments)))
        return
    arguments.folder.mkdir(parents=True, exist_ok=True)
    runs: dict[str, list[Run]] = {name: [] for name in CONTENDERS}
    with ExitStack() as stack:
        fresh = server(stack, arguments.folder)
        for number in range(arguments.repeat):
            for name in CONTENDERS:
                state = fresh(number) if name == "postgresql" else None
                runs[name].append(run(arguments.folder, name, rows=arguments.rows, postgres=state))
    report = {
        "benchmark": "shred",
        "machine": machine("cryptography", "SQLAlchemy", "psycopg"),
        "rows": arguments.rows,
        "repeat": arguments.repeat,
        "contenders": {
            name: {
                "steps": {
                    step: round(median([each.detail["steps"][step] for each in found]), 3)
                    for step in STEPS
                    if step in found[0].detail["steps"]
                },
                "cpu": {step: round(seconds, 3) for step, seconds in found[0].detail["cpu"].items()},
                "peak_mb": round(max(each.peak_mb for each in found)),
            }
            for name, found in runs.items()
        },
    }
    write_report(report, arguments.json)
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
