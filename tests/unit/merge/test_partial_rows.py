"""Changes that do not state every column keep what is stored."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.properties.tables import everywhere, open_table

SCHEMA = {"id": "long", "seq": "long", "a": "long", "b": "string"}


def rows(table_rows: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    return [(row["id"], row["a"], row["b"]) for row in table_rows]


@pytest.mark.parametrize("changes", [{}, {"sequence": "seq"}], ids=["arrival", "sequence"])
class TestBothOrders:
    def test_cells_that_a_record_lacks_stay(self, tmp_path: Path, mode: str, changes: dict[str, Any]) -> None:
        table = open_table(tmp_path, merge=mode, schema=SCHEMA, changes=changes)
        table.merge([{"id": key, "seq": 1, "a": key, "b": "x"} for key in (1, 2, 3, 4)])
        result = table.merge(
            [
                {"id": 1, "seq": 2, "a": 10},
                {"id": 2, "seq": 2, "b": "y"},
                {"id": 3, "seq": 2, "a": None},
                {"id": 5, "seq": 2, "b": "new"},
            ]
        )
        assert (result.updated, result.inserted) == (3, 1)
        found = rows(everywhere(table, tmp_path))
        assert found == [(1, 10, "x"), (2, 2, "y"), (3, None, "x"), (4, 4, "x"), (5, None, "new")]

    def test_columns_that_the_whole_batch_lacks_stay(
        self, tmp_path: Path, mode: str, changes: dict[str, Any]
    ) -> None:
        table = open_table(tmp_path, merge=mode, schema=SCHEMA, changes=changes)
        table.merge([{"id": 1, "seq": 1, "a": 1, "b": "x"}, {"id": 2, "seq": 1, "a": 2, "b": "y"}])
        table.merge([{"id": 1, "seq": 2, "a": 10}, {"id": 3, "seq": 2, "a": 30}])
        found = rows(everywhere(table, tmp_path))
        assert found == [(1, 10, "x"), (2, 2, "y"), (3, 30, None)]

    def test_nulls_are_values_unless_they_are_to_be_ignored(
        self, tmp_path: Path, mode: str, changes: dict[str, Any]
    ) -> None:
        batch = [{"id": 1, "seq": 2, "a": None, "b": "y"}]
        for ignore, expected in ((False, (1, None, "y")), (True, (1, 1, "y"))):
            table = open_table(
                tmp_path / str(ignore),
                merge=mode,
                schema=SCHEMA,
                changes={**changes, "ignore_null_updates": ignore},
            )
            table.merge([{"id": 1, "seq": 1, "a": 1, "b": "x"}])
            table.merge(batch)
            assert rows(everywhere(table, tmp_path / str(ignore))) == [expected]

    def test_records_of_one_batch_build_on_each_other(
        self, tmp_path: Path, mode: str, changes: dict[str, Any]
    ) -> None:
        table = open_table(tmp_path, merge=mode, schema=SCHEMA, changes=changes)
        table.merge([{"id": 1, "seq": 1, "a": 1, "b": "x"}])
        table.merge([{"id": 1, "seq": 2, "a": 2}, {"id": 1, "seq": 3, "b": "y"}, {"id": 2, "seq": 2, "a": 7}])
        assert rows(everywhere(table, tmp_path)) == [(1, 2, "y"), (2, 7, None)]

    def test_nothing_comes_back_from_before_a_delete(
        self, tmp_path: Path, mode: str, changes: dict[str, Any]
    ) -> None:
        table = open_table(tmp_path, merge=mode, schema=SCHEMA, changes=changes)
        table.merge([{"id": 1, "seq": 1, "a": 1, "b": "x"}, {"id": 2, "seq": 1, "a": 2, "b": "x"}])
        table.merge([{"id": 1, "seq": 2, "_op": "delete"}, {"id": 1, "seq": 3, "a": 5}])
        table.merge([{"id": 2, "seq": 2, "_op": "delete"}])
        table.merge([{"id": 2, "seq": 3, "a": 6}])
        assert rows(everywhere(table, tmp_path)) == [(1, 5, None), (2, 6, None)]


def test_late_partial_rows_fill_the_cells_that_nobody_set_later(tmp_path: Path, mode: str) -> None:
    table = open_table(tmp_path, merge=mode, schema=SCHEMA, changes={"sequence": "seq"})
    table.merge([{"id": 1, "seq": 5, "a": 5}])
    late = table.merge([{"id": 1, "seq": 3, "a": 3, "b": "three"}])
    assert (late.updated, late.stale) == (1, 0)
    assert everywhere(table, tmp_path) == [{"id": 1, "seq": 5, "a": 5, "b": "three"}]
    assert table.merge([{"id": 1, "seq": 2, "b": "two"}]).stale == 1
    assert table.merge([{"id": 1, "seq": 4, "b": "four"}]).updated == 1
    assert everywhere(table, tmp_path) == [{"id": 1, "seq": 5, "a": 5, "b": "four"}]


def test_a_late_delete_empties_the_cells_that_are_older(tmp_path: Path, mode: str) -> None:
    table = open_table(tmp_path, merge=mode, schema=SCHEMA, changes={"sequence": "seq"})
    table.merge([{"id": 1, "seq": 1, "a": 1, "b": "x"}])
    table.merge([{"id": 1, "seq": 5, "a": 5}])
    table.merge([{"id": 1, "seq": 3, "_op": "delete"}])
    assert everywhere(table, tmp_path) == [{"id": 1, "seq": 5, "a": 5, "b": None}]
    assert table.merge([{"id": 1, "seq": 2, "b": "two"}]).stale == 1
    assert table.merge([{"id": 1, "seq": 4, "b": "four"}]).updated == 1
    assert everywhere(table, tmp_path) == [{"id": 1, "seq": 5, "a": 5, "b": "four"}]


def test_the_ages_of_cells_are_stored_beside_the_row_and_not_shown(tmp_path: Path) -> None:
    table = open_table(tmp_path, schema=SCHEMA, changes={"sequence": "seq"})
    table.merge([{"id": 1, "seq": 1, "a": 1, "b": "x"}])
    assert "_cells" not in table.snapshot().schema.names
    table.merge([{"id": 1, "seq": 2, "a": 2}])
    assert "_cells" in table.snapshot().schema.names
    assert table.read().columns == ["id", "seq", "a", "b"]
    (cells,) = table.read(columns=["_cells"])["_cells"].to_list()
    assert [(entry["columns"], entry["at"]) for entry in cells] == [("b", {"seq": 1})]
    table.merge([{"id": 1, "seq": 3, "a": 3, "b": "z"}])
    assert table.read(columns=["_cells"])["_cells"].to_list() == [None]


def test_partial_rows_of_a_partitioned_table_stay_in_their_partition(tmp_path: Path, mode: str) -> None:
    table = open_table(tmp_path, merge=mode, schema=SCHEMA, partition_by=["b"], changes={"sequence": "seq"})
    table.merge([{"id": 1, "seq": 1, "a": 1, "b": "x"}, {"id": 2, "seq": 1, "a": 2, "b": "y"}])
    table.merge([{"id": 1, "seq": 2, "a": 10}])
    assert rows(everywhere(table, tmp_path)) == [(1, 10, "x"), (2, 2, "y")]
    assert {add.partition_values["b"] for add in table.snapshot().files.values()} == {"x", "y"}
