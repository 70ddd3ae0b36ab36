"""Requests that are killed at any write: run again they are completed and proved, and others lose nothing."""

from __future__ import annotations

import json
import os
import random
import shutil
import time
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from deltalake import DeltaTable

from lakehouse import Lakehouse
from lakehouse.requests.certificate import as_document
from lakehouse.requests.certificate.canonical import canonical
from lakehouse.requests.run import Outcome
from tests.faults.moments import SEED, SOME
from tests.faults.nursery import Nursery
from tests.faults.request_work import DATABASE, DONE, ID, MAIL, NAME, TABLES, fill, lake
from tests.fixtures.faults import KILLED, Moment
from tests.properties.tables import records
from tests.unit.pii.mask_lakes import holding

CHILD = "tests.faults.request_work:die"
ALL = (*TABLES, "masked", "people__quarantine")
Versions = dict[tuple[str, int], list[dict[str, Any]]]


def writes(calls: list[list[str]]) -> list[tuple[int, Moment]]:
    """During and after each write (before the next is after this one); some of each kind, or all."""
    every: list[tuple[int, Moment]] = [
        (number, when) for number in range(1, len(calls) + 1) for when in ("during", "after")
    ]
    if SOME == "all":
        return every
    commits = [(n, when) for n, when in every if calls[n - 1][0] == "put_if_absent" and when == "after"]
    others = [each for each in every if each not in commits and calls[each[0] - 1][0] != DATABASE]
    said = [each for each in every if calls[each[0] - 1][0] == DATABASE]
    chosen = random.Random(SEED)
    few = max(1, int(SOME) // 6)
    return sorted({*chosen.sample(commits, few), *chosen.sample(others, few), *chosen.sample(said, few)})


def of_others(found: Lakehouse, upto: dict[str, int]) -> Versions:
    """By table and version the rows of others."""
    rows: Versions = {}
    for name, newest in upto.items():
        table = found.table(name)
        for version in range(1, newest + 1):
            rows[name, version] = records(_others(name, table.read(version=version)))
    return rows


def _others(name: str, rows: pl.DataFrame) -> pl.DataFrame:
    """Rows without the person's; where a redaction emptied those, they have no keys."""
    if name == "orders":
        return rows.filter(pl.col("id") > 1)
    if name == "visits":
        return rows.filter(pl.col("id") != 1)
    if name == "people__quarantine":
        return rows.filter(pl.col("position") != 1)
    return rows.filter(pl.col("id") != ID)


def newest(found: Lakehouse) -> dict[str, int]:
    return {name: found.table(name).snapshot().version for name in ALL}


def finish(root: Path, history: str, place: str) -> Lakehouse:
    """Runs again; and once more a day later, where leftovers could be those of a writer at work."""
    found = lake(root, history)
    outcomes: tuple[Outcome, ...] = found.requests.run().outcomes
    if any(each.status == "purging" and "too young" in each.reason for each in outcomes):
        then = time.time() - 86_400
        for path in (root / "lake").rglob("*"):
            if path.is_file():
                os.utime(path, (then, then))
        found = lake(root, history)
        outcomes = found.requests.run().outcomes
    assert {each.status for each in outcomes} <= {"completed"}, (place, outcomes)
    return found


def check(root: Path, history: str, token: str, before: Versions, place: str) -> None:
    found = lake(root, history)
    (request,) = found.requests.list(all=True)
    assert request.status == "completed", place
    signed = found.requests.certificate(request.id)
    assert found.requests.verify_certificate(canonical(as_document(signed))).valid, place
    told = {each.name: (each.rows.deleted, each.rows.anonymized) for each in signed.certificate.tables}
    assert {name: told.get(name) for name in DONE} == DONE, place
    assert [counts for name, counts in told.items() if name.startswith("people:")] == [(1, 0)], place
    assert all(each.files for each in signed.certificate.tables if ":" not in each.name), place
    assert [path for mark in (MAIL, NAME, token) for path in holding(root / "lake", mark)] == [], place
    for (name, version), rows in before.items():
        if (name, version + 1) not in before:
            assert records(_others(name, found.table(name).read())) == rows, (place, name)
        if history == "redact":
            there = found.table(name).read(version=version)
            assert records(_others(name, there)) == rows, (place, name, version)
    for name in ALL:
        assert found.table(name).verify().findings == (), (place, name)
        assert DeltaTable(root / "lake" / name).version() == found.table(name).snapshot().version, place
    assert found.retention.restore_archive("people").rows == 1, place


@pytest.mark.parametrize("history", ["cut", "redact"])
def test_a_kill_at_any_write(tmp_path: Path, nursery: Nursery, history: str) -> None:
    base, whole = tmp_path / "base", tmp_path / "whole"
    token = fill(base, history)
    found = lake(base, history)
    before = of_others(found, newest(found))
    shutil.copytree(base, whole)
    report = tmp_path / "calls.json"
    assert nursery.run(CHILD, root=str(whole), history=history, at=None, report=str(report)) == 0
    check(whole, history, token, before, "nowhere")
    for at, when in writes(calls := json.loads(report.read_text())):
        place, root = f"{when} write {at}, {calls[at - 1]}", tmp_path / f"{at}-{when}"
        shutil.copytree(base, root)
        assert nursery.run(CHILD, root=str(root), history=history, at=at, when=when) == KILLED, place
        finish(root, history, place)
        check(root, history, token, before, place)
        shutil.rmtree(root)
