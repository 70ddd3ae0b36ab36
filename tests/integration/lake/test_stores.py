"""The whole way of a table on every kind of store: merge, read, travel, compact, verify."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from deltalake import DeltaTable

from lakehouse import Lakehouse, RefusedError, StorageError
from lakehouse.retention.plan import RetentionPlan
from tests.fixtures.fake_s3 import run_fake_s3
from tests.fixtures.servers import S3Server

Storage = dict[str, Any]


@pytest.fixture(params=["local", "moto", pytest.param("seaweedfs", marks=pytest.mark.server)])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Storage]:
    """The ``storage`` section of a config, for each kind of store."""
    if request.param == "local":
        yield {"root": str(tmp_path / "lake")}
        return
    server: S3Server = request.getfixturevalue({"moto": "moto_s3", "seaweedfs": "seaweedfs"}[request.param])
    with server.bucket() as bucket:
        yield {
            "root": f"s3://{bucket}/lake",
            "options": {**server.options(), "secret_access_key": "${SECRET}"},
        }


@pytest.fixture
def lake(storage: Storage, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Lakehouse:
    """A lake with one table, on the store."""
    names = {"moto": "moto_s3", "seaweedfs": "seaweedfs"}
    kind = request.node.callspec.params["storage"]
    if kind in names:
        monkeypatch.setenv("SECRET", request.getfixturevalue(names[kind]).secret_access_key)
    return Lakehouse.open(
        {
            "version": 1,
            "name": "stores",
            "storage": storage,
            "tables": {"people": {"key": ["id"], "changes": {"sequence": "at"}}},
        }
    )


def people(*rows: tuple[int, str | None, int]) -> pl.DataFrame:
    """Rows of the table: id, name, sequence."""
    return pl.DataFrame(rows, schema={"id": pl.Int64, "name": pl.String, "at": pl.Int64}, orient="row")


def test_the_whole_way_of_a_table(lake: Lakehouse) -> None:
    table = lake.table("people")
    assert table.merge(people((1, "Ada", 1), (2, "Bob", 1), (3, "Cyd", 1), (4, "Dan", 1))).inserted == 4

    changes = people((1, "Ada L.", 2), (2, None, 2), (5, "Eve", 1)).with_columns(
        _op=pl.Series(["update", "delete", "insert"])
    )
    result = table.merge(changes, source="shop", offset=7)
    assert (result.inserted, result.updated, result.deleted) == (1, 1, 1)
    assert result.vectors_written == 1
    assert table.merge(changes, source="shop", offset=7).duplicate == 3

    now = [(1, "Ada L."), (3, "Cyd"), (4, "Dan"), (5, "Eve")]
    assert table.read(columns=["id", "name"]).sort("id").rows() == now
    assert table.read(version=1).height == 4
    assert table.diff(1)["_change"].to_list() == ["update_before", "update_after", "delete", "insert"]
    table.tag("before", version=1)

    assert table.compact().version == 3
    assert table.read(columns=["id", "name"]).sort("id").rows() == now
    assert table.verify().ok

    assert table.restore(tag="before").version == 4
    assert table.read(columns=["name"])["name"].sort().to_list() == ["Ada", "Bob", "Cyd", "Dan"]
    assert [entry.operation for entry in table.history(limit=2)] == ["RESTORE", "OPTIMIZE"]
    assert lake.sql("select count(*) as n from people").item() == 4
    assert lake.status().tables[0].rows == 4


def test_other_readers_see_the_same_rows(lake: Lakehouse) -> None:
    table = lake.table("people")
    table.merge(people(*((number, f"p{number}", 1) for number in range(100))))
    table.merge(people(*((number, f"q{number}", 2) for number in range(0, 100, 7))))
    ours = table.read().sort("id")
    place, options = table.storage.uri(), table.storage.library_options()
    assert pl.scan_delta(place, storage_options=options).collect().sort("id").equals(ours)
    theirs = DeltaTable(place, storage_options=options).scan()
    assert pl.DataFrame(theirs).sort("id").equals(ours)


def test_a_store_that_can_lose_commits_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with run_fake_s3() as server:
        server.conditions = False
        monkeypatch.setenv("SECRET", "fake-secret")
        options = {**server.options(), "secret_access_key": "${SECRET}"}
        lake = Lakehouse.open(
            {
                "version": 1,
                "name": "unsafe",
                "storage": {"root": "s3://bucket/lake", "options": options},
                "tables": {"people": {"key": ["id"]}},
            }
        )
        with pytest.raises(StorageError) as caught:
            lake.table("people").merge(people((1, "Ada", 1)))
    assert caught.value.exit_code == RefusedError.exit_code
    assert "put-if-absent" in str(caught.value) or "conditional" in str(caught.value)


@pytest.mark.parametrize("elsewhere", [False, True])
def test_rows_go_into_an_archive_and_come_back(
    storage: Storage,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    elsewhere: bool,
) -> None:
    names = {"moto": "moto_s3", "seaweedfs": "seaweedfs"}
    kind = request.node.callspec.params["storage"]
    if kind in names:
        monkeypatch.setenv("SECRET", request.getfixturevalue(names[kind]).secret_access_key)
    place = storage["root"].removesuffix("/lake") + "/cold" if elsewhere else "cold"
    rule = {"name": "old", "column": "at", "unit": "days", "keep": "30d", "action": "archive", "to": place}
    section = {"key": ["id"], "changes": {"sequence": "at"}, "retention": [rule], "merge": "on_read"}
    state = f"sqlite:///{tmp_path / 'state.db'}"
    lake = Lakehouse.open({"version": 1, "storage": storage, "state": state, "tables": {"people": section}})
    table = lake.table("people")
    today = (datetime.now(UTC).date() - date(1970, 1, 1)).days
    table.merge(people((1, "Ada", today - 90), (2, "Bob", today - 40), (3, "Cyd", today), (4, "Dan", today)))
    table.merge(people((5, "Eve", today), (6, "Fay", today)))
    plan = lake.retention.plan()
    assert plan.tables[0].rules[0].rows == 2
    (done,) = lake.retention.apply(RetentionPlan.from_json(plan.to_json())).tables
    assert (done.rows_archived, done.vectors) == (2, 1)
    assert sorted(table.read()["id"]) == [3, 4, 5, 6]
    (entry,) = lake.retention.archives("people")
    assert (entry.state, entry.manifest.rows) == ("complete", 2)
    assert entry.url.startswith(place if elsewhere else f"{storage['root']}/cold")
    table.merge(people((1, "Ada L.", today)))
    back = lake.retention.restore_archive("people")
    assert back.counts == {"inserted": 1, "stale": 1}
    assert sorted(table.read()["name"]) == ["Ada L.", "Bob", "Cyd", "Dan", "Eve", "Fay"]
    assert table.verify().findings == ()
