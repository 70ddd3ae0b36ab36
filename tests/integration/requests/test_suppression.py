"""Who was erased stays out: merges, events, pictures, quarantines and archives bring nobody back."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from lakehouse import Lakehouse, NotFoundError
from lakehouse.errors import KeysError
from lakehouse.merge.quarantine import Keeping
from lakehouse.merge.result import MergeResult
from lakehouse.merge.tombstones import deletes_of, load_manifest
from lakehouse.requests.suppression.batches import Keeper
from lakehouse.storage import Storage
from lakehouse.verbs.merging import merge_batch
from tests.fixtures.meanwhile import Meanwhile
from tests.fixtures.suppressing import erase_from, erase_person, suppress

ANN, BOB = "ann-canary-4c8@shop.example", "bob@shop.example"
CUSTOMERS = [{"id": 1, "email": ANN, "name": "Ann"}, {"id": 2, "email": BOB, "name": "Bob"}]
ORDERS = [{"oid": 1, "customer_id": 1, "ship_name": "Ann"}, {"oid": 2, "customer_id": 2, "ship_name": "Bob"}]
SUBJECTS: dict[str, Any] = {
    "customer": {
        "identifiers": {"id": "customers.id", "email": "customers.email"},
        "rows": [
            {"table": "customers", "where": {"id": "id"}, "do": "delete"},
            {"table": "orders", "where": {"customer_id": "id"}, "do": "anonymize", "columns": ["ship_name"]},
            {"table": "tickets", "where": {"mail": "email"}, "do": "delete"},
            {"table": "bills", "where": {"customer_id": "id"}, "do": "keep", "ground": "tax law"},
        ],
    }
}


def config(root: Path, *, tables: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    sections: dict[str, Any] = {
        "customers": {"key": ["id"], "schema": {"id": "long", "email": "string", "name": "string"}},
        "orders": {
            "key": ["oid"],
            "schema": {"oid": "long", "customer_id": "long", "ship_name": "string", "n": "long"},
        },
        "tickets": {"key": ["tid"], "schema": {"tid": "long", "mail": "string", "text": "string"}},
        "bills": {"key": ["bid"], "schema": {"bid": "long", "customer_id": "long"}},
    }
    for name, section in (tables or {}).items():
        sections[name] = {**sections.get(name, {}), **section}
    return {
        "version": 1,
        "name": "shop",
        "storage": {"root": str(root / "lake")},
        "keys": {"path": str(root / "keys")},
        "tables": sections,
        "subjects": SUBJECTS,
        **more,
    }


def opened(root: Path, **more: Any) -> Lakehouse:
    lake = Lakehouse.open(config(root, **more))
    for purpose in ("suppress", "requests"):
        if not lake.keys.versions(purpose):
            lake.keys.create(purpose)
    return lake


def without_ann(root: Path, **more: Any) -> Lakehouse:
    """A lake from which Ann was erased."""
    lake = opened(root, **more)
    lake.table("customers").merge(CUSTOMERS)
    lake.table("orders").merge(ORDERS)
    erase_person(lake, email=ANN)
    return lake


def told(result: MergeResult) -> dict[str, int]:
    return {name: number for name, number in result.counts.items() if number}


def bytes_below(root: Path) -> bytes:
    """Every byte of every file, Parquet decoded too, since its pages are compressed."""
    found = b""
    for file in root.rglob("*"):
        if file.is_file():
            found += file.read_bytes()
            if file.suffix == ".parquet":
                found += repr(pl.read_parquet(file).rows()).encode()
    return found


def test_a_merge_leaves_erased_people_out_and_counts_them(tmp_path: Path) -> None:
    lake = without_ann(tmp_path)
    customers, orders = lake.table("customers"), lake.table("orders")
    result = customers.merge([*CUSTOMERS, {"id": 3, "email": "eve@shop.example", "name": "Eve"}])
    assert told(result) == {"inserted": 1, "updated": 1, "suppressed": 1}
    assert result.total == 3
    assert sorted(customers.read()["id"]) == [2, 3]
    # Another number, the same address, written in another way: still the same person.
    assert told(customers.merge([{"id": 9, "email": f" {ANN.upper()} ", "name": "Ann"}])) == {"suppressed": 1}
    assert told(orders.merge(ORDERS)) == {"updated": 2}
    assert orders.read().sort("oid")["ship_name"].to_list() == [None, "Bob"]
    assert told(lake.table("tickets").merge([{"tid": 1, "mail": ANN, "text": "help"}])) == {"suppressed": 1}
    assert told(lake.table("bills").merge([{"bid": 1, "customer_id": 1}])) == {"inserted": 1}


def test_values_are_compared_in_the_types_of_the_table(tmp_path: Path) -> None:
    lake = without_ann(tmp_path)
    file = tmp_path / "more.csv"
    file.write_text(f"id,email,name\n001,,Ann\n4,{ANN},Ann\n5,eve@shop.example,Eve\n")
    customers = lake.table("customers")
    assert told(customers.merge_files([file])) == {"inserted": 1, "suppressed": 2}
    assert told(customers.merge(pl.DataFrame({"id": [1.0], "name": ["Ann"]}))) == {"suppressed": 1}


def test_a_change_of_a_person_is_known_by_its_key(tmp_path: Path) -> None:
    lake = without_ann(tmp_path)
    customers = lake.table("customers")
    assert told(customers.merge([{"id": 1, "name": "Anna"}, {"_op": "delete", "id": 1}])) == {"suppressed": 2}
    assert customers.read()["id"].to_list() == [2]


def test_a_partial_change_that_states_no_identifier_makes_a_row_without_one(tmp_path: Path) -> None:
    lake = opened(tmp_path)
    tickets = lake.table("tickets")
    tickets.merge([{"tid": 1, "mail": ANN, "text": "help"}])
    erase_person(lake, email=ANN)
    assert tickets.read().is_empty()
    assert told(tickets.merge([{"tid": 1, "text": "closed"}])) == {"inserted": 1}
    assert tickets.read().rows() == [(1, None, "closed")]
    assert told(tickets.merge([{"tid": 1, "mail": ANN}])) == {"suppressed": 1}
    assert tickets.read().rows() == [(1, None, "closed")]


def test_no_memory_of_a_delete_holds_the_key(tmp_path: Path) -> None:
    changes = {"changes": {"sequence": "seq"}}
    lake = opened(tmp_path, tables={"customers": {**changes, "schema": {"id": "long", "email": "string"}}})
    customers = lake.table("customers")
    customers.merge([{"id": 1, "email": ANN, "seq": 1}])
    erase_person(lake, email=ANN)
    result = customers.merge([{"_op": "delete", "id": 1, "seq": 2}, {"_op": "delete", "id": 7, "seq": 2}])
    assert told(result) == {"unchanged": 1, "suppressed": 1}
    keys = pl.DataFrame({"id": [1, 7]})
    remembered = deletes_of(
        customers.storage, load_manifest(customers.storage, customers.snapshot()), keys=keys
    )
    assert remembered is not None
    assert remembered["id"].to_list() == [7]


def event(op: str, before: Any, after: Any, lsn: int) -> dict[str, Any]:
    source = {"table": "t", "schema": "s", "db": "d", "connector": "postgresql", "lsn": lsn, "ts_ms": lsn}
    source["sequence"] = json.dumps([str(lsn), str(lsn)])
    return {"op": op, "before": before, "after": after, "source": source}


def test_events_are_known_by_the_row_before_and_after(tmp_path: Path) -> None:
    debezium = {"changes": {"format": "debezium"}}
    lake = opened(tmp_path, tables={"customers": debezium, "tickets": debezium})
    customers, tickets = lake.table("customers"), lake.table("tickets")
    customers.merge([event("c", None, row, n) for n, row in enumerate(CUSTOMERS, start=1)])
    tickets.merge([event("c", None, {"tid": 1, "mail": ANN, "text": "help"}, 1)])
    erase_person(lake, email=ANN)
    again = [
        event("u", CUSTOMERS[0], {**CUSTOMERS[0], "name": "Anna"}, 3),
        # Her key changes: the row is hers before, so it is after.
        event("u", CUSTOMERS[0], {"id": 10, "email": "new@shop.example", "name": "Ann"}, 4),
        event("d", CUSTOMERS[0], None, 5),
        event("u", CUSTOMERS[1], {**CUSTOMERS[1], "name": "Rob"}, 6),
    ]
    assert told(customers.merge(again)) == {"updated": 1, "suppressed": 3}
    assert customers.read().select("id", "name").rows() == [(2, "Rob")]
    # What she was known by is only in the row before.
    renamed = event("u", {"tid": 1, "mail": ANN, "text": "help"}, {"tid": 1, "mail": None, "text": "help"}, 2)
    assert told(tickets.merge([renamed])) == {"suppressed": 1}
    assert tickets.read().is_empty()


def test_events_of_maxwell_too(tmp_path: Path) -> None:
    lake = opened(tmp_path, tables={"tickets": {"changes": {"format": "maxwell"}}})
    erase_person(lake, email=ANN)
    base = {"database": "d", "table": "t", "type": "update", "ts": 1}
    events = [
        {**base, "data": {"tid": 1, "mail": None, "text": "a"}, "old": {"mail": ANN}},
        {**base, "data": {"tid": 2, "mail": BOB, "text": "b"}, "old": {"text": "a"}},
    ]
    assert told(lake.table("tickets").merge(events)) == {"inserted": 1, "suppressed": 1}


def test_a_picture_with_erased_people_deletes_nothing_for_them(tmp_path: Path) -> None:
    lake = opened(tmp_path, tables={"customers": {"changes": {"format": "snapshot", "max_deletes": 0.2}}})
    customers = lake.table("customers")
    customers.merge(CUSTOMERS)
    _, people = suppress(lake, "customer", {"email": ANN})
    # Written down, and not erased yet: the row is not the picture's to take.
    assert told(customers.merge(CUSTOMERS)) == {"unchanged": 1, "suppressed": 1}
    assert customers.read().height == 2
    erase_from(lake, "customers", people)
    assert told(customers.merge(CUSTOMERS)) == {"unchanged": 1, "suppressed": 1}
    # A record of hers that can't be used keeps the picture from nothing.
    broken = {"id": 1, "email": ANN, "name": {"not": "a text"}}
    result = customers.merge([broken], allow_deletes=True)
    assert (result.suppressed, result.rejected, result.deleted) == (1, 0, 1)
    assert b"canary" not in bytes_below(tmp_path / "lake" / "customers__quarantine")


def test_unusable_records_of_erased_people_are_not_kept(tmp_path: Path) -> None:
    strict = {"changes": {"schema": "quarantine"}}
    lake = without_ann(tmp_path, tables={"customers": strict, "orders": strict, "tickets": strict})
    customers = lake.table("customers")
    records: list[Any] = [
        json.dumps({"id": 1, "email": ANN, "what": 1}).encode(),
        json.dumps({"id": "x", "email": ANN}).encode(),
        f'{{"id": 4, "email": "{ANN}", oops'.encode(),
        json.dumps({"id": 5, "email": BOB, "what": 1}).encode(),
    ]
    result = customers.merge(records)
    assert told(result) == {"rejected": 1, "suppressed": 3}
    assert [each.position for each in result.problems] == [3]
    assert customers.quarantine.count() == 1
    # A row that would only have lost cells waits, and says nothing.
    order = {"oid": 1, "customer_id": 1, "ship_name": "Ann canary-4c8", "what": 1}
    assert told(lake.table("orders").merge([order])) == {"rejected": 1}
    assert lake.table("orders").quarantine.list()["raw"].to_list() == [None]
    assert b"canary-4c8" not in bytes_below(tmp_path / "lake" / "orders__quarantine")
    assert b"canary-4c8" not in bytes_below(tmp_path / "lake" / "customers__quarantine")


def test_a_retry_of_the_quarantine_drops_erased_people(tmp_path: Path) -> None:
    strict = {"changes": {"schema": "quarantine"}}
    lake = opened(tmp_path, tables={"customers": strict})
    customers = lake.table("customers")
    customers.merge(CUSTOMERS)
    broken = [{"id": 1, "name": "Ann", "vip": 1}, {"id": 2, "name": "Bob", "vip": 1}]
    assert customers.merge([json.dumps(each).encode() for each in broken]).rejected == 2
    erase_person(lake, email=ANN)
    done = opened(tmp_path).table("customers").quarantine.retry()
    assert (done.tried, done.merged, done.suppressed, done.waiting) == (2, 1, 1, 0)
    assert customers.quarantine.count() == 0
    assert customers.read()["id"].to_list() == [2]


def test_archived_rows_of_erased_people_do_not_come_back(tmp_path: Path) -> None:
    rule = {
        "name": "old", "column": "at", "keep": "90d", "action": "archive", "to": "archive", "max_fraction": 1,
    }  # fmt: skip
    schema = {"id": "long", "email": "string", "at": "timestamp"}
    lake = opened(tmp_path, tables={"customers": {"schema": schema, "retention": [rule]}})
    customers = lake.table("customers")
    old = datetime(2024, 6, 1, tzinfo=UTC)
    customers.merge([{"id": 1, "email": ANN, "at": old}, {"id": 2, "email": BOB, "at": old}])
    lake.retention.apply(now=datetime(2026, 6, 1, tzinfo=UTC), allow_empty=True)
    assert customers.read().is_empty()
    erase_person(lake, id="1")
    planned = lake.retention.restore_archive("customers", dry_run=True)
    done = lake.retention.restore_archive("customers")
    assert planned.counts == done.counts == {"inserted": 1, "suppressed": 1}
    assert customers.read()["id"].to_list() == [2]


def test_who_is_readmitted_may_come_again(tmp_path: Path) -> None:
    lake = without_ann(tmp_path)
    erase_person(lake, email=ANN)
    with pytest.raises(NotFoundError, match="no erased customer"):
        lake.requests.readmit("customer", email=BOB, reason="new consent")
    assert lake.requests.readmit("customer", email=ANN, reason="new consent") == 2
    assert told(lake.table("customers").merge(CUSTOMERS)) == {"inserted": 1, "updated": 1}
    assert told(lake.table("orders").merge(ORDERS)) == {"updated": 2}
    assert lake.table("orders").read().sort("oid")["ship_name"].to_list() == ["Ann", "Bob"]


def test_identifiers_that_only_count_together_belong_to_one_erasure(tmp_path: Path) -> None:
    subjects = {
        "user": {
            "identifiers": {"tenant": "users.tenant", "login": "users.login"},
            "rows": [{"table": "users", "where": {"tenant": "tenant", "login": "login"}, "do": "delete"}],
        }
    }
    users = {"key": ["tenant", "login"], "schema": {"tenant": "string", "login": "string"}}
    lake = opened(tmp_path, tables={"users": users}, subjects=subjects)
    for tenant, login in (("acme", "ann"), ("bolt", "bea")):
        erase_person(lake, "user", tenant=tenant, login=login)
    rows = [{"tenant": t, "login": login} for t in ("acme", "bolt") for login in ("ann", "bea", "eve")]
    table = lake.table("users")
    assert told(table.merge(rows)) == {"inserted": 4, "suppressed": 2}
    lake.requests.readmit("user", tenant="acme", login="ann", reason="new consent")
    assert told(table.merge(rows)) == {"inserted": 1, "updated": 4, "suppressed": 1}


def test_erased_people_are_known_after_the_key_was_rotated(tmp_path: Path) -> None:
    lake = without_ann(tmp_path)
    lake.keys.rotate("suppress")
    customers = lake.table("customers")
    assert told(customers.merge(CUSTOMERS)) == {"updated": 1, "suppressed": 1}
    erase_person(lake, email=BOB)
    assert told(customers.merge(CUSTOMERS)) == {"suppressed": 2}


def test_without_the_key_nothing_is_merged(tmp_path: Path) -> None:
    lake = without_ann(tmp_path)
    before = lake.table("customers").snapshot().version
    for file in (tmp_path / "keys").rglob("*suppress*"):
        file.unlink()
    again = Lakehouse.open(config(tmp_path))
    customers = again.table("customers")
    for attempt in (
        lambda: customers.merge(CUSTOMERS),
        lambda: customers.merge(CUSTOMERS, dry_run=True),
        lambda: customers.restore(version=1),
    ):
        with pytest.raises(KeysError, match="people were erased from table customers") as caught:
            attempt()
        assert "canary" not in f"{caught.value} {caught.value.advice}"
    assert customers.snapshot().version == before
    # Tables of which nobody's rows are known need no key.
    assert told(again.table("bills").merge([{"bid": 1, "customer_id": 1}])) == {"inserted": 1}


def test_as_long_as_nobody_was_erased_no_key_is_needed_and_no_database_made(tmp_path: Path) -> None:
    lake = Lakehouse.open(config(tmp_path))
    assert told(lake.table("customers").merge(CUSTOMERS)) == {"inserted": 2}
    assert lake.table("customers").restore(version=0).version == 2
    assert not list((tmp_path / "lake").rglob("*.db*"))


def test_people_are_known_in_clear_where_the_table_is_masked(tmp_path: Path) -> None:
    pii = {"pii": {"email": "EMAIL_ADDRESS"}, "mask_at": "merge"}
    more = {"pii": {"nlp": {"engine": "none"}, "operators": {"EMAIL_ADDRESS": {"operator": "tokenize"}}}}
    lake = opened(tmp_path, tables={"customers": pii}, **more)
    lake.keys.create("mask")
    erase_person(lake, email=ANN)
    assert told(lake.table("customers").merge(CUSTOMERS)) == {"inserted": 1, "suppressed": 1}


def test_full_history_does_not_begin_again(tmp_path: Path) -> None:
    history = {"history": "full", "changes": {"sequence": "seq"}}
    schema = {"id": "long", "email": "string", "seq": "long"}
    lake = opened(tmp_path, tables={"customers": {**history, "schema": schema}})
    customers = lake.table("customers")
    rows = [{"id": 1, "email": ANN, "seq": 1}, {"id": 2, "email": BOB, "seq": 1}]
    customers.merge(rows)
    erase_person(lake, email=ANN)
    assert told(customers.merge([*rows, {"id": 1, "seq": 2}, {"_op": "delete", "id": 1, "seq": 3}])) == {
        "duplicate": 1, "suppressed": 3,
    }  # fmt: skip
    assert customers.read()["id"].to_list() == [2]


def test_with_the_state_in_postgresql(tmp_path: Path, postgres: str) -> None:
    lake = without_ann(tmp_path, state=postgres)
    many = [{"id": number, "email": f"u{number}@shop.example", "name": ""} for number in range(1, 3_001)]
    assert told(lake.table("customers").merge(many)) == {"inserted": 2_998, "updated": 1, "suppressed": 1}
    lake.requests.readmit("customer", email=ANN, reason="new consent")
    assert told(lake.table("customers").merge(CUSTOMERS)) == {"inserted": 1, "updated": 1}


def overtaken(lake: Lakehouse, name: str, *deeds: Callable[[], object]) -> Callable[[Any], MergeResult]:
    """Merges; right before its commits are sent, others do something."""
    table = lake.table(name).opened
    queue = list(deeds)

    def slow(storage: Storage) -> Storage:
        return Meanwhile(storage, (), queue=queue)

    quarantine = replace(table.quarantine, storage=slow(table.quarantine.storage))
    seen = replace(table, storage=slow(table.storage), quarantine=quarantine)
    return lambda changes: merge_batch(seen, changes, rejects=Keeping(store=quarantine))


def test_who_is_erased_during_a_merge_stays_out(tmp_path: Path) -> None:
    lake = opened(tmp_path)
    lake.table("customers").merge(CUSTOMERS)
    merge = overtaken(lake, "customers", lambda: erase_person(lake, email=ANN))
    result = merge([{**each, "name": "again"} for each in CUSTOMERS])
    assert told(result) == {"updated": 1, "suppressed": 1}
    assert result.attempts == 2
    assert lake.table("customers").read()["id"].to_list() == [2]


def test_who_is_written_down_during_a_merge_is_seen_right_before_the_commit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake = opened(tmp_path)
    tickets = lake.table("tickets")
    tickets.merge([{"tid": 0, "mail": BOB, "text": ""}])
    looks: list[int] = []
    look = Keeper.changed

    def late(keeper: Keeper) -> bool:
        # An erasure that finds nothing to erase, so that no commit of its own is in the way.
        looks.append(1)
        if len(looks) == 1:
            suppress(lake, "customer", {"email": ANN})
        return look(keeper)

    monkeypatch.setattr(Keeper, "changed", late)
    rows = [{"tid": 1, "mail": ANN, "text": "canary-4c8"}, {"tid": 2, "mail": BOB, "text": ""}]
    assert told(tickets.merge(rows)) == {"inserted": 1, "suppressed": 1}
    assert len(looks) == 2
    # What had been written for the commit that was not sent is gone too.
    assert b"canary-4c8" not in bytes_below(tmp_path / "lake" / "tickets")


def test_nobody_gets_into_the_quarantine_in_the_last_moment(tmp_path: Path) -> None:
    lake = opened(tmp_path, tables={"customers": {"changes": {"schema": "quarantine"}}})
    lake.table("customers").merge(CUSTOMERS)
    broken = json.dumps({"id": 1, "email": ANN, "name": "canary-4c8", "what": 1}).encode()
    merge = overtaken(lake, "customers", lambda: erase_person(lake, email=ANN))
    assert told(merge([broken])) == {"suppressed": 1}
    assert lake.table("customers").quarantine.count() == 0
    assert b"canary-4c8" not in bytes_below(tmp_path / "lake" / "customers__quarantine")
