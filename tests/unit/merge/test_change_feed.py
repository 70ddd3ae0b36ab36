"""The change feed, as delta-rs reads it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl

from lakehouse.merge.feed import CHANGE_TYPE
from tests.properties.tables import delta, open_table

SHAPE = {"id": "long", "seq": "long", "a": "long", "b": "string"}


def feed(root: Path, version: int) -> list[tuple[Any, ...]]:
    found = pl.DataFrame(delta(root).load_cdf(starting_version=version, ending_version=version).read_all())
    columns = [CHANGE_TYPE, *(name for name in SHAPE if name in found.columns)]
    return sorted(found.select(columns).rows(), key=repr)


def test_images_of_updates_deletes_and_inserts(tmp_path: Path, mode: str) -> None:
    table = open_table(tmp_path, merge=mode, change_feed=True, schema=SHAPE, changes={"sequence": "seq"})
    table.merge([{"id": key, "seq": 1, "a": key, "b": "x"} for key in (1, 2, 3, 4)])
    assert feed(tmp_path, 1) == [("insert", key, 1, key, "x") for key in (1, 2, 3, 4)]
    table.merge(
        [
            {"id": 1, "seq": 2, "a": 10, "b": "y"},
            {"id": 2, "seq": 2, "_op": "delete"},
            {"id": 3, "seq": 0, "a": 0, "b": "late"},
            {"id": 5, "seq": 2, "a": 5, "b": "new"},
        ]
    )
    assert feed(tmp_path, 2) == [
        ("delete", 2, 1, 2, "x"),
        ("insert", 5, 2, 5, "new"),
        ("update_postimage", 1, 2, 10, "y"),
        ("update_preimage", 1, 1, 1, "x"),
    ]
    table.merge([{"id": 3, "seq": 3, "a": 33}])
    assert feed(tmp_path, 3) == [("update_postimage", 3, 3, 33, "x"), ("update_preimage", 3, 1, 3, "x")]
    table.merge([{"seq": 2, "_op": "truncate"}, {"id": 4, "seq": 4, "a": 4, "b": "again"}])
    assert feed(tmp_path, 4) == [
        ("delete", 1, 2, 10, "y"),
        ("delete", 4, 1, 4, "x"),
        ("delete", 5, 2, 5, "new"),
        ("insert", 4, 4, 4, "again"),
        ("update_postimage", 3, 3, 33, None),
        ("update_preimage", 3, 3, 33, "x"),
    ]
    table.compact()
    table.restore(version=1)
    assert len(table.read()) == 4


def test_the_feed_of_a_partitioned_table(tmp_path: Path, mode: str) -> None:
    table = open_table(tmp_path, merge=mode, change_feed=True, schema=SHAPE, partition_by=["b"])
    table.merge([{"id": 1, "seq": 1, "a": 1, "b": "x"}, {"id": 2, "seq": 1, "a": 2, "b": "y"}])
    table.merge([{"id": 1, "seq": 2, "a": 1, "b": "y"}])
    assert feed(tmp_path, 2) == [("update_postimage", 1, 2, 1, "y"), ("update_preimage", 1, 1, 1, "x")]


def test_the_feed_of_partitions_whose_names_are_escaped(tmp_path: Path, mode: str) -> None:
    table = open_table(tmp_path, merge=mode, change_feed=True, schema=SHAPE, partition_by=["b"])
    table.merge([{"id": 1, "seq": 1, "a": 1, "b": "a b/c"}, {"id": 2, "seq": 1, "a": 2, "b": "50 %"}])
    assert feed(tmp_path, 1) == [("insert", 1, 1, 1, "a b/c"), ("insert", 2, 1, 2, "50 %")]
    table.merge([{"id": 1, "seq": 2, "a": 1, "b": "ü"}, {"id": 2, "_op": "delete"}])
    assert feed(tmp_path, 2) == [
        ("delete", 2, 1, 2, "50 %"),
        ("update_postimage", 1, 2, 1, "ü"),
        ("update_preimage", 1, 1, 1, "a b/c"),
    ]


def test_the_feed_and_the_difference_tell_the_same(tmp_path: Path, mode: str) -> None:
    table = open_table(tmp_path, merge=mode, change_feed=True, schema=SHAPE)
    table.merge([{"id": key, "seq": 1, "a": key, "b": "x"} for key in range(20)])
    table.merge(
        [{"id": key, "seq": 2, "a": -key, "b": "x"} for key in range(1, 5)]
        + [{"id": key, "_op": "delete"} for key in range(10, 13)]
        + [{"id": 100, "seq": 2, "a": 1, "b": "x"}]
    )
    names = {"update_before": "update_preimage", "update_after": "update_postimage"}
    told = table.diff(1, 2).with_columns(pl.col("_change").replace(names)).rows()
    assert sorted(told, key=repr) == feed(tmp_path, 2)
