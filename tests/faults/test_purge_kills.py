"""A purge that is killed at any storage call: nobody else loses anything, and the next one completes it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import polars as pl
import pytest
from deltalake import DeltaTable

from lakehouse.delta.vacuum_notes import read_notes
from tests.faults.moments import some
from tests.faults.nursery import Nursery
from tests.faults.purge_work import LATER, lake, prepare
from tests.fixtures.erasing import History, at, hits, people, planned, purged
from tests.fixtures.faults import KILLED

CASES: list[tuple[str, History]] = [("feed", "cut"), ("feed", "redact"), ("by_email", "cut")]


def rows(root: Path, name: str) -> pl.DataFrame:
    return lake(root, name).table(name).read().sort("id")


@pytest.mark.parametrize(("name", "history"), CASES)
def test_a_kill_at_any_moment(tmp_path: Path, nursery: Nursery, name: str, history: History) -> None:
    base, whole = tmp_path / "base", tmp_path / "whole"
    prepare(base, name)
    wanted = rows(base, name)
    shutil.copytree(base, whole)
    report, run = tmp_path / "calls.json", "tests.faults.purge_work:die"
    task = {"name": name, "history": history}
    assert nursery.run(run, root=str(whole), at_call=None, when="before", report=str(report), **task) == 0
    assert hits(lake(whole, name)) == ()
    assert rows(whole, name).equals(wanted)
    calls = [(method, path) for method, path in json.loads(report.read_text())]
    first = next(n for n, (method, path) in enumerate(calls, 1) if method == "put" and "/vacuum/" in path)
    for number, when in some(calls):
        if number < first:
            continue
        place, root = f"{when} call {number}, {calls[number - 1]}", tmp_path / f"{number}-{when}"
        shutil.copytree(base, root)
        assert nursery.run(run, root=str(root), at_call=number, when=when, **task) == KILLED, place
        assert rows(root, name).equals(wanted), place
        found = lake(root, name)
        table = at(found.table(name).opened, later=LATER)
        assert purged(found, table, people(found), history).complete, place
        assert hits(found) == (), place
        assert rows(root, name).equals(wanted), place
        assert DeltaTable(root / "lake" / name).version() == found.table(name).snapshot().version, place
        assert found.table(name).verify().ok, place
        assert all(note.finished for note in read_notes(table.storage)), place
        assert planned(found, table, people(found), history).changes_nothing, place
        shutil.rmtree(root)
