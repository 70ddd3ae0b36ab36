"""What differs between two versions: rows that only moved never do, rows that changed always do."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake

from lakehouse.delta.actions import CommitInfo, Protocol
from lakehouse.delta.schema import Json, StructType
from lakehouse.delta.transaction import commit
from lakehouse.errors import UsageError
from lakehouse.table import Table
from tests.unit.timetravel.conftest import OpenTable

NAN = float("nan")


def changed(table: Table, before: int, after: int, **options: Any) -> list[tuple[Any, ...]]:
    return table.diff(before, after, **options).rows()


def test_compaction_changes_nothing_whatever_the_types(open_table: OpenTable) -> None:
    table = open_table()
    for number in range(4):
        nested = {"x": NAN, "y": b"\xff", "z": [1.5, None, NAN]}
        table.merge([{"id": number, "f": NAN, "b": b"\xff\x00", "s": nested, "l": [b"\xfe", None]}])
    made = table.compact().version
    assert made is not None
    assert changed(table, made - 1, made) == []
    assert changed(table, made, made - 1) == []


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ({"x": NAN}, {"x": None}),
        ({"x": float("inf")}, {"x": None}),
        ({"x": 1.0, "y": b"\xff"}, {"x": 1.0, "y": b"\xfe"}),
        ([NAN], [None]),
        ([], None),
    ],
)
def test_a_change_deep_inside_is_seen(open_table: OpenTable, old: object, new: object) -> None:
    other = {"id": 2, "s": {"x": 0.5, "y": b""} if isinstance(old, dict) else [0.5]}
    table = open_table()
    table.merge([{"id": 1, "s": old}, other])
    first = table.snapshot().version
    table.merge([{"id": 1, "s": new}])
    assert table.diff(first, first + 1)["_change"].to_list() == ["update_before", "update_after"]
    assert table.diff(first + 1, first)["_change"].to_list() == ["update_before", "update_after"]


def test_no_differences_still_have_the_columns_types(open_table: OpenTable) -> None:
    table = open_table()
    table.merge([{"id": 1, "a": 1.5, "b": "x"}])
    found = table.diff(table.snapshot().version)
    assert found.schema == {"_change": pl.String, "id": pl.Int64, "a": pl.Float64, "b": pl.String}
    assert found.is_empty()


def test_a_column_that_came_later(open_table: OpenTable) -> None:
    table = open_table()
    table.merge([{"id": 1}])
    first = table.snapshot().version
    table.merge([{"id": 2, "a": 5}])
    assert changed(table, first, first + 1) == [("insert", 2, 5)]
    assert changed(table, first + 1, first) == [("delete", 2, 5)]


def test_a_column_whose_type_was_widened(open_table: OpenTable, tmp_path: Path) -> None:
    place = tmp_path / "lake" / "t"
    write_deltalake(place, pa.table({"id": [1, 2], "a": pa.array([1, 2], pa.int32())}))
    new = pa.table({"id": [1, 2], "a": [1, 2**40]})
    write_deltalake(place, new, mode="overwrite", schema_mode="overwrite")
    table = open_table()
    assert changed(table, 0, 1) == [("update_before", 2, 2), ("update_after", 2, 2**40)]
    assert changed(table, 1, 0) == [("update_before", 2, 2**40), ("update_after", 2, 2)]


def test_a_struct_that_got_a_field(open_table: OpenTable, tmp_path: Path) -> None:
    place = tmp_path / "lake" / "t"
    write_deltalake(place, pa.table({"id": [1, 2], "a": [{"x": 1}, {"x": 2}]}))
    new = pa.table({"id": [1, 2], "a": [{"x": 1, "y": "q"}, {"x": 2, "y": None}]})
    write_deltalake(place, new, mode="overwrite", schema_mode="overwrite")
    table = open_table()
    before, after = {"x": 1, "y": None}, {"x": 1, "y": "q"}
    assert changed(table, 0, 1) == [("update_before", 1, before), ("update_after", 1, after)]
    assert changed(table, 1, 0) == [("update_before", 1, after), ("update_after", 1, before)]


def test_a_column_that_became_something_else_is_named(open_table: OpenTable, tmp_path: Path) -> None:
    place = tmp_path / "lake" / "t"
    write_deltalake(place, pa.table({"id": [1], "a": [1]}))
    new = pa.table({"id": [2], "a": [[1]]})
    write_deltalake(place, new, mode="overwrite", schema_mode="overwrite")
    table = open_table()
    with pytest.raises(UsageError, match=r"column 'a' is long in version 0 and array<long> in version 1"):
        table.diff(0, 1)
    assert changed(table, 0, 1, columns=["id"]) == [("delete", 1), ("insert", 2)]


def test_rows_without_a_key_count_as_often_as_they_are_there(open_table: OpenTable, tmp_path: Path) -> None:
    place = tmp_path / "lake" / "t"
    write_deltalake(place, pa.table({"n": [1, 1, 1, None], "__row": ["a", "a", "b", None]}))
    new = pa.table({"n": [1, None, None], "__row": ["a", None, None]})
    write_deltalake(place, new, mode="overwrite")
    table = open_table(key=["elsewhere"])
    gone = [("delete", 1, "a"), ("delete", 1, "b"), ("insert", None, None)]
    assert changed(table, 0, 1) == gone
    back = [("insert", 1, "a"), ("insert", 1, "b"), ("delete", None, None)]
    assert changed(table, 1, 0) == back


def test_rows_that_moved_to_another_partition(open_table: OpenTable) -> None:
    table = open_table(partition_by=["p"], schema={"id": "long", "p": "string", "a": "long"})
    table.merge([{"id": 1, "p": "x", "a": 1}, {"id": 2, "p": "x", "a": 2}])
    first = table.snapshot().version
    table.merge([{"id": 1, "p": "y"}])
    found = table.diff(first, first + 1).select("_change", "id", "p").rows()
    assert found == [("update_before", 1, "x"), ("update_after", 1, "y")]


@pytest.mark.parametrize("feed", [False, True])
@pytest.mark.parametrize("merge", ["on_read", "on_write"])
def test_there_and_back_over_truncates_and_restores(open_table: OpenTable, feed: bool, merge: str) -> None:
    table = open_table(change_feed=feed, merge=merge)
    table.merge([{"id": 1, "a": 1}, {"id": 2, "a": 2}])
    first = table.snapshot().version
    table.merge([{"id": 1, "a": 7}, {"id": 3, "a": 3}, {"id": 2, "_op": "delete"}])
    table.merge([{"_op": "truncate"}])
    emptied = table.snapshot().version
    assert changed(table, first, emptied) == [("delete", 1, 1), ("delete", 2, 2)]
    assert changed(table, emptied, first) == [("insert", 1, 1), ("insert", 2, 2)]
    restored = table.restore(version=first).version
    assert restored is not None
    assert changed(table, first, restored) == []
    assert changed(table, first + 1, restored) == [
        ("update_before", 1, 7),
        ("update_after", 1, 1),
        ("insert", 2, 2),
        ("delete", 3, 3),
    ]


def test_delta_rs_compaction_of_vectors_changes_nothing(open_table: OpenTable, tmp_path: Path) -> None:
    table = open_table(merge="on_read")
    table.merge([{"id": number, "a": number} for number in range(50)])
    table.merge([{"id": 50, "a": 1}, {"id": 7, "_op": "delete"}])
    before = table.snapshot().version
    DeltaTable(tmp_path / "lake" / "t").optimize.compact()
    assert table.snapshot().version == before + 1
    assert changed(table, before, before + 1) == []


def renamed_table(open_table: OpenTable, tmp_path: Path, **options: Any) -> Table:
    """Version 1 maps columns, 2 renames them, 3 changes a row, 4 puts all rows into one file."""
    place = tmp_path / "lake" / "t"
    write_deltalake(place, pa.table({"old_id": [1, 2], "a": ["x", "y"], "b": ["p", "q"]}))
    table = open_table(**options)
    names = {"old_id": ("old_id", 1), "a": ("a", 2), "b": ("b", 3)}
    mapped = {"delta.columnMapping.mode": "name", "delta.columnMapping.maxColumnId": "3"}
    renamed = {"old_id": "id", "a": "b", "b": "a"}
    for version in (1, 2):
        here = table.snapshot()
        fields = []
        for item in here.schema.fields:
            physical, number = names[item.physical_name]
            carried: dict[str, Json] = {
                "delta.columnMapping.id": number,
                "delta.columnMapping.physicalName": physical,
            }
            name = renamed[physical] if version == 2 else item.name
            fields.append(replace(item, name=name, metadata=carried))
        metadata = replace(
            here.metadata, schema_string=StructType(tuple(fields)).to_json(), configuration=mapped
        )
        commit(
            table.storage,
            version=version,
            actions=[Protocol(2, 5), metadata],
            commit_info=CommitInfo(),
            base=here,
        )
    table.merge([{"id": 1, "b": "changed"}])
    table.compact()
    assert table.snapshot().version == 4
    return table


def test_renamed_columns_are_the_same_columns(open_table: OpenTable, tmp_path: Path) -> None:
    # The two columns even swapped their names.
    table = renamed_table(open_table, tmp_path, merge="on_write")
    there = table.diff(0, 4)
    assert there.columns == ["_change", "id", "b", "a"]
    assert there.rows() == [("update_before", 1, "x", "p"), ("update_after", 1, "changed", "p")]
    back = table.diff(4, 0)
    assert back.columns == ["_change", "old_id", "a", "b"]
    assert back.rows() == [("update_before", 1, "changed", "p"), ("update_after", 1, "x", "p")]
    assert table.diff(0, 4, columns=["a"]).is_empty()
    assert table.diff(0, 4, columns=["b"]).height == 2
