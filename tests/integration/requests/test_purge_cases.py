"""What stands in the way of a purge, and what it has to reach."""

from __future__ import annotations

import io
import json
import os
import threading
import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import orjson
import polars as pl
import pyarrow as pa
import pytest
from deltalake import DeltaTable, QueryBuilder, write_deltalake

from lakehouse import ConflictError, Lakehouse, ProtectedError, RefusedError, VersionNotFoundError
from lakehouse.delta.actions import CommitInfo
from lakehouse.delta.checkpoint import forget_removed
from lakehouse.delta.conflicts import ReadSet, check
from lakehouse.delta.snapshot import Snapshot, load_snapshot
from lakehouse.delta.transaction import Conflicted, commit
from lakehouse.delta.vacuum_notes import RESERVED, read_notes, reserved
from lakehouse.errors import StorageError
from lakehouse.merge.company import winners
from lakehouse.merge.tombstones import FOLDER as TOMBSTONES
from lakehouse.requests.purge import PurgedFile, purge
from lakehouse.storage import Storage
from tests.fixtures.erasing import (
    ID,
    MAIL,
    History,
    anna,
    at,
    erased,
    fill,
    found_in,
    hits,
    opened,
    people,
    planned,
    purged,
    row,
)
from tests.fixtures.faults import FaultyStorage
from tests.fixtures.servers import S3Server
from tests.unit.merge.test_mapped_tables import named

FEED: dict[str, Any] = {"merge": "on_read", "change_feed": True}
LATER = timedelta(days=2)


@pytest.fixture
def lake(tmp_path: Path) -> Lakehouse:
    lake = opened(tmp_path / "lake", {"t": FEED})
    fill(lake, "t")
    return lake


def test_reads_say_why_a_version_is_gone(lake: Lakehouse) -> None:
    t, who = lake.table("t"), people(lake)
    t.tag("before", version=3)
    done = erased(lake, t.opened, who)
    t.tag("after", version=done.version)
    result = purged(lake, at(t.opened, later=LATER), who, "cut")
    assert result.closed_versions == tuple(range(done.version))
    assert result.dropped_tags == ("before",)
    assert [tag.name for tag in t.tags()] == ["after"]
    assert result.log_removed
    for version in (0, 3, done.version - 1):
        with pytest.raises(VersionNotFoundError, match="erasure of personal data closed it"):
            t.read(version=version)
    with pytest.raises(VersionNotFoundError, match="erasure"):
        t.tag("late", version=3)
    assert [entry.version for entry in t.history()] == [done.version]
    t.merge([row(300, 9)])
    assert t.read()["id"].max() == 300


def test_young_commits_leave_their_numbers_taken(lake: Lakehouse, tmp_path: Path) -> None:
    t, who = lake.table("t"), people(lake)
    done = erased(lake, t.opened, who)
    purged(lake, t.opened, who, "cut")
    log = tmp_path / "lake" / "t" / "_delta_log"
    left = {path.name: path.read_text() for path in log.glob("*[0-9].json")}
    assert sorted(left) == [f"{version:020}.json" for version in range(1, done.version + 1)]
    assert all("zz-canary" not in text for text in left.values())
    for version in range(done.version):
        with pytest.raises(VersionNotFoundError, match="erasure of personal data closed it"):
            t.read(version=version)
        with pytest.raises(Exception, match=r"(?i)version|log|metadata"):
            DeltaTable(tmp_path / "lake" / "t", version=version)
    assert {entry.version for entry in t.history() if entry.readable} == {done.version}
    assert t.verify().ok
    os.utime(log, None)
    assert t.vacuum(dry_run=True).version == done.version


def refused(storage: Storage, base: Snapshot) -> bool:
    """Whether somebody who is late can't commit, and finds that his change does not stand."""
    info = CommitInfo(operation="WRITE", operation_parameters={}, txn_id="late")
    outcome = commit(storage, version=base.version + 1, actions=[], commit_info=info, base=base)
    won = winners(storage, since=base, until=load_snapshot(storage)) or []
    stands = bool(won) and not check([], won, reads=ReadSet())
    return isinstance(outcome, Conflicted) and (not stands or base.version + 1 == won[-1].version)


def test_a_person_in_a_folder_ends_the_history_either_way(tmp_path: Path) -> None:
    for history in ("cut", "redact"):
        lake = opened(tmp_path / history, {"t": {"partition_by": ["email"]}})
        fill(lake, "t")
        t, who = lake.table("t"), people(lake)
        erased(lake, t.opened, who)
        known = lake.table("t").opened
        last = known.snapshot()
        stale = [load_snapshot(t.storage, version=version) for version in range(1, last.version + 1)]
        told: list[PurgedFile] = []
        result = purged(lake, t.opened, who, history, note=told.extend)
        assert hits(lake) == ()
        # Nobody who knew an older version goes on from it as if nothing had happened since.
        assert all(load_snapshot(t.storage, base=each).files == last.files for each in stale)
        assert all(refused(t.storage, each) for each in stale)
        assert bool(result.fallbacks) == (history == "redact")
        assert result.complete
        assert result.closed_versions
        assert "zz-canary" not in repr((told, result))
        assert told
        assert t.verify().ok
        assert not list((tmp_path / history / "t").glob("email=zz-canary*"))
        assert t.read().filter(pl.col("email") == MAIL).is_empty()
        assert DeltaTable(tmp_path / history / "t").version() == t.snapshot().version
        assert planned(lake, t.opened, who, history).changes_nothing
        then = time.time() - 60 * 86_400
        for file in (tmp_path / history / "t").rglob("*.*"):
            os.utime(file, (then, then))
        rows = t.read().sort("id")
        t.merge([row(200, 9)])
        DeltaTable(tmp_path / history / "t").create_checkpoint()
        assert "commit" in t.vacuum(grace="0s").kinds
        assert t.read().sort("id").height == rows.height
        assert t.verify().ok


def test_nothing_is_purged_before_it_is_erased(lake: Lakehouse) -> None:
    with pytest.raises(RefusedError, match="erase first"):
        planned(lake, lake.table("t").opened, people(lake), "cut")


@pytest.mark.parametrize("history", ["cut", "redact"])
def test_nobody_is_purged_of_somebody_unknown(lake: Lakehouse, tmp_path: Path, history: History) -> None:
    who = people(lake, email="nobody.at.all@example.com")
    t = lake.table("t").opened
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.is_file()}
    plan = planned(lake, t, who, history)
    assert plan.changes_nothing
    assert purge(t, plan, note=lambda _: None).run is None
    assert before == {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.is_file()}


@pytest.mark.parametrize("history", ["cut", "redact"])
def test_a_hold_on_rows_lets_the_log_stay(lake: Lakehouse, history: History) -> None:
    t, who = lake.table("t"), people(lake)
    lake.holds.add(table="t", where="id = 200", reason="case 12/2026")
    erased(lake, t.opened, who)
    held = t.read(version=6).filter(pl.col("id") == 200)
    result = purged(lake, t.opened, who, history)
    assert hits(lake) == ()
    assert result.complete
    assert bool(result.fallbacks) == (history == "cut")
    assert t.read().filter(pl.col("id") == 200).equals(held)
    assert t.read(version=1).height == 30
    if history == "cut":
        with pytest.raises(VersionNotFoundError, match="erasure"):
            t.read(version=3)
    else:
        assert t.read(version=3).height == 36


def test_rows_that_are_held_stay_and_their_requests_wait(lake: Lakehouse) -> None:
    t, who = lake.table("t"), people(lake)
    lake.holds.add(table="t", where=f"id = {ID}", reason="case 13/2026")
    plan = planned(lake, t.opened, who, "cut")
    assert "case 13/2026" in plan.refused["req-1"][0]
    assert plan.changes_nothing
    assert t.read(version=3).height == 36


def test_a_hold_on_the_table_refuses(lake: Lakehouse) -> None:
    t, who = lake.table("t"), people(lake)
    erased(lake, t.opened, who)
    plan = planned(lake, t.opened, who, "cut")
    hold = lake.holds.add(table="t", reason="case 14/2026")
    before = t.storage.list()
    with pytest.raises(ProtectedError, match="case 14/2026"):
        purge(t.opened, plan, note=lambda _: None)
    with pytest.raises(ProtectedError, match="case 14/2026"):
        planned(lake, t.opened, who, "cut")
    assert [item.path for item in before] == [item.path for item in t.storage.list()]
    lake.holds.release(hold.id)
    assert t.read(version=3).height == 36


@pytest.mark.parametrize("history", ["cut", "redact"])
def test_a_hold_that_comes_while_files_go_stops_it(lake: Lakehouse, history: History) -> None:
    t, who = lake.table("t"), people(lake)
    erased(lake, t.opened, who)
    plan = planned(lake, t.opened, who, history)

    def held(_: object) -> None:
        if not lake.holds.list():
            lake.holds.add(table="t", where="id = 1", reason="case 15/2026")

    with pytest.raises(ConflictError, match="while people were purged"):
        purge(t.opened, plan, note=held)
    assert lake.table("t").read().height


def test_who_is_going_back_to_an_old_version_is_waited_for(lake: Lakehouse) -> None:
    t, who = lake.table("t"), people(lake)
    erased(lake, t.opened, who)
    for history in ("cut", "redact"):
        plan = planned(lake, t.opened, who, history)
        with reserved(t.storage, 3, table="t"), pytest.raises(ConflictError, match="version 3"):
            purge(t.opened, plan, note=lambda _: None)
    assert read_notes(t.storage) == ()
    assert t.storage.list(RESERVED) == []
    plan = planned(lake, t.opened, who, "cut")
    t.restore(version=3)
    with pytest.raises(ConflictError, match="went back"):
        purge(t.opened, plan, note=lambda _: None)
    assert t.read().height == 36


@pytest.mark.parametrize("history", ["cut", "redact"])
def test_others_merge_and_write_checkpoints_meanwhile(
    lake: Lakehouse, tmp_path: Path, history: History
) -> None:
    t, who = lake.table("t"), people(lake)
    stale = DeltaTable(tmp_path / "lake" / "t")
    erased(lake, t.opened, who)
    plan = planned(lake, t.opened, who, history)

    def meanwhile(_: object) -> None:
        t.merge([row(400, 9), row(2, 9, name="again")])
        stale.create_checkpoint()
        DeltaTable(tmp_path / "lake" / "t").create_checkpoint()

    assert purge(t.opened, plan, note=meanwhile).complete
    assert hits(lake) == ()
    assert {400, 2} <= set(t.read()["id"])
    assert t.verify().ok
    found = QueryBuilder().register("t", DeltaTable(tmp_path / "lake" / "t")).execute("select id from t")
    assert len(pl.DataFrame(found.read_all())) == t.read().height


@pytest.mark.parametrize("history", ["cut", "redact"])
def test_what_crashed_writers_left(lake: Lakehouse, tmp_path: Path, history: History) -> None:
    t, who, path = lake.table("t"), people(lake), tmp_path / "lake" / "t"
    erased(lake, t.opened, who)
    pl.DataFrame([anna(9)]).write_parquet(path / "left.parquet")
    (path / "x.parquet#12").write_bytes(MAIL.encode())
    touched = found_in(lake, t.opened, who).touched[0].path
    hadoop = (path / touched).with_name(f".{(path / touched).name}.crc")
    hadoop.write_bytes(b"crc")
    pl.DataFrame({"id": [ID], "__deleted_at": [1]}).write_parquet(path / TOMBSTONES / "left.parquet")
    result = purged(lake, t.opened, who, history)
    assert not hadoop.exists()
    # A merge may be about to commit them.
    assert (result.waiting, result.complete) == (2, False)
    assert {hit.path for hit in hits(lake)} == {"t/left.parquet", f"t/{TOMBSTONES}/left.parquet"}
    then = time.time() - 60 * 86_400
    for name in ("left.parquet", "x.parquet#12", f"{TOMBSTONES}/left.parquet"):
        os.utime(path / name, (then, then))
    assert purged(lake, t.opened, who, history).complete
    assert hits(lake) == ()
    assert not (path / "x.parquet#12").exists()


@pytest.mark.parametrize("history", ["cut", "redact"])
def test_what_others_vacuumed_is_still_in_the_log(lake: Lakehouse, tmp_path: Path, history: History) -> None:
    t, who, path = lake.table("t"), people(lake), tmp_path / "lake" / "t"
    erased(lake, t.opened, who)
    table = DeltaTable(path)
    table.vacuum(retention_hours=0, enforce_retention_duration=False, dry_run=False, full=True)
    assert {hit.path.split("/")[1] for hit in hits(lake)} == {"_delta_log"}
    assert purged(lake, t.opened, who, history).complete
    assert hits(lake) == ()
    assert planned(lake, t.opened, who, history).changes_nothing


@pytest.mark.parametrize("history", ["cut", "redact"])
def test_one_person_after_another(lake: Lakehouse, history: History) -> None:
    t = lake.table("t")
    for number, mail in ((2, "user2@example.com"), (3, "user3@example.com"), (ID, MAIL)):
        who = people(lake, id=str(number), email=mail)
        erased(lake, t.opened, who)
        result = purged(lake, t.opened, who, history)
        assert result.complete
        assert result.removed + result.redacted
        assert found_in(lake, t.opened, who).going.is_empty()
    assert hits(lake) == ()
    assert t.read().height == 33
    assert t.verify().ok


@pytest.mark.parametrize("history", ["cut", "redact"])
def test_a_condition_of_others_that_names_somebody(lake: Lakehouse, tmp_path: Path, history: History) -> None:
    t, who = lake.table("t"), people(lake)
    DeltaTable(tmp_path / "lake" / "t").delete("email = 'zz-canary-anna@example.com'")
    erased(lake, t.opened, who)
    purged(lake, t.opened, who, history)
    DeltaTable(tmp_path / "lake" / "t").delete("email = 'zz-canary-anna@example.com' or id = 200")
    assert hits(lake)
    assert purged(lake, t.opened, who, history).complete
    assert hits(lake) == ()


def test_a_memory_of_deletes_is_all_that_is_left(tmp_path: Path) -> None:
    lake = opened(tmp_path / "lake", {"t": {"merge": "on_write"}})
    fill(lake, "t")
    t, path = lake.table("t"), tmp_path / "lake" / "t"
    t.merge([{"_op": "delete", "id": ID, "seq": 9}])
    who = people(lake)
    DeltaTable(path).create_checkpoint()
    DeltaTable(path).vacuum(retention_hours=0, enforce_retention_duration=False, dry_run=False, full=True)
    for file in (path / "_delta_log").glob("0*[0-9].json"):
        file.unlink()
    forget_removed(t.storage, 7)
    assert {hit.path.split("/")[1] for hit in hits(lake)} == {"_lakehouse"}
    erased(lake, t.opened, who)
    assert purged(lake, t.opened, who, "redact").complete
    assert hits(lake) == ()
    assert t.read().height == 35
    assert planned(lake, t.opened, who, "redact").changes_nothing


def anonymizing(root: Path) -> Lakehouse:
    lake = opened(root, {"t": FEED}, do={"do": "anonymize", "columns": ["email", "name"]})
    fill(lake, "t")
    lake.table("t").merge([anna(7)])
    return lake


@pytest.mark.parametrize("history", ["cut", "redact"])
def test_only_some_columns_of_a_person(tmp_path: Path, history: History) -> None:
    lake = anonymizing(tmp_path / "lake")
    t, who = lake.table("t"), people(lake)
    erased(lake, t.opened, who)
    assert purged(lake, t.opened, who, history).complete
    assert {hit.identifier for hit in hits(lake)} == {"id"}
    assert t.read().filter(pl.col("id") == ID)["email"].to_list() == [None]
    # What the erasure itself wrote is as empty once it is old.
    t.merge([row(ID, 20, email=None, name=None, country="fr")])
    assert planned(lake, t.opened, who, "cut").going == ()
    if history == "redact":
        assert t.read(version=3).filter(pl.col("id") == ID)["name"].to_list() == [None]
        assert t.read(version=3).height == 36


def test_a_bucket_that_keeps_versions(moto_s3: S3Server) -> None:
    for history in ("cut", "redact"):
        with moto_s3.bucket() as bucket, closing(moto_s3.client()) as client:
            client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
            client.create_multipart_upload(Bucket=bucket, Key="lake/t/part-big.parquet")
            lake = opened(f"s3://{bucket}/lake", {"t": FEED}, storage={"options": moto_s3.options()})
            fill(lake, "t")
            t, who = lake.table("t"), people(lake)
            # As a merge leaves it that had to try again.
            for name, mail in (("again", MAIL), ("others", "user1@example.com")):
                buffer = io.BytesIO()
                pl.DataFrame([row(ID if mail == MAIL else 1, 8, email=mail)]).write_parquet(buffer)
                t.storage.put(f"{name}.parquet", buffer.getvalue())
            t.storage.delete(["again.parquet", "others.parquet"])
            t.tag("before", version=2)
            made = {each.version: each.timestamp for each in t.history()}
            erased(lake, t.opened, who)
            told: list[PurgedFile] = []
            result = purged(lake, t.opened, who, history, note=told.extend)
            assert hits(lake) == ()
            assert result.complete, result
            assert result.object_versions
            assert result.uploads == 1
            assert told
            if history == "redact":
                assert t.read(version=2).height == 36
                assert 2 in result.retimed  # as other readers see it; here it was made when it was made
                assert {each.version: each.timestamp for each in t.history()}.items() >= made.items()
                assert t.read(timestamp=made[2]).height == 36
            assert t.read().height == 35
            assert planned(lake, t.opened, who, history).changes_nothing
            left = {each["Key"] for each in client.list_object_versions(Bucket=bucket)["DeleteMarkers"]}
            assert left == {"lake/t/others.parquet"}
            for page in client.get_paginator("list_object_versions").paginate(Bucket=bucket):
                for each in page.get("Versions", ()):
                    body = client.get_object(Bucket=bucket, Key=each["Key"], VersionId=each["VersionId"])
                    assert b"zz-canary" not in body["Body"].read(), each["Key"]
                    if "/vacuum/" in each["Key"]:
                        assert each["IsLatest"], "what the note was before named files"
                for old in (*page.get("Versions", ()), *page.get("DeleteMarkers", ())):
                    client.delete_object(Bucket=bucket, Key=old["Key"], VersionId=old["VersionId"])


def test_errors_do_not_name_a_folder(tmp_path: Path) -> None:
    lake = opened(tmp_path / "lake", {"t": {"partition_by": ["email"]}})
    fill(lake, "t")
    t, who = lake.table("t").opened, people(lake)
    erased(lake, t, who)
    plan = planned(lake, t, who, "cut")
    deletes = FaultyStorage(lake.storage, at=1, operations={"delete", "get_range"})
    with pytest.raises(StorageError, match="injected") as failed:
        purge(at(t, storage=deletes), plan, note=lambda _: None)
    assert "email=…" in str(failed.value)
    assert "zz-canary" not in "".join(traceback.format_exception(failed.value))


def foreign(root: Path, **more: Any) -> Lakehouse:
    """A table of delta-rs, with columns that must not be null, and one that is dropped from the config."""
    lake = opened(root, {"t": {"schema": None}})
    schema = pa.schema(
        [
            pa.field("id", pa.int64(), nullable=False),
            pa.field("email", pa.string(), nullable=False),
            pa.field("name", pa.string()),
            pa.field("seq", pa.int64(), nullable=False),
            pa.field("born", pa.date32(), nullable=False),
            pa.field("address", pa.struct([pa.field("street", pa.string(), nullable=False)]), nullable=False),
            *more.get("fields", ()),
        ]
    )

    def rows(*numbers: int) -> pa.Table:
        found = [
            {**(anna(1) if number == ID else row(number, 1)), "born": date(1990, 1, 2), **more.get("row", {})}
            for number in numbers
        ]
        told = [{**each, "address": {"street": f"{each['name']}s street"}} for each in found]
        return pa.Table.from_pylist(told, schema=schema)

    feed = {"delta.enableChangeDataFeed": "true"}
    write_deltalake(root / "t", rows(*range(20)), configuration=feed)
    write_deltalake(root / "t", rows(ID, 30, 31), mode="append")
    DeltaTable(root / "t").create_checkpoint()
    DeltaTable(root / "t").update(predicate=f"email = '{MAIL}'", updates={"seq": "seq + 1"})
    write_deltalake(root / "t", rows(40), mode="append")
    return lake


@pytest.mark.parametrize("history", ["cut", "redact"])
def test_a_table_of_delta_rs(tmp_path: Path, history: History) -> None:
    lake = foreign(tmp_path / "lake")
    t, who = lake.table("t"), people(lake)
    erased(lake, t.opened, who)
    result = purged(lake, t.opened, who, history)
    assert (result.complete, result.fallbacks) == (True, ())
    assert hits(lake) == ()
    assert t.read().height == 23
    for version in range(t.snapshot().version) if history == "redact" else ():
        there = DeltaTable(tmp_path / "lake" / "t", version=version)
        found = pl.DataFrame(QueryBuilder().register("t", there).execute("select * from t").read_all())
        assert found.sort("id", "email").equals(t.read(version=version).sort("id", "email"))
        assert found.height == (20, 23, 23, 24)[version]
        assert found.filter(pl.col("id") == 0).height == (1 if version == 0 else 2)


@pytest.mark.parametrize("history", ["cut", "redact"])
def test_what_cannot_be_emptied_goes(tmp_path: Path, history: History) -> None:
    tags = pa.field("tags", pa.list_(pa.string()), nullable=False)
    lake = foreign(tmp_path / "lake", fields=[tags], row={"tags": ["a"]})
    t, who = lake.table("t"), people(lake)
    t.tag("first", version=0)
    t.tag("second", version=1)
    erased(lake, t.opened, who)
    told: list[PurgedFile] = []
    result = purged(lake, t.opened, who, history, note=told.extend)
    assert result.complete
    assert hits(lake) == ()
    assert {each.action for each in told} == {"removed"}
    if history == "redact":
        assert "no neutral value" in result.fallbacks[0]
        assert result.closed_versions == (1, 2, 3)
        assert result.dropped_tags == ("second",)
        assert t.read(version=0).height == 20
    with pytest.raises(VersionNotFoundError, match="erasure of personal data"):
        t.read(version=2)
    assert planned(lake, t.opened, who, history).changes_nothing


@pytest.mark.parametrize("kind", ["name", "id"])
@pytest.mark.parametrize("history", ["cut", "redact"])
def test_a_table_that_maps_its_columns(tmp_path: Path, history: History, kind: str) -> None:
    lake = opened(tmp_path / "lake", {"t": {"merge": "on_read"}})
    map_columns(tmp_path / "lake" / "t", lake, kind)
    fill(lake, "t")
    t, who = lake.table("t"), people(lake)
    counts = [t.read(version=version).height for version in range(1, 7)]
    erased(lake, t.opened, who)
    assert purged(lake, t.opened, who, history).complete
    assert hits(lake) == ()
    if history == "redact":
        assert [t.read(version=version).height for version in range(1, 7)] == counts
    assert planned(lake, t.opened, who, history).changes_nothing


def map_columns(path: Path, lake: Lakehouse, kind: str) -> None:
    """Makes a new table one with column mapping, as Spark does it."""
    lake.table("t").create()
    log = path / "_delta_log" / f"{0:020}.json"
    actions = [orjson.loads(line) for line in log.read_bytes().splitlines()]
    for action in actions:
        if "metaData" in action:
            schema = json.loads(action["metaData"]["schemaString"])
            last = named(schema["fields"], 0)
            action["metaData"]["schemaString"] = json.dumps(schema)
            action["metaData"]["configuration"] |= {
                "delta.columnMapping.mode": kind,
                "delta.columnMapping.maxColumnId": str(last),
            }
        if "protocol" in action:
            features = ["columnMapping", "deletionVectors"]
            action["protocol"] = {
                "minReaderVersion": 3,
                "minWriterVersion": 7,
                "readerFeatures": features,
                "writerFeatures": features,
            }
    log.write_bytes(b"\n".join(map(orjson.dumps, actions)))


def test_a_folder_that_stays_is_no_reason_to_cut(tmp_path: Path) -> None:
    lake = opened(
        tmp_path / "lake",
        {"t": {"partition_by": ["id"]}},
        do={"do": "anonymize", "columns": ["email", "name"]},
    )
    t = lake.table("t")
    t.merge([anna(1), row(1, 1)])
    t.merge([anna(2)])
    who = people(lake)
    erased(lake, t.opened, who)
    result = purged(lake, t.opened, who, "redact")
    assert (result.complete, result.closed_versions) == (True, ())
    assert {hit.identifier for hit in hits(lake)} == {"id"}
    assert t.read(version=1).height == 2


@pytest.mark.parametrize("history", ["cut", "redact"])
def test_merges_go_on_while_people_are_purged(tmp_path: Path, history: History) -> None:
    lake = opened(tmp_path / "lake", {"t": FEED})
    fill(lake, "t")
    stop, merged, again = threading.Event(), list[int](), threading.Semaphore(0)

    def merge() -> None:
        t = opened(tmp_path / "lake", {"t": FEED}).table("t")
        while not stop.is_set():
            number = 1000 + len(merged)
            t.merge([row(number, 9), row(10 + len(merged) % 20, 10 + len(merged), name="again")])
            merged.append(number)
            again.release()
            stop.wait(0.2)

    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(merge)
        try:
            t = lake.table("t").opened
            for number, mail in ((2, "user2@example.com"), (4, "user4@example.com"), (ID, MAIL)):
                assert again.acquire(timeout=60)  # merges go on while this person is looked for
                who = people(lake, id=str(number), email=mail)
                erased(lake, t, who)
                assert purged(lake, t, who, history).complete
        finally:
            stop.set()
        running.result(timeout=60)
    assert len(merged) >= 3
    assert hits(lake) == ()
    assert set(merged) <= set(lake.table("t").read()["id"])
    assert lake.table("t").verify().ok
