"""Masks on every kind of store: a copy made, followed and dropped, and a table masked in place."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from lakehouse import Lakehouse
from tests.fixtures.servers import S3Server

SERVERS = {"moto": "moto_s3", "seaweedfs": "seaweedfs"}


@pytest.fixture(params=["local", "moto", pytest.param("seaweedfs", marks=pytest.mark.server)])
def config(
    request: pytest.FixtureRequest, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> Iterator[dict[str, Any]]:
    tables = {"people": {"key": ["id"], "pii": {"name": "PERSON"}, "mask_at": "read"}}
    whole = {"version": 1, "name": "stores", "tables": tables, "state": f"sqlite:///{tmp_path}/state.db"}
    if request.param == "local":
        yield {**whole, "storage": {"root": str(tmp_path / "lake")}}
        return
    server: S3Server = request.getfixturevalue(SERVERS[request.param])
    monkeypatch.setenv("SECRET", server.secret_access_key)
    with server.bucket() as bucket:
        options = {**server.options(), "secret_access_key": "${SECRET}"}
        yield {**whole, "storage": {"root": f"s3://{bucket}/lake", "options": options}}


def names(lake: Lakehouse, table: str) -> list[tuple[Any, ...]]:
    return lake.table(table).read(columns=["id", "name"]).sort("id").rows()


def test_the_whole_way_of_masks(config: dict[str, Any]) -> None:
    lake = Lakehouse.open(config)
    lake.table("people").merge([{"id": n, "name": "Ada", "n": n} for n in range(4)])
    assert lake.pii.mask("people", to="masked").action == "anew"
    lake.table("people").merge([{"id": 1, "name": "Eve", "n": 7}, {"id": 2, "_op": "delete"}])
    followed = lake.pii.mask("people", to="masked")
    assert (followed.action, followed.updated, followed.deleted) == ("follow", 1, 1)
    assert names(lake, "masked") == [(0, ""), (1, ""), (3, "")]
    # Somebody else, elsewhere, sees the copy too.
    elsewhere = Lakehouse.open(config)
    assert [each.up_to_date for each in elsewhere.pii.copies.list()] == [True]
    assert elsewhere.table("masked").verify(full=True).ok
    elsewhere.pii.copies.drop("masked")
    assert lake.copies == ()
    assert lake.storage.list("masked") == []

    config["tables"]["people"]["mask_at"] = "merge"
    strict = Lakehouse.open(config)
    assert strict.pii.mask("people", in_place=True).version == 3
    assert names(strict, "people") == [(0, ""), (1, ""), (3, "")]
    assert strict.table("people").verify(full=True).ok
    assert strict.pii.mask("people", in_place=True).changes_nothing
