"""Tables that delta-rs writes, opened and merged into here."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake
from deltalake.schema import Field, PrimitiveType

from tests.integration.interop import wide
from tests.integration.interop.engines import (
    by_delta_rs,
    by_ours,
    by_polars,
    everywhere,
    open_table,
    rows_of,
    same,
)

NAMES = tuple(wide.COLUMNS)


def rows(numbers: Sequence[int], *, seq: int = 1) -> list[dict[str, Any]]:
    rng = random.Random(f"{seq} {numbers}")
    return [wide.row(number, seq=seq, rng=rng) for number in numbers]


def appended(path: Path) -> None:
    for start in (0, 10, 20):
        write_deltalake(path, wide.arrow(rows(range(start, start + 10))), mode="append")


def partitioned(path: Path) -> None:
    for start in (0, 20):
        found = wide.arrow(rows(range(start, start + 20)))
        write_deltalake(path, found, mode="append", partition_by=["part", "flag"])


def deleted(path: Path) -> None:
    appended(path)
    DeltaTable(path).delete("id % 4 = 1")
    DeltaTable(path).delete("text = 'plain'")


def updated(path: Path) -> None:
    partitioned(path)
    DeltaTable(path).update({"text": "'changed'", "seq": "seq + 1"}, predicate="id % 3 = 0")
    DeltaTable(path).update({"flag": "true"}, predicate="id < 5")


def merged(path: Path) -> None:
    appended(path)
    source = wide.arrow(rows(range(25, 35), seq=2))
    merger = DeltaTable(path).merge(source, "s.id = t.id", source_alias="s", target_alias="t")
    merger.when_matched_update_all().when_not_matched_insert_all().execute()
    gone = wide.arrow(rows(range(3), seq=3))
    DeltaTable(path).merge(
        gone, "s.id = t.id", source_alias="s", target_alias="t"
    ).when_matched_delete().execute()


def compacted(path: Path) -> None:
    deleted(path)
    DeltaTable(path).optimize.compact()
    write_deltalake(path, wide.arrow(rows(range(40, 45))), mode="append")
    DeltaTable(path).optimize.z_order(["id", "day"])


def checkpointed(path: Path) -> None:
    updated(path)
    DeltaTable(path).create_checkpoint()
    DeltaTable(path).delete("id = 7")


def overwritten(path: Path) -> None:
    partitioned(path)
    write_deltalake(path, wide.arrow(rows(range(100, 140))), mode="overwrite")


def some_overwritten(path: Path) -> None:
    partitioned(path)
    north = [{**item, "part": "north"} for item in rows(range(50, 60))]
    write_deltalake(path, wide.arrow(north), mode="overwrite", predicate="part = 'north'")


def vacuumed(path: Path) -> None:
    compacted(path)
    DeltaTable(path).vacuum(retention_hours=0, dry_run=False, enforce_retention_duration=False)


def grown(path: Path) -> None:
    appended(path)
    more = wide.arrow(rows(range(70, 75))).append_column("extra", pa.array(["x", None, "y", "", "z"]))
    write_deltalake(path, more, mode="append", schema_mode="merge")
    DeltaTable(path).alter.add_columns([Field("later", PrimitiveType("integer"), nullable=True)])


def constrained(path: Path) -> None:
    appended(path)
    DeltaTable(path).alter.add_constraint({"small_id": "id < 1000", "seq_set": "seq IS NOT NULL"})


def with_vectors(path: Path) -> None:
    options = {"delta.enableDeletionVectors": "true", "delta.checkpointInterval": "2"}
    for start in (0, 10, 20):
        found = wide.arrow(rows(range(start, start + 10)))
        write_deltalake(path, found, mode="append", configuration=options if not start else None)
    DeltaTable(path).delete("id = 3")


def with_feed(path: Path) -> None:
    options = {"delta.enableChangeDataFeed": "true"}
    write_deltalake(path, wide.arrow(rows(range(10))), configuration=options)
    DeltaTable(path).update({"text": "'changed'"}, predicate="id < 4")
    DeltaTable(path).delete("id = 5")


def restored(path: Path) -> None:
    deleted(path)
    DeltaTable(path).restore(1)


TABLES: list[Callable[[Path], None]] = [
    appended,
    partitioned,
    deleted,
    updated,
    merged,
    compacted,
    checkpointed,
    overwritten,
    some_overwritten,
    vacuumed,
    grown,
    constrained,
    with_vectors,
    with_feed,
    restored,
]


@pytest.mark.parametrize("make", TABLES, ids=lambda make: make.__name__)
def test_every_version_has_the_same_rows_here(tmp_path: Path, make: Callable[[Path], None]) -> None:
    path = tmp_path / "t"
    make(path)
    table = open_table(tmp_path)
    newest = DeltaTable(path).version()
    first = newest if make is vacuumed else 0
    for version in range(first, newest + 1):
        there = by_delta_rs(path, version)
        assert there.num_rows
        same(rows_of(by_ours(table, version)), rows_of(there), f"version {version}")
    everywhere(table, rows_of(by_polars(path)))


@pytest.mark.parametrize("mode", ["on_read", "on_write", "auto"])
@pytest.mark.parametrize("make", TABLES, ids=lambda make: make.__name__)
def test_it_can_be_merged_into(tmp_path: Path, make: Callable[[Path], None], mode: str) -> None:
    path = tmp_path / "t"
    make(path)
    table = open_table(tmp_path, merge=mode, changes={"sequence": "seq"})
    before = by_delta_rs(path)
    stored = {item["id"]: item for item in before.to_pylist()}
    known = sorted(stored)
    news = {item["id"]: item for item in rows([*known[::5], 90, 91], seq=9)}
    gone = known[1::7]
    gone = [number for number in gone if number not in news]
    result = table.merge(wide.changes(list(news.values()), rows(gone, seq=9)))
    assert (result.inserted, result.updated, result.deleted) == (2, len(known[::5]), len(gone))
    vectors = mode == "on_read" or (mode == "auto" and make is with_vectors)
    assert (result.vectors_written > 0) == vectors
    # Columns that the batch does not speak of keep what is stored.
    others = dict.fromkeys(name for name in before.column_names if name not in NAMES)
    expected = {number: item for number, item in stored.items() if number not in gone}
    expected |= {number: {**stored.get(number, others), **item} for number, item in news.items()}
    everywhere(table, expected.values())
    assert table.verify().findings == ()
    # And delta-rs goes on with it.
    DeltaTable(path).delete("id = 90")
    del expected[90]
    everywhere(table, expected.values())
