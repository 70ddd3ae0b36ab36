"""Masking structured columns: ours on all rows, presidio-structured on a sample of them, per row.

    python -m benchmarks.pii_structured                    # 10 M rows
    python -m benchmarks.pii_structured --rows 200000      # a quick look

Four text columns: names are replaced by a constant, e-mails hashed (ours by AES-CMAC, theirs SHA-256 with a
given salt), phone numbers covered but for the last four characters, customer numbers made reversible (ours
tokens by AES-SIV, theirs AES-CBC, which has no deterministic form). Replaced and covered values must be the
same text from both; hashes must be equal where values are.

Two kinds of data: ``orders``, in which a customer has ten rows, and ``distinct``, in which no value is there
twice. Ours masks ``--batch`` rows at a time, all four columns, in a process of its own; making the rows is
not measured. What is compared is the time of all cores together (CPU), which says the same on a machine that
does other things as well; the time on the clock is reported beside it. presidio-structured takes a pandas
frame, cell by cell: once with the text columns of pandas 3 (``str``), of which each cell that is set copies a
column, and once with ``object`` columns, its best case.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import time
from collections.abc import Iterator, Sequence
from typing import Any, Final

import polars as pl

from benchmarks.measure import Run, command_line, machine, median, peak_mb, run_child, write_report
from lakehouse.config import load_config
from lakehouse.delta.schema import STRING, StructField, StructType
from lakehouse.pii.keys.ring import Key
from lakehouse.pii.mask.frames import TableMasks
from lakehouse.pii.mask.plan import masks_of
from lakehouse.pii.spans import SpanFinder

MODULE: Final = "benchmarks.pii_structured"
GOAL: Final = 200.0
KINDS: Final = ("orders", "distinct")
ROWS_A_CUSTOMER: Final = 10
SALT: Final = "0123456789abcdef"
KEY: Final = "0123456789abcdef"
PHONE_LENGTH: Final = 16
ENTITIES: Final = {
    "name": "PERSON",
    "email": "EMAIL_ADDRESS",
    "phone": "PHONE_NUMBER",
    "customer": "CUSTOMER_ID",
}
OURS: Final[dict[str, dict[str, Any]]] = {
    "PERSON": {"operator": "replace"},
    "EMAIL_ADDRESS": {"operator": "hash"},
    "PHONE_NUMBER": {"operator": "mask", "keep_last": 4},
    "CUSTOMER_ID": {"operator": "tokenize"},
}
THEIRS: Final[dict[str, tuple[str, dict[str, Any]]]] = {
    "PERSON": ("replace", {"new_value": "<PERSON>"}),
    "EMAIL_ADDRESS": ("hash", {"salt": SALT}),
    "PHONE_NUMBER": ("mask", {"masking_char": "*", "chars_to_mask": PHONE_LENGTH - 4, "from_end": False}),
    "CUSTOMER_ID": ("encrypt", {"key": KEY}),
}


class Ring:
    """A key that is no secret."""

    def current(self, purpose: str) -> Key:
        return self.version(purpose, 1)

    def version(self, purpose: str, version: int) -> Key:
        return Key(purpose, version, hashlib.sha256(purpose.encode()).digest())

    def versions(self, purpose: str) -> tuple[int, ...]:
        return (1,) if purpose else ()


def no_finder() -> SpanFinder:
    """There are no free texts here."""
    raise RuntimeError("no text is searched")


def masks(columns: Sequence[str]) -> TableMasks:
    """Our masks of some columns."""
    config = load_config(
        {
            "version": 1,
            "tables": {"orders": {"pii": {name: ENTITIES[name] for name in columns}}},
            "pii": {"operators": OURS},
        }
    )
    schema = StructType(tuple(StructField(name, STRING) for name in ENTITIES))
    return masks_of("orders", config=config, schema=schema, ring=Ring(), finder=no_finder)


def batches(kind: str, *, rows: int, batch: int) -> Iterator[pl.DataFrame]:
    """The rows, a batch at a time.

    Args:
        kind: One of `KINDS`.
        rows: How many.
        batch: How many at a time.
    """
    people = rows if kind == "distinct" else max(1, rows // ROWS_A_CUSTOMER)
    # A step that has no divisor in common with the number of people visits all of them in no order.
    step = 7_368_787
    for start in range(0, rows, batch):
        row = pl.int_range(start, min(rows, start + batch), dtype=pl.Int64)
        person = (row * step) % people if kind == "orders" else row
        yield pl.select(person=person).select(
            name=pl.format("Given{} Family{}", pl.col("person") % 4001, pl.col("person") // 4001),
            email=pl.format("given{}.family@mail{}.example", pl.col("person"), pl.col("person") % 97),
            phone=pl.format("+49 30 {}", pl.col("person") + 100_000_000),
            customer=pl.format("C-{}", pl.col("person") + 10_000_000),
        )


def ours(kind: str, *, rows: int, batch: int) -> dict[str, Any]:
    """Masks all rows, and each column alone; how long it took, and how much memory."""
    whole = masks(tuple(ENTITIES))
    single = {name: masks((name,)) for name in ENTITIES}
    seconds, cpu, by_column = 0.0, 0.0, dict.fromkeys(ENTITIES, 0.0)
    for frame in batches(kind, rows=rows, batch=batch):
        start, began = time.perf_counter(), time.process_time()
        whole.apply(frame)
        seconds += time.perf_counter() - start
        cpu += time.process_time() - began
        for name, each in single.items():
            began = time.process_time()
            each.apply(frame.select(name))
            by_column[name] += time.process_time() - began
    return {
        "seconds": seconds,
        "cpu": cpu,
        "peak_mb": peak_mb(),
        "ns_a_row": {name: round(each / rows * 1e9) for name, each in by_column.items()},
    }


def theirs(kind: str, *, rows: int, sample: int, dtype: str) -> dict[str, Any]:
    """Masks a sample with presidio-structured, and compares it with ours."""
    from presidio_anonymizer.entities import OperatorConfig
    from presidio_structured import StructuredEngine
    from presidio_structured.config import StructuredAnalysis

    frame = next(batches(kind, rows=rows, batch=sample))
    operators = {entity: OperatorConfig(*given) for entity, given in THEIRS.items()}
    seconds, cpu, by_column = 0.0, 0.0, {}
    done: dict[str, list[str]] = {}
    for name, entity in ENTITIES.items():
        pandas = frame.select(name).to_pandas()
        if dtype == "object":
            pandas = pandas.astype("object")
        engine = StructuredEngine()
        start, began = time.perf_counter(), time.process_time()
        result = engine.anonymize(pandas, StructuredAnalysis(entity_mapping={name: entity}), operators)
        took = time.process_time() - began
        seconds += time.perf_counter() - start
        cpu += took
        by_column[name] = round(took / frame.height * 1e9)
        done[name] = result[name].tolist()
    compare(frame, done)
    return {
        "seconds": seconds,
        "cpu": cpu,
        "peak_mb": peak_mb(),
        "ns_a_row": by_column,
        "sample": frame.height,
    }


def compare(frame: pl.DataFrame, done: dict[str, list[str]]) -> None:
    """Fails where theirs and ours mean different things."""
    mine = masks(tuple(ENTITIES)).apply(frame)
    for name in ("name", "phone"):
        if mine[name].to_list() != done[name]:
            raise AssertionError(f"{name} is masked differently")
    for column in (mine["email"], pl.Series(done["email"]), mine["customer"]):
        pairs = pl.DataFrame({"value": frame["email"], "mask": column}).unique()
        if not pairs.height == pairs["value"].n_unique() == pairs["mask"].n_unique():
            raise AssertionError("equal values have different masks, or different ones the same")


def child(options: argparse.Namespace) -> None:
    """One contender, in this process."""
    if options.child == "ours":
        report = ours(options.kind, rows=options.rows, batch=options.batch)
    else:
        report = theirs(options.kind, rows=options.rows, sample=options.sample, dtype=options.child)
    sys.stdout.write(json.dumps(report) + "\n")


def measure(options: argparse.Namespace, kind: str) -> dict[str, Any]:
    """Both contenders on one kind of data."""
    shared = ["--kind", kind, "--rows", str(options.rows), "--batch", str(options.batch)]
    shared += ["--sample", str(options.sample)]
    mine = [run_child(MODULE, ["--child", "ours", *shared]) for _ in range(options.repeat)]
    cpu = median([run.detail["cpu"] for run in mine])
    clock = median([run.seconds for run in mine])
    by_column = _by_column(mine)
    report: dict[str, Any] = {
        "kind": kind,
        "ours": {
            "rows": options.rows,
            "seconds": round(clock, 2),
            "cpu_seconds": round(cpu, 2),
            "ns_a_row": round(cpu / options.rows * 1e9),
            "clock_ns_a_row": round(clock / options.rows * 1e9),
            "by_column": by_column,
            "peak_mb": round(max(run.peak_mb for run in mine)),
        },
    }
    for dtype in ("object", "str"):
        runs = [run_child(MODULE, ["--child", dtype, *shared]) for _ in range(options.repeat)]
        sample = runs[-1].detail["sample"]
        took = median([run.detail["cpu"] for run in runs]) / sample
        waited = median([run.seconds for run in runs]) / sample
        theirs_by_column = _by_column(runs)
        report[f"presidio_{dtype}"] = {
            "sample": sample,
            "ns_a_row": round(took * 1e9),
            "clock_ns_a_row": round(waited * 1e9),
            "by_column": theirs_by_column,
            "ratio": round(took / (cpu / options.rows), 1),
            "clock_ratio": round(waited / (clock / options.rows), 1),
            "ratio_by_column": {
                name: round(each / max(1, by_column[name]), 1) for name, each in theirs_by_column.items()
            },
        }
    return report


def _by_column(runs: Sequence[Run]) -> dict[str, int]:
    """Nanoseconds of CPU a row for each column alone."""
    return {name: round(median([run.detail["ns_a_row"][name] for run in runs])) for name in ENTITIES}


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the benchmark."""
    parser = command_line(__doc__, module=MODULE)
    parser.add_argument("--batch", type=int, default=1_000_000, help="rows that ours masks at a time")
    parser.add_argument("--sample", type=int, default=20_000, help="rows of presidio-structured")
    parser.add_argument("--kind", choices=KINDS, default=None, help="only this data")
    parser.add_argument("--child", choices=("ours", "object", "str"), help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.child:
        child(options)
        return 0
    reports = [measure(options, kind) for kind in KINDS if options.kind in {None, kind}]
    for each in reports:
        mine = each["ours"]
        print(
            f"{each['kind']}: ours {mine['ns_a_row']} ns of CPU a row, {mine['clock_ns_a_row']} on the "
            f"clock, {mine['peak_mb']} MB; by column {mine['by_column']}"
        )
        for dtype in ("str", "object"):
            peer = each[f"presidio_{dtype}"]
            print(
                f"  presidio-structured, {dtype} columns: {peer['ns_a_row']} ns, {peer['ratio']}x "
                f"(on the clock {peer['clock_ratio']}x)"
            )
            print(f"    by column: {peer['ratio_by_column']}")
    report = {
        "benchmark": "pii_structured",
        "command": f"python -m {MODULE} --rows {options.rows} --sample {options.sample}",
        "machine": machine("presidio_structured", "presidio_anonymizer", "pandas", "cryptography"),
        "goal": GOAL,
        "repeat": options.repeat,
        "batch": options.batch,
        "results": reports,
    }
    write_report(report, options.json)
    return 0


if __name__ == "__main__":
    sys.exit(main())
