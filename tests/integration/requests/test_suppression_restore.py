"""Going back to a version brings nobody back who was erased since."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest
from deltalake import DeltaTable, write_deltalake

from lakehouse import ConflictError, Lakehouse
from lakehouse.merge.tombstones import deletes_of, load_manifest
from lakehouse.requests.suppression.rows import RowKeeper
from tests.fixtures.suppressing import erase_person, suppress
from tests.integration.requests.test_suppression import ANN, BOB, CUSTOMERS, ORDERS, opened


def erased_after(root: Path, **more: Any) -> Lakehouse:
    """Version 2 of the tables has Ann in a file with Bob, and one without her."""
    lake = opened(root, **more)
    customers, orders = lake.table("customers"), lake.table("orders")
    customers.merge(CUSTOMERS)
    orders.merge(ORDERS)
    customers.merge([{"id": 3, "email": "eve@shop.example", "name": "Eve"}])
    orders.merge([{"oid": 3, "customer_id": 3, "ship_name": "Eve"}])
    erase_person(lake, email=ANN)
    customers.merge([{"_op": "delete", "id": 3}])
    return lake


def newest_files(lake: Lakehouse, name: str) -> list[pl.DataFrame]:
    table = lake.table(name)
    return [
        pl.read_parquet(file) for file in DeltaTable(table.storage.url.removeprefix("file://")).file_uris()
    ]


def test_rows_of_erased_people_stay_away(tmp_path: Path) -> None:
    lake = erased_after(tmp_path)
    customers = lake.table("customers")
    planned = customers.restore(version=2, dry_run=True)
    assert (planned.rows_after, planned.rows_suppressed, planned.version) == (2, 1, None)
    done = customers.restore(version=2)
    assert (done.rows_before, done.rows_after, done.rows_suppressed) == (1, 2, 1)
    assert sorted(customers.read()["email"]) == [BOB, "eve@shop.example"]
    # Not even hidden: none of the newest version's files holds her.
    assert all("canary" not in repr(each.rows()) for each in newest_files(lake, "customers"))
    assert customers.verify(full=True).ok
    assert customers.restore(version=0).rows_suppressed == 0


def test_emptied_cells_come_back_empty(tmp_path: Path) -> None:
    lake = erased_after(tmp_path)
    orders = lake.table("orders")
    done = orders.restore(version=2)
    assert (done.rows_after, done.rows_suppressed) == (3, 0)
    assert orders.read().sort("oid")["ship_name"].to_list() == [None, "Bob", "Eve"]
    assert all("Ann" not in repr(each.rows()) for each in newest_files(lake, "orders"))
    # What is empty already comes back as it lies there.
    orders.merge([{"oid": 4, "customer_id": 4, "ship_name": "Dan"}])
    paths = set(orders.snapshot(version=4).files)
    assert orders.restore(version=4).version == 6
    assert set(orders.snapshot().files) == paths


def test_what_a_redaction_left_of_rows_stays_away(tmp_path: Path) -> None:
    lake = opened(tmp_path)
    customers = lake.table("customers")
    customers.merge(CUSTOMERS)
    # As an erasure leaves old files: the row is there, and nothing in it.
    ghost = pl.DataFrame({"id": [None], "email": [None], "name": [None]}, schema=customers.read().schema)
    url = customers.storage.url.removeprefix("file://")
    write_deltalake(url, ghost, mode="append")
    DeltaTable(url).delete("id IS NULL OR id = 1")
    customers.merge([{"id": 2, "email": BOB, "name": "Rob"}])
    suppress(lake, "customer", {"email": ANN})
    done = customers.restore(version=2)
    assert done.rows_suppressed == 2
    assert customers.read().rows() == [(2, BOB, "Bob")]


def test_the_memory_of_deletes_comes_back_without_them(tmp_path: Path) -> None:
    schema = {"id": "long", "email": "string", "seq": "long"}
    lake = opened(tmp_path, tables={"customers": {"schema": schema, "changes": {"sequence": "seq"}}})
    customers = lake.table("customers")
    customers.merge([{"id": 1, "email": ANN, "seq": 1}, {"id": 2, "email": BOB, "seq": 1}])
    customers.merge([{"_op": "delete", "id": number, "seq": 2} for number in (1, 2)])
    customers.merge([{"id": 3, "email": "eve@shop.example", "seq": 1}])
    erase_person(lake, email=ANN)
    customers.restore(version=2)
    memory = load_manifest(customers.storage, customers.snapshot())
    found = deletes_of(customers.storage, memory, keys=pl.DataFrame({"id": [1, 2]}))
    assert found is not None
    assert found["id"].to_list() == [2]


def test_who_is_readmitted_comes_back_with_the_version(tmp_path: Path) -> None:
    lake = erased_after(tmp_path)
    lake.requests.readmit("customer", email=ANN, reason="new consent")
    assert lake.table("customers").restore(version=2).rows_suppressed == 0
    assert lake.table("customers").read().height == 3


def test_who_is_erased_meanwhile_stops_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lake = erased_after(tmp_path)
    customers = lake.table("customers")
    before = {each.path for each in customers.storage.list()}
    look = RowKeeper.changed

    def late(keeper: RowKeeper) -> bool:
        suppress(lake, "customer", {"email": "eve@shop.example"})
        return look(keeper)

    monkeypatch.setattr(RowKeeper, "changed", late)
    with pytest.raises(ConflictError, match="people were erased from table customers meanwhile"):
        customers.restore(version=2)
    assert {each.path for each in customers.storage.list() if each.path.endswith(".parquet")} <= before
    monkeypatch.undo()
    assert customers.restore(version=2).rows_suppressed == 2


def test_partitions_and_vectors_come_back_as_they_were(tmp_path: Path) -> None:
    schema = {"id": "long", "email": "string", "country": "string"}
    lake = opened(
        tmp_path, tables={"customers": {"schema": schema, "partition_by": ["country"], "merge": "on_read"}}
    )
    customers = lake.table("customers")
    rows = [
        {"id": n, "email": f"u{n}@shop.example", "country": country}
        for n, country in ((1, "DE"), (2, "DE"), (3, "FR"), (4, None))
    ]
    customers.merge(rows)
    customers.merge([{"_op": "delete", "id": 2}])
    erase_person(lake, id="1")
    customers.merge([{"id": 5, "email": BOB, "country": "DE"}])
    assert customers.restore(version=2).rows_after == 2
    assert customers.read().sort("id").rows() == [tuple(rows[2].values()), tuple(rows[3].values())]


def test_versions_of_rows_come_back_empty_too(tmp_path: Path) -> None:
    schema = {"oid": "long", "customer_id": "long", "ship_name": "string", "seq": "long"}
    full = {"history": "full", "changes": {"sequence": "seq"}, "schema": schema}
    lake = opened(tmp_path, tables={"orders": full})
    lake.table("customers").merge(CUSTOMERS)
    orders = lake.table("orders")
    names = ["Ann A", "Ann B", "Ann C"]
    for number in (0, 2, 1):
        orders.merge([{"oid": 1, "customer_id": 1, "ship_name": names[number], "seq": number}])
    orders.merge([{"oid": 1, "ship_name": "Ann D", "seq": 1}])
    before = orders.read().height
    erase_person(lake, email=ANN)
    orders.merge([{"oid": 2, "customer_id": 2, "ship_name": "Bob", "seq": 1}])
    done = orders.restore(version=4)
    assert (done.rows_after, done.rows_suppressed) == (before, 0)
    assert set(orders.read()["ship_name"]) == {None}
    assert all("Ann" not in repr(each.rows()) for each in newest_files(lake, "orders"))
