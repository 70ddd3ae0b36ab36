"""Real tables, ours and those of others: a person who is anywhere in them is found, and nobody else."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pytest
from deltalake import CommitProperties, DeltaTable, write_deltalake

from lakehouse import Lakehouse
from lakehouse.pii.executor import Executor, Here, Processes
from lakehouse.requests.needles import Hit, Needle
from lakehouse.requests.search import Folder, SearchReport, StateDatabase, lake_places, search
from lakehouse.requests.search import run as running
from lakehouse.storage import Storage, open_storage
from tests.fixtures.servers import S3Server

MAIL = "anna.canary@example.org"
COLUMNS = (("people", "id"), ("people__quarantine", "id"))
PERSON = (
    Needle("r1", "email", MAIL, (("people", "email"),)),
    Needle("r1", "id", "4711", COLUMNS),
    Needle("r2", "email", "nobody.at.all@example.org", (("people", "email"),)),
    Needle("r2", "id", "815", COLUMNS),
)
OTHERS = [{"id": number, "email": f"other{number}@example.net"} for number in range(1, 40)]


def look(
    storage: Storage | Path, *, executor: Executor | None = None, like: Sequence[str] = (), **more: Any
) -> SearchReport:
    place = Folder(
        storage=open_storage(storage) if isinstance(storage, Path) else storage,
        table="people",
        like=tuple(like),
        **more,
    )
    return search([place], PERSON, executor=executor or Here())


def there(report: SearchReport, part: str) -> set[tuple[str, str]]:
    """Which identifier is where, in objects whose path has a part."""
    assert all(hit.request == "r1" for hit in report.hits)
    return {(hit.identifier, hit.place) for hit in report.hits if part in hit.path}


def frame(rows: Sequence[dict[str, Any]]) -> pa.Table:
    return pa.Table.from_pylist(list(rows), schema=pa.schema([("id", pa.int64()), ("email", pa.string())]))


def test_what_delta_rs_leaves_of_a_deleted_person_is_found(tmp_path: Path) -> None:
    path = tmp_path / "people"
    feed = {"delta.enableChangeDataFeed": "true"}
    write_deltalake(path, frame([*OTHERS, {"id": 4711, "email": MAIL}]), configuration=feed)
    table = DeltaTable(path)
    table.create_checkpoint()
    table.delete(f"email = '{MAIL}' AND id = 4711")
    table.create_checkpoint()
    report = look(path)
    assert not report.clean
    assert {("email", "column email"), ("id", "column id")} <= there(report, "part-")
    assert {("email", "column email"), ("id", "column id")} <= there(report, "_change_data")
    commits = there(report, ".json")
    assert ("email", "commitInfo.operationParameters.predicate") in commits
    assert ("id", "commitInfo.operationParameters.predicate") in commits
    assert ("id", "add.stats.maxValues.id") in commits
    assert any(identifier == "id" for identifier, _ in there(report, ".checkpoint.parquet"))
    table.vacuum(retention_hours=0, enforce_retention_duration=False, dry_run=False, full=True)
    after = look(path)
    assert {part for hit in after.hits for part in hit.path.split("/")[:1]} == {"_delta_log"}
    shutil.rmtree(path / "_delta_log")
    assert look(path).clean


def test_nobody_is_found_among_others(tmp_path: Path) -> None:
    path = tmp_path / "people"
    others = [*OTHERS, {"id": 14711, "email": f"jo{MAIL}"}, {"id": 47110, "email": f"{MAIL}.au"}]
    write_deltalake(path, frame(others), commit_properties=CommitProperties({"note": "4711 rows"}))
    DeltaTable(path).delete("id = 7")
    DeltaTable(path).create_checkpoint()
    report = look(path)
    assert report.hits == ()
    assert report.clean
    assert report.inside > 0
    assert {each.kind for each in report.searched} == {"parquet", "log", "checkpoint"}
    assert report.total.objects == sum(1 for each in path.rglob("*") if each.is_file())
    assert report.total.bytes == sum(each.stat().st_size for each in path.rglob("*") if each.is_file())


@pytest.mark.parametrize("column", ["email", "id"])
def test_a_person_in_a_partition_is_found_and_not_shown(tmp_path: Path, column: str) -> None:
    path = tmp_path / "people"
    write_deltalake(path, frame([*OTHERS[:3], {"id": 4711, "email": MAIL}]), partition_by=[column])
    DeltaTable(path).create_checkpoint()
    report = look(path)
    assert (column, "name of the object") in there(report, ".parquet")
    assert (column, f"add.partitionValues.{column}") in there(report, ".json")
    assert any(identifier == column for identifier, _ in there(report, ".checkpoint.parquet"))
    for secret in (MAIL, "anna", "4711", "other1"):
        assert secret not in repr(report)


@pytest.fixture
def lake(tmp_path: Path) -> Lakehouse:
    root = tmp_path / "lake"
    tables = {"people": {"key": ["id"], "schema": {"id": "long", "email": "string"}, "merge": "on_read"}}
    return Lakehouse.open({"version": 1, "storage": {"root": str(root)}, "tables": tables})


def test_what_we_leave_of_a_person_is_found_everywhere(lake: Lakehouse, tmp_path: Path) -> None:
    lake.apply()
    table = lake.table("people")
    table.merge([*OTHERS, {"id": 4711, "email": MAIL}])
    table.merge([{"id": 4711, "email": "gone"}])
    root = tmp_path / "lake"
    report = look(root)
    found = there(report, "people/")
    assert ("email", "column email") in found
    assert ("id", "column id") in found
    (root / "_lakehouse").mkdir(exist_ok=True)
    (root / "_lakehouse" / "tags.json").write_text(json.dumps({"reason": f"before {MAIL} went"}))
    (root / "people" / "_lakehouse").mkdir(exist_ok=True)
    (root / "people" / "_lakehouse" / "note.json").write_text(json.dumps({"files": [f"a={MAIL}/x"]}))
    report = look(root)
    assert there(report, "_lakehouse/tags.json") == {("email", "reason")}
    assert ("email", "…") in there(report, "people/_lakehouse/note.json")


def test_records_in_quarantine_are_found(lake: Lakehouse, tmp_path: Path) -> None:
    lake.apply()
    bad = [{"id": "4711", "email": "x"}, {"id": "no number", "email": MAIL}, {"id": None, "email": MAIL}]
    assert lake.table("people").merge(bad).rejected
    report = look(tmp_path / "lake" / "people__quarantine", like=("people",), records=True)
    assert any(hit.identifier == "email" and hit.place.startswith("column") for hit in report.hits)


def test_a_lake_is_searched_as_a_whole_and_each_object_once(lake: Lakehouse, tmp_path: Path) -> None:
    lake.apply()
    lake.table("people").merge([{"id": 4711, "email": MAIL}, {"id": "no number", "email": MAIL}])
    (tmp_path / "lake" / "archive" / "people").mkdir(parents=True)
    pl.DataFrame({"id": [4711]}).write_parquet(tmp_path / "lake" / "archive" / "people" / "a.parquet")
    report = search(lake_places(lake.storage, tables={"people": {}}), PERSON, executor=Here())
    files = [each for each in (tmp_path / "lake").rglob("*") if each.is_file()]
    assert report.total.objects == len(files)
    assert {hit.table for hit in report.hits} == {"people", "people__quarantine", ""}
    assert there(report, "archive/people/a.parquet") >= {("id", "column id")}
    assert not [hit for hit in report.hits if MAIL in hit.path]


def test_the_state_database_of_a_lake_is_searched(lake: Lakehouse, tmp_path: Path) -> None:
    lake.apply()
    lake.holds.add(table="people", reason=f"case of {MAIL}", where=f"email = '{MAIL}'")
    url = lake.config.state.get_secret_value()
    report = search([StateDatabase(url=url)], PERSON, executor=Here())
    assert {hit.path for hit in report.hits} >= {
        "state database: lakehouse_holds",
        "state database: lakehouse_hold_contents",
    }
    assert MAIL not in repr(report)


@pytest.fixture
def bucket(moto_s3: S3Server) -> Iterator[tuple[S3Server, str]]:
    with moto_s3.bucket() as name, closing(moto_s3.client()) as client:
        client.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
        yield moto_s3, name
        for page in client.get_paginator("list_object_versions").paginate(Bucket=name):
            for each in (*page.get("Versions", ()), *page.get("DeleteMarkers", ())):
                client.delete_object(Bucket=name, Key=each["Key"], VersionId=each["VersionId"])


def test_older_versions_of_objects_are_searched(bucket: tuple[S3Server, str], tmp_path: Path) -> None:
    server, name = bucket
    storage = open_storage(f"s3://{name}/lake", options=server.options())
    pl.DataFrame({"id": [1, 4711], "email": ["x", MAIL]}).write_parquet(tmp_path / "a.parquet")
    storage.put_file("data.parquet", tmp_path / "a.parquet")
    pl.DataFrame({"id": [1], "email": ["x"]}).write_parquet(tmp_path / "a.parquet")
    storage.put_file("data.parquet", tmp_path / "a.parquet")
    storage.put("gone.txt", MAIL.encode())
    storage.delete(["gone.txt"])
    report = look(storage)
    assert report.total.objects == 3
    assert {("email", "column email"), ("id", "column id")} <= there(report, "data.parquet (version")
    assert there(report, "gone.txt (version") == {("email", "text")}
    assert look(storage, older=False).clean


def test_processes_find_the_same(tmp_path: Path) -> None:
    path = tmp_path / "people"
    for number in range(3):
        write_deltalake(path, frame([*OTHERS, {"id": 4711, "email": MAIL}]), mode="append")
        (path / f"note{number}.txt").write_text(MAIL)
    alone = look(path)
    seen: list[running.Progress] = []
    with Processes(2) as executor:
        place = Folder(storage=open_storage(path), table="people")
        report = search([place], PERSON, executor=executor, progress=seen.append)

    def ordered(hits: Sequence[Hit]) -> list[Hit]:
        return sorted(hits, key=lambda hit: (hit.path, hit.place, hit.identifier))

    assert ordered(report.hits) == ordered(alone.hits)
    assert report.total == alone.total
    assert seen[-1].done == seen[-1].objects == report.total.objects
    assert seen[-1].bytes == report.total.bytes


class Meddling(Here):
    """Somebody else writes and deletes while the search is under way."""

    def __init__(self, *steps: Any) -> None:
        self.steps = list(steps)

    def map(self, function: Any, items: Any, /) -> Iterator[Any]:
        if self.steps:
            self.steps.pop(0)()
        return super().map(function, items)


def test_what_comes_or_goes_meanwhile_is_searched_or_told(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        (tmp_path / name).write_text("nobody")

    def meddle() -> None:
        (tmp_path / "b").unlink()
        (tmp_path / "new").write_text("nobody at all")

    report = look(tmp_path, executor=Meddling(meddle))
    assert report.clean
    assert (report.vanished, report.again, report.total.objects) == (1, 1, 3)
    late = look(tmp_path, executor=Meddling(lambda: None, lambda: None))
    assert late.again == 0
    found = look(tmp_path, executor=Meddling(lambda: (tmp_path / "late").write_text(MAIL)))
    assert there(found, "late") == {("email", "text")}


def test_what_changes_all_the_time_is_told(tmp_path: Path) -> None:
    (tmp_path / "busy").write_text("x")

    def write(number: int) -> Any:
        return lambda: (tmp_path / f"busy{number}").write_text("x")

    report = look(tmp_path, executor=Meddling(*(write(number) for number in range(10))))
    assert not report.clean
    assert "all the time" in report.not_searched[-1].reason
