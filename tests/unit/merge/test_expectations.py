"""What rows should be like: measured on every merge, and acted on as the config says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from lakehouse.errors import DataError, UsageError
from lakehouse.table import Table
from tests.properties.tables import files_below, open_table

GOOD = {"id": 1, "seq": 1, "email": "a@shop.example", "n": 1}
BARE = {"id": 2, "seq": 1, "email": None, "n": 2}


def made(root: Path, *expect: dict[str, Any], **section: Any) -> Table:
    schema = {"id": "long", "seq": "long", "email": "string", "n": "long"}
    return open_table(root, **{"schema": schema, "changes": {"sequence": "seq"}, "expect": expect, **section})


def has_email(on_fail: str = "warn") -> dict[str, Any]:
    return {"name": "has_email", "check": "email IS NOT NULL", "on_fail": on_fail}


def numbers(result: Any) -> list[tuple[str, int, int]]:
    return [(each.name, each.checked, each.failed) for each in result.expectations]


def test_a_warning_merges_and_counts(tmp_path: Path) -> None:
    table = made(tmp_path, has_email(), {"name": "small", "check": "n < 2"})
    result = table.merge([GOOD, BARE])
    assert (result.inserted, result.rejected) == (2, 0)
    assert numbers(result) == [("has_email", 2, 1), ("small", 2, 1)]
    log = (tmp_path / "t" / "_delta_log" / f"{result.version:020}.json").read_text()
    metrics = next(json.loads(line)["commitInfo"] for line in log.splitlines() if "commitInfo" in line)
    assert int(metrics["operationMetrics"]["expectation.has_email.checked"]) == 2
    assert int(metrics["operationMetrics"]["expectation.has_email.failed"]) == 1


def test_quarantine_sets_aside(tmp_path: Path) -> None:
    table = made(tmp_path, has_email("quarantine"))
    result = table.merge([GOOD, BARE])
    assert (result.inserted, result.rejected, result.quarantined, result.total) == (1, 1, 1, 2)
    assert [(each.reason, each.detail) for each in result.problems] == [
        ("expectation", "the expectation has_email does not hold")
    ]
    assert table.quarantine.list()["reason"].to_list() == ["expectation"]


def test_drop_leaves_out_and_keeps_nothing(tmp_path: Path) -> None:
    table = made(tmp_path, has_email("drop"))
    result = table.merge([GOOD, BARE])
    assert (result.inserted, result.rejected, result.dropped, result.quarantined) == (1, 1, 1, 0)
    assert table.quarantine.count() == 0
    assert table.read()["id"].to_list() == [1]


@pytest.mark.parametrize("exists", [False, True])
def test_fail_refuses_the_batch_and_writes_nothing(tmp_path: Path, exists: bool) -> None:
    table = made(tmp_path, has_email("fail"))
    if exists:
        table.merge([GOOD])
    before = files_below(tmp_path)
    for dry_run in (True, False):
        with pytest.raises(DataError, match=r"has_email of table t is not met by 1 of 2 rows") as raised:
            table.merge([{**GOOD, "id": 9}, BARE, b"{broken"], dry_run=dry_run)
        assert raised.value.exit_code == 1
    assert files_below(tmp_path) == before


def test_null_is_a_failure(tmp_path: Path) -> None:
    table = made(tmp_path, {"name": "positive", "check": "n > 0", "on_fail": "drop"})
    assert table.merge([{**GOOD, "n": None}, {**BARE, "n": 0}, {**BARE, "id": 3}]).dropped == 2


def test_all_are_judged_on_the_same_rows(tmp_path: Path) -> None:
    table = made(tmp_path, has_email("drop"), {"name": "small", "check": "n < 2", "on_fail": "quarantine"})
    result = table.merge([GOOD, BARE])
    assert numbers(result) == [("has_email", 2, 1), ("small", 2, 1)]
    assert (result.dropped, result.quarantined) == (1, 0)


def test_deletes_are_not_judged(tmp_path: Path) -> None:
    table = made(tmp_path, has_email("fail"))
    table.merge([GOOD])
    result = table.merge([{"id": 1, "seq": 2, "_op": "delete"}])
    assert (result.deleted, numbers(result)) == (1, [("has_email", 0, 0)])


@pytest.mark.parametrize("section", [{}, {"history": "full"}], ids=["current", "history"])
def test_of_a_partial_row_the_outcome_is_judged(tmp_path: Path, section: dict[str, Any]) -> None:
    sums = {"name": "sums", "check": "email = 'a@shop.example' AND n < 5", "on_fail": "quarantine"}
    table = made(tmp_path, sums, **section)
    table.merge([GOOD, {**GOOD, "id": 2}])
    result = table.merge([{"id": 1, "seq": 2, "n": 4}, {"id": 2, "seq": 2, "n": 6}])
    assert numbers(result) == [("sums", 2, 1)]
    assert (result.updated, result.rejected, result.total) == (1, 1, 2)
    current = table.read(columns=["id", "n"], where="_is_current" if section else None)
    assert sorted(current.rows()) == [(1, 4), (2, 1)]


def test_a_partial_row_that_is_new_lacks_the_rest(tmp_path: Path) -> None:
    table = made(tmp_path, has_email("quarantine"))
    first = table.merge([{"id": 1, "seq": 1, "n": 1}])
    assert (first.rejected, numbers(first)) == (1, [("has_email", 1, 1)])
    assert table.merge([GOOD]).inserted == 1
    assert table.merge([{"id": 1, "seq": 2, "n": 1}]).updated == 1


def test_a_wrong_row_does_not_take_an_older_good_one_along(tmp_path: Path) -> None:
    table = made(tmp_path, has_email("quarantine"))
    result = table.merge([GOOD, {**GOOD, "seq": 2, "email": None}])
    assert (result.inserted, result.rejected) == (1, 1)


def test_a_first_batch_without_a_schema(tmp_path: Path) -> None:
    table = open_table(tmp_path, expect=[has_email("warn")])
    assert numbers(table.merge([{"id": 1, "email": None}])) == [("has_email", 1, 1)]


@pytest.mark.parametrize(
    ("check", "why"),
    [
        ("emial IS NOT NULL", "no column emial"),
        ("email IS NOT", "can't be used"),
        ("email > 5 AND (", "can't be used"),
        ("n", "no condition"),
        ("COUNT(n) > 1", "no condition"),
        ("1 = 1", "no condition"),
        ("email IS NULL) FROM self; SELECT (1 = 1", "can't be used"),
        ("n > 'five'", "can't be used"),
    ],
)
def test_a_check_that_can_not_be_used_is_told_before_anything_is_written(
    tmp_path: Path, check: str, why: str
) -> None:
    table = made(tmp_path, {"name": "odd", "check": check})
    with pytest.raises(UsageError, match=f"expectation odd of table t.*{why}") as raised:
        table.merge([GOOD])
    assert raised.value.exit_code == 2
    assert files_below(tmp_path) == {}


def test_a_check_that_fails_on_a_value_does_not_show_it(tmp_path: Path) -> None:
    table = made(tmp_path, {"name": "cast", "check": "CAST(email AS INT) > 1"})
    with pytest.raises(DataError) as raised:
        table.merge([{**GOOD, "email": "secret@shop.example"}])
    assert "secret" not in str(raised.value)
    assert raised.value.__cause__ is None


def test_times_may_be_written_as_text(tmp_path: Path) -> None:
    table = open_table(
        tmp_path,
        schema={"id": "long", "placed": "date"},
        expect=[{"name": "recent", "check": "placed >= '2026-01-01'", "on_fail": "drop"}],
    )
    result = table.merge([{"id": 1, "placed": "2026-01-01"}, {"id": 2, "placed": "2025-12-31"}])
    assert (result.inserted, result.dropped) == (1, 1)


def test_a_dropped_row_of_a_full_picture_is_not_taken_for_gone(tmp_path: Path) -> None:
    section: dict[str, Any] = {"changes": {"format": "snapshot", "max_deletes": 1.0}}
    table = open_table(tmp_path, expect=[{"name": "small", "check": "n < 5", "on_fail": "drop"}], **section)
    table.merge([{"id": 1, "n": 1}, {"id": 2, "n": 2}, {"id": 3, "n": 3}])
    result = table.merge([{"id": 1, "n": 9}, {"id": 2, "n": 2}])
    assert (result.dropped, result.deleted) == (1, 1)
    assert sorted(table.read().rows()) == [(1, 1), (2, 2)]
