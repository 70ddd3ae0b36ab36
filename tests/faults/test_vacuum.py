"""Vacuums that are killed at every storage call, and in a race with merges, readers, tags and restores."""

from __future__ import annotations

import json
import os
import shutil
import time
from pathlib import Path
from typing import Any

import pytest
from deltalake import DeltaTable, QueryBuilder

from lakehouse.delta.vacuum_notes import FOLDER, read_notes
from lakehouse.table import Table
from tests.faults import ledger, work
from tests.faults.moments import SOME, some
from tests.faults.nursery import Nursery
from tests.fixtures.faults import KILLED
from tests.fixtures.servers import S3Server
from tests.properties.tables import NAME, Row, everywhere, ours, records

SECTION: dict[str, Any] = {
    "merge": "on_read",
    "change_feed": True,
    "retention": [{"name": "history", "versions": {"last": 2}}],
}
SECONDS = float(os.environ.get("RACE_SECONDS", "3"))


def aged(root: Path) -> Table:
    """A table of which everything can go that a vacuum takes, log included: twelve old versions."""
    work.fill(root, **SECTION)
    table = work.table(root, **SECTION)
    for number in range(3, 13):
        gone = [{"id": 20 + number, "seq": 10 + number, "_op": "delete"}]
        table.merge([{"id": key, "seq": 10 + number, "v": str(number)} for key in range(number)] + gone)
    table.tag("kept", version=11)
    for name in ("left.parquet", "_change_data/left.parquet", "_delta_log/_commit_6f.json.tmp"):
        (root / NAME / name).write_bytes(b"x")
    then = time.time() - 60 * 86_400
    for path in (root / NAME).rglob("*"):
        if path.is_file():
            os.utime(path, (then, then))
    return table


def contents(root: Path) -> set[str]:
    """What is there; notes have other names each time."""
    place = root / NAME
    return {
        path.relative_to(place).as_posix()
        for path in place.rglob("*")
        if path.is_file() and "_lakehouse/vacuum/" not in path.as_posix()
    }


def test_a_kill_at_any_moment(tmp_path: Path, nursery: Nursery) -> None:
    base = tmp_path / "base"
    table = aged(base)
    newest = table.snapshot().version
    kept = {version: records(ours(table, version=version)) for version in (newest - 1, newest, 11)}
    whole = shutil.copytree(base, tmp_path / "whole")
    report = tmp_path / "calls.json"
    task: dict[str, Any] = {"task": "vacuum", "section": SECTION}
    run = "tests.faults.children:die_at"
    assert nursery.run(run, root=str(whole), at=None, when="before", report=str(report), **task) == 0
    after = contents(whole)
    went = read_notes(work.table(whole).storage)[0].removed
    assert {"data", "vector", "change_data", "tombstones", "leftover", "temporary", "commit"} <= set(went)
    calls: list[tuple[str, str]] = [
        (method, path) for method, path in json.loads(report.read_text())["calls"]
    ]

    unfinished = 0
    for at, when in some(calls, times=3):
        root = tmp_path / f"{at}-{when}"
        shutil.copytree(base, root)
        place = f"{when} call {at}, {calls[at - 1]}"
        assert nursery.run(run, root=str(root), at=at, when=when, **task) == KILLED, place
        check(work.table(root, **SECTION), root, kept, place)
        begun = [note for note in read_notes(work.table(root).storage) if note.finished is None]
        then = time.time() - 7200
        for path in (root / NAME / FOLDER).glob("*"):
            os.utime(path, (then, then))
        done = work.table(root, **SECTION).vacuum(grace="0s")
        assert list(done.unfinished) == [note.run for note in begun], place
        unfinished += len(begun)
        # A staging file of the killed one is too young to go.
        assert {path for path in contents(root) if "#" not in path} == after, place
        check(work.table(root, **SECTION), root, kept, place)
        assert work.table(root, **SECTION).vacuum(grace="0s").changes_nothing, place
        assert all(note.finished for note in read_notes(work.table(root).storage)), place
        shutil.rmtree(root)
    assert unfinished > (10 if SOME == "all" else 2)


def check(table: Table, root: Path, kept: dict[int, list[Row]], place: str) -> None:
    """Everything that is to stay is whole, and whatever else can be read is right."""
    for version, rows in kept.items():
        assert records(ours(table, version=version)) == rows, place
    assert everywhere(table, root) == kept[max(kept)], place
    assert table.verify().findings == (), place
    assert table.history(limit=1)[0].version == max(kept), place
    late = table.merge([{"id": 1, "seq": 1, "v": "too late"}, {"id": 32, "seq": 2}], dry_run=True)
    assert late.stale == 2, place


@pytest.mark.slow
def test_a_race_in_a_folder(tmp_path: Path, nursery: Nursery) -> None:
    race(tmp_path, nursery, {"root": str(tmp_path)})


@pytest.mark.slow
@pytest.mark.server
def test_a_race_on_s3(tmp_path: Path, nursery: Nursery, seaweedfs: S3Server) -> None:
    with seaweedfs.bucket() as bucket:
        options = {**seaweedfs.options(), "allow_http": "true"}
        race(tmp_path, nursery, {"root": f"s3://{bucket}", "options": options})


def race(folder: Path, nursery: Nursery, where: dict[str, Any]) -> None:
    """Merges, a compaction, readers, tags and restores, and two vacuums that keep two versions."""
    table = ledger.table(**where)
    table.create()
    stop = folder / "stop"
    helpers = [
        nursery.start(f"tests.faults.sweepers:{name}", stop=str(stop), **where)
        for name in ("vacuum_on", "vacuum_on", "tag_on", "restore_on", "compact_on")
    ]
    clerks = [
        nursery.start("tests.faults.sweepers:merge_on", clerk=clerk, merge=merge, stop=str(stop), **where)
        for clerk, merge in ((1, "on_read"), (2, "on_write"))
    ]
    end, latest = time.monotonic() + SECONDS, time.monotonic() + SECONDS + 60
    while time.monotonic() < end or (len(read_notes(table.storage)) < 3 and time.monotonic() < latest):
        time.sleep(0.5)
    stop.touch()
    assert [nursery.wait(child) for child in (*helpers, *clerks)] == [0] * (len(helpers) + len(clerks))
    # Nobody is at work any more: all that counts as readable is.
    fresh = ledger.table(**where)
    assert fresh.verify().ok
    for entry in fresh.history():
        if entry.readable:
            whole(fresh, entry.version)
    for tag in fresh.tags():
        whole(fresh, tag.version)
    notes = read_notes(fresh.storage)
    assert notes
    assert all(note.finished for note in notes)
    assert sum(files for note in notes for files, _ in note.removed.values()) > 0


def whole(table: Table, version: int) -> None:
    """A version can be read, and its books add up."""
    rows = table.read(version=version)
    assert rows["balance"].sum() == rows.height * 10, version
    if not table.storage.url.startswith("s3:"):
        there = DeltaTable(table.storage.url, version=version)
        found = QueryBuilder().register("t", there).execute("select count(*) c from t").read_all()
        assert found["c"][0].as_py() == rows.height, version
