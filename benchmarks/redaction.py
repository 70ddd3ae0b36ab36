"""Emptying what old files hold of people, against reading and writing the same files again with Polars.

    python -m benchmarks.redaction                             # 100 files of 10 MB, 1,000 people
    python -m benchmarks.redaction --files 10 --people 100     # a quick look

Each file gets the cells of its people emptied in memory, checks included: same size, same order, nothing of
them left. The peer reads each file, sets the same cells to null, and writes it, which keeps neither the
size nor the encodings and proves nothing. Both in this process, one after the other, file by file. Figures
are printed only.
"""

from __future__ import annotations

import argparse
import io
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import polars as pl
from deltalake import write_deltalake

from benchmarks.data import rows_for
from benchmarks.measure import machine, peak_mb
from lakehouse.delta.snapshot import load_snapshot
from lakehouse.requests.locate import Condition, rows_of
from lakehouse.requests.redact.files import Cells, emptied_file
from lakehouse.storage import open_storage

ROWS_A_FILE = 290_000


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    options.add_argument("--files", type=int, default=100)
    options.add_argument("--people", type=int, default=1000)
    options.add_argument("--seed", type=int, default=1)
    given = options.parse_args()
    with TemporaryDirectory() as folder:
        path = Path(folder) / "t"
        for number in range(given.files):
            ids = np.arange(number * ROWS_A_FILE, (number + 1) * ROWS_A_FILE, dtype=np.int64)
            write_deltalake(path, rows_for(ids, seed=given.seed + number).to_arrow(), mode="append")
        measure(path, people=given.people, seed=given.seed)


def measure(path: Path, *, people: int, seed: int) -> None:
    storage = open_storage(path)
    snapshot = load_snapshot(storage)
    files = list(snapshot.files.values())
    rows = len(files) * ROWS_A_FILE
    ids = np.random.default_rng(seed).choice(rows, people, replace=False)
    begun = time.perf_counter()
    found = rows_of(storage, snapshot, files, [Condition(("id",), pl.DataFrame({"id": ids}))]).positions()
    located = time.perf_counter() - begun
    columns = ["name", "city", "updated_at"]
    cells = [Cells((name,)) for name in columns]
    ours = theirs = 0.0
    size = 0
    for name, places in found.items():
        data = storage.get(name)
        size += len(data)
        begun = time.perf_counter()
        emptied = emptied_file(data, rows=places, columns=cells)
        ours += time.perf_counter() - begun
        assert emptied is not None
        begun = time.perf_counter()
        rewritten(data, list(places), columns)
        theirs += time.perf_counter() - begun
    print(machine())
    print(f"{len(found)} files of {size / len(found) / 1e6:.1f} MB, {rows:,} rows, {people:,} people")
    print(f"found in {located:.2f} s")
    print(f"emptied and checked in {ours:.2f} s, {size / ours / 1e6:.0f} MB/s")
    print(f"read and written by Polars in {theirs:.2f} s: ratio {theirs / ours:.2f}")
    print(f"peak memory {peak_mb():.0f} MB")


def rewritten(data: bytes, places: list[int], columns: list[str]) -> None:
    gone = pl.Series(places, dtype=pl.UInt32).implode()
    frame = pl.read_parquet(io.BytesIO(data)).with_row_index("__row")
    empty = [pl.when(~pl.col("__row").is_in(gone)).then(pl.col(name)).alias(name) for name in columns]
    frame.with_columns(empty).drop("__row").write_parquet(io.BytesIO(), compression="snappy")


if __name__ == "__main__":
    main()
