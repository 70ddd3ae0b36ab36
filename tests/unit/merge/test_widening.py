"""Values that need a wider type than their column has: the table follows, and every reader still reads it."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError

from lakehouse.delta.schema import type_string
from lakehouse.table import Table
from tests.properties.tables import (
    NAME,
    Row,
    by_delta_rs,
    by_polars,
    delta,
    everywhere,
    open_table,
    ours,
    records,
)

CASES: list[tuple[str, Any, Any, str]] = [
    ("byte", 1, 300, "short"),
    ("byte", 1, 70_000, "integer"),
    ("byte", 1, 2**40, "long"),
    ("short", 1, 70_000, "integer"),
    ("short", 1, 2**40, "long"),
    ("integer", 1, 2**40, "long"),
    ("float", 0.5, 0.123456789012, "double"),
    ("decimal(5,2)", Decimal("1.25"), Decimal("12345678.25"), "decimal(10,2)"),
    ("decimal(5,2)", Decimal("1.25"), Decimal("12.1234"), "decimal(7,4)"),
    ("decimal(18,2)", Decimal("1.25"), Decimal("123456789012345678901.125"), "decimal(24,3)"),
    ("date", date(2024, 1, 1), datetime(2024, 1, 2, 5), "timestamp_ntz"),
    ("array<integer>", [1, 2], [2**40], "array<long>"),
    ("map<string,integer>", [{"key": "a", "value": 1}], [{"key": "a", "value": 2**40}], "map<string,long>"),
    ("struct<a:integer,b:string>", {"a": 1, "b": "x"}, {"a": 2**40, "b": "y"}, "struct<a:long,b:string>"),
]


def made(root: Path, kind: str, value: Any, **section: Any) -> Table:
    table = open_table(root, schema={"id": "long", "v": kind, "n": "long"}, **section)
    table.merge([{"id": n, "v": value, "n": n} for n in range(4)])
    table.merge([{"id": 3, "_op": "delete"}, {"id": 4, "v": value, "n": 4}])
    return table


def read_alike(table: Table, root: Path) -> list[Row]:
    """The rows, which others read the same; they show a map as a dict."""
    mine = records(ours(table))
    shown = [
        {
            name: {entry["key"]: entry["value"] for entry in value} if is_map(value) else value
            for name, value in row.items()
        }
        for row in mine
    ]
    for frame in (by_delta_rs(root), by_polars(root)):
        assert records(frame) == shown
    return mine


def is_map(value: object) -> bool:
    return isinstance(value, list) and bool(value) and isinstance(value[0], dict) and "key" in value[0]


def type_of(table: Table, column: str = "v") -> str:
    return type_string(table.snapshot().schema.field(column).type)


@pytest.mark.parametrize(("kind", "old", "new", "wider"), CASES)
def test_every_reader_reads_old_and_new_rows(
    tmp_path: Path, mode: str, kind: str, old: Any, new: Any, wider: str
) -> None:
    table = made(tmp_path, kind, old, merge=mode)
    result = table.merge([{"id": 1, "v": new, "n": 9}, {"id": 7, "v": new, "n": 7}])
    assert (result.inserted, result.updated, result.rejected) == (1, 1, 0)
    assert result.widened == ("v",)
    assert type_of(table) == wider
    rows = {row["id"]: row for row in read_alike(table, tmp_path)}
    assert sorted(rows) == [0, 1, 2, 4, 7]
    assert rows[1]["v"] == rows[7]["v"] != rows[0]["v"] == rows[4]["v"]
    assert "typeWidening" not in (delta(tmp_path).protocol().reader_features or [])
    again = table.merge([{"id": 0, "v": new, "n": 1}])
    assert (again.updated, again.widened) == (1, ())
    assert len(read_alike(table, tmp_path)) == 5


@pytest.mark.parametrize(("kind", "old", "new", "wider"), CASES)
def test_by_metadata_no_file_is_written_anew(
    tmp_path: Path, kind: str, old: Any, new: Any, wider: str
) -> None:
    table = made(tmp_path, kind, old, changes={"widen": "metadata"})
    before = set(table.snapshot().files)
    result = table.merge([{"id": 1, "v": new, "n": 9}, {"id": 7, "v": new, "n": 7}])
    assert (result.updated, result.widened, type_of(table)) == (1, ("v",), wider)
    after = set(table.snapshot().files)
    assert before <= after
    protocol = table.snapshot().protocol
    assert {"typeWidening", "deletionVectors"} <= set(protocol.reader_features or ())
    rows = {row["id"]: row for row in records(ours(table))}
    assert rows[1]["v"] == rows[7]["v"] != rows[0]["v"] == rows[4]["v"]
    table.compact()
    assert records(ours(table)) == list(rows.values())
    again = table.merge([{"id": 0, "v": new, "n": 1}, {"id": 2, "_op": "delete"}])
    assert (again.updated, again.deleted, again.widened) == (1, 1, ())


def test_by_metadata_the_table_tells_what_changed(tmp_path: Path) -> None:
    table = made(tmp_path, "array<struct<a:byte>>", [{"a": 1}], changes={"widen": "metadata"})
    table.merge([{"id": 1, "v": [{"a": 300}], "n": 1}])
    table.merge([{"id": 1, "v": [{"a": 70_000}], "n": 2}])
    kind = table.snapshot().schema.field("v").type
    (inner,) = kind.element.fields  # type: ignore[union-attr]
    assert inner.metadata["delta.typeChanges"] == [
        {"fromType": "byte", "toType": "short"},
        {"fromType": "short", "toType": "integer"},
    ]
    flat = made(tmp_path / "flat", "map<string,array<byte>>", None, changes={"widen": "metadata"})
    flat.merge([{"id": 1, "v": [{"key": "k", "value": [300]}], "n": 1}])
    assert flat.snapshot().schema.field("v").metadata["delta.typeChanges"] == [
        {"fromType": "byte", "toType": "short", "fieldPath": "value.element"}
    ]


def test_delta_rs_can_not_read_the_feature_yet(tmp_path: Path) -> None:
    """When this fails, docs/decisions/0010 is to be thought over."""
    table = made(tmp_path, "integer", 1, changes={"widen": "metadata"})
    table.merge([{"id": 1, "v": 2**40, "n": 1}])
    with pytest.raises(DeltaError, match="typeWidening"):
        DeltaTable(str(tmp_path / NAME)).to_pyarrow_table()


def test_never_rejects_what_does_not_fit(tmp_path: Path) -> None:
    table = made(tmp_path, "integer", 1, changes={"widen": "never"})
    result = table.merge([{"id": 1, "v": 2**40, "n": 1}, {"id": 2, "v": 5, "n": 1}])
    assert (result.updated, result.rejected, type_of(table)) == (1, 1, "integer")


@pytest.mark.parametrize("policy", ["freeze", "discard_columns", "quarantine"])
def test_other_policies_do_not_widen(tmp_path: Path, policy: str) -> None:
    table = made(tmp_path, "integer", 1, changes={"schema": policy})
    result = table.merge([{"id": 1, "v": 2**40, "n": 1}])
    assert (result.rejected, type_of(table)) == (1, "integer")


def test_a_dry_run_tells_and_changes_nothing(tmp_path: Path) -> None:
    table = made(tmp_path, "integer", 1)
    version = table.snapshot().version
    result = table.merge([{"id": 1, "v": 2**40, "n": 1}], dry_run=True)
    assert (result.widened, result.updated) == (("v",), 1)
    assert (table.snapshot().version, type_of(table)) == (version, "integer")


def test_older_versions_keep_their_type(tmp_path: Path) -> None:
    table = made(tmp_path, "integer", 1)
    table.merge([{"id": 1, "v": 2**40, "n": 1}])
    assert table.read(version=2)["v"].dtype == pl.Int32
    assert table.read()["v"].dtype == pl.Int64
    assert table.diff(2)["v"].to_list() == [1, 2**40]
    table.restore(version=2)
    assert set(ours(table)["v"]) == {1}
    assert len(everywhere(table, tmp_path)) == 4


def test_keys_and_sequences_widen_with_all_that_is_remembered(tmp_path: Path, mode: str) -> None:
    table = open_table(
        tmp_path,
        merge=mode,
        schema={"id": "integer", "v": "string", "w": "string", "n": "integer"},
        changes={"sequence": "n"},
    )
    table.merge([{"id": 1, "v": "a", "w": "a", "n": 10}, {"id": 2, "v": "a", "w": "a", "n": 10}])
    table.merge([{"id": 1, "v": "b", "n": 11}, {"id": 2, "n": 20, "_op": "delete"}])
    big = 2**40
    result = table.merge(
        [
            {"id": big, "v": "c", "w": "c", "n": big},
            {"id": 2, "v": "late", "w": "late", "n": 15},
            {"id": 1, "w": "older", "n": 5},
        ]
    )
    assert set(result.widened) == {"id", "n"}
    assert (result.inserted, result.stale, result.rejected) == (1, 2, 0)
    table.merge([{"id": 1, "w": "new", "n": big}, {"id": 2, "v": "new", "w": "n", "n": 21}])
    rows = {row["id"]: (row["v"], row["w"], row["n"]) for row in everywhere(table, tmp_path)}
    assert rows == {1: ("b", "new", big), 2: ("new", "n", 21), big: ("c", "c", big)}


def test_partition_columns_keep_their_type(tmp_path: Path) -> None:
    table = open_table(tmp_path, schema={"id": "long", "p": "integer"}, partition_by=["p"])
    table.merge([{"id": 1, "p": 1}])
    result = table.merge([{"id": 2, "p": 2**40}, {"id": 3, "p": 2}])
    assert (result.rejected, result.inserted, result.widened) == (1, 1, ())


def test_the_change_feed_shows_only_what_changed(tmp_path: Path) -> None:
    table = made(tmp_path, "integer", 1, change_feed=True)
    version = table.snapshot().version
    for rows in ([{"id": 8, "v": 2**40, "n": 1}], [{"id": 1, "v": 2**41, "n": 1}]):
        table.merge(rows)
    feed = pl.DataFrame(delta(tmp_path).load_cdf(starting_version=version + 1).read_all())
    found = feed.select("_commit_version", "_change_type", "id", "v").sort("_commit_version", "_change_type")
    assert found.rows() == [
        (version + 1, "insert", 8, 2**40),
        (version + 2, "update_postimage", 1, 2**41),
        (version + 2, "update_preimage", 1, 1),
    ]


def test_full_history_widens_too(tmp_path: Path) -> None:
    table = open_table(
        tmp_path,
        schema={"id": "long", "v": "integer", "n": "timestamp"},
        history="full",
        changes={"sequence": "n"},
    )
    at = [f"2024-01-0{day}T00:00:00Z" for day in range(1, 8)]
    table.merge([{"id": 1, "v": 1, "n": at[0]}, {"id": 1, "v": 2, "n": at[4]}])
    result = table.merge([{"id": 1, "v": 2**40, "n": at[2]}])
    assert (result.widened, result.rejected) == (("v",), 0)
    assert table.read().sort("n")["v"].to_list() == [1, 2**40, 2]
    table.merge([{"id": 1, "v": 7, "n": at[1]}])
    assert table.read().sort("n")["v"].to_list() == [1, 7, 2**40, 2]


def test_an_append_only_table_widens_since_no_row_goes(tmp_path: Path) -> None:
    table = made(tmp_path, "integer", 1)
    DeltaTable(str(tmp_path / NAME)).alter.set_table_properties({"delta.appendOnly": "true"})
    result = table.merge([{"id": 8, "v": 2**40, "n": 1}])
    assert (result.inserted, result.widened) == (1, ("v",))
    assert len(everywhere(table, tmp_path)) == 5


def test_a_full_picture_is_compared_in_the_wider_type(tmp_path: Path) -> None:
    table = open_table(tmp_path, schema={"id": "long", "v": "integer"}, changes={"format": "snapshot"})
    table.merge([{"id": 1, "v": 1}, {"id": 2, "v": 2}])
    result = table.merge([{"id": 1, "v": 1}, {"id": 2, "v": 2**40}])
    assert (result.unchanged, result.updated, result.widened) == (1, 1, ("v",))
    assert len(everywhere(table, tmp_path)) == 2
