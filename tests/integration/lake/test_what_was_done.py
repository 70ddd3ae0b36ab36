"""What the state database remembers of what went, and what a hold on a table means for its quarantine."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pytest

from lakehouse import Lakehouse
from lakehouse.errors import StorageError
from lakehouse.records import StateRecords


@pytest.fixture
def lake(tmp_path: Path) -> Lakehouse:
    rules: list[dict[str, Any]] = [
        {"name": "old", "column": "at", "keep": "30d", "action": "delete", "max_fraction": 1},
        {"name": "few", "versions": {"last": 1}},
    ]
    table = {"key": ["id"], "schema": {"id": "long", "at": "date"}, "merge": "on_write", "retention": rules}
    lake = Lakehouse.open({"version": 1, "storage": {"root": str(tmp_path)}, "tables": {"t": table}})
    rows: list[dict[str, Any]] = [{"id": 1, "at": "2020-01-01"}, {"id": 2, "at": "2090-01-01"}]
    lake.table("t").merge([*rows, {"id": None, "at": "2090-01-01"}])
    return lake


def test_a_plan_and_what_it_did_are_kept_together(lake: Lakehouse, tmp_path: Path) -> None:
    (done,) = lake.retention.apply().tables
    (record,) = lake.retention.history("t")
    assert (record.kind, record.rule, record.action, record.rows) == ("retention", "old", "delete", 1)
    assert (record.version_after, record.detail["run"]) == (done.version, done.run)
    with sqlite3.connect(tmp_path / "_lakehouse" / "state.db") as database:
        plans = database.execute("SELECT id, kind, versions FROM lakehouse_plans").fetchall()
    database.close()
    assert plans == [(record.plan, "retention", '{"t": 1}')]
    assert lake.retention.apply().tables[0].status == "nothing"
    assert len(lake.retention.history()) == 1


def test_a_vacuum_is_recorded(lake: Lakehouse) -> None:
    lake.retention.apply()
    plan = lake.table("t").vacuum(grace="0s")
    record = lake.retention.history("t", limit=1)[0]
    assert (record.kind, record.action, record.files) == ("vacuum", "delete", len(plan.files))
    assert record.files > 0
    assert lake.table("t").vacuum(grace="0s").changes_nothing
    assert [each.kind for each in lake.retention.history()] == ["vacuum", "retention"]


def test_a_vacuum_that_cant_be_recorded_says_so(lake: Lakehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    lake.retention.apply()

    def fail(*_: object) -> None:
        raise StorageError("the state database does not answer")

    monkeypatch.setattr(StateRecords, "add", fail)
    done = lake.table("t").vacuum(grace="0s")
    assert done.files
    assert any("could not be recorded" in note for note in done.notes)


def test_a_hold_on_some_rows_holds_all_rejected_records(lake: Lakehouse) -> None:
    rejected = lake.table("t__quarantine")
    lake.table("t").quarantine.drop(everything=True)
    lake.holds.add(table="t", where="id = 2", reason="case")
    plan = rejected.vacuum(grace="0s", dry_run=True)
    assert plan.changes_nothing
    assert any("whole table is held" in note for note in plan.notes)
