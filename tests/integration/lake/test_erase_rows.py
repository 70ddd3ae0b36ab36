"""Finding people in every version of a table, and taking them out of the newest one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest
from deltalake import DeltaTable

from lakehouse import Lakehouse, ProtectedError, RefusedError
from lakehouse.delta.snapshot import load_snapshot
from lakehouse.merge.tombstones import load_manifest
from lakehouse.requests.erase import Erased, erase
from lakehouse.requests.find import Found, find
from lakehouse.requests.identity import Person
from lakehouse.requests.past import past_of
from lakehouse.requests.people import People, Place, people_of, resolve
from lakehouse.requests.rules import rules_of

ANN, BOB = "ann-canary-7e2@shop.example", "bob@shop.example"


def opened(root: Path, *, orders: dict[str, Any] | None = None) -> Lakehouse:
    return Lakehouse.open(
        {
            "version": 1,
            "storage": {"root": str(root / "lake")},
            "tables": {
                "customers": {
                    "key": ["id"],
                    "schema": {"id": "long", "email": "string", "seq": "long"},
                    "changes": {"sequence": "seq"},
                },
                "orders": {
                    "key": ["oid"],
                    "schema": {"oid": "long", "customer_id": "long", "ship_name": "string"},
                    **(orders or {}),
                },
            },
            "subjects": {
                "customer": {
                    "identifiers": {"id": "customers.id", "email": "customers.email"},
                    "rows": [
                        {"table": "customers", "where": {"id": "id"}, "do": "delete"},
                        {
                            "table": "orders",
                            "where": {"customer_id": "id"},
                            "do": "anonymize",
                            "columns": ["ship_name"],
                        },
                    ],
                }
            },
        }
    )


def place_of(lake: Lakehouse, name: str) -> Place | None:
    table = lake.table(name)
    newest = table.opened.find()
    return None if newest is None else Place(table.storage, past_of(table.storage, newest))


def people(lake: Lakehouse, **identifiers: str) -> People:
    person = Person("customer", tuple(identifiers.items()))
    return resolve(people_of({"req-1": person}), lake.config, place=lambda name: place_of(lake, name))


def found_in(lake: Lakehouse, name: str, who: People) -> Found:
    place = place_of(lake, name)
    assert place is not None
    rules = rules_of(lake.config)[name]
    return find(name, place, rules=rules, people=who, protection=lake._protection(name, quarantine=False))


def erased(lake: Lakehouse, name: str, who: People) -> Erased:
    table = lake.table(name).opened
    return erase(
        table, found_in(lake, name, who), again=lambda: found_in(lake, name, who), sleep=lambda _: None
    )


@pytest.fixture
def lake(tmp_path: Path) -> Lakehouse:
    lake = opened(tmp_path)
    customers = lake.table("customers")
    customers.merge([{"id": 1, "email": ANN, "seq": 1}, {"id": 2, "email": BOB, "seq": 1}])
    customers.merge([{"id": 1, "email": "ann-new@shop.example", "seq": 2}])
    lake.table("orders").merge(
        [
            {"oid": 1, "customer_id": 1, "ship_name": "Ann canary-7e2"},
            {"oid": 2, "customer_id": 2, "ship_name": "Bob"},
        ]
    )
    return lake


def test_a_person_is_known_by_all_identifiers_of_all_versions(lake: Lakehouse) -> None:
    known = people(lake, email=ANN).known
    assert set(known.select("identifier", "value").rows()) == {
        ("email", ANN), ("email", "ann-new@shop.example"), ("id", "1"),
    }  # fmt: skip


def test_rows_go_and_are_marked_nowhere(lake: Lakehouse, tmp_path: Path) -> None:
    who = people(lake, email=ANN)
    done = erased(lake, "customers", who)
    assert (done.committed, done.deleted) == (True, 1)
    table = lake.table("customers")
    assert table.read()["email"].to_list() == [BOB]
    newest = table.snapshot()
    for add in newest.files.values():
        assert add.deletion_vector is None
        file = tmp_path / "lake" / "customers" / add.path
        assert "canary" not in repr(pl.read_parquet(file).rows())
    commit = table.storage.get(f"_delta_log/{newest.version:020}.json")
    assert b"canary" not in commit
    assert b"ann-new" not in commit
    assert pl.scan_delta(str(tmp_path / "lake" / "customers")).collect().height == 1
    assert DeltaTable(str(tmp_path / "lake" / "customers")).version() == newest.version


def test_the_second_time_there_is_nothing_to_do(lake: Lakehouse) -> None:
    who = people(lake, email=ANN)
    first = erased(lake, "orders", who)
    assert (first.anonymized, first.deleted) == (1, 0)
    assert lake.table("orders").read().sort("oid")["ship_name"].to_list() == [None, "Bob"]
    again = erased(lake, "orders", who)
    assert (again.committed, again.version) == (False, first.version)


def test_old_files_are_found_after_the_rows_have_gone(lake: Lakehouse) -> None:
    who = people(lake, email=ANN)
    erased(lake, "customers", who)
    left = found_in(lake, "customers", who)
    assert not left.rows["__live"].any()
    current = lake.table("customers").snapshot().files
    assert left.touched
    assert all(each.add.path not in current for each in left.touched)


def test_the_memory_of_deletes_forgets_them(lake: Lakehouse) -> None:
    customers = lake.table("customers")
    customers.merge([{"_op": "delete", "id": 1, "seq": 3}, {"_op": "delete", "id": 2, "seq": 3}])
    who = people(lake, id="1")
    erased(lake, "customers", who)
    snapshot = load_snapshot(customers.storage)
    manifest = load_manifest(customers.storage, snapshot)
    kept = pl.concat([pl.read_parquet(customers.storage.get(file.path)) for file in manifest.files])
    assert kept["id"].to_list() == [2]
    # What is remembered of others counts on.
    assert customers.merge([{"id": 2, "email": BOB, "seq": 2}]).stale == 1


def test_held_rows_are_told_by_request(lake: Lakehouse) -> None:
    hold = lake.holds.add(table="orders", where="customer_id = 1", reason="case 12/2026")
    found = found_in(lake, "orders", people(lake, email=ANN))
    assert hold.id in found.held["req-1"][0]


def test_nothing_is_erased_beside_a_hold(lake: Lakehouse) -> None:
    lake.holds.add(table="orders", where="customer_id = 1", reason="case 12/2026")
    before = lake.table("orders").snapshot().version
    with pytest.raises(ProtectedError, match="case 12/2026"):
        erased(lake, "orders", people(lake, email=ANN))
    assert lake.table("orders").snapshot().version == before
    left = found_in(lake, "orders", people(lake, email=ANN)).without(frozenset({"req-1"}))
    assert left.rows.is_empty()


def test_a_hold_on_the_whole_table_holds_everybody_in_it(lake: Lakehouse) -> None:
    hold = lake.holds.add(table="orders", reason="case 13/2026")
    assert hold.id in found_in(lake, "orders", people(lake, id="2")).held["req-1"][0]


def test_a_hold_that_comes_while_files_are_written_is_heeded(lake: Lakehouse) -> None:
    who = people(lake, email=ANN)
    found = found_in(lake, "customers", who)
    lake.holds.add(table="customers", where="id = 1", reason="case 14/2026")
    with pytest.raises(ProtectedError, match="case 14/2026"):
        erase(
            lake.table("customers").opened,
            found,
            again=lambda: found_in(lake, "customers", who),
            sleep=lambda _: None,
        )
    assert lake.table("customers").read().height == 2


def test_a_column_that_must_be_full_is_not_emptied(tmp_path: Path) -> None:
    lake = opened(tmp_path, orders={"partition_by": ["ship_name"]})
    lake.table("orders").merge([{"oid": 1, "customer_id": 1, "ship_name": "Ann"}])
    with pytest.raises(RefusedError, match="in which folder"):
        erased(lake, "orders", people_of({"req-1": Person("customer", (("id", "1"),))}))


def test_others_who_merge_meanwhile_lose_nothing(lake: Lakehouse) -> None:
    who = people(lake, email=ANN)
    stale = found_in(lake, "customers", who)
    lake.table("customers").merge([{"id": 3, "email": "eve@shop.example", "seq": 1}])
    done = erase(
        lake.table("customers").opened,
        stale,
        again=lambda: found_in(lake, "customers", who),
        sleep=lambda _: None,
    )
    assert done.committed
    assert sorted(lake.table("customers").read()["id"]) == [2, 3]
