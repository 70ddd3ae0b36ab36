"""A process is killed at every storage call in turn: the table is as before or as after, and goes on."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from lakehouse.table import Table
from tests.faults import work
from tests.faults.moments import copy, moments, rows
from tests.faults.nursery import Nursery
from tests.fixtures.faults import KILLED


@dataclass(frozen=True)
class Case:
    task: str
    section: dict[str, Any] = field(default_factory=dict)
    filled: bool = True

    def __str__(self) -> str:
        return "-".join([self.task, *map(str, self.section.values()), *([] if self.filled else ["first"])])

    def table(self, root: Path) -> Table:
        return work.table(root, **self.section)


FEED = {"merge": "on_read", "change_feed": True}
CASES = [
    Case("merge", {"merge": "on_read"}),
    Case("merge", {"merge": "on_write"}),
    Case("merge", FEED),
    Case("merge", filled=False),
    Case("merge_truncate", {"merge": "on_read"}),
    Case("compact"),
    Case("restore"),
    Case("create", filled=False),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_kill_at_any_moment(tmp_path: Path, nursery: Nursery, case: Case) -> None:
    base = tmp_path / "base"
    if case.filled:
        work.fill(base, **case.section)
    before = rows(case.table(base), base) if case.filled else []
    whole = copy(base, tmp_path / "whole")
    report = tmp_path / "calls.json"
    task: dict[str, Any] = {"task": case.task, "section": case.section}
    done = nursery.run(
        "tests.faults.children:die_at", root=str(whole), at=None, when="before", report=str(report), **task
    )
    assert done == 0
    after = rows(case.table(whole), whole)
    final = case.table(whole).snapshot().version
    calls = [(method, path) for method, path in json.loads(report.read_text())["calls"]]

    seen = set()
    for at, when in moments(calls):
        root = copy(base, tmp_path / f"{at}-{when}")
        code = nursery.run("tests.faults.children:die_at", root=str(root), at=at, when=when, **task)
        place = f"{when} call {at}, {calls[at - 1]}"
        assert code == KILLED, place
        table = case.table(root)
        found = rows(table, root)
        assert found in (before, after), place
        if table.exists():
            assert table.verify().findings == (), place
        finished = table.exists() and table.snapshot().version == final
        seen.add(finished)
        again(case, table, finished=finished)
        assert rows(table, root) == after, place
        assert table.verify().findings == (), place
        shutil.rmtree(root)
    assert seen == {False, True}


def again(case: Case, table: Table, *, finished: bool) -> None:
    """Does the same work once more, in this process; it must neither do it twice nor leave it undone."""
    if case.task.startswith("merge"):
        repeated = work.WORKS[case.task](table)
        batch = len(work.BATCH) + (case.task == "merge_truncate")
        assert sum(repeated["counts"].values()) == batch
        assert repeated["committed"] == (not finished)
        assert (repeated["counts"]["duplicate"] == batch) == finished
    elif case.task == "create":
        if not finished:
            table.create()
    else:
        repeated = work.WORKS[case.task](table)
        assert (repeated["version"] is None) == finished
