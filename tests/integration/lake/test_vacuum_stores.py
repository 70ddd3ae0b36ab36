"""Vacuum on every kind of store, and on buckets that keep older versions of objects."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from lakehouse.protection import Protection, TableHold
from lakehouse.storage import Storage, open_storage
from lakehouse.table import Table
from tests.fixtures.held import under
from tests.fixtures.servers import S3Server
from tests.properties.tables import NAME, open_table, ours, records

LAST = [{"name": "history", "versions": {"last": 1}}]
SERVERS = {"moto": "moto_s3", "seaweedfs": "seaweedfs"}
LATER = timedelta(days=60)


def opened(lake: Storage, *, later: timedelta = timedelta(0), **section: Any) -> Table:
    """The table, as its clock says so much later."""
    wanted: dict[str, Any] = {
        "changes": {"sequence": "seq"},
        "retention": LAST,
        "merge": "on_read",
        **section,
    }
    return open_table(None, storage=lake, clock=lambda: datetime.now(UTC) + later, **wanted)  # type: ignore[arg-type]


def fill(table: Table, merges: int = 4) -> None:
    for number in range(merges):
        keys = range(number, number + 3) if number else range(40)
        rows = [{"id": key, "seq": number, "v": str(number)} for key in keys]
        table.merge([*rows, {"id": 99 - number, "seq": number, "_op": "delete"}])


@pytest.fixture(params=["local", "moto", pytest.param("seaweedfs", marks=pytest.mark.server)])
def lake(request: pytest.FixtureRequest, tmp_path: Any) -> Iterator[Storage]:
    if request.param == "local":
        yield open_storage(tmp_path / "lake")
    else:
        server: S3Server = request.getfixturevalue(SERVERS[request.param])
        with server.bucket() as bucket:
            yield open_storage(f"s3://{bucket}/lake", options=server.options())


def test_the_whole_way(lake: Storage) -> None:
    table = opened(lake)
    fill(table, 12)
    table.tag("kept", version=11)
    rows = {version: records(ours(table, version=version)) for version in (11, 12)}
    table.storage.put("part-left.parquet", b"x")
    assert table.vacuum().changes_nothing

    late = opened(lake, later=LATER)
    plan = late.vacuum(dry_run=True)
    assert set(plan.kinds) >= {"data", "vector", "leftover", "tombstones", "commit"}
    assert plan.log_before == 10
    done = late.vacuum(plan=plan)
    assert {each.path for each in done.files} == {each.path for each in plan.files}
    there = {item.path for item in table.storage.list()}
    assert not there & {each.path for each in done.files}
    fresh = opened(lake)
    for version, wanted in rows.items():
        assert records(ours(fresh, version=version)) == wanted
    assert fresh.verify().ok
    assert fresh.merge([{"id": 1, "seq": 99, "v": "new"}]).updated == 1
    assert opened(lake, later=LATER).vacuum(dry_run=True).kinds.keys() <= {"data", "vector", "tombstones"}


@pytest.fixture(params=["moto", pytest.param("seaweedfs", marks=pytest.mark.server)])
def bucket(request: pytest.FixtureRequest) -> Iterator[tuple[S3Server, str]]:
    """A bucket that keeps older versions."""
    server: S3Server = request.getfixturevalue(SERVERS[request.param])
    with server.bucket() as name, closing(server.client()) as client:
        client.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
        yield server, name
        for page in client.get_paginator("list_object_versions").paginate(Bucket=name):
            for each in (*page.get("Versions", ()), *page.get("DeleteMarkers", ())):
                client.delete_object(Bucket=name, Key=each["Key"], VersionId=each["VersionId"])


def stored(server: S3Server, bucket: str) -> dict[str, int]:
    """Everything that is stored of each key, marks of deletion too."""
    found: dict[str, int] = {}
    with closing(server.client()) as client:
        for page in client.get_paginator("list_object_versions").paginate(Bucket=bucket):
            for each in (*page.get("Versions", ()), *page.get("DeleteMarkers", ())):
                found[each["Key"]] = found.get(each["Key"], 0) + 1
    return found


def test_nothing_is_left_of_what_was_vacuumed(bucket: tuple[S3Server, str]) -> None:
    server, name = bucket
    lake = open_storage(f"s3://{name}/lake", options=server.options())
    table = opened(lake)
    fill(table)
    before = stored(server, name)
    done = table.vacuum(grace="0s")
    gone = {f"lake/{NAME}/{each.path}" for each in done.files}
    assert gone
    assert gone <= set(before)
    after = stored(server, name)
    assert not gone & set(after)
    # Each file that went was there once, and its mark of deletion is a version too.
    assert done.object_versions.files >= 2 * len(gone)
    assert sum(count for key, count in after.items() if "_lakehouse/vacuum/" in key) == 1
    assert table.verify().ok
    assert done.notes == ()


def test_what_others_deleted_goes_once_it_is_old_and_not_needed(bucket: tuple[S3Server, str]) -> None:
    server, name = bucket
    lake = open_storage(f"s3://{name}/lake", options=server.options())
    table = opened(lake)
    fill(table)
    needed = next(iter(table.snapshot().files))
    table.storage.put("neighbour.parquet", b"x")
    lake.put("other-table/part.parquet", b"x")
    table.storage.delete([needed, "neighbour.parquet"])
    lake.delete(["other-table/part.parquet"])
    table.vacuum(grace="0s")
    assert f"lake/{NAME}/neighbour.parquet" in stored(server, name), "deleted a moment ago"
    held = Protection(NAME, (TableHold(id="h", reason="case", where="id = 1"),))
    under(opened(lake, later=LATER), lambda: held).vacuum()
    assert f"lake/{NAME}/neighbour.parquet" in stored(server, name), "it may hold a held row"
    opened(lake, later=LATER).vacuum()
    left = stored(server, name)
    assert f"lake/{NAME}/neighbour.parquet" not in left
    # A file of the newest version, deleted by mistake, can be brought back; others' files are theirs.
    assert left[f"lake/{NAME}/{needed}"] == 2
    assert left["lake/other-table/part.parquet"] == 2


def test_unfinished_uploads_are_ended_once_they_are_old(bucket: tuple[S3Server, str]) -> None:
    server, name = bucket
    lake = open_storage(f"s3://{name}/lake", options=server.options())
    table = opened(lake)
    fill(table, 1)
    with closing(server.client()) as client:
        for key in (f"lake/{NAME}/big.parquet", "lake/other/big.parquet"):
            client.create_multipart_upload(Bucket=name, Key=key)
        if server.pid is not None:
            # To moto all uploads are from 2010.
            assert table.vacuum().uploads == 0
        assert opened(lake, later=LATER).vacuum().uploads == 1
        left = client.list_multipart_uploads(Bucket=name).get("Uploads", [])
    assert [each["Key"] for each in left] == ["lake/other/big.parquet"]


def test_without_boto_it_says_what_was_not_looked_at(
    moto_s3: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    import importlib  # noqa: PLC0415

    def no_boto(name: str) -> Any:
        if name.startswith("boto"):
            raise ImportError(name)
        return importlib.import_module(name)

    monkeypatch.setattr("lakehouse.storage.object_versions.import_module", no_boto)
    with moto_s3.bucket() as name:
        table = opened(open_storage(f"s3://{name}/lake", options=moto_s3.options()))
        fill(table)
        done = table.vacuum(grace="0s")
        assert done.files
        assert "boto3 is not installed" in done.notes[0]


def test_a_store_that_does_not_tell_is_named(moto_s3: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    with moto_s3.bucket() as name:
        table = opened(open_storage(f"s3://{name}/lake", options=moto_s3.options()))
        fill(table)
        monkeypatch.setattr(
            "lakehouse.storage.object_versions.ObjectVersions.versioned",
            lambda self: self._ask("get_bucket_versioning", Bucket="no-such-bucket-here"),
        )
        done = table.vacuum(grace="0s")
        assert done.files
        assert "were not looked at: the store did not answer get_bucket_versioning (NoSuch" in done.notes[0]
