"""What a repair mends reads the same everywhere and verifies clean; what it can't mend it leaves alone."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable

from lakehouse import UsageError
from lakehouse.delta.log import commits
from lakehouse.delta.transaction import commit
from lakehouse.errors import ConflictError
from lakehouse.maintenance.verify import readd, repair
from lakehouse.table import Table
from tests.faults import work
from tests.integration.delta_log import test_checkpoint_kinds as checkpoints
from tests.integration.interop.engines import open_table
from tests.integration.verify.damage import (
    Line,
    edit_checkpoint,
    edit_log,
    edit_stats,
    files_of,
    kinds,
    same_everywhere,
)
from tests.properties.tables import now


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "t"


@pytest.fixture
def table(tmp_path: Path, path: Path) -> Table:
    """Three versions, vectors, tombstones, and a checkpoint of the version before the newest."""
    found = work.table(tmp_path, merge="on_read")
    found.merge(work.FIRST, source="shop", offset=1)
    found.merge(work.SECOND, source="shop", offset=2)
    DeltaTable(path).create_checkpoint()
    found.merge([{"id": 77, "seq": 9, "v": "last"}])
    assert found.verify().findings == ()
    return work.table(tmp_path, merge="on_read")


def mended(table: Table, path: Path, rows: list[Line], *, findings: int = 1) -> list[str]:
    """Repairs, after a dry run that only tells; returns what it did."""
    dry = table.verify(repair=True, dry_run=True)
    assert len(dry.findings) >= findings
    assert all(item.repairable for item in dry.findings)
    assert dry.repaired == ()
    assert dry.plan
    assert table.verify().findings == dry.findings
    report = table.verify(repair=True)
    assert report.findings == ()
    assert [item.path for item in report.repaired] == [item.path for item in dry.plan]
    assert table.verify(full=True).findings == ()
    assert table.verify().plan == ()
    assert same_everywhere(table, path) == rows
    return [item.kind for item in report.repaired]


def last_hint(path: Path) -> Line:
    found: Line = json.loads((path / "_delta_log" / "_last_checkpoint").read_text())
    return found


def without_a_file(rows: list[Line]) -> list[Line]:
    first = next(number for number, row in enumerate(rows) if row["add"])
    return rows[:first] + rows[first + 1 :]


def cut(path: Path) -> None:
    file = max((path / "_delta_log").glob("*.checkpoint.parquet"))
    file.write_bytes(file.read_bytes()[:-100])


@pytest.mark.parametrize("damage", [cut, lambda path: edit_checkpoint(path, without_a_file)])
def test_a_checkpoint_is_written_anew(table: Table, path: Path, damage: Callable[[Path], object]) -> None:
    rows = same_everywhere(table, path)
    version = table.snapshot().version
    damage(path)
    assert mended(table, path, rows) == ["checkpoint"]
    assert table.snapshot().version == version
    assert (path / "_delta_log" / f"{2:020}.checkpoint.parquet").exists()
    assert last_hint(path)["version"] == 2


def test_a_checkpoint_goes_where_a_newer_one_is_good(table: Table, path: Path) -> None:
    rows = same_everywhere(table, path)
    DeltaTable(path).create_checkpoint()
    old = path / "_delta_log" / f"{2:020}.checkpoint.parquet"
    old.write_bytes(old.read_bytes()[:-100])
    assert table.verify().ok
    report = table.verify(full=True, repair=True)
    assert [item.detail for item in report.repaired] == ["removed: the log can be read without it"]
    assert report.findings == ()
    assert not (path / "_delta_log" / f"{2:020}.checkpoint.parquet").exists()
    assert last_hint(path)["version"] == 3
    assert same_everywhere(table, path) == rows


def test_an_older_checkpoint_stands_for_the_commits(table: Table, path: Path) -> None:
    """The log was cleaned up to it."""
    rows = same_everywhere(table, path)
    table.merge([{"id": 78, "seq": 9, "v": "later"}])
    DeltaTable(path).create_checkpoint()
    for version in range(3):
        (path / "_delta_log" / f"{version:020}.json").unlink()
    rows = same_everywhere(table, path)
    cut(path)
    assert mended(table, path, rows) == ["checkpoint"]
    assert last_hint(path)["version"] == 4


def test_a_checkpoint_that_nothing_stands_for_stays(table: Table, path: Path) -> None:
    for version in range(2):
        (path / "_delta_log" / f"{version:020}.json").unlink()
    cut(path)
    report = table.verify(repair=True)
    assert [item.kind for item in report.findings] == ["bad_log"]
    assert report.repaired == ()
    assert (path / "_delta_log" / f"{2:020}.checkpoint.parquet").exists()


@pytest.mark.parametrize("missing", [1, 3])
def test_parts_of_a_checkpoint(tmp_path: Path, path: Path, missing: int) -> None:
    storage = checkpoints.with_checkpoint(tmp_path)
    checkpoints.into_parts(storage)
    (tmp_path / "whole").rename(path)
    for file in (tmp_path / "table" / "_delta_log").glob("*.checkpoint.*"):
        file.rename(path / "_delta_log" / file.name)
    (path / "_delta_log" / f"{7:020}.checkpoint.parquet").unlink()
    table = open_table(tmp_path)
    (path / "_delta_log" / "_last_checkpoint").write_text('{"version":7,"size":60,"parts":3}')
    rows = same_everywhere(table, path)
    assert table.verify().ok
    next((path / "_delta_log").glob(f"*.checkpoint.{missing:010}.*")).unlink()
    assert mended(table, path, rows)[0] == "checkpoint"
    assert not list((path / "_delta_log").glob("*.checkpoint.0*"))


@pytest.mark.parametrize("kind", ["json", "parquet"])
def test_a_checkpoint_that_lacks_a_sidecar(tmp_path: Path, path: Path, kind: str) -> None:
    storage = checkpoints.with_checkpoint(tmp_path)
    checkpoints.into_v2(storage, kind)
    (tmp_path / "whole").rename(path)
    (path / "_delta_log" / f"{7:020}.checkpoint.parquet").unlink()
    for file in (tmp_path / "table" / "_delta_log").glob("*.checkpoint.*"):
        file.rename(path / "_delta_log" / file.name)
    (tmp_path / "table" / "_delta_log" / "_sidecars").rename(path / "_delta_log" / "_sidecars")
    table = open_table(tmp_path)
    assert table.verify().ok
    rows = same_everywhere(table, path)
    (path / "_delta_log" / "_sidecars" / "one.parquet").unlink()
    assert mended(table, path, rows) == ["checkpoint"]


@pytest.mark.parametrize("hint", [b"{", b'{"version": 99, "size": 1}', None])
def test_the_hint_is_written_anew(table: Table, path: Path, hint: bytes | None) -> None:
    rows = same_everywhere(table, path)
    file = path / "_delta_log" / "_last_checkpoint"
    if hint is None:
        file.unlink()
    else:
        file.write_bytes(hint)
    assert mended(table, path, rows, findings=0 if hint is None else 1) == ["last_checkpoint"]
    rows_of_it = pq.read_metadata(path / "_delta_log" / f"{2:020}.checkpoint.parquet").num_rows
    assert last_hint(path) == {"version": 2, "size": rows_of_it}


def test_a_hint_without_any_checkpoint_goes(tmp_path: Path, path: Path) -> None:
    work.fill(tmp_path)
    table = work.table(tmp_path)
    (path / "_delta_log" / "_last_checkpoint").write_text('{"version": 1, "size": 1}')
    assert table.verify(repair=True).findings == ()
    assert not (path / "_delta_log" / "_last_checkpoint").exists()


@pytest.mark.parametrize(
    "change",
    [
        lambda stats: stats.update({"numRecords": stats["numRecords"] + 5}),
        lambda stats: stats["nullCount"].update({"v": 3 if stats["nullCount"]["v"] == 0 else 0}),
        lambda stats: stats["minValues"].update({"id": 90}),
        lambda stats: stats["maxValues"].update({"v": "a"}),
    ],
)
def test_statistics_are_corrected(tmp_path: Path, path: Path, change: Callable[[Line], object]) -> None:
    """Files with vectors and files without; what is wrong makes others skip rows."""
    work.fill(tmp_path, merge="on_read")
    table = work.table(tmp_path, merge="on_read")
    rows = same_everywhere(table, path)
    vectors = {add.path: add.deletion_vector for add in table.snapshot().files.values()}
    edit_stats(path, change)
    table = work.table(tmp_path, merge="on_read")
    version = table.snapshot().version
    done = mended(table, path, rows)
    assert set(done) == {"add"}
    assert table.snapshot().version == version + 1
    assert {add.path: add.deletion_vector for add in table.snapshot().files.values()} == vectors
    (made,) = commits(table.storage, start=version + 1)
    adds = [action for action in made.actions if type(action).__name__ == "AddFile"]
    assert len(adds) == len(done)
    assert len(made.actions) == len(done) + 1
    assert not any(add.data_change for add in adds)  # type: ignore[union-attr]
    assert table.diff(version, version + 1).is_empty()
    table.merge([{"id": 2, "seq": 50, "v": "goes on"}])
    assert table.verify(full=True).findings == ()


def test_a_size_is_corrected(tmp_path: Path, path: Path) -> None:
    work.fill(tmp_path, merge="on_write")
    table = work.table(tmp_path, merge="on_write")
    rows = same_everywhere(table, path)
    stats = [add.stats for add in table.snapshot().files.values()]
    edit_log(path, lambda line: line.get("add", {}).update({"size": 12}))
    table = work.table(tmp_path, merge="on_write")
    assert set(mended(table, path, rows)) == {"add"}
    assert [add.stats for add in table.snapshot().files.values()] == stats
    assert sorted(add.size for add in table.snapshot().files.values()) == sorted(
        file.stat().st_size for file in files_of(table)
    )


def test_everything_at_once(table: Table, tmp_path: Path, path: Path) -> None:
    """A wrong checkpoint hides a file whose statistics are wrong; a second repair sees the rest."""
    rows = same_everywhere(table, path)
    edit_stats(path, lambda stats: stats["minValues"].update({"id": 70}))
    edit_checkpoint(path, without_a_file)
    (path / "_delta_log" / "_last_checkpoint").write_text('{"version": 40, "size": 1}')
    table = work.table(tmp_path, merge="on_read")
    for _ in range(2):
        report = table.verify(repair=True)
    assert report.findings == ()
    assert table.verify(full=True).findings == ()
    assert same_everywhere(table, path) == rows


def test_lost_files_are_told_and_left_alone(table: Table, path: Path) -> None:
    """What can be mended beside them is."""
    files_of(table)[0].unlink()
    (path / "_delta_log" / "_last_checkpoint").write_text("{")
    before = table.snapshot().version
    report = table.verify(repair=True)
    assert [item.kind for item in report.findings] == ["missing_file"]
    assert "restore" in report.findings[0].advice
    assert [item.kind for item in report.repaired] == ["last_checkpoint"]
    assert table.snapshot().version == before
    lost = table.verify(repair=True)
    assert (lost.repaired, [item.kind for item in lost.findings]) == ((), ["missing_file"])


def test_a_file_that_others_took_meanwhile_is_left_to_them(tmp_path: Path, path: Path) -> None:
    work.fill(tmp_path, merge="on_write")
    table = work.table(tmp_path, merge="on_write")
    edit_stats(path, lambda stats: stats["nullCount"].update({"v": 1}))
    table = work.table(tmp_path, merge="on_write")
    found = table.verify()
    assert found.plan
    taken = DeltaTable(path)
    taken.delete("id >= 0")
    report = table.verify(repair=True, found=found)
    assert (report.repaired, report.findings) == ((), ())
    assert table.snapshot().version == taken.version()


@pytest.mark.parametrize("alters", [False, True], ids=["appends", "alters"])
def test_a_table_that_changes_in_between(
    tmp_path: Path, path: Path, monkeypatch: pytest.MonkeyPatch, alters: bool
) -> None:
    """Between reading the files and the commit: who appends does not matter, who alters the table does."""
    work.fill(tmp_path, merge="on_write")
    edit_stats(path, lambda stats: stats["nullCount"].update({"v": 1}))
    table = work.table(tmp_path, merge="on_write")
    found = table.verify()
    waiting = [True]
    original = commit

    def late(*args: Any, **words: Any) -> Any:
        while waiting:
            waiting.pop()
            if alters:
                DeltaTable(path).alter.set_table_properties({"delta.appendOnly": "false"})
            else:
                work.table(tmp_path, merge="on_write").merge([{"id": 900, "seq": 1, "v": "x"}])
        return original(*args, **words)

    monkeypatch.setattr(readd, "commit", late)
    if alters:
        with pytest.raises(ConflictError, match="properties were changed"):
            table.verify(repair=True, found=found)
        assert kinds(table)
    else:
        assert table.verify(repair=True, found=found).findings == ()
        assert 900 in [row["id"] for row in same_everywhere(table, path)]


def test_only_the_newest_version(table: Table) -> None:
    with pytest.raises(UsageError, match="newest"):
        table.verify(version=1, repair=True)


def test_what_belongs_to_a_repair_is_no_part_of_a_check(table: Table) -> None:
    with pytest.raises(UsageError, match="dry_run belongs to repair"):
        table.verify(dry_run=True)
    with pytest.raises(UsageError, match="found belongs to repair"):
        table.verify(found=table.verify())


def test_nothing_to_repair_writes_nothing(table: Table, path: Path) -> None:
    before = {file: file.stat().st_mtime_ns for file in path.rglob("*")}
    report = table.verify(repair=True)
    assert (report.findings, report.repaired, report.plan) == ((), (), ())
    assert {file: file.stat().st_mtime_ns for file in path.rglob("*")} == before
    assert repair(table.storage, [], table="t", clock=now) == []
