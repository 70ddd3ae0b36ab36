"""People in archives: taken out, and each archive can be restored from, whatever fails when."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from lakehouse import ConflictError, Lakehouse, ProtectedError
from lakehouse.errors import CorruptTableError, StorageError
from lakehouse.pii.executor import Here
from lakehouse.requests.elsewhere.archives import (
    FoundInArchive,
    clear_archives,
    erase_in_archive,
    find_in_archives,
)
from lakehouse.requests.elsewhere.wanted import wanted_of
from lakehouse.requests.identity import Person
from lakehouse.requests.people import people_of
from lakehouse.requests.rules import rules_of
from lakehouse.requests.search import Folder, search
from lakehouse.storage import Storage, open_storage
from tests.fixtures.faults import WRITES, FaultyStorage, Moment
from tests.fixtures.servers import S3Server

NOW = datetime(2026, 6, 1, tzinfo=UTC)
LATER = NOW + timedelta(days=400)
MAIL = "anna.canary-8d2@example.org"
ANNA = people_of({"req-1": Person("customer", (("email", MAIL), ("id", "4711")))})
RULE = {
    "name": "cold",
    "column": "at",
    "keep": "30d",
    "action": "archive",
    "to": "archive",
    "max_fraction": 1,
}
DELETE = {"table": "people", "where": {"id": "id"}, "do": "delete"}
EMPTY = {"table": "people", "where": {"id": "id"}, "do": "anonymize", "columns": ["email"]}


def opened(root: Path | str, *, rows: dict[str, Any] = DELETE, **storage: Any) -> Lakehouse:
    return Lakehouse.open(
        {
            "version": 1,
            "storage": {"root": str(root), **storage},
            "state": f"sqlite:///{root}/state.db" if isinstance(root, Path) else None,
            "tables": {"people": {"key": ["id"], "retention": [RULE]}},
            "subjects": {
                "customer": {
                    "identifiers": {"id": "people.id", "email": "people.email"},
                    "rows": [rows],
                }
            },
        }
    )


def row(number: int, *, age: int, email: str = "") -> dict[str, Any]:
    at = NOW - timedelta(days=age)
    return {"id": number, "email": email or f"other{number}@example.net", "at": at, "tags": ["a", None]}


def fill(lake: Lakehouse) -> None:
    """Two archives; she is in the older one, with the oldest date, and in the table."""
    people = lake.table("people")
    people.merge([row(1, age=100), row(4711, age=300, email=MAIL), row(2, age=40)])
    people.merge([row(3, age=5)])
    lake.retention.apply(now=NOW, allow_empty=True)
    people.merge([row(5, age=90)])
    lake.retention.apply(now=NOW)


def places(lake: Lakehouse, storage: Storage | None = None) -> list[Storage]:
    return [(storage or lake.storage).child("archive").child("people")]


def found_in(lake: Lakehouse, storage: Storage | None = None) -> list[FoundInArchive]:
    table, rules = lake.table("people").opened, rules_of(lake.config)["people"]
    return list(find_in_archives(table, places(lake, storage), rules=rules, people=ANNA))


def erase_all(lake: Lakehouse, storage: Storage | None = None) -> list[tuple[int, int]]:
    table = lake.table("people").opened
    done = [erase_in_archive(table, each) for each in found_in(lake, storage)]
    return [(each.deleted, each.anonymized) for each in done]


def left(lake: Lakehouse) -> Sequence[str]:
    """The objects in archives in which the search still finds her, older versions too."""
    needles = wanted_of(ANNA, lake.config).needles
    report = search([Folder(storage=places(lake)[0], table="people")], needles, executor=Here())
    assert not report.not_searched
    return sorted({hit.path for hit in report.hits})


@pytest.fixture
def lake(tmp_path: Path) -> Lakehouse:
    lake = opened(tmp_path)
    fill(lake)
    return lake


def test_she_is_gone_and_the_archives_are_whole(lake: Lakehouse, tmp_path: Path) -> None:
    assert [each.found.counts.get("req-1", {}) for each in found_in(lake)] == [{"delete": 1}, {}]
    assert len(left(lake)) == 1
    assert erase_all(lake) == [(1, 0), (0, 0)]
    assert left(lake) == []
    assert erase_all(lake) == [(0, 0), (0, 0)]
    older, other = lake.retention.archives("people")
    assert (older.manifest.rows, other.manifest.rows) == (2, 1)
    assert older.manifest.oldest == "2026-02-21T00:00:00Z"
    folder = Path(older.url)
    assert {path.name for path in folder.iterdir()} == {"manifest.json", older.manifest.files[0].path}
    assert pl.read_parquet(folder / older.manifest.files[0].path)["id"].to_list() == [1, 2]
    back = lake.retention.restore_archive("people")
    assert back.rows == 3
    assert sorted(lake.table("people").read()["id"]) == [1, 2, 3, 5]
    assert lake.table("people").read().filter(pl.col("id") == 1)["tags"].to_list() == [["a", None]]


def test_her_cells_are_emptied_where_the_config_says_so(tmp_path: Path) -> None:
    lake = opened(tmp_path, rows=EMPTY)
    fill(lake)
    assert erase_all(lake) == [(0, 1), (0, 0)]
    assert erase_all(lake) == [(0, 0), (0, 0)]
    lake.retention.restore_archive("people")
    rows = lake.table("people").read().filter(pl.col("id") == 4711)
    assert (rows["email"].to_list(), rows["at"].to_list()) == ([None], [NOW - timedelta(days=300)])


def test_an_archive_of_her_alone_stays_without_rows(tmp_path: Path) -> None:
    lake = opened(tmp_path)
    lake.table("people").merge([row(4711, age=100, email=MAIL), row(1, age=1)])
    lake.retention.apply(now=NOW)
    assert erase_all(lake) == [(1, 0)]
    (entry,) = lake.retention.archives("people")
    about = entry.manifest
    assert (about.rows, about.files, about.oldest, about.newest) == (0, (), None, None)
    assert left(lake) == []
    assert lake.retention.restore_archive("people").rows == 0


def test_held_rows_stay(lake: Lakehouse) -> None:
    lake.holds.add(table="people", where="id = 4711", reason="case 12/2026")
    with pytest.raises(ProtectedError, match="case 12/2026"):
        erase_all(lake)
    found = [each.without(frozenset({"req-1"})) for each in found_in(lake)]
    assert [erase_in_archive(lake.table("people").opened, each).deleted for each in found] == [0, 0]
    assert len(left(lake)) == 1


def test_a_hold_that_comes_in_between_is_heeded(lake: Lakehouse) -> None:
    found = found_in(lake)
    before = sorted(item.path for item in places(lake)[0].list())
    lake.holds.add(table="people", where="id = 4711", reason="case 13/2026")
    with pytest.raises(ConflictError, match="placed or released meanwhile"):
        erase_in_archive(lake.table("people").opened, found[0])
    assert sorted(item.path for item in places(lake)[0].list()) == before


def test_of_a_table_that_is_held_nothing_beside_its_archives_goes(lake: Lakehouse) -> None:
    entry = lake.retention.archives("people")[0]
    stray = Path(entry.url) / "part-of-a-crash.parquet"
    stray.write_bytes(b"x")
    hold = lake.holds.add(table="people", reason="case 14/2026")
    assert clear_archives(lake.table("people").opened, places(lake), now=LATER).files == 0
    assert stray.exists()
    lake.holds.release(hold.id)
    assert clear_archives(lake.table("people").opened, places(lake), now=LATER).files == 1


def test_a_damaged_file_is_not_made_to_look_whole(lake: Lakehouse) -> None:
    entry = lake.retention.archives("people")[0]
    file = Path(entry.url) / entry.manifest.files[0].path
    pl.read_parquet(file).head(2).write_parquet(file)
    with pytest.raises(CorruptTableError, match="not what was written"):
        erase_all(lake)


def test_two_at_once_do_not_lose_rows(lake: Lakehouse) -> None:
    stale = found_in(lake)[0]
    erase_all(lake)
    with pytest.raises(CorruptTableError):
        erase_in_archive(lake.table("people").opened, stale)
    assert lake.retention.restore_archive("people").rows == 3


@pytest.mark.parametrize("when", ["before", "during", "after"])
def test_a_failure_at_any_write(tmp_path: Path, when: Moment) -> None:
    whole = opened(tmp_path / "whole")
    fill(whole)
    counting = FaultyStorage(whole.storage, operations=WRITES)
    erase_all(whole, counting)
    assert counting.calls >= 4
    for at in range(1, counting.calls + 1):
        lake = opened(tmp_path / f"{at}")
        fill(lake)
        with pytest.raises(StorageError, match="injected"):
            erase_all(lake, FaultyStorage(lake.storage, at=at, when=when, operations=WRITES))
        # Whenever it ended, all rows are there; the next run ends what was begun.
        assert lake.retention.restore_archive("people", dry_run=True).rows in {3, 4}
        erase_all(lake)
        clear_archives(lake.table("people").opened, places(lake), now=LATER)
        assert left(lake) == []
        assert lake.retention.restore_archive("people").rows == 3
        for entry in lake.retention.archives("people"):
            names = {path.name for path in Path(entry.url).iterdir()}
            assert names == {"manifest.json", *(file.path for file in entry.manifest.files)}


def test_archives_that_are_pending_are_emptied_too(lake: Lakehouse) -> None:
    folder = Path(lake.retention.archives("people")[0].url)
    content = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").rename(folder / "pending.json")
    # Of a commit of which the log does not tell.
    (folder / "pending.json").write_text(json.dumps({**content, "version": None, "number": 99}))
    assert erase_all(lake) == [(1, 0), (0, 0)]
    assert left(lake) == []
    assert (folder / "pending.json").exists()


@pytest.fixture
def bucket(moto_s3: S3Server) -> Iterator[tuple[S3Server, str]]:
    with moto_s3.bucket() as name, closing(moto_s3.client()) as client:
        client.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
        yield moto_s3, name
        for page in client.get_paginator("list_object_versions").paginate(Bucket=name):
            for each in (*page.get("Versions", ()), *page.get("DeleteMarkers", ())):
                client.delete_object(Bucket=name, Key=each["Key"], VersionId=each["VersionId"])


def test_older_versions_on_a_bucket_go(bucket: tuple[S3Server, str], tmp_path: Path) -> None:
    server, name = bucket
    lake = opened(tmp_path)
    fill(lake)
    remote = open_storage(f"s3://{name}/lake", options=server.options())
    for item in lake.storage.list("archive"):
        remote.put(item.path, lake.storage.get(item.path))
    there = places(lake, remote)
    for text in (b"first", b"second"):
        there[0].put("notes/of-others.txt", text)
    needles = wanted_of(ANNA, lake.config).needles
    erase_all(lake, remote)

    def hits() -> list[str]:
        return [hit.path for hit in search([Folder(storage=there[0])], needles, executor=Here()).hits]

    assert hits()
    done = clear_archives(lake.table("people").opened, there, now=LATER)
    assert done.versions >= 3
    assert hits() == []
    with closing(server.client()) as client:
        others = client.list_object_versions(Bucket=name, Prefix=f"{there[0].url.split('/', 3)[3]}/notes/")
    assert len(others["Versions"]) == 2
    entries = found_in(lake, remote)
    assert [each.entry.manifest.rows for each in entries] == [2, 1]
    assert all(each.folder.exists(file.path) for each in entries for file in each.entry.manifest.files)
