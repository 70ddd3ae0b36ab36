"""Retention is killed at every storage call in turn: no row is lost or doubled, and the next run ends it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from tests.faults.moments import moments
from tests.faults.nursery import Nursery
from tests.faults.retention_work import KEPT, fill_lake, lake
from tests.fixtures.faults import KILLED
from tests.unit.retention.lakes import Lake

CASES: list[tuple[str, dict[str, Any]]] = [
    ("delete", {"merge": "on_read", "change_feed": True}),
    ("delete", {"merge": "on_write"}),
    ("anonymize", {"merge": "on_read", "change_feed": True}),
    ("archive", {"merge": "on_read"}),
    ("archive", {"merge": "on_write"}),
]


def names(found: Lake) -> dict[int, str | None]:
    return dict(found.table("t").read(columns=["id", "name"]).rows())


def archived(found: Lake) -> list[int]:
    """The ids in archives that count."""
    parts = []
    for entry in found.retention.archives("t"):
        if entry.state == "complete":
            parts += [pl.read_parquet(f"{entry.url}/{file.path}") for file in entry.manifest.files]
    return sorted(n for part in parts for n in part["id"])


@pytest.mark.parametrize(("action", "section"), CASES, ids=str)
def test_a_kill_at_any_moment(tmp_path: Path, nursery: Nursery, action: str, section: dict[str, Any]) -> None:
    base = tmp_path / "base"
    fill_lake(base, action, **section)
    before = names(lake(base, action))
    whole = tmp_path / "whole"
    shutil.copytree(base, whole)
    report = tmp_path / "calls.json"
    task: dict[str, Any] = {"action": action, "section": section}
    child = "tests.faults.children:retain"
    assert nursery.run(child, root=str(whole), at=None, when="before", report=str(report), **task) == 0
    after = names(lake(whole, action))
    assert (sorted(after) == KEPT) == (action != "anonymize")
    assert after != before
    calls: list[tuple[str, str]] = [(method, path) for method, path in json.loads(report.read_text())]

    seen = set()
    for at, when in moments(calls):
        root = tmp_path / f"{at}-{when}"
        shutil.copytree(base, root)
        place = f"{when} call {at}, {calls[at - 1]}"
        assert nursery.run(child, root=str(root), at=at, when=when, **task) == KILLED, place
        found = lake(root, action, **section)
        rows = names(found)
        assert rows in (before, after), place
        assert found.table("t").verify().findings == (), place
        seen.add(rows == after)
        if action == "archive":
            # Whatever left the table is in an archive, and nothing else is.
            assert archived(found) == sorted(before.keys() - rows.keys()), place
        (done,) = found.retention.apply().tables
        assert done.status == ("nothing" if rows == after else "done"), place
        assert names(found) == after, place
        assert found.ids() == sorted(after), place
        if action == "archive":
            assert archived(found) == sorted(before.keys() - after.keys()), place
            assert {entry.state for entry in found.retention.archives("t")} == {"complete"}, place
            back = found.retention.restore_archive("t")
            assert back.rows == len(before) - len(after), place
            assert names(found) == before, place
        shutil.rmtree(root)
    assert seen == {False, True}
