"""Damage done by hand: to the log, to checkpoints, to pages of data files."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
from deltalake import DeltaTable, QueryBuilder

from lakehouse.table import Table

Line = dict[str, Any]


def log_of(path: Path) -> list[Path]:
    return sorted((path / "_delta_log").glob("*.json"))


def edit_log(path: Path, change: Callable[[Line], object]) -> None:
    """Lets a function change every action of every commit."""
    for file in log_of(path):
        lines = [json.loads(line) for line in file.read_text().splitlines() if line]
        for line in lines:
            change(line)
        file.write_text("".join(json.dumps(line) + "\n" for line in lines))


def edit_stats(path: Path, change: Callable[[Line], object]) -> None:
    """Lets a function change the statistics of every file, in all commits."""

    def of(line: Line) -> None:
        if line.get("add", {}).get("stats"):
            stats = json.loads(line["add"]["stats"])
            change(stats)
            line["add"]["stats"] = json.dumps(stats)

    edit_log(path, of)


def edit_checkpoint(path: Path, change: Callable[[list[Line]], list[Line]]) -> Path:
    """Lets a function change the rows of the newest classic checkpoint."""
    file = max((path / "_delta_log").glob("*.checkpoint.parquet"))
    content = pq.read_table(file)
    pq.write_table(pa.Table.from_pylist(change(content.to_pylist()), schema=content.schema), file)
    return file


def flip(file: Path, start: int, length: int = 64) -> None:
    """Turns bytes of a file over; its size stays."""
    content = bytearray(file.read_bytes())
    content[start : start + length] = bytes(byte ^ 0xFF for byte in content[start : start + length])
    file.write_bytes(content)


def flip_page(file: Path, column: int, *, end: bool = True) -> None:
    """Turns over the last bytes of a column's chunk in the first row group: the values of its last page."""
    chunk = pq.read_metadata(file).row_group(0).column(column)
    first = chunk.dictionary_page_offset or chunk.data_page_offset
    length = min(64, chunk.total_compressed_size // 2)
    flip(file, first + chunk.total_compressed_size - length if end else first, length)


def files_of(table: Table) -> list[Path]:
    root = Path(table.storage.url)
    return [root / add.path for add in table.snapshot().files.values()]


def kinds(table: Table, **how: Any) -> list[str]:
    return [finding.kind for finding in table.verify(**how).findings]


def same_everywhere(table: Table, path: Path) -> list[Line]:
    """The rows as we, delta-rs and Polars read them, which must be the same ones."""
    names = [name for name in table.snapshot().schema.names if not name.startswith("_")]
    found = QueryBuilder().register("t", DeltaTable(path)).execute("select * from t").read_all()
    frames = [table.read(), pl.DataFrame(found)]
    # Polars refuses tables that name the feature, though they may have no such checkpoint.
    if "v2Checkpoint" not in (table.snapshot().protocol.reader_features or ()):
        frames.append(pl.scan_delta(str(path)).collect())
    ours, *others = [frame.select(names).sort("id").to_dicts() for frame in frames]
    assert all(each == ours for each in others)
    return ours
