"""The recorded PostgreSQL events, merged into tables: the rows afterwards are those worked out by hand."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal

import polars as pl
import pytest

from lakehouse import Lakehouse, Table
from tests.fixtures import debezium_expected
from tests.fixtures.debezium_expected import BEFORE_THE_DELETE, EXPECTED, Expected, Row

Mode = Literal["on_read", "on_write"]


def make(case: Expected, folder: Path, mode: Mode) -> Table:
    """The case's table, in a lake of its own."""
    table = {**case.table, "merge": mode}
    config = {"version": 1, "name": "pg", "storage": {"root": str(folder)}, "tables": {"t": table}}
    return Lakehouse.open(config).table("t")


def by_key(rows: Iterable[Mapping[str, Any]], case: Expected) -> list[dict[str, Any]]:
    """Rows in the order of their key, comparable: NaN equals itself, nulls are left out."""

    def plain(value: object) -> object:
        return "NaN" if isinstance(value, float) and math.isnan(value) else value

    told = [{name: plain(value) for name, value in row.items() if value is not None} for row in rows]
    return sorted(told, key=lambda row: tuple(str(row.get(name)) for name in case.table["key"]))


@pytest.mark.parametrize("mode", ["on_read", "on_write"])
@pytest.mark.parametrize("case", EXPECTED, ids=lambda case: case.id)
def test_a_recorded_file_leaves_the_expected_rows(case: Expected, mode: Mode, tmp_path: Path) -> None:
    table = make(case, tmp_path, mode)
    result = table.merge_files([case.path], source_table=case.source_table)
    assert result.total == case.total
    assert {problem.position: problem.reason for problem in result.problems} == dict(case.rejected)
    found = table.read().to_dicts() if table.exists() else []
    assert by_key(found, case) == by_key(case.rows, case)


@pytest.mark.parametrize("case", EXPECTED, ids=lambda case: case.id)
def test_redelivery_line_by_line_backwards_changes_nothing(case: Expected, tmp_path: Path) -> None:
    """The order of arrival is of no matter, and what was merged before counts once."""
    table = make(case, tmp_path, "on_read")
    lines = case.path.read_bytes().splitlines()
    if case.table.get("changes", {}).get("format") != "debezium":
        pytest.skip("arrival is the order of other formats")
    for line in reversed(lines):
        table.merge([line], source_table=case.source_table)
    table.merge(lines, source_table=case.source_table)
    found = table.read().to_dicts() if table.exists() else []
    assert by_key(found, case) == by_key(case.rows, case)


@pytest.mark.parametrize(("case", "row"), BEFORE_THE_DELETE, ids=lambda item: getattr(item, "file", None))
def test_the_row_of_a_recorded_file_before_its_delete(case: Expected, row: Row, tmp_path: Path) -> None:
    table = make(case, tmp_path, "on_read")
    for line in case.path.read_bytes().splitlines()[1::-1]:
        table.merge([line])
    assert by_key(table.read().to_dicts(), case) == by_key([row], case)


def test_every_recorded_file_has_an_expected_table() -> None:
    recorded = {path.stem for path in debezium_expected.DATA.glob("*.jsonl")}
    assert {case.file for case in EXPECTED} == recorded


def test_the_order_of_events_is_kept_but_not_shown(tmp_path: Path) -> None:
    case = next(case for case in EXPECTED if case.rows)
    table = make(case, tmp_path, "on_read")
    table.merge_files([case.path], source_table=case.source_table)
    assert "_sequence" not in table.read().columns
    assert table.read(columns=["_sequence"])["_sequence"].dtype == pl.String
