"""Masks are killed at every storage call in turn: as before or masked, and the next run ends it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from lakehouse.errors import NotFoundError
from tests.faults.mask_work import CASES, COPY, fill, lake
from tests.faults.moments import moments
from tests.faults.nursery import Nursery
from tests.fixtures.faults import KILLED
from tests.properties.tables import records
from tests.unit.pii.mask_lakes import MaskLake, holding

CHILD = "tests.faults.children:mask"


def state(found: MaskLake, case: str) -> list[dict[str, Any]] | None:
    """The rows that the work is about; None where there is no such table."""
    if case == "in place":
        return records(found.t.read())
    try:
        return found.copied() if found.lake.table(COPY).exists() else None
    except NotFoundError:
        return None


@pytest.mark.parametrize("case", CASES)
def test_a_kill_at_any_moment(tmp_path: Path, nursery: Nursery, case: str) -> None:
    base = tmp_path / "base"
    fill(base, case)
    before = state(lake(base, case), case)
    whole = tmp_path / "whole"
    shutil.copytree(base, whole)
    report = tmp_path / "calls.json"
    assert nursery.run(CHILD, root=str(whole), case=case, at=None, when="before", report=str(report)) == 0
    after = state(lake(whole, case), case)
    assert after != before or case == "anew"
    calls: list[tuple[str, str]] = [(method, path) for method, path in json.loads(report.read_text())]

    seen = set()
    for at, when in moments(calls):
        root = tmp_path / f"{at}-{when}"
        shutil.copytree(base, root)
        place = f"{when} call {at}, {calls[at - 1]}"
        assert nursery.run(CHILD, root=str(root), case=case, at=at, when=when) == KILLED, place
        found = lake(root, case)
        rows = state(found, case)
        if case != "drop":
            assert rows in (before, after), place
            seen.add(rows == after)
        assert found.t.verify().findings == (), place
        if case != "in place":
            # Whatever is there of a copy, its name leads to it, and nothing in it is clear.
            there = (root / COPY).exists() and any((root / COPY).rglob("*.parquet"))
            assert not there or [each.name for each in found.lake.copies] == [COPY], place
            assert holding(root / COPY, "clear") == [], place
        assert nursery.run(CHILD, root=str(root), case=case, at=None, when="before") in (
            (0,) if case != "drop" else (0, NotFoundError.exit_code)
        ), place
        assert state(lake(root, case), case) == after, place
        if case == "drop":
            assert not any(path.is_file() for path in (root / COPY).rglob("*")), place
            assert found.lake.copies == (), place
        shutil.rmtree(root)
    assert seen == ({False, True} if case not in ("drop", "anew") else seen)
