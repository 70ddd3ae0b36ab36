"""What a merge does to data files: mark, rewrite, drop, append."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from lakehouse.table import Table
from tests.properties.tables import NAME, delta, everywhere, files_below, open_table


def filled(root: Path, mode: str, rows: int = 100, files: int = 1) -> Table:
    table = open_table(root, merge=mode)
    for number in range(files):
        keys = range(number * rows, (number + 1) * rows)
        table.merge([{"id": key, "v": "a"} for key in keys])
    return table


def deletes(*keys: int) -> list[dict[str, object]]:
    return [{"id": key, "_op": "delete"} for key in keys]


def paths(table: Table) -> set[str]:
    return set(table.snapshot().files)


def test_rows_are_marked_and_their_file_stays(tmp_path: Path) -> None:
    table = filled(tmp_path, "on_read")
    before = paths(table)
    table.merge(deletes(3, 5))
    table.merge(deletes(7, 8, 9))
    assert paths(table) == before
    (add,) = table.snapshot().files.values()
    assert add.deletion_vector is not None
    assert (add.deletion_vector.cardinality, add.live_records) == (5, 95)
    assert not add.statistics.tight_bounds
    assert len(everywhere(table, tmp_path)) == 95


def test_on_write_rewrites_only_the_files_that_hold_the_keys(tmp_path: Path) -> None:
    table = filled(tmp_path, "on_write", files=3)
    before = paths(table)
    result = table.merge([{"id": 150, "v": "b"}, {"id": 151, "_op": "delete"}])
    assert len(before & paths(table)) == 2
    assert (result.files_removed, result.files_added, result.vectors_written) == (1, 2, 0)
    assert result.rows_removed == 2
    rows = everywhere(table, tmp_path)
    assert len(rows) == 299
    assert {row["id"] for row in rows if row["v"] == "b"} == {150}


def test_a_file_whose_rows_all_die_goes(tmp_path: Path, mode: str) -> None:
    table = filled(tmp_path, mode, rows=10, files=2)
    result = table.merge(deletes(*range(10)))
    assert (result.files_removed, result.vectors_written) == (1, 0)
    assert result.files_added == 0
    assert len(paths(table)) == 1
    half = table.merge(deletes(*range(10, 14)))
    rest = table.merge(deletes(*range(14, 20)))
    assert (half.deleted, rest.deleted, rest.files_removed) == (4, 6, 1)
    assert everywhere(table, tmp_path) == []
    assert not [name for name in files_below(tmp_path / NAME) if "bin" in name and mode == "on_write"]


def test_a_file_that_is_mostly_dead_is_rewritten(tmp_path: Path) -> None:
    table = filled(tmp_path, "on_read")
    old = paths(table)
    assert table.merge(deletes(*range(50))).vectors_written == 1
    assert paths(table) == old
    result = table.merge(deletes(50))
    assert (result.vectors_written, result.files_removed, result.files_added) == (0, 1, 1)
    assert not old & paths(table)
    (add,) = table.snapshot().files.values()
    assert (add.deletion_vector, add.physical_records) == (None, 49)
    assert [row["id"] for row in sorted(everywhere(table, tmp_path), key=lambda row: row["id"])] == list(
        range(51, 100)
    )


def test_one_vector_file_holds_the_vectors_of_a_commit(tmp_path: Path) -> None:
    table = filled(tmp_path, "on_read", files=4)
    result = table.merge([{"id": key, "v": "b"} for key in range(0, 400, 40)])
    assert (result.updated, result.vectors_written, result.files_added) == (10, 4, 1)
    assert len(list((tmp_path / NAME).glob("*.bin"))) == 1
    assert len(everywhere(table, tmp_path)) == 400


def test_files_without_the_keys_are_not_opened(tmp_path: Path) -> None:
    table = filled(tmp_path, "on_read", files=3)
    others = [path for path, add in table.snapshot().files.items() if add.statistics.min_values["id"] != 100]
    for path in others:
        (tmp_path / NAME / path).write_bytes(b"")
    result = table.merge([{"id": 150, "v": "b"}])
    assert (result.updated, result.inserted) == (1, 0)


def test_more_files_than_one_scan_takes(tmp_path: Path, mode: str) -> None:
    root = tmp_path
    table = filled(root, mode, rows=2, files=2)
    frames = [pl.DataFrame({"id": [key, key + 1], "v": ["a", "a"]}) for key in range(4, 284, 2)]
    for frame in frames:
        delta_append(root, frame)
    assert len(paths(table)) == 142
    keys = list(range(0, 284, 3))
    result = table.merge([{"id": key, "v": "b"} for key in keys])
    assert (result.updated, result.inserted) == (len(keys), 0)
    rows = everywhere(table, root)
    assert len(rows) == 284
    assert sorted(row["id"] for row in rows if row["v"] == "b") == keys


def test_files_with_more_rows_than_one_scan_can_number(
    tmp_path: Path, mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lakehouse.delta.scan_groups._ROWS_A_SCAN", 25)
    table = filled(tmp_path, mode, rows=10, files=7)
    for value in ("b", "c"):
        changes = [{"id": key, "v": value} for key in range(0, 70, 3)]
        assert table.merge(changes).updated == 24
        assert len(everywhere(table, tmp_path)) == 70
        assert table.read().filter(v=value).height == 24


def delta_append(root: Path, frame: pl.DataFrame) -> None:
    from deltalake import write_deltalake  # noqa: PLC0415

    write_deltalake(delta(root), frame, mode="append")


def test_the_log_says_what_was_done_and_no_values(tmp_path: Path, mode: str) -> None:
    table = open_table(tmp_path, merge=mode)
    table.merge([{"id": key, "v": "a"} for key in range(10)])
    table.merge([{"id": 1, "v": "secret-value"}, *deletes(2, 77), {"id": 30, "v": "b"}])
    info = delta(tmp_path).history(1)[0]
    assert info["operation"] == "MERGE"
    metrics = {name: int(number) for name, number in info["operationMetrics"].items()}
    assert metrics["numSourceRows"] == 4
    assert metrics["numTargetRowsInserted"] == 1
    assert metrics["numTargetRowsUpdated"] == 1
    assert metrics["numTargetRowsDeleted"] == 1
    assert "secret-value" not in str(info)


def test_a_small_batch_against_many_rows_keeps_all_others(tmp_path: Path, mode: str) -> None:
    table = open_table(tmp_path, merge=mode)
    frame = pl.DataFrame({"id": range(200_000), "v": ["a"] * 200_000})
    table.merge(frame)
    keys = [0, 1, 131_071, 131_072, 131_073, 199_999]
    result = table.merge([{"id": key, "v": "b"} for key in keys] + deletes(5, 131_070))
    assert (result.updated, result.deleted) == (6, 2)
    found = table.read()
    assert found.height == 199_998
    assert sorted(found.filter(pl.col("v") == "b")["id"].to_list()) == keys
