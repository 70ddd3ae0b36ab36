"""Every record of a batch is counted once, whatever becomes of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl

from lakehouse.merge.result import COUNTS, MergeResult
from tests.properties.tables import everywhere, open_table

BY_SEQUENCE = {"sequence": "seq"}


def nonzero(result: MergeResult) -> dict[str, int]:
    assert tuple(result.counts) == COUNTS
    return {name: number for name, number in result.counts.items() if number}


def row(key: int, seq: int, value: str | None = "", **more: object) -> dict[str, Any]:
    return {"id": key, "seq": seq, "v": value, **more}


def test_every_kind_of_record(tmp_path: Path, mode: str) -> None:
    table = open_table(
        tmp_path, merge=mode, changes=BY_SEQUENCE, schema={"id": "long", "seq": "long", "v": "string"}
    )
    first = table.merge([row(key, 10, "old") for key in range(1, 8)])
    assert nonzero(first) == {"inserted": 7}
    assert nonzero(table.merge([{"id": 7, "seq": 20, "_op": "delete"}])) == {"deleted": 1}

    result = table.merge(
        [
            row(1, 11, "new"),  # 0 updated
            {"id": 2, "seq": 11, "_op": "d"},  # 1 deleted
            row(3, 9, "late"),  # 2 stale: the stored row is newer
            row(4, 10, "old"),  # 3 duplicate of the stored row
            {"id": 5, "seq": 10, "_op": "delete"},  # 4 conflicting: a delete of the same sequence wins
            row(7, 19, "late"),  # 5 stale: deleted at 20
            {"id": 7, "seq": 20, "_op": "delete"},  # 6 duplicate of the remembered delete
            {"id": 8, "seq": 1, "_op": "delete"},  # 7 unchanged: nothing to delete
            row(9, 1, "a"),  # 8 stale: the next one is newer
            row(9, 2, "b"),  # 9 inserted, or 10 counts as its copy
            row(9, 2, "b"),  # 10
            row(10, 1, "x"),  # 11 contradicts 12, which of them stands is settled by their content
            row(10, 1, "y"),  # 12
            {"id": None, "seq": 1, "v": "no key"},  # 13 rejected
            {"id": 11, "seq": None, "v": "no sequence"},  # 14 rejected
            row(12, 1, "unknown", _op="merge"),  # 15 rejected
            {"id": "abc", "seq": 1, "v": "no number"},  # 16 rejected
            "no row",  # 17 rejected
        ]
    )

    assert nonzero(result) == {
        "inserted": 2,
        "updated": 1,
        "deleted": 1,
        "unchanged": 1,
        "stale": 3,
        "duplicate": 3,
        "conflicting": 2,
        "rejected": 5,
    }
    assert result.total == 18
    assert [(problem.position, problem.reason) for problem in result.problems] == [
        (13, "null_key"),
        (14, "null_sequence"),
        (15, "unknown_op"),
        (16, "bad_value"),
        (17, "bad_json"),
    ]
    assert [(r["id"], r["seq"], r["v"]) for r in everywhere(table, tmp_path)] == [
        (1, 11, "new"),
        (10, 1, table.read(where="id = 10")["v"][0]),
        (3, 10, "old"),
        (4, 10, "old"),
        (6, 10, "old"),
        (9, 2, "b"),
    ]


def test_which_of_two_contradicting_records_stands_does_not_depend_on_arrival(
    tmp_path: Path, mode: str
) -> None:
    found = set()
    batches = [
        [[row(1, 1, "x"), row(1, 1, "y")]],
        [[row(1, 1, "y"), row(1, 1, "x")]],
        [[row(1, 1, "x")], [row(1, 1, "y")]],
        [[row(1, 1, "y")], [row(1, 1, "x")]],
    ]
    for number, delivery in enumerate(batches):
        table = open_table(tmp_path / str(number), merge=mode, changes=BY_SEQUENCE)
        results = [table.merge(batch) for batch in delivery]
        assert sum(result.conflicting for result in results) == 1
        found.add(table.read()["v"][0])
    assert len(found) == 1


def test_a_delete_wins_over_an_upsert_of_the_same_sequence(tmp_path: Path, mode: str) -> None:
    one = open_table(tmp_path / "one", merge=mode, changes=BY_SEQUENCE)
    assert nonzero(one.merge([row(1, 1), row(2, 5, "x"), {"id": 2, "seq": 5, "_op": "delete"}])) == {
        "inserted": 1,
        "unchanged": 1,
        "conflicting": 1,
    }
    assert one.read()["id"].to_list() == [1]
    two = open_table(tmp_path / "two", merge=mode, changes=BY_SEQUENCE)
    two.merge([row(1, 1), {"id": 2, "seq": 5, "_op": "delete"}])
    assert nonzero(two.merge([row(2, 5, "x")])) == {"conflicting": 1}
    assert two.read()["id"].to_list() == [1]


def test_a_redelivered_batch_changes_nothing(tmp_path: Path, mode: str) -> None:
    table = open_table(tmp_path, merge=mode, changes=BY_SEQUENCE)
    batch = [row(1, 1, "a"), row(2, 1, "b"), row(1, 2, "c"), {"id": 3, "seq": 1, "_op": "delete"}]
    assert nonzero(table.merge(batch)) == {"inserted": 2, "unchanged": 1, "stale": 1}
    before = everywhere(table, tmp_path)
    again = table.merge(batch)
    assert nonzero(again) == {"duplicate": 3, "stale": 1}
    assert (again.committed, again.version) == (False, 1)
    assert everywhere(table, tmp_path) == before


def test_by_arrival_every_record_counts(tmp_path: Path, mode: str) -> None:
    table = open_table(tmp_path, merge=mode)
    result = table.merge([{"id": 1, "v": "a"}, {"id": 1, "v": "b"}, {"id": 2, "v": "c"}])
    assert nonzero(result) == {"inserted": 2, "stale": 1}
    result = table.merge(
        [{"id": 1, "v": "b"}, {"id": 2, "_op": "delete"}, {"id": 2, "v": "d"}, {"id": 3, "_op": "delete"}]
    )
    assert nonzero(result) == {"updated": 2, "unchanged": 1, "stale": 1}
    assert everywhere(table, tmp_path) == [{"id": 1, "v": "b"}, {"id": 2, "v": "d"}]


def test_nothing_in_a_batch_makes_no_version(tmp_path: Path, mode: str) -> None:
    table = open_table(tmp_path, merge=mode, changes=BY_SEQUENCE)
    nothings: list[Any] = [[], iter(()), pl.DataFrame(schema={"id": pl.Int64(), "seq": pl.Int64()})]
    for nothing in nothings:
        result = table.merge(nothing)
        assert (result.total, result.version, result.committed) == (0, None, False)
        assert not table.exists()
    table.merge([row(1, 1)])
    result = table.merge([])
    assert (result.total, result.version, result.committed) == (0, 1, False)


def test_a_batch_without_one_good_record_makes_no_version(tmp_path: Path, mode: str) -> None:
    table = open_table(
        tmp_path, merge=mode, changes=BY_SEQUENCE, schema={"id": "long", "seq": "long", "v": "string"}
    )
    assert nonzero(table.merge([{"id": None, "seq": 1, "v": "x"}])) == {"rejected": 1}
    assert not table.exists()
    table.merge([row(1, 1)])
    result = table.merge([{"id": None, "seq": 1, "v": "x"}, {"id": 1, "seq": "z", "v": "x"}])
    assert nonzero(result) == {"rejected": 2}
    assert not result.committed
    assert [problem.reason for problem in result.problems] == ["null_key", "bad_value"]


def test_what_a_merge_cost(tmp_path: Path) -> None:
    table = open_table(tmp_path, merge="on_read", changes=BY_SEQUENCE)
    first = table.merge([row(key, 1) for key in range(100)])
    assert (first.files_added, first.files_removed, first.vectors_written, first.rows_removed) == (1, 0, 0, 0)
    second = table.merge([row(key, 2) for key in range(10)])
    assert (second.files_added, second.files_removed, second.vectors_written) == (1, 0, 1)
    assert (second.rows_removed, second.attempts, second.version) == (10, 1, 2)
    assert set(second.seconds) >= {"normalize", "order", "locate", "decide", "write", "commit"}
    data = (tmp_path / "t").glob("*.parquet")
    vectors = (tmp_path / "t").glob("*.bin")
    sizes = sum(file.stat().st_size for file in [*data, *vectors])
    assert first.bytes_written + second.bytes_written <= sizes
    assert first.bytes_written + second.bytes_written >= sizes - 10


def test_a_key_that_changes_is_one_record_and_two_rows(tmp_path: Path, mode: str) -> None:
    table = open_table(tmp_path, merge=mode, changes={"format": "debezium"})

    def event(op: str, before: dict[str, Any] | None, after: dict[str, Any] | None, lsn: int) -> Any:
        source = {
            "connector": "postgresql",
            "db": "s",
            "schema": "public",
            "table": "t",
            "sequence": f'["{lsn}","{lsn}"]',
            "lsn": lsn,
        }
        return {"op": op, "before": before, "after": after, "source": source, "ts_ms": 1}

    table.merge([event("c", None, {"id": 1, "v": "a"}, 1), event("c", None, {"id": 9, "v": "z"}, 1)])
    result = table.merge([event("u", {"id": 1, "v": "a"}, {"id": 2, "v": "b"}, 2)])
    assert nonzero(result) == {"inserted": 1}
    assert result.rows_removed == 1
    assert sorted(table.read(columns=["id", "v"]).rows()) == [(2, "b"), (9, "z")]
    again = table.merge([event("u", {"id": 1, "v": "a"}, {"id": 2, "v": "b"}, 2)])
    assert nonzero(again) == {"duplicate": 1}
