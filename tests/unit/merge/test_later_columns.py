"""Columns that come when there are rows: those rows say nothing of them, whoever wrote their files since."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from lakehouse.cdc.generations import GENERATION
from lakehouse.table import Table
from tests.properties.tables import Row, delta, everywhere, open_table, ours

ROW: Row = {"id": 1, "seq": 5, "a": 5}
OTHER: Row = {"id": 2, "seq": 1, "a": 2, "b": "y"}
LATE: Row = {"id": 1, "seq": 3, "a": 3, "b": "x"}


def opened(root: Path, mode: str, **section: Any) -> Table:
    return open_table(root, merge=mode, changes={"sequence": "seq"}, **section)


def row(table: Table, root: Path) -> Row:
    return next(found for found in everywhere(table, root) if found["id"] == 1)


def test_a_late_change_fills_a_column_that_came_after_the_row(tmp_path: Path, mode: str) -> None:
    table = opened(tmp_path, mode)
    table.merge([ROW])
    assert table.merge([OTHER]).new_columns == ("b",)
    result = table.merge([LATE])
    assert (result.updated, result.stale) == (1, 0)
    assert row(table, tmp_path) == {**ROW, "b": "x"}
    assert not table.merge([LATE]).committed
    table.merge([{**LATE, "seq": 2, "b": "older"}])
    assert row(table, tmp_path) == {**ROW, "b": "x"}
    assert table.verify().ok


@pytest.mark.parametrize(
    "rewrite",
    [lambda table, _: table.compact(), lambda _, root: delta(root).optimize.compact()],
    ids=["by us", "by delta-rs"],
)
def test_the_files_were_compacted_in_between(
    tmp_path: Path, rewrite: Callable[[Table, Path], object]
) -> None:
    table = opened(tmp_path, "on_write")
    table.merge([ROW, {"id": 3, "seq": 5, "a": 3}])
    table.merge([OTHER, {"id": 4, "seq": 5, "a": 4, "b": None}])
    rewrite(table, tmp_path)
    assert len(table.snapshot().files) == 1
    table.merge([LATE, {**LATE, "id": 4}])
    assert row(table, tmp_path) == {**ROW, "b": "x"}
    assert {"id": 4, "seq": 5, "a": 4, "b": None} in everywhere(table, tmp_path)


def test_null_that_was_stated_stays(tmp_path: Path, mode: str) -> None:
    table = opened(tmp_path, mode)
    table.merge([OTHER])
    table.merge([{**ROW, "b": None}])
    table.merge([LATE])
    assert row(table, tmp_path) == {**ROW, "b": None}


@pytest.mark.parametrize("first", [{"id": 9, "seq": 1, "a": 1}, {"id": 9, "seq": 1, "a": 1, "b": None}])
def test_null_stays_that_was_stated_before_the_column_had_a_type(
    tmp_path: Path, mode: str, first: Row
) -> None:
    table = opened(tmp_path, mode)
    table.merge([first])
    table.merge([{**ROW, "b": None}, {"id": 3, "seq": 5, "a": 3}])
    assert "b" not in table.snapshot().schema
    table.merge([OTHER])
    table.merge([LATE, {**LATE, "id": 3}])
    assert row(table, tmp_path) == {**ROW, "b": None}
    assert {"id": 3, "seq": 5, "a": 3, "b": "x"} in everywhere(table, tmp_path)


@pytest.mark.parametrize(
    "batches",
    [
        [[{"id": 1, "seq": 4, "_op": "delete"}], [ROW]],
        [[ROW], [{"id": 1, "seq": 4, "_op": "delete"}]],
        [[{"id": 1, "seq": 4, "_op": "delete"}, ROW]],
        [[{"seq": 4, "_op": "truncate"}, ROW]],
        [[ROW], [{"seq": 4, "_op": "truncate"}]],
    ],
    ids=["before", "late", "in the same batch", "truncate", "late truncate"],
)
def test_nothing_from_before_a_delete_comes_back(tmp_path: Path, mode: str, batches: list[list[Row]]) -> None:
    table = opened(tmp_path, mode, schema={"id": "long", "seq": "long", "a": "long"})
    for batch in batches:
        table.merge(batch)
        assert not table.merge(batch).committed
    table.merge([{**OTHER, "seq": 6}])
    table.merge([LATE])
    assert row(table, tmp_path) == {**ROW, "b": None}
    table.merge([{**LATE, "seq": 4, "id": 7}, {"id": 1, "seq": 5, "a": 5, "b": "same"}])
    assert row(table, tmp_path)["b"] == "same"


def test_another_writer_filled_the_cell(tmp_path: Path) -> None:
    table = opened(tmp_path, "on_write")
    table.merge([ROW])
    table.merge([OTHER])
    delta(tmp_path).update(updates={"b": "'theirs'"}, predicate="id = 1")
    table = opened(tmp_path, "on_write")
    table.merge([LATE])
    assert row(table, tmp_path) == {**ROW, "b": "theirs"}
    table.merge([{"id": 1, "seq": 6, "a": 6, "b": "z"}])
    assert row(table, tmp_path) == {"id": 1, "seq": 6, "a": 6, "b": "z"}


def test_versions_that_did_not_know_a_column_take_it_from_a_late_change(tmp_path: Path, mode: str) -> None:
    table = opened(tmp_path, mode, history="full")
    table.merge([{"id": 1, "seq": 2, "a": 2}, ROW])
    before = len(table.snapshot().files)
    table.merge([OTHER])
    assert len(table.snapshot().files) == before + 1
    table.merge([LATE])
    found = ours(table).filter(pl.col("id") == 1).sort("seq")
    assert found.select("seq", "a", "b").rows() == [(2, 2, None), (3, 3, "x"), (5, 5, "x")]
    assert not table.merge([LATE]).committed


def test_it_goes_back_to_before_the_column(tmp_path: Path, mode: str) -> None:
    table = opened(tmp_path, mode)
    table.merge([ROW])
    version = table.snapshot().version
    table.merge([OTHER])
    table.restore(version=version)
    table.merge([{"id": 3, "seq": 5, "a": 3}])
    table.merge([OTHER])
    table.merge([LATE, {**LATE, "id": 3}])
    assert [found.get("b") for found in everywhere(table, tmp_path)] == ["x", "y", "x"]


def test_nothing_is_kept_where_no_column_comes_later(tmp_path: Path, mode: str) -> None:
    table = opened(tmp_path, mode)
    table.merge([ROW])
    table.merge([{"id": 1, "seq": 6, "a": 6}])
    assert GENERATION not in table.snapshot().schema
    assert not any(name.startswith("lakehouse.") for name in table.snapshot().configuration)


def test_by_arrival_nothing_is_kept(tmp_path: Path, mode: str) -> None:
    table = open_table(tmp_path, merge=mode)
    table.merge([ROW])
    table.merge([OTHER])
    assert GENERATION not in table.snapshot().schema


def test_readers_are_not_shown_it(tmp_path: Path, mode: str) -> None:
    table = opened(tmp_path, mode)
    table.merge([ROW])
    table.merge([OTHER])
    assert table.read().columns == ["id", "seq", "a", "b"]
    assert not any(GENERATION in column for column in table.diff(1, 2).columns)
