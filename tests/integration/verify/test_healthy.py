"""Healthy tables of every kind have no findings, whoever wrote them; and a check changes nothing."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from deltalake import DeltaTable

from lakehouse.storage import Storage
from lakehouse.table import Table
from tests.faults import work
from tests.integration.delta_log import test_checkpoint_kinds as kinds
from tests.integration.interop import wide
from tests.integration.interop.engines import open_table
from tests.integration.interop.test_delta_rs_tables import TABLES, with_feed
from tests.properties.tables import now
from tests.properties.tables import open_table as open_with_clock
from tests.unit.merge.test_mapped_tables import mapped


def state(path: Path) -> dict[str, int]:
    return {str(file): file.stat().st_mtime_ns for file in path.rglob("*") if file.is_file()}


def check(table: Table, path: Path, *, notices: frozenset[str] = frozenset()) -> None:
    before = state(path)
    for full in (False, True):
        report = table.verify(full=full)
        assert report.findings == ()
        assert report.repaired == ()
        assert {item.kind for item in report.notices} == notices
        assert report.files_read == (report.files if full else min(report.files, 16))
    assert state(path) == before


@pytest.mark.parametrize("make", TABLES, ids=lambda make: make.__name__)
def test_of_delta_rs(tmp_path: Path, make: Callable[[Path], None]) -> None:
    make(tmp_path / "t")
    check(open_table(tmp_path), tmp_path)


@pytest.mark.parametrize(
    "section",
    [
        {"merge": "on_read"},
        {"merge": "on_read", "partition_by": ["part", "flag"]},
        {"merge": "on_write", "partition_by": ["day"]},
        {"merge": "on_read", "change_feed": True},
        {"merge": "on_write", "change_feed": True},
    ],
    ids=str,
)
def test_of_ours(tmp_path: Path, section: Mapping[str, Any]) -> None:
    """Every type, vectors, tombstones, a compaction, a checkpoint, a restore."""
    rng = random.Random(7)
    table = open_table(tmp_path, schema=dict(wide.COLUMNS), changes={"sequence": "seq"}, **section)
    table.create()
    for seq in range(1, 4):
        rows = [wide.row(number, seq=seq, rng=rng) for number in range(seq * 7, seq * 7 + 20)]
        gone = [wide.row(number, seq=seq, rng=rng) for number in range(seq * 7 - 4, seq * 7 - 2)]
        table.merge(wide.changes(rows, gone))
    check(table, tmp_path)
    assert table.compact().version is not None
    check(table, tmp_path)
    DeltaTable(tmp_path / "t").create_checkpoint()
    check(table, tmp_path)
    assert table.restore(version=2).version is not None
    check(table, tmp_path)


@pytest.mark.parametrize("kind", ["name", "id"])
def test_with_mapped_columns(tmp_path: Path, kind: str) -> None:
    table = mapped(tmp_path, kind, merge="on_read")
    first = [{"id": n, "v": n, "a": {"x": n} if n % 3 else None, "l": [{"p": n}]} for n in range(30)]
    table.merge(first)
    table.merge([{"id": 3, "v": None}, {"id": 4, "_op": "delete"}, {"id": 99, "w": "new"}])
    check(table, tmp_path)


@pytest.mark.parametrize("section", [{"history": "full"}, {"merge": "on_write"}], ids=str)
def test_after_truncates_and_late_changes(tmp_path: Path, section: Mapping[str, Any]) -> None:
    table = work.table(tmp_path, **section)
    table.merge(work.FIRST)
    table.merge(work.SECOND)
    table.merge(work.AFTER_TRUNCATE)
    check(table, tmp_path)


def test_types_that_were_widened(tmp_path: Path) -> None:
    table = open_table(
        tmp_path, schema={"id": "long", "n": "integer", "f": "float"}, changes={"widen": "metadata"}
    )
    table.create()
    table.merge([{"id": 1, "n": 5, "f": 0.1}, {"id": 2, "n": -7, "f": 1e-30}])
    assert table.merge([{"id": 3, "n": 2**40, "f": 1e300}]).widened
    check(table, tmp_path)


MAKERS: Mapping[str, Callable[[Storage], None]] = {
    "classic": lambda _: None,
    "multi_part": kinds.into_parts,
    "v2_json": lambda storage: kinds.into_v2(storage, "json"),
    "v2_parquet": lambda storage: kinds.into_v2(storage, "parquet"),
}


@pytest.mark.parametrize("kind", MAKERS)
def test_checkpoints_of_every_kind(tmp_path: Path, kind: str) -> None:
    """The commits that they stand for are gone, as is the hint at them."""
    MAKERS[kind](kinds.with_checkpoint(tmp_path))
    (tmp_path / "table").rename(tmp_path / "t")
    check(open_table(tmp_path), tmp_path, notices=frozenset({"no_last_checkpoint"}))


def test_orphans_are_a_notice_once_they_are_old(tmp_path: Path) -> None:
    later = [timedelta()]

    def clock() -> datetime:
        return now() + later[0]

    found = open_with_clock(tmp_path, clock=clock, changes={"sequence": "seq"})
    found.merge(work.FIRST)
    (tmp_path / "t" / "part-0001.parquet").write_bytes(b"x" * 100)
    (tmp_path / "t" / "deletion_vector_x.bin").write_bytes(b"x" * 11)
    (tmp_path / "t" / "_lakehouse" / "tombstones").mkdir(parents=True, exist_ok=True)
    (tmp_path / "t" / "_lakehouse" / "tombstones" / "old.parquet").write_bytes(b"x")
    assert found.verify().notices == ()
    later[0] = timedelta(days=8)
    (notice,) = found.verify().notices
    assert (notice.kind, notice.count, notice.bytes) == ("orphans", 2, 111)
    assert found.verify().ok


def test_files_that_were_removed_are_no_orphans(tmp_path: Path) -> None:
    """Of a version that can still be read, though only a checkpoint's tombstones name them."""
    made = work.table(tmp_path, merge="on_write")
    work.fill(tmp_path, merge="on_write")
    DeltaTable(tmp_path / "t").create_checkpoint()
    for commit in (tmp_path / "t" / "_delta_log").glob("*.json"):
        commit.unlink()
    files = {file.name for file in (tmp_path / "t").glob("*.parquet")}
    assert len(files) > len(made.snapshot().files)
    late = open_with_clock(tmp_path, clock=lambda: now() + timedelta(days=9))
    assert late.verify().notices == ()


def test_change_data_that_was_vacuumed_is_a_notice(tmp_path: Path) -> None:
    with_feed(tmp_path / "t")
    for file in (tmp_path / "t" / "_change_data").glob("*"):
        file.unlink()
    assert {item.kind for item in open_table(tmp_path).verify().findings} == {"missing_change_data"}
    late = open_with_clock(tmp_path, clock=lambda: now() + timedelta(days=9)).verify()
    assert late.ok
    assert [item.kind for item in late.notices] == ["no_change_data"]
