"""A repair is killed at every call that writes: the table reads as before, and another repair finishes it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from deltalake import DeltaTable

from tests.faults import work
from tests.faults.nursery import Nursery
from tests.fixtures.faults import KILLED, Moment
from tests.integration.verify.damage import edit_stats
from tests.properties.tables import everywhere, ours, records

MOMENTS: tuple[Moment, ...] = ("before", "during", "after")


def test_a_kill_at_any_moment(tmp_path: Path, nursery: Nursery) -> None:
    base = tmp_path / "base"
    work.fill(base)
    edit_stats(base / "t", lambda stats: stats["nullCount"].update({"v": 1}))
    before = records(ours(work.table(base)))
    DeltaTable(base / "t").create_checkpoint()
    checkpoint = next((base / "t" / "_delta_log").glob("*.checkpoint.parquet"))
    checkpoint.write_bytes(checkpoint.read_bytes()[:-100])

    whole = shutil.copytree(base, tmp_path / "whole")
    report = tmp_path / "calls.json"
    child = "tests.faults.children:die_repairing"
    assert nursery.run(child, root=str(whole), at=None, when="before", report=str(report)) == 0
    calls = json.loads(report.read_text())
    assert {"delete", "put_if_absent"} <= {method for method, _ in calls}
    for at in range(1, len(calls) + 1):
        for when in MOMENTS:
            root = shutil.copytree(base, tmp_path / f"{at}-{when}")
            place = f"{when} call {at}, {calls[at - 1]}"
            assert nursery.run(child, root=str(root), at=at, when=when) == KILLED, place
            table = work.table(root)
            assert records(ours(table)) == before, place
            assert table.verify(repair=True).findings == (), place
            assert table.verify(full=True).findings == (), place
            assert everywhere(table, root) == before, place
            shutil.rmtree(root)
