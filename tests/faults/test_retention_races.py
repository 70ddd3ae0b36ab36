"""Retention among other writers: what is seen again while rows go is not lost, and nothing is there twice."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest

from lakehouse.errors import ConflictError
from tests.faults.nursery import Nursery
from tests.faults.retention_work import MANY, fill_many, lake

SECONDS = float(os.environ.get("RACE_SECONDS", "3"))


@pytest.mark.slow
@pytest.mark.parametrize("action", ["delete", "archive", "anonymize"])
def test_rows_that_are_seen_again_while_old_ones_go(tmp_path: Path, nursery: Nursery, action: str) -> None:
    root = tmp_path / "lake"
    fill_many(root, action)
    found = lake(root, action)
    child = "tests.faults.children:see_again"
    reports = [tmp_path / f"{seed}.json" for seed in range(2)]
    started = [
        nursery.start(child, root=str(root), action=action, seconds=SECONDS, seed=seed, report=str(report))
        for seed, report in enumerate(reports)
    ]
    end = time.monotonic() + SECONDS
    runs = 0
    while time.monotonic() < end:
        try:
            runs += found.retention.apply(max_fraction=1).tables[0].status == "done"
        except ConflictError:
            continue
    assert [nursery.wait(number) for number in started] == [0, 0]
    found.retention.apply(max_fraction=1)
    assert runs or found.table("t").snapshot().version

    seen = {n for report in reports for n in json.loads(report.read_text())}
    ids = found.ids()
    assert len(ids) == len(set(ids))
    young = {n for n in range(MANY) if n % 3 == 0} | seen
    names = dict(found.table("t").read(columns=["id", "name"]).rows())
    if action == "anonymize":
        assert set(ids) == set(range(MANY)) | seen
        assert {n for n, name in names.items() if name is not None} == young
    else:
        assert set(ids) == young
    assert found.table("t").verify().findings == ()
    if action == "archive":
        entries = found.retention.archives("t")
        assert {entry.state for entry in entries} == {"complete"}
        # A row can be archived, come back with a merge, and never go again: it was past when it went.
        assert sum(entry.manifest.rows for entry in entries) >= len(set(range(MANY)) - young)
