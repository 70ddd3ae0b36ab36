"""Generated tables and changes for the benchmarks: the same bytes for the same seed, nothing personal in
them.

A table is ``rows`` x 10 columns, written by delta-rs in files of ``rows / files`` rows, in the order of its
key and of nothing else, with a checkpoint: a table as a daily load leaves it. Changes are 80 % updates, 15 %
inserts and 5 % deletes.
"""

from __future__ import annotations

import json
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

import numpy as np
import polars as pl
from deltalake import DeltaTable, write_deltalake

Spread = Literal["uniform", "clustered"]
START = datetime(2026, 1, 1, tzinfo=UTC)


def rows_for(ids: np.ndarray[tuple[int], np.dtype[np.int64]], *, seed: int, day: int = 0) -> pl.DataFrame:
    """The ten columns for the given ids.

    Args:
        ids: Keys, shape (n,).
        seed: Of everything but the key.
        day: Days after the start at which the rows were last changed; later days are later sequences.

    Returns:
        A frame of n rows x 10 columns.
    """
    rng = np.random.default_rng(seed)
    n = len(ids)
    cities = pl.Series("cities", [f"City{i}" for i in range(1000)])
    stamps = np.datetime64(START.replace(tzinfo=None), "us") + rng.integers(0, 86_400_000_000, n).astype(
        "timedelta64[us]"
    )
    return pl.DataFrame(
        {
            "id": ids,
            "name": pl.Series(ids).cast(pl.String),
            "city": cities.gather(rng.integers(0, 1000, n)),
            "quantity": rng.integers(0, 100, n).astype(np.int32),
            "price": (rng.integers(0, 1_000_000, n) / 100.0),
            "paid": rng.random(n) < 0.5,
            "created_on": pl.Series(rng.integers(18_000, 20_000, n).astype(np.int32)).cast(pl.Date),
            "updated_at": pl.Series(stamps).dt.replace_time_zone("UTC"),
            "score": rng.random(n).astype(np.float32),
            "code": pl.Series(rng.integers(0, 5_000, n)).cast(pl.String),
        }
    ).with_columns(
        pl.format("customer {}", "name").alias("name"),
        pl.format("C-{}", "code").alias("code"),
        pl.col("updated_at") + timedelta(days=day),
    )


def make_table(folder: Path, *, rows: int, files: int = 10, seed: int = 1) -> Path:
    """Write the table, or reuse the one of an earlier run with the same figures.

    Returns:
        The table's folder.
    """
    path = folder / f"checkpointed-{rows}-{files}-{seed}"
    done = path / "_done.json"
    if done.exists():
        return path
    shutil.rmtree(path, ignore_errors=True)
    edges = np.linspace(0, rows, files + 1).astype(np.int64)
    for part in range(files):
        ids = np.arange(edges[part], edges[part + 1], dtype=np.int64) * 2
        write_deltalake(path, rows_for(ids, seed=seed * 1000 + part), mode="append")
    # So that no contender's first commit is the one that makes a checkpoint.
    DeltaTable(path).create_checkpoint()
    done.write_text(json.dumps({"rows": rows, "files": files}))
    return path


def make_changes(
    *,
    rows: int,
    changes: int,
    spread: Spread = "uniform",
    within: int | None = None,
    seed: int = 7,
    day: int = 1,
) -> pl.DataFrame:
    """Changes for a table of ``rows`` rows: 80 % updates, 15 % inserts, 5 % deletes, in random order.

    Args:
        rows: The table's rows; its keys are the even numbers below ``2 * rows``.
        changes: How many.
        spread: ``uniform`` over all keys, or ``clustered`` in the last 5 % of them.
        within: How many rows at the end ``clustered`` means; None for 5 % of them.
        seed: Of the choice and of the values.
        day: Their sequence lies this many days after the table's.

    Returns:
        A frame of ``changes`` rows: the ten columns and ``_op``.
    """
    rng = np.random.default_rng(seed)
    low = 0 if spread == "uniform" else rows - within if within is not None else int(rows * 0.95)
    inserts = changes * 15 // 100
    deletes = changes * 5 // 100
    hit = rng.choice(rows - low, size=changes - inserts, replace=False).astype(np.int64) + low
    new = rng.choice(rows - low, size=inserts, replace=False).astype(np.int64) + low
    ids = np.concatenate([hit * 2, new * 2 + 1])
    ops = np.array(["update"] * (changes - inserts - deletes) + ["delete"] * deletes + ["insert"] * inserts)
    order = rng.permutation(changes)
    frame = rows_for(ids[order], seed=seed + 1, day=day)
    return frame.with_columns(pl.Series("_op", ops[order]))
