"""What a vacuum takes and what it leaves, file by file, on tables as they come."""

from __future__ import annotations

import json
import os
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from deltalake import DeltaTable, write_deltalake

from lakehouse.delta.vacuum_notes import FOLDER, RESERVED, read_notes, reserved
from lakehouse.errors import (
    ConflictError,
    CorruptTableError,
    RefusedError,
    UnsupportedFeatureError,
    UsageError,
    VersionNotFoundError,
)
from lakehouse.maintenance.vacuum import VacuumPlan
from lakehouse.protection import Protection, TableHold
from lakehouse.table import Table
from tests.fixtures.held import under
from tests.fixtures.meanwhile import Meanwhile
from tests.properties.tables import NAME, everywhere, open_table, ours, records

LAST = [{"name": "history", "versions": {"last": 1}}]
OLD = timedelta(days=60)


def filled(root: Path, *, merges: int = 3, **section: Any) -> Table:
    """An empty version 0, and merges that change all rows, so that no version shares a file with another."""
    found = open_table(root, **{"changes": {"sequence": "seq"}, "retention": LAST, **section})
    for number in range(merges):
        found.merge([{"id": key, "seq": number, "v": f"v{number}"} for key in range(4)])
    return found


def age(root: Path, pattern: str = "**/*", by: timedelta = OLD) -> None:
    then = (datetime.now(UTC) - by).timestamp()
    for path in (root / NAME).glob(pattern):
        if path.is_file() and not path.is_symlink():
            os.utime(path, (then, then))


def names(root: Path) -> set[str]:
    place = root / NAME
    return {str(path.relative_to(place)) for path in place.rglob("*") if path.is_file() or path.is_symlink()}


def gone(plan: VacuumPlan) -> set[str]:
    return {each.path for each in plan.files}


def put(root: Path, name: str, *, old: bool = True) -> Path:
    path = root / NAME / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x")
    if old:
        then = (datetime.now(UTC) - OLD).timestamp()
        os.utime(path, (then, then))
    return path


def test_old_versions_go_and_say_so(tmp_path: Path) -> None:
    table = filled(tmp_path)
    rows = everywhere(table, tmp_path)
    done = table.vacuum(grace="0s")
    assert done.run is not None
    assert done.pruned == ((1, 2),)
    assert everywhere(table, tmp_path) == rows
    assert len(list((tmp_path / NAME).glob("*.parquet"))) == 1
    with pytest.raises(VersionNotFoundError, match=r"version 1 .*the vacuum of .* not kept by rule history"):
        table.read(version=1)
    with pytest.raises(VersionNotFoundError, match="the vacuum of"):
        table.tag("too-late", version=1)
    assert table.tags() == ()
    with pytest.raises(VersionNotFoundError, match="the vacuum of"):
        table.restore(version=1)
    assert [entry.readable for entry in table.history()] == [True, False, False, True]
    assert "not kept by rule history" in table.history()[-2].gone
    assert table.vacuum(grace="0s").changes_nothing


def test_an_older_version_that_lacks_only_a_vector_says_so_too(tmp_path: Path) -> None:
    table = open_table(tmp_path, merge="on_read", changes={"sequence": "seq"}, retention=LAST)
    table.merge([{"id": key, "seq": 0} for key in range(100)])
    for number in (1, 2):
        table.merge([{"id": number, "seq": number, "_op": "delete"}])
    assert {each.kind for each in table.vacuum(grace="0s").files} == {"vector"}
    with pytest.raises(VersionNotFoundError, match=r"version 2 .* deletion vectors are gone .*the vacuum of"):
        table.read(version=2)
    assert ours(table, version=1).height == 100


def test_who_reads_a_moment_longer_is_not_cut_off(tmp_path: Path) -> None:
    table = filled(tmp_path)
    plan = table.vacuum()
    assert plan.changes_nothing
    assert [each.reasons[-1] for each in plan.versions] == ["current within 1h"] * 3 + ["last 1 of 1"]


def test_tags_keep_their_versions(tmp_path: Path) -> None:
    table = filled(tmp_path)
    table.tag("first", version=1)
    plan = table.vacuum(grace="0s")
    assert plan.pruned == ((2, 2),)
    assert "tag first" in plan.kept
    assert table.read(tag="first")["v"].to_list() == ["v0"] * 4


def test_without_a_rule_seven_days_or_what_the_table_says(tmp_path: Path) -> None:
    table = filled(tmp_path, retention=[])
    assert table.vacuum().changes_nothing
    age(tmp_path, by=timedelta(days=6))
    assert table.vacuum().changes_nothing
    age(tmp_path, by=timedelta(days=8))
    plan = table.vacuum(dry_run=True)
    assert plan.pruned == ((1, 2),)
    assert "delta.deletedFileRetentionDuration" in plan.versions[0].why_not
    DeltaTable(tmp_path / NAME).alter.set_table_properties(
        {"delta.deletedFileRetentionDuration": "interval 2 weeks"}
    )
    assert table.vacuum().changes_nothing


def test_a_retention_that_nobody_can_read_stops_it(tmp_path: Path) -> None:
    filled(tmp_path, merges=1)
    log = tmp_path / NAME / "_delta_log" / f"{0:020d}.json"
    log.write_text(
        log.read_text().replace(
            '"configuration":{', '"configuration":{"delta.logRetentionDuration":"soon",', 1
        )
    )
    with pytest.raises(RefusedError, match=r"logRetentionDuration"):
        open_table(tmp_path, retention=LAST).vacuum()


def test_leftovers_go_by_their_age_and_others_files_stay(tmp_path: Path) -> None:
    table = filled(tmp_path, merges=1, retention=[*LAST, {"name": "o", "orphans": "2d"}])
    leftovers = {
        "part-00000-left.snappy.parquet",
        "day=1/part-00000-left.snappy.parquet",
        "_change_data/cdc-left.parquet",
        "deletion_vector_00000000-0000-0000-0000-000000000000.bin",
        "part-1.parquet#123456",
        "_delta_log/_commit_6f6f.json.tmp",
        "_lakehouse/tmp/archive.parquet",
        "_lakehouse/tombstones/12345.json",
        "_lakehouse/tombstones/abc.parquet",
    }
    others = {
        "README.txt",
        "_checkpoints/0.parquet",
        ".hidden/x.parquet",
        "_delta_log/notes.txt",
        "_delta_log/_commits/00000000000000000001.6f.json",
        "inner/_delta_log/00000000000000000000.json",
        "inner/part.parquet",
        "_lakehouse/something.json",
    }
    for name in leftovers | others:
        put(tmp_path, name)
    young = put(tmp_path, "part-young.parquet", old=False)
    assert gone(table.vacuum()) == leftovers
    assert names(tmp_path) >= others | {young.name}
    assert table.verify().ok


def test_no_leftover_is_younger_than_a_long_merge(tmp_path: Path) -> None:
    table = filled(tmp_path, merges=1, retention=[{"name": "o", "orphans": "1d"}])
    path = put(tmp_path, "part-left.parquet", old=False)
    then = (datetime.now(UTC) - timedelta(hours=20)).timestamp()
    os.utime(path, (then, then))
    assert table.vacuum().changes_nothing
    age(tmp_path, path.name, timedelta(hours=25))
    assert gone(table.vacuum()) == {path.name}


def test_the_same_leftovers_as_delta_rs_would_take(tmp_path: Path) -> None:
    table = filled(tmp_path, merges=4, merge="on_read", change_feed=True, partition_by=["id"])
    table.compact()
    for name in ("id=1/left.parquet", "left.parquet", "_change_data/left.parquet", "_other/left.parquet"):
        put(tmp_path, name)
    age(tmp_path)
    theirs = set(
        DeltaTable(tmp_path / NAME).vacuum(
            retention_hours=0, dry_run=True, enforce_retention_duration=False, full=True
        )
    )
    plan = table.vacuum(grace="0s")
    mine = {each.path for each in plan.files if not each.path.startswith(("_lakehouse/", "_delta_log/"))}
    assert {path for path in mine if not path.startswith("_change_data/")} == {
        path for path in theirs if not path.startswith("_change_data/")
    }
    # They take all change data; ours of the newest version stays.
    newest = f"{table.snapshot().version:020d}.json"
    own = (tmp_path / NAME / "_delta_log" / newest).read_text()
    assert theirs - mine == {path for path in theirs if path.startswith("_change_data/") and path in own}
    assert mine - theirs == set()
    assert len(mine) > 10


def test_names_that_are_written_otherwise_in_the_log(tmp_path: Path) -> None:
    place = tmp_path / NAME
    frame = pl.DataFrame({"id": [1, 2, 3], "p": ["a b", "50%", "x=ü/y"]})
    write_deltalake(place, frame.to_arrow(), partition_by=["p"])
    write_deltalake(place, frame.to_arrow(), partition_by=["p"], mode="overwrite")
    table = open_table(tmp_path, retention=LAST, partition_by=["p"])
    rows = records(ours(table))
    assert len(gone(table.vacuum(grace="0s"))) == 3
    assert records(ours(table)) == rows
    assert len(list(place.rglob("*.parquet"))) == 3


def test_files_of_others_are_never_touched(tmp_path: Path) -> None:
    """A shallow clone's log names the files of another table, and links lead out of the folder."""
    source = filled(tmp_path / "other", merges=1)
    theirs = next(iter(source.snapshot().files.values())).location(source.storage.url)
    table = filled(tmp_path, merges=2)
    log = tmp_path / NAME / "_delta_log" / f"{1:020d}.json"
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    add = next(line for line in lines if "add" in line)
    lines.append({"add": {**add["add"], "path": f"file://{theirs}"}})
    log.write_text("\n".join(map(json.dumps, lines)))
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "only-copy.parquet").write_bytes(b"x")
    (tmp_path / NAME / "linked").symlink_to(outside)
    (tmp_path / NAME / "link.parquet").symlink_to(outside / "only-copy.parquet")
    age(tmp_path, "../outside/*")
    plan = open_table(tmp_path, retention=LAST).vacuum(grace="0s")
    assert len(plan.files) == 1
    assert Path(theirs).exists()
    assert (tmp_path / NAME / "link.parquet").is_symlink()
    assert (outside / "only-copy.parquet").exists()
    assert table.read().height == 4


def test_tombstones_of_versions_that_stay(tmp_path: Path) -> None:
    table = open_table(tmp_path, changes={"sequence": "seq"}, retention=LAST)
    table.merge([{"id": key, "seq": 1} for key in range(10)])
    for number in range(2, 8):
        table.merge([{"id": number, "seq": number, "_op": "delete"}])
    before = len(list((tmp_path / NAME / "_lakehouse/tombstones").iterdir()))
    age(tmp_path, "_lakehouse/**/*")
    plan = table.vacuum(grace="0s")
    assert plan.kinds["tombstones"].files == before - len(
        list((tmp_path / NAME / "_lakehouse/tombstones").iterdir())
    )
    assert plan.kinds["tombstones"].files > 3
    late = table.merge([{"id": 3, "seq": 2, "v": "too late"}])
    assert late.stale == 1


def test_the_log_is_cut_at_a_checkpoint_once_it_is_old(tmp_path: Path) -> None:
    table = filled(tmp_path, merges=14)
    rows = everywhere(table, tmp_path)
    assert not {"commit", "checkpoint"} & set(table.vacuum(grace="0s").kinds), "history stays for 30 days"
    put(tmp_path, f"_delta_log/{3:020d}.crc")
    put(tmp_path, f"_delta_log/{2:020d}.{5:020d}.compacted.json")
    age(tmp_path)
    plan = table.vacuum(grace="0s", dry_run=True)
    # There is a checkpoint at 10 only, and the oldest kept version is 13.
    assert plan.log_before == 10
    done = table.vacuum(grace="0s")
    assert {each.kind for each in done.files} == {"commit", "checksum", "compaction"}
    left = sorted(path.name for path in (tmp_path / NAME / "_delta_log").iterdir())
    assert left[0] == f"{10:020d}.checkpoint.parquet"
    assert everywhere(table, tmp_path) == rows
    assert table.merge([{"id": 1, "seq": 99, "v": "new"}]).updated == 1
    assert table.verify().ok
    with pytest.raises(VersionNotFoundError, match=r"version 4 .* is gone: the vacuum of"):
        open_table(tmp_path, retention=LAST).read(version=4)
    assert table.history()[-1].version == 10


def test_a_checkpoint_is_made_where_it_lets_the_log_go(tmp_path: Path) -> None:
    table = filled(tmp_path, merges=19)
    table.tag("eight", version=8)
    for path in (tmp_path / NAME / "_delta_log").glob("*checkpoint*"):
        path.unlink()
    open_table(tmp_path).vacuum(dry_run=True)
    age(tmp_path)
    table = open_table(tmp_path, retention=LAST)
    assert table.vacuum(dry_run=True, grace="0s").checkpoint_at is None, "eight commits are not worth it"
    table.untag("eight")
    table.tag("twelve", version=12)
    rows, then = everywhere(table, tmp_path), records(ours(table, version=12))
    assert table.vacuum(dry_run=True, grace="0s").checkpoint_at == 12
    done = table.vacuum(grace="0s")
    assert done.log_before == 12
    assert done.kinds["commit"].files == 12
    fresh = open_table(tmp_path, retention=LAST)
    assert everywhere(fresh, tmp_path) == rows
    assert records(ours(fresh, version=12)) == then
    assert DeltaTable(tmp_path / NAME, version=12).version() == 12
    assert fresh.verify().ok


def test_checkpoints_that_no_kept_version_is_read_from(tmp_path: Path) -> None:
    table = filled(tmp_path, merges=31)
    half = f"_delta_log/{25:020d}.checkpoint.{1:010d}.{2:010d}.parquet"
    put(tmp_path, half)
    table.tag("low", version=0)
    table.tag("high", version=29)
    rows = {version: records(ours(table, version=version)) for version in (0, 29, 31)}
    age(tmp_path)
    done = table.vacuum(grace="0s")
    assert {each.path for each in done.files if each.kind == "checkpoint"} == {
        f"_delta_log/{10:020d}.checkpoint.parquet",
        half,
    }
    fresh = open_table(tmp_path, retention=LAST)
    for version, wanted in rows.items():
        assert records(ours(fresh, version=version)) == wanted
    assert fresh.verify().ok
    assert [entry.version for entry in fresh.history()] == list(range(31, -1, -1))


def test_a_log_with_a_gap_stops_it(tmp_path: Path) -> None:
    table = filled(tmp_path, merges=13)
    (tmp_path / NAME / "_delta_log" / f"{5:020d}.json").unlink()
    before = names(tmp_path)
    with pytest.raises(CorruptTableError, match="gap"):
        table.vacuum(grace="0s")
    assert names(tmp_path) == before


def test_a_feature_that_is_not_known_stops_it(tmp_path: Path) -> None:
    filled(tmp_path, merges=2)
    log = tmp_path / NAME / "_delta_log" / f"{1:020d}.json"
    protocol = {"minReaderVersion": 1, "minWriterVersion": 7, "writerFeatures": ["filesElsewhere"]}
    log.write_text(log.read_text() + json.dumps({"protocol": protocol}) + "\n")
    with pytest.raises(UnsupportedFeatureError, match="filesElsewhere"):
        open_table(tmp_path, retention=LAST).vacuum(grace="0s")


def test_a_plan_that_was_shown_is_all_that_goes(tmp_path: Path) -> None:
    table = filled(tmp_path)
    shown = table.vacuum(dry_run=True, grace="0s")
    table.merge([{"id": key, "seq": 99, "v": "later"} for key in range(4)])
    done = table.vacuum(plan=shown, grace="0s")
    assert gone(done) == gone(shown)
    assert not table.vacuum(dry_run=True, grace="0s").changes_nothing


@pytest.mark.parametrize("how", ["tag", "restore", "reserved", "hold"])
def test_what_is_wanted_in_the_last_moment_stays(tmp_path: Path, how: str) -> None:
    """Between the plan and the first file that goes, somebody tags, restores or holds what would go."""
    filled(tmp_path)
    other = open_table(tmp_path, changes={"sequence": "seq"})
    holds: list[TableHold] = []
    before = records(ours(other, version=1))

    def wanted() -> None:
        match how:
            case "tag":
                other.tag("wanted", version=1)
            case "restore":
                other.restore(version=1)
            case "reserved":
                other.storage.put(f"{RESERVED}/{1:020d}-aa.json", b"{}")
            case "hold":
                holds.append(TableHold(id="h-1", reason="case 1", where="v = 'v0'"))

    storage = BeforeNote(_lake(tmp_path), wanted)
    table = open_table(tmp_path, storage=storage, retention=LAST)
    done = under(table, lambda: Protection(NAME, tuple(holds))).vacuum(grace="0s")
    assert storage.queue == []
    assert done.pruned == ((2, 2),)
    assert records(ours(other, version=1)) == before
    assert other.verify().ok
    assert [note.pruned for note in read_notes(table.storage)] == [done.pruned]


@pytest.mark.parametrize("how", ["tag", "restore"])
def test_who_comes_after_the_note_is_refused(tmp_path: Path, how: str) -> None:
    filled(tmp_path)
    other = open_table(tmp_path, changes={"sequence": "seq"})

    def late() -> None:
        with pytest.raises(VersionNotFoundError, match=r"a vacuum that began at .* is not done takes it"):
            other.tag("late", version=1) if how == "tag" else other.restore(version=1)

    storage = BeforeNote(_lake(tmp_path), late, after=True)
    done = open_table(tmp_path, storage=storage, retention=LAST).vacuum(grace="0s")
    assert storage.queue == []
    assert done.pruned == ((1, 2),)
    assert other.tags() == ()
    assert other.snapshot().version == 3
    assert list((tmp_path / NAME / RESERVED).glob("*")) == []


def test_a_reservation_ends_by_itself(tmp_path: Path) -> None:
    table = filled(tmp_path)
    path = put(tmp_path, f"{RESERVED}/{1:020d}-aa.json", old=False)
    assert table.vacuum(dry_run=True, grace="0s").pruned == ((2, 2),)
    age(tmp_path, f"{RESERVED}/*", timedelta(hours=2))
    assert table.vacuum(dry_run=True, grace="0s").pruned == ((1, 2),)
    age(tmp_path, f"{RESERVED}/*")
    assert f"{RESERVED}/{path.name}" in gone(table.vacuum(grace="0s"))
    with reserved(table.storage, 3, table=NAME) as still:
        still()
    assert not list((tmp_path / NAME / RESERVED).iterdir())


def test_a_vacuum_that_was_killed_is_finished_by_the_next(tmp_path: Path) -> None:
    table = filled(tmp_path, merges=4)
    shutil.copytree(tmp_path / NAME, tmp_path / "whole")
    plan = table.vacuum(grace="0s")
    (note,) = read_notes(table.storage)
    body = json.loads((tmp_path / NAME / FOLDER / f"{note.run}.json").read_text())
    # As if it had died after its second file.
    for each in plan.files[2:]:
        shutil.copy(tmp_path / "whole" / each.path, tmp_path / NAME / each.path)
    body |= {"finished": None, "removed": {}, "files": {"data": [[e.path, e.bytes] for e in plan.files]}}
    (tmp_path / NAME / FOLDER / f"{note.run}.json").write_text(json.dumps(body))
    with pytest.raises(VersionNotFoundError, match="is not done takes it"):
        table.restore(version=1)
    beside = table.vacuum(dry_run=True, grace="0s")
    assert beside.unfinished == ()
    assert "at work too, or was killed" in beside.notes[0]
    age(tmp_path, f"{FOLDER}/*", timedelta(hours=2))
    # The rule has changed: what is half gone stays gone all the same.
    table = open_table(tmp_path, retention=[{"name": "more", "versions": {"last": 3}}])
    again = table.vacuum(grace="0s")
    assert again.unfinished == (note.run,)
    assert gone(again) == {each.path for each in plan.files[2:]}
    (left,) = read_notes(table.storage)
    assert left.finished is not None
    assert left.pruned == plan.pruned == ((1, 3),)
    assert table.vacuum(grace="0s").changes_nothing


def test_a_whole_table_that_is_held_keeps_everything(tmp_path: Path) -> None:
    table = filled(tmp_path)
    put(tmp_path, "left.parquet")
    age(tmp_path)
    before = names(tmp_path)
    held = Protection(NAME, (TableHold(id="h-1", reason="case 12"),))
    plan = under(table, lambda: held).vacuum(grace="0s")
    assert plan.changes_nothing
    assert "whole table is held (h-1)" in plan.notes[0]
    assert plan.holds == {"h-1": "case 12"}
    assert names(tmp_path) == before


def test_a_vacuum_stops_where_a_hold_comes_while_it_deletes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lakehouse.maintenance.vacuum.carry_out._AT_ONCE", 1)
    table = filled(tmp_path)
    expected = gone(table.vacuum(dry_run=True, grace="0s"))
    holds: list[TableHold] = []

    def step(what: str, done: int, total: int) -> None:
        if what == "deleting" and done == 1:
            holds.append(TableHold(id="h-1", reason="case 1", where="id = 1"))

    held = under(table, lambda: Protection(NAME, tuple(holds)))
    with pytest.raises(ConflictError, match=r"h-1 was placed on table .* it stopped"):
        held.vacuum(grace="0s", step=step)
    assert len(expected - names(tmp_path)) == 1 < len(expected)
    # The rest has rows of it.
    assert not gone(held.vacuum(grace="0s")) & expected
    assert table.verify().ok


def rows_hold(where: str) -> Any:
    held = Protection(NAME, (TableHold(id="h-1", reason="case 12", where=where),))
    return lambda: held


@pytest.mark.parametrize("merge", ["on_read", "on_write"])
def test_a_held_row_stays_readable_in_each_of_its_states(tmp_path: Path, merge: str) -> None:
    table = open_table(tmp_path, merge=merge, changes={"sequence": "seq"}, retention=LAST)
    table.merge([{"id": key, "seq": 0, "v": "first"} for key in range(50)])
    table.merge([{"id": 7, "seq": 1, "v": "second"}, {"id": 8, "seq": 1, "v": "other"}])
    table.merge([{"id": 9, "seq": 2, "v": "other"}])
    table.merge([{"id": 7, "seq": 3, "_op": "delete"}])
    table.merge([{"id": 10, "seq": 4, "v": "other"}])
    plan = under(table, rows_hold("id = 7")).vacuum(grace="0s")
    # Its first state was last to be read in version 1, its second in version 3.
    assert [each.version for each in plan.versions if "hold h-1" in each.reasons] == [1, 3]
    assert {each.version for each in plan.versions if not each.keep} == {0, 2, 4}
    assert table.read(where="id = 7", version=1)["v"].to_list() == ["first"]
    assert table.read(where="id = 7", version=3)["v"].to_list() == ["second"]
    assert not under(table, rows_hold("id = 777")).vacuum(grace="0s").changes_nothing
    # Once nothing holds it, its states go: the second one was in a file of its own.
    with pytest.raises(VersionNotFoundError):
        table.read(version=3)


def test_held_rows_in_leftovers_and_change_data(tmp_path: Path) -> None:
    table = filled(tmp_path, change_feed=True, merge="on_read")
    for name, key in (("has.parquet", 2), ("has-not.parquet", 1)):
        pl.DataFrame({"id": [key], "v": ["x"]}).write_parquet(tmp_path / NAME / name)
    pl.DataFrame({"other": [1]}).write_parquet(tmp_path / NAME / "unclear.parquet")
    put(tmp_path, "broken.parquet")
    age(tmp_path)
    plan = under(table, rows_hold("id = 2 AND v = 'x'")).vacuum(grace="0s")
    assert {each.path for each in plan.files if each.kind == "leftover"} == {"has-not.parquet"}
    assert plan.kept["hold h-1"].files == 3
    assert "2 files stay since nobody can say" in plan.notes[0]
    assert plan.kinds["change_data"].files == 1


def test_a_condition_on_a_column_that_came_later(tmp_path: Path) -> None:
    table = filled(tmp_path, merges=2)
    table.merge([{"id": 1, "seq": 9, "v": "v9", "late": "yes"}])
    table.merge([{"id": 1, "seq": 10, "v": "v9", "late": "no"}])
    plan = under(table, rows_hold("late = 'yes'")).vacuum(grace="0s")
    assert [each.version for each in plan.versions if each.keep] == [3, 4]


def test_a_condition_that_can_not_be_asked_keeps_all(tmp_path: Path) -> None:
    table = filled(tmp_path)
    plan = under(table, rows_hold("nowhere = 1")).vacuum(grace="0s")
    assert plan.changes_nothing
    assert "2 files stay" in plan.notes[0]


def test_a_clock_that_is_far_ahead_stops_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = filled(tmp_path)
    before = names(tmp_path)
    ahead = datetime.now(UTC) + timedelta(hours=1)
    monkeypatch.setattr("lakehouse.maintenance.vacuum.carry_out.time.time", ahead.timestamp)
    with pytest.raises(RefusedError, match=r"clock is .* ahead"):
        table.vacuum(grace="0s")
    assert names(tmp_path) == before


class BeforeNote(Meanwhile):
    """Somebody does something in the moment before (or after) a vacuum writes its note."""

    def __init__(self, inner: Any, *deeds: Any, after: bool = False, queue: Any = None) -> None:
        super().__init__(inner, deeds, queue=queue)
        self.after = after

    def child(self, prefix: str) -> BeforeNote:
        return BeforeNote(self.inner.child(prefix), after=self.after, queue=self.queue)

    def put(self, path: str, data: bytes | memoryview) -> None:
        if self.after:
            super().put(path, data)
        if path.startswith(FOLDER) and self.queue:
            self.queue.pop(0)()
        if not self.after:
            super().put(path, data)


def _lake(root: Path) -> Any:
    from lakehouse.storage import open_storage  # noqa: PLC0415

    return open_storage(root, options={"fsync": "false"})


@pytest.mark.parametrize("grace", [5, None, "5", "-1h", timedelta(seconds=-1)])
def test_a_grace_that_is_no_duration_is_a_mistake(tmp_path: Path, grace: Any) -> None:
    with pytest.raises(UsageError, match="grace"):
        filled(tmp_path).vacuum(grace=grace)
