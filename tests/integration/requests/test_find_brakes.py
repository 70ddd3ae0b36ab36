"""Requests that find more than one person can have are stopped, unless somebody allows it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lakehouse import Lakehouse, RefusedError
from lakehouse.requests import brakes as braking
from lakehouse.requests.brakes import brakes, refuse_braked
from tests.fixtures.people import found_in, known, people

SHARED = "unknown-canary@shop.example"


def shop(root: Path, *, customers: int = 60, orders: int = 0, **requests: Any) -> Lakehouse:
    """Sixty customers, of whom forty have the same e-mail; all orders are of number 0."""
    lake = Lakehouse.open(
        {
            "version": 1,
            "storage": {"root": str(root / "lake")},
            "keys": {"path": str(root / "keys")},
            "requests": requests,
            "tables": {
                "customers": {"key": ["id"], "schema": {"id": "long", "email": "string"}},
                "orders": {"key": ["no"], "schema": {"no": "long", "customer_id": "long"}},
            },
            "subjects": {
                "customer": {
                    "identifiers": {"id": "customers.id", "email": "customers.email"},
                    "rows": [
                        {"table": "customers", "where": {"id": "id"}, "do": "delete"},
                        {"table": "orders", "where": {"customer_id": "id"}, "do": "delete"},
                    ],
                }
            },
        }
    )
    for purpose in ("suppress", "requests", "sign"):
        if not lake.keys.versions(purpose):
            lake.keys.create(purpose)
    lake.apply()
    lake.table("customers").merge(
        [{"id": each, "email": f"{each}@x.example" if each < 20 else SHARED} for each in range(customers)]
    )
    if orders:
        lake.table("orders").merge([{"no": each, "customer_id": 0} for each in range(orders)])
    return lake


def test_a_value_that_many_share_stops_the_request(tmp_path: Path) -> None:
    lake = shop(tmp_path)
    bad, good = lake.requests.submit_file(
        _file(tmp_path, SHARED, "3@x.example"), kind="erasure", subject="customer"
    )
    plan = {each.request: each for each in lake.requests.run(dry_run=True).plans}
    assert plan[bad.id].brakes == ("it leads to more than 20 different values of the identifier id",)
    assert not plan[good.id].brakes
    report = lake.requests.run()
    assert {each.request: each.status for each in report.outcomes} == {
        bad.id: "received",
        good.id: "completed",
    }
    assert lake.table("customers").read().height == 59
    with pytest.raises(RefusedError, match="more than 20 different values") as caught:
        lake.requests.run(bad.id)
    assert "canary" not in f"{caught.value} {caught.value.advice} {lake.requests.show(bad.id)}"
    assert lake.requests.run(bad.id, allow_many=True).outcomes[0].status == "completed"
    assert sorted(lake.table("customers").read()["id"]) == [each for each in range(20) if each != 3]


def _file(root: Path, *emails: str) -> Path:
    path = root / "requests.csv"
    path.write_text("\n".join(["email", *emails]))
    return path


def test_stand_ins_named_in_the_config_are_nobody(tmp_path: Path) -> None:
    lake = shop(tmp_path, placeholders=[SHARED.upper()])
    who = people(lake, r={"id": 30})
    assert known(who) == {("id", "30")}
    assert not who.crowds
    asked = people(lake, r={"email": SHARED}, s={"id": 1, "email": "n/a"})
    assert set(asked.crowds) == {"r", "s"}
    assert "stands for nobody" in asked.crowds["r"][0]
    assert known(asked, "s") == {("id", "1")}


def test_empty_values_lead_to_nobody(tmp_path: Path) -> None:
    lake = shop(tmp_path)
    blank = ["", " ", "null", "N/A"]
    lake.table("customers").merge([{"id": 100 + at, "email": blank[at % 4]} for at in range(80)])
    assert known(people(lake, r={"id": 101})) == {("id", "101")}


@pytest.mark.parametrize(("orders", "stopped"), [(50, False), (400, True)])
def test_a_surprising_share_of_a_table_stops_the_request(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, orders: int, stopped: bool
) -> None:
    monkeypatch.setattr(braking, "FEW_ROWS", 100)
    lake = shop(tmp_path, orders=orders)
    who = people(lake, r={"id": 0}, s={"id": 1})
    found = [found_in(lake, name, who) for name in ("customers", "orders")]
    reasons = brakes(who, found, config=lake.config.requests)
    assert set(reasons) == ({"r"} if stopped else set())
    if stopped:
        with pytest.raises(RefusedError, match=r"request r: it finds 400 of the 400 rows of table orders"):
            refuse_braked(reasons)
