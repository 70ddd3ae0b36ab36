"""Truncates: all rows that are not newer go."""

from __future__ import annotations

from pathlib import Path

from tests.properties.tables import everywhere, open_table

SCHEMA = {"id": "long", "seq": "long", "a": "long", "b": "string"}
BY_SEQUENCE = {"sequence": "seq"}


def test_by_arrival_everything_before_it_goes(tmp_path: Path, mode: str) -> None:
    table = open_table(tmp_path, merge=mode)
    table.merge([{"id": key, "v": "a"} for key in range(5)])
    result = table.merge([{"id": 1, "v": "b"}, {"_op": "truncate"}, {"id": 2, "v": "c"}])
    assert (result.deleted, result.stale, result.inserted, result.total) == (1, 1, 1, 3)
    assert (result.rows_removed, result.files_removed, result.vectors_written) == (5, 1, 0)
    assert everywhere(table, tmp_path) == [{"id": 2, "v": "c"}]


def test_by_sequence_newer_rows_stay(tmp_path: Path, mode: str) -> None:
    table = open_table(tmp_path, merge=mode, schema=SCHEMA, changes=BY_SEQUENCE)
    table.merge([{"id": key, "seq": key, "a": key, "b": "x"} for key in range(1, 6)])
    table.merge([{"id": key, "seq": 1, "a": key, "b": "x"} for key in range(6, 9)])
    result = table.merge([{"seq": 3, "_op": "truncate"}])
    assert (result.deleted, result.total, result.rows_removed) == (1, 1, 6)
    assert [row["id"] for row in everywhere(table, tmp_path)] == [4, 5]
    assert table.verify().ok


def test_it_holds_against_what_comes_late(tmp_path: Path, mode: str) -> None:
    table = open_table(tmp_path, merge=mode, schema=SCHEMA, changes=BY_SEQUENCE)
    table.merge([{"id": 1, "seq": 1, "a": 1, "b": "x"}])
    table.merge([{"seq": 5, "_op": "truncate"}])
    late = table.merge(
        [
            {"id": 1, "seq": 4, "a": 4, "b": "x"},
            {"id": 2, "seq": 5, "a": 5, "b": "x"},
            {"id": 3, "seq": 4, "_op": "delete"},
            {"id": 4, "seq": 6, "a": 6, "b": "x"},
        ]
    )
    assert (late.stale, late.conflicting, late.inserted, late.total) == (2, 1, 1, 4)
    assert [row["id"] for row in everywhere(table, tmp_path)] == [4]
    assert table.merge([{"seq": 5, "_op": "truncate"}]).duplicate == 1
    assert table.merge([{"seq": 4, "_op": "truncate"}]).stale == 1
    both = table.merge([{"seq": 3, "_op": "truncate"}, {"seq": 7, "_op": "truncate"}])
    assert (both.stale, both.deleted) == (1, 1)
    assert everywhere(table, tmp_path) == []


def test_rows_without_a_sequence_are_older_than_any_truncate(tmp_path: Path, mode: str) -> None:
    first = open_table(tmp_path, merge=mode, schema={"id": "long", "a": "long"})
    first.merge([{"id": 1, "a": 1}, {"id": 2, "a": 2}])
    table = open_table(tmp_path, merge=mode, changes=BY_SEQUENCE)
    table.merge([{"id": 2, "seq": 5, "a": 3}])
    table.merge([{"seq": 1, "_op": "truncate"}])
    assert everywhere(table, tmp_path) == [{"id": 2, "a": 3, "seq": 5}]


def test_rows_that_stay_lose_the_cells_that_are_older(tmp_path: Path, mode: str) -> None:
    table = open_table(tmp_path, merge=mode, schema=SCHEMA, changes=BY_SEQUENCE)
    table.merge([{"id": key, "seq": 1, "a": 1, "b": "old"} for key in (1, 2, 3)])
    table.merge([{"id": key, "seq": 5, "a": 5} for key in (1, 2, 3, 4)])
    result = table.merge(
        [{"seq": 3, "_op": "truncate"}, {"id": 2, "seq": 6, "a": 6}, {"id": 3, "seq": 4, "b": "later"}]
    )
    assert (result.deleted, result.updated, result.total) == (1, 2, 3)
    assert [(row["id"], row["a"], row["b"]) for row in everywhere(table, tmp_path)] == [
        (1, 5, None),
        (2, 6, None),
        (3, 5, "later"),
        (4, 5, None),
    ]
    late = table.merge([{"id": key, "seq": 2, "b": "late"} for key in (1, 2, 3, 4)])
    assert (late.stale, late.committed) == (4, False)
    assert table.verify().ok


def test_its_memory_is_carried_over_a_restore(tmp_path: Path) -> None:
    table = open_table(tmp_path, schema=SCHEMA, changes=BY_SEQUENCE)
    table.merge([{"id": 1, "seq": 1, "a": 1, "b": "x"}])
    table.merge([{"seq": 5, "_op": "truncate"}, {"id": 2, "seq": 7, "_op": "delete"}])
    late = [{"id": 3, "seq": 4, "a": 4, "b": "x"}, {"id": 2, "seq": 6, "a": 6, "b": "x"}]
    assert table.merge(late).stale == 2
    table.restore(version=1)
    assert everywhere(table, tmp_path) == [{"id": 1, "seq": 1, "a": 1, "b": "x"}]
    assert table.merge(late).inserted == 2
    table.restore(version=2)
    assert everywhere(table, tmp_path) == []
    assert table.merge(late).stale == 2
