"""Archives: whole before the rows go, found again after crashes, and brought back through a merge."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from lakehouse.cdc.changes import ChangeBatch
from lakehouse.delta.schema import parse_schema
from lakehouse.errors import (
    CorruptTableError,
    NotFoundError,
    RefusedError,
    StorageError,
    UsageError,
)
from lakehouse.retention import archive as archives
from lakehouse.storage import open_storage
from tests.fixtures.faults import FaultyStorage
from tests.unit.retention.lakes import NOW, Lake, fill, one_table

COLD = {
    "name": "cold",
    "column": "at",
    "keep": "30d",
    "action": "archive",
    "to": "archive",
    "max_fraction": 0.9,
}
SECTIONS = {"t": {"key": ["id"], "merge": "on_read", "retention": [COLD]}}


def days(*ages: float) -> list[datetime]:
    return [NOW - timedelta(days=age) for age in ages]


def filled(root: Path, rule: dict[str, Any] | None = None, **section: Any) -> Lake:
    lake = one_table(root, {**COLD, **(rule or {})}, **section)
    ages = (days(100, 90), days(40, 20, 10, 9), days(5, 1))
    struct: dict[str, Any] = {"s": lambda i: {"x": i, "y": None if i else "y"}}
    fill(lake, *ages, name=lambda i: f"person {i}", tags=lambda i: [f"a{i}", None], **struct)
    return lake


def test_rows_are_in_the_archive_as_they_were(tmp_path: Path) -> None:
    lake = filled(tmp_path)
    before = lake.table("t").read().sort("id")
    (done,) = lake.retention.apply().tables
    assert (done.rows_archived, done.rows_deleted) == (3, 3)
    assert lake.ids() == [3, 4, 5, 6, 7]
    (entry,) = lake.retention.archives("t")
    assert (entry.state, entry.manifest.rows, entry.manifest.version) == ("complete", 3, done.version)
    assert done.archives == (entry.manifest.id,)
    folder = Path(entry.url)
    assert sorted(path.name for path in folder.iterdir()) == ["manifest.json", "part-00000.parquet"]
    assert_frame_equal(pl.read_parquet(folder / "part-00000.parquet").sort("id"), before[:3])
    assert lake.ledger.records[0].detail["archive"] == entry.manifest.id


def test_the_manifest_says_what_is_needed_and_no_more(tmp_path: Path) -> None:
    lake = filled(tmp_path)
    lake.retention.apply()
    (entry,) = lake.retention.archives("t")
    text = (Path(entry.url) / "manifest.json").read_text()
    assert "person" not in text
    content = json.loads(text)
    assert (content["lake"], content["table"], content["rule"]) == ("lake", "t", "cold")
    assert content["cutoff"] == "2026-05-02T12:00:00Z"
    assert (content["oldest"], content["newest"]) == (
        "2026-02-21T12:00:00Z",
        "2026-04-22T12:00:00Z",
    )
    assert parse_schema(json.dumps(content["schema"])) == lake.table("t").snapshot().schema
    (file,) = content["files"]
    data = (Path(entry.url) / file["path"]).read_bytes()
    assert (file["rows"], file["size"], file["sha256"]) == (3, len(data), hashlib.sha256(data).hexdigest())


def test_many_rows_are_written_in_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lakehouse.retention.writing.CHUNK_BYTES", 1)
    lake = filled(tmp_path)
    lake.retention.apply()
    (entry,) = lake.retention.archives("t")
    assert [file.rows for file in entry.manifest.files] == [2, 1]
    assert lake.retention.restore_archive("t").rows == 3
    assert lake.ids() == list(range(8))


@pytest.mark.parametrize("to", ["archive/deep", "{root}/elsewhere", "file://{root}/elsewhere"])
def test_other_places(tmp_path: Path, to: str) -> None:
    lake = filled(tmp_path / "lake", {"to": to.format(root=tmp_path)})
    lake.retention.apply()
    folder = tmp_path / "lake" / "archive" / "deep" if to.startswith("archive") else tmp_path / "elsewhere"
    assert len(list((folder / "t").glob("*/manifest.json"))) == 1
    lake.retention.restore_archive("t")
    assert lake.ids() == list(range(8))


def test_a_store_that_gives_back_something_else(tmp_path: Path) -> None:
    filled(tmp_path)

    class Rotten(FaultyStorage):
        def child(self, prefix: str) -> Rotten:
            return Rotten(self.inner.child(prefix), plan=self.plan)

        def get(self, path: str) -> bytes:
            data = super().get(path)
            return (
                data[:-9] + b"x" + data[-8:] if path.startswith("part-") and "archive" in self.url else data
            )

    lake = Lake(tmp_path, SECTIONS, storage=Rotten(open_storage(tmp_path, options={"fsync": "false"})))
    with pytest.raises(StorageError, match="does not hold the rows"):
        lake.retention.apply()
    assert lake.ids() == list(range(8))
    assert list((tmp_path / "archive").rglob("*.parquet")) == []


def test_a_range_is_brought_back(tmp_path: Path) -> None:
    lake = filled(tmp_path)
    whole = lake.table("t").read().sort("id")
    lake.retention.apply()
    dry = lake.retention.restore_archive("t", since="2026-03-01", until="2026-04-01", dry_run=True)
    assert (dry.rows, dry.counts, dry.version) == (1, {"inserted": 1}, None)
    assert lake.ids() == [3, 4, 5, 6, 7]
    back = lake.retention.restore_archive("t", since="2026-03-01", until="2026-04-01")
    assert (back.rows, back.counts) == (1, {"inserted": 1})
    assert lake.ids() == [1, 3, 4, 5, 6, 7]
    (entry,) = lake.retention.archives("t")
    lake.retention.restore_archive("t", archive=entry.manifest.id[:9])
    assert_frame_equal(lake.table("t").read().sort("id"), whole)
    again = lake.retention.restore_archive("t")
    assert (again.rows, again.counts, again.version) == (3, {"kept": 3}, None)
    # The rules take them out again, into another archive.
    lake.retention.apply()
    assert [each.manifest.rows for each in lake.retention.archives("t")] == [3, 3]


def test_what_the_table_has_newer_stays(tmp_path: Path) -> None:
    lake = filled(tmp_path, changes={"sequence": "at"})
    lake.retention.apply()
    lake.table("t").merge(pl.DataFrame({"id": [0], "at": days(0.5), "name": ["new"]}))
    lake.table("t").merge([{"id": 1, "at": days(0.5)[0], "_op": "delete"}])
    back = lake.retention.restore_archive("t")
    # Row 0 gets the cells that the newer change did not state.
    assert back.counts == {"inserted": 1, "updated": 1, "stale": 1}
    assert lake.ids() == [0, 2, 3, 4, 5, 6, 7]
    assert lake.table("t").read(where="id = 0")["name"].to_list() == ["new"]


def test_the_formats_own_sequence_comes_back_too(tmp_path: Path) -> None:
    lake = one_table(tmp_path, COLD, changes={"format": "rows"})
    lake.table("t").merge([{"id": i, "at": at, "_sequence": 5} for i, at in enumerate(days(90, 80, 1, 1))])
    lake.retention.apply()
    lake.table("t").merge([{"id": 0, "_op": "delete", "_sequence": 6}])
    back = lake.retention.restore_archive("t")
    assert back.counts == {"inserted": 1, "stale": 1}
    assert lake.ids() == [1, 2, 3]


def test_an_archive_that_is_damaged(tmp_path: Path) -> None:
    lake = filled(tmp_path)
    lake.retention.apply()
    (entry,) = lake.retention.archives("t")
    part = Path(entry.url) / "part-00000.parquet"
    data = part.read_bytes()
    part.write_bytes(data[:-1])
    with pytest.raises(CorruptTableError, match="not what was written"):
        lake.retention.restore_archive("t")
    part.unlink()
    with pytest.raises(CorruptTableError, match="is gone"):
        lake.retention.restore_archive("t")
    (Path(entry.url) / "manifest.json").write_text("{")
    with pytest.raises(CorruptTableError, match="manifest"):
        lake.retention.archives("t")
    assert lake.ids() == [3, 4, 5, 6, 7]


def test_what_cant_be_brought_back(tmp_path: Path) -> None:
    lake = filled(tmp_path)
    with pytest.raises(NotFoundError, match="no archives"):
        lake.retention.restore_archive("t")
    lake.retention.apply()
    with pytest.raises(NotFoundError, match="no archive nowhere"):
        lake.retention.restore_archive("t", archive="nowhere")
    with pytest.raises(UsageError, match=r"since \(--from\) does not fit"):
        lake.retention.restore_archive("t", since="yesterday")
    with pytest.raises(UsageError, match="nothing lies between"):
        lake.retention.restore_archive("t", since="2026-02-01", until="2026-01-01")
    full = one_table(tmp_path, COLD, history="full")
    with pytest.raises(RefusedError, match="every version"):
        full.retention.restore_archive("t")


def test_what_a_batch_passes_on_its_way_in_archived_rows_pass_too(tmp_path: Path) -> None:
    lake = filled(tmp_path)
    gone = set(lake.ids())
    lake.retention.apply()
    gone -= set(lake.ids())
    kept_out = min(gone)

    def step(batch: ChangeBatch) -> ChangeBatch:
        frame = batch.frame.filter(pl.col("id") != kept_out)
        return replace(batch, frame=frame, ignored=batch.ignored + batch.frame.height - frame.height)

    table = lake.table("t")
    table._open = replace(table._open, steps=(step,))
    lake.retention._table = lambda _: table
    lake.retention.restore_archive("t")
    assert gone & set(lake.ids()) == gone - {kept_out}
    assert len(gone) > 1


def pending(lake: Lake, entry: archives.ArchiveEntry) -> Path:
    """Makes an archive what it is right after its commit."""
    folder = Path(entry.url)
    manifest = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").unlink()
    (folder / "pending.json").write_text(json.dumps({**manifest, "version": None}))
    return folder


def test_a_dry_run_leaves_a_pending_archive_as_it_is(tmp_path: Path) -> None:
    lake = filled(tmp_path)
    lake.retention.apply()
    (entry,) = lake.retention.archives("t")
    folder = pending(lake, entry)
    with pytest.raises(NotFoundError):
        lake.retention.restore_archive("t", dry_run=True)
    assert (folder / "pending.json").exists()


def test_an_archive_whose_commit_is_there_is_finished(tmp_path: Path) -> None:
    lake = filled(tmp_path)
    done = lake.retention.apply().tables[0]
    (entry,) = lake.retention.archives("t")
    folder = pending(lake, entry)
    (found,) = lake.retention.archives("t")
    assert (found.state, found.manifest.version) == ("complete", done.version)
    assert not (folder / "pending.json").exists()


def test_an_archive_whose_commit_can_still_come_is_left_alone(tmp_path: Path) -> None:
    lake = filled(tmp_path)
    lake.retention.apply()
    (entry,) = lake.retention.archives("t")
    folder = pending(lake, entry)
    content = json.loads((folder / "pending.json").read_text())
    version = lake.table("t").snapshot().version
    waiting = {**content, "run": "another", "number": content["number"] + 1, "read_version": version}
    (folder / "pending.json").write_text(json.dumps(waiting))
    (found,) = lake.retention.archives("t")
    assert found.state == "pending"
    with pytest.raises(NotFoundError):
        lake.retention.restore_archive("t")
    # Another run archives under that number: now it can't come any more.
    lake.now += timedelta(days=20)
    lake.retention.apply()
    (found,) = lake.retention.archives("t")
    assert (found.state, found.manifest.number) == ("complete", content["number"] + 1)
    assert not folder.exists() or list(folder.iterdir()) == []


def test_leftovers_go_when_they_are_a_day_old(tmp_path: Path) -> None:
    lake = filled(tmp_path)
    lake.retention.apply()
    folder = tmp_path / "archive" / "t" / "20200101T000000Z-abc"
    folder.mkdir()
    (folder / "part-00000.parquet").write_bytes(b"half")
    (tmp_path / "archive" / "t" / "notes").mkdir()
    (tmp_path / "archive" / "t" / "notes" / "mine.txt").write_bytes(b"keep")
    place = open_storage(tmp_path / "archive" / "t")
    written = datetime.fromtimestamp((folder / "part-00000.parquet").stat().st_mtime).astimezone()
    assert archives.clear_leftovers(place, now=written + timedelta(hours=23)) == 0
    assert archives.clear_leftovers(place, now=written + timedelta(hours=25)) == 1
    assert (tmp_path / "archive" / "t" / "notes" / "mine.txt").exists()
    (entry,) = lake.retention.archives("t")
    assert lake.retention.restore_archive("t").rows == entry.manifest.rows


def test_a_moment_that_is_a_text_is_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="now is no datetime"):
        filled(tmp_path).retention.plan(now="2026-06-01")  # type: ignore[arg-type]
