"""No kill, and no failed call, loses a rejected record or keeps it twice."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from lakehouse.errors import StorageError
from lakehouse.storage import open_storage
from lakehouse.table import Table
from tests.faults import work
from tests.faults.moments import copy, moments
from tests.faults.nursery import Nursery
from tests.fixtures.faults import KILLED, FaultyStorage

NO_SYNC = {"fsync": "false"}
REASONS = ["bad_json", "bad_value", "null_key"]


def waiting(table: Table) -> list[str]:
    return sorted(table.quarantine.list()["reason"])


def rows(table: Table) -> list[tuple[object, ...]]:
    return sorted(table.read().rows(), key=repr)


@pytest.mark.parametrize("task", ["merge_rejecting", "merge_rejecting_unnamed"])
def test_a_kill_at_any_moment(tmp_path: Path, nursery: Nursery, task: str) -> None:
    base = tmp_path / "base"
    work.fill(base, merge="on_read")
    section = {"merge": "on_read"}
    whole = copy(base, tmp_path / "whole")
    report = tmp_path / "calls.json"
    die = "tests.faults.children:die_at"
    done = nursery.run(
        die, root=str(whole), at=None, when="before", report=str(report), task=task, section=section
    )
    assert done == 0
    final = work.table(whole)
    assert waiting(final) == REASONS
    calls: list[tuple[str, str]] = [
        (method, path) for method, path in json.loads(report.read_text())["calls"]
    ]
    seen = set()
    for at, when in moments(calls):
        root = copy(base, tmp_path / f"{at}-{when}")
        code = nursery.run(die, root=str(root), at=at, when=when, task=task, section=section)
        place = f"{when} call {at}, {calls[at - 1]}"
        assert code == KILLED, place
        table = work.table(root, merge="on_read")
        merged = rows(table) == rows(final)
        kept = waiting(table)
        assert kept in ([], REASONS), place
        assert kept or not merged, place
        seen.add((bool(kept), merged))
        work.WORKS[task](table)
        assert waiting(table) == REASONS, place
        assert rows(table) == rows(final), place
        shutil.rmtree(root)
    assert seen == {(False, False), (True, False), (True, True)}


def test_a_kill_at_any_moment_of_a_retry(tmp_path: Path, nursery: Nursery) -> None:
    base = tmp_path / "base"
    strict: dict[str, Any] = {
        "expect": [{"name": "short", "check": "length(v) < 4", "on_fail": "quarantine"}]
    }
    work.table(base, **strict).merge(
        [{"id": 1, "seq": 1, "v": "abc"}, {"id": 2, "seq": 1, "v": "too long"}, {"id": None, "seq": 1}]
    )
    whole = copy(base, tmp_path / "whole")
    counting = FaultyStorage(open_storage(whole, options=NO_SYNC))
    assert work.retry(work.table(whole, storage=counting)) == {"merged": 1}
    final = rows(work.table(whole))
    for at, when in moments(counting.log):
        root = copy(base, tmp_path / f"{at}-{when}")
        die = "tests.faults.children:die_at"
        assert nursery.run(die, root=str(root), at=at, when=when, task="retry", section={}) == KILLED
        table = work.table(root)
        assert waiting(table) in (["expectation", "null_key"], ["null_key"])
        assert len(waiting(table)) == 2 or rows(table) == final
        work.retry(table)
        assert (waiting(table), rows(table)) == (["null_key"], final)
        shutil.rmtree(root)


def test_a_failure_at_any_call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lakehouse.delta.transaction._PAUSES", (0.0, 0.0))
    base = tmp_path / "base"
    work.fill(base)
    whole = copy(base, tmp_path / "whole")
    counting = FaultyStorage(open_storage(whole, options=NO_SYNC))
    work.merge_rejecting(work.table(whole, storage=counting))
    final = rows(work.table(whole))
    for at, when in moments(counting.log):
        root = copy(base, tmp_path / f"{at}-{when}")
        broken = FaultyStorage(open_storage(root, options=NO_SYNC), at=at, when=when, how="raise")
        try:
            work.merge_rejecting(work.table(root, storage=broken))
        except StorageError:
            work.merge_rejecting(work.table(root))
        table = work.table(root)
        assert (waiting(table), rows(table)) == (REASONS, final)
        shutil.rmtree(root)
