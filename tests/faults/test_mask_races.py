"""Masks among other writers: a copy is fed while its source changes, rows come while all are masked."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest

from lakehouse.errors import ConflictError
from tests.faults.mask_work import COPY, MANY, fill_many, lake
from tests.faults.nursery import Nursery
from tests.properties.tables import records

SECONDS = float(os.environ.get("RACE_SECONDS", "3"))
CHILD = "tests.faults.children:change_people"


@pytest.mark.slow
def test_a_copy_follows_a_source_that_changes_all_the_time(tmp_path: Path, nursery: Nursery) -> None:
    root = tmp_path / "lake"
    fill_many(root, "follow")
    feeders = [
        nursery.start("tests.faults.children:feed_copy", root=str(root), seconds=SECONDS, report=str(report))
        for report in (tmp_path / "a.json", tmp_path / "b.json")
    ]
    writers = [
        nursery.start(CHILD, root=str(root), case="follow", seconds=SECONDS, seed=seed) for seed in range(2)
    ]
    assert [nursery.wait(child) for child in [*feeders, *writers]] == [0] * 4
    found = lake(root, "follow")
    # Every version of the copy is the mask of the version of the source that it says it has.
    copy = found.lake.table(COPY)
    newest = copy.snapshot()
    assert newest.version >= 2
    for version in range(newest.version + 1):
        of = copy.snapshot(version=version).transactions["copy:t"].version
        assert records(copy.read(version=version)) == found.expected(version=of), (version, of)
    found.pii.mask("t", to=COPY)
    assert found.copied() == found.expected()
    runs = [json.loads((tmp_path / name).read_text()) for name in ("a.json", "b.json")]
    assert sum(done["followed"] for done in runs) > 0


@pytest.mark.slow
def test_rows_that_come_while_a_table_is_masked_are_masked_too(tmp_path: Path, nursery: Nursery) -> None:
    root = tmp_path / "lake"
    fill_many(root, "in place, by id")
    found = lake(root, "in place, by id")
    child = nursery.start(CHILD, root=str(root), case="in place, by id", seconds=1, seed=0)
    end, version = time.monotonic() + 60, None
    while version is None and time.monotonic() < end:
        try:
            version = found.pii.mask("t", in_place=True).version
        except ConflictError:
            continue
    assert version is not None
    rows = records(found.t.read(version=version))
    before = found.expected(version=version - 1)
    assert rows == before
    assert len(rows) >= MANY // 2
    assert not any("clear" in str(row) for row in rows)
    assert nursery.wait(child) == 0
