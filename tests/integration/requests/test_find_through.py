"""From a person to what is theirs through other tables, and no further."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lakehouse import Lakehouse
from lakehouse.requests.people import people_of, persons_of, resolve
from tests.fixtures.people import erased, found_in, known, people, place_of

SHOP: dict[str, Any] = {
    "customers": {"key": ["id"], "schema": {"id": "long", "email": "string", "invited_by": "long"}},
    "orders": {"key": ["id"], "schema": {"id": "string", "customer_id": "long"}},
    "order_items": {"key": ["order_id", "line"], "schema": {"order_id": "string", "line": "long"}},
}


def shop(root: Path, *rows: dict[str, Any]) -> Lakehouse:
    return Lakehouse.open(
        {
            "version": 1,
            "storage": {"root": str(root / "lake")},
            "tables": SHOP,
            "subjects": {
                "customer": {
                    "identifiers": {"id": "customers.id", "email": "customers.email", "order": "orders.id"},
                    "rows": [
                        {"table": "orders", "where": {"customer_id": "id"}, "do": "delete"},
                        {"table": "order_items", "where": {"order_id": "order"}, "do": "delete"},
                        *rows,
                    ],
                }
            },
        }
    )


def orders(lake: Lakehouse, customer: int, count: int, *, first: int = 0) -> None:
    ids = [f"o{customer}-{each}" for each in range(first, first + count)]
    lake.table("orders").merge([{"id": each, "customer_id": customer} for each in ids])
    lake.table("order_items").merge([{"order_id": each, "line": line} for each in ids for line in (1, 2)])


def test_hundreds_of_orders_lead_to_their_items(tmp_path: Path) -> None:
    lake = shop(tmp_path)
    lake.table("customers").merge([{"id": 1, "email": "ann@x"}, {"id": 2, "email": "bob@x"}])
    orders(lake, 1, 300)
    orders(lake, 2, 5)
    who = people(lake, r={"email": "ann@x"})
    assert not who.crowds
    assert len(known(who)) == 302
    assert erased(lake, "order_items", who).deleted == 600
    assert set(lake.table("order_items").read()["order_id"]) == {f"o2-{each}" for each in range(5)}


def test_an_order_that_the_request_names_leads_to_who_made_it(tmp_path: Path) -> None:
    lake = shop(tmp_path)
    lake.table("customers").merge([{"id": 1, "email": "ann@x"}])
    orders(lake, 1, 2)
    assert known(people(lake, r={"order": "o1-0"})) == {
        ("id", "1"), ("email", "ann@x"), ("order", "o1-0"), ("order", "o1-1"),
    }  # fmt: skip


def test_an_order_that_once_was_somebody_else_s_does_not_lead_there(tmp_path: Path) -> None:
    lake = shop(tmp_path)
    lake.table("customers").merge([{"id": 1, "email": "ann@x"}, {"id": 2, "email": "bob@x"}])
    orders(lake, 1, 1)
    orders(lake, 2, 1)
    lake.table("orders").merge([{"id": "o1-0", "customer_id": 2}])
    assert ("id", "2") not in known(people(lake, r={"id": 1}))


def test_rows_that_only_mention_a_person_are_not_who_it_is(tmp_path: Path) -> None:
    mention = {
        "table": "customers",
        "where": {"invited_by": "id"},
        "do": "anonymize",
        "columns": ["invited_by"],
    }
    lake = shop(tmp_path, {"table": "customers", "where": {"id": "id"}, "do": "delete"}, mention)
    lake.table("customers").merge(
        [{"id": 1, "email": "ann@x", "invited_by": None}, {"id": 2, "email": "bob@x", "invited_by": 1}]
    )
    who = people(lake, r={"id": 1})
    assert known(who) == {("id", "1"), ("email", "ann@x")}
    done = erased(lake, "customers", who)
    assert (done.deleted, done.anonymized) == (1, 1)
    assert lake.table("customers").read().rows() == [(2, "bob@x", None)]


def test_circles_end(tmp_path: Path) -> None:
    lake = Lakehouse.open(
        {
            "version": 1,
            "storage": {"root": str(tmp_path / "lake")},
            "tables": {
                name: {"key": ["a", "b"], "schema": {"a": "long", "b": "long"}}
                for name in ("one", "two", "three")
            },
            "subjects": {
                "customer": {
                    "identifiers": {"x": "one.a", "y": "two.a", "z": "three.a"},
                    "rows": [
                        {"table": "one", "where": {"b": "z"}, "do": "delete"},
                        {"table": "two", "where": {"b": "x"}, "do": "delete"},
                        {"table": "three", "where": {"b": "y"}, "do": "delete"},
                    ],
                }
            },
        }
    )
    for name in ("one", "two", "three"):
        lake.table(name).merge([{"a": each, "b": each} for each in range(3)] + [{"a": 2, "b": 1}])
    assert {value for _, value in known(people(lake, r={"x": 1}))} == {"1", "2"}
    assert known(people(lake, r={"x": 0})) == {("x", "0"), ("y", "0"), ("z", "0")}


TENANTS: dict[str, Any] = {
    "version": 1,
    "tables": {
        "customers": {
            "key": ["tenant", "id"],
            "schema": {"tenant": "string", "id": "long", "email": "string"},
        },
        "orders": {"key": ["tenant", "no"], "schema": {"tenant": "string", "no": "long", "who": "long"}},
        "items": {
            "key": ["tenant", "order_no", "line"],
            "schema": {"tenant": "string", "order_no": "long", "line": "long"},
        },
    },
    "subjects": {
        "customer": {
            "identifiers": {
                "tenant": "customers.tenant",
                "id": "customers.id",
                "email": "customers.email",
                "order": "orders.no",
            },
            "rows": [
                {"table": "customers", "where": {"tenant": "tenant", "id": "id"}, "do": "delete"},
                {"table": "orders", "where": {"tenant": "tenant", "who": "id"}, "do": "delete"},
                {"table": "items", "where": {"tenant": "tenant", "order_no": "order"}, "do": "delete"},
            ],
        }
    },
}


@pytest.mark.parametrize("who", [{"tenant": "a", "id": 1}, {"email": "ann@x"}])
def test_several_columns_together_are_a_key_over_several_tables(tmp_path: Path, who: dict[str, Any]) -> None:
    lake = Lakehouse.open({**TENANTS, "storage": {"root": str(tmp_path / "lake")}})
    lake.table("customers").merge(
        [
            {"tenant": "a", "id": 1, "email": "ann@x"},
            {"tenant": "b", "id": 1, "email": "bob@x"},
            *({"tenant": "a", "id": each, "email": f"{each}@x"} for each in range(2, 60)),
        ]
    )
    lake.table("orders").merge(
        [
            {"tenant": t, "no": no, "who": who}
            for t, no, who in (("a", 7, 1), ("b", 7, 9), ("a", 8, 2), ("b", 9, 1))
        ]
    )
    lake.table("items").merge(
        [{"tenant": t, "order_no": no, "line": 1} for t, no in (("a", 7), ("b", 7), ("a", 8), ("b", 9))]
    )
    them = people(lake, r=who)
    assert not them.crowds
    assert {("email", "ann@x"), ("order", "7")} <= known(them)
    assert [erased(lake, name, them).deleted for name in ("customers", "orders", "items")] == [1, 1, 1]
    assert ("a", 7) not in lake.table("items").read().select("tenant", "order_no").rows()


def test_values_of_two_places_are_not_mixed(tmp_path: Path) -> None:
    lake = Lakehouse.open({**TENANTS, "storage": {"root": str(tmp_path / "lake")}})
    rows = [("a", 1, "ann@x"), ("b", 2, "ann@x"), ("a", 2, "eve@x"), ("b", 1, "bob@x")]
    lake.table("customers").merge([{"tenant": t, "id": number, "email": mail} for t, number, mail in rows])
    who = people(lake, r={"email": "ann@x"})
    assert found_in(lake, "customers", who).counts.get("r", {}) == {"delete": 2}
    erased(lake, "customers", who)
    assert set(lake.table("customers").read()["email"]) == {"eve@x", "bob@x"}


def test_who_was_found_is_kept_as_it_was_found(tmp_path: Path) -> None:
    lake = Lakehouse.open({**TENANTS, "storage": {"root": str(tmp_path / "lake")}})
    rows = [("a", 1, "ann@x"), ("b", 2, "ann@x"), ("a", 2, "eve@x"), ("b", 1, "bob@x")]
    lake.table("customers").merge([{"tenant": t, "id": number, "email": mail} for t, number, mail in rows])
    lake.table("orders").merge([{"tenant": "a", "no": 7, "who": 1}])
    who = people(lake, r={"email": "ann@x"})
    lake.table("orders").merge([{"tenant": "a", "no": 7, "who": 2}])
    again = people_of(persons_of(who))
    assert found_in(lake, "customers", again).counts.get("r", {}) == {"delete": 2}
    # Not even when it is looked up once more: an order that has changed hands since leads nowhere.
    later = resolve(again, lake.config, place=lambda name: place_of(lake, name))
    assert known(later) == known(who)


def test_a_table_that_was_never_made_has_nobody(tmp_path: Path) -> None:
    assert known(people(shop(tmp_path), r={"id": 1})) == {("id", "1")}


@pytest.mark.parametrize("written", ["ANN@shop.example", " ann@Shop.example ", "änne@x"])
def test_an_address_is_found_however_the_request_writes_it(tmp_path: Path, written: str) -> None:
    lake = shop(tmp_path)
    lake.table("customers").merge(
        [{"id": 1, "email": "ann@shop.example"}, {"id": 2, "email": "a\u0308nne@x"}]
    )
    assert ("id", "2" if written == "änne@x" else "1") in known(people(lake, r={"email": written}))
