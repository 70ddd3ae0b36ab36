"""Others write while people are erased and purged: a lost race costs only what has changed since."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from lakehouse import NotFoundError
from lakehouse.requests import find as find_module
from lakehouse.requests import rewritten as rewritten_module
from lakehouse.requests.erase import erase
from lakehouse.requests.find import Found, find, find_on
from lakehouse.requests.identity import Person
from lakehouse.requests.known import Place
from lakehouse.requests.past import past_of
from lakehouse.requests.people import people_of
from lakehouse.requests.purge import plan_purge
from lakehouse.requests.rules import rules_of
from lakehouse.requests.run import purging
from tests.integration.requests.test_run import ANN, filled

RACES = 4


def counted(monkeypatch: pytest.MonkeyPatch, module: Any, name: str, what: Any) -> Counter[str]:
    counts: Counter[str] = Counter()
    original = getattr(module, name)

    def call(*arguments: Any) -> Any:
        counts.update(what(*arguments))
        return original(*arguments)

    monkeypatch.setattr(module, name, call)
    return counts


@pytest.mark.parametrize("name", ["customers", "orders"])
def test_a_lost_race_costs_only_what_came_since(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    lake = filled(tmp_path)
    table, rules = lake.table(name), rules_of(lake.config)[name]
    people = people_of({"req-1": Person("customer", (("id", "7"), ("email", ANN)))})

    def place() -> Place:
        return Place(table.storage, past_of(table.storage, table.snapshot()))

    def whole() -> Found:
        protection = lake._protection(name, quarantine=False)
        return find(name, place(), rules=rules, people=people, protection=protection)

    found = [whole()]
    looked = counted(
        monkeypatch, find_module, "_rows", lambda place, *_: [each.path for each in place.past.files]
    )
    written = counted(monkeypatch, rewritten_module, "rewrite_file", lambda _t, _f, add, *_: [add.path])
    number = 1000

    def others() -> None:
        nonlocal number
        number += 1
        row = {"id": number, "city": "x"} if name == "customers" else {"oid": number, "customer_id": number}
        table.merge([row])

    def again() -> Found:
        protection = lake._protection(name, quarantine=False)
        found.append(find_on(found[-1], place(), rules=rules, protection=protection))
        if len(found) <= RACES:
            others()
        return found[-1]

    others()
    done = erase(table.opened, found[0], again=again, sleep=lambda _: None)
    assert done.committed
    assert len(found) == RACES + 1
    assert set(looked.values()) == {1}
    assert not set(looked) & {each.path for each in found[0].past.files}
    assert set(written.values()) == {1}
    assert {1001, 1002, 1003} <= set(table.read().to_series(0))
    assert table.verify().findings == ()
    # What a lost try wrote in vain is gone.
    assert not [each.path for each in place().past.files if each.kind == "unlisted"]


def test_rows_found_again_are_those_of_a_whole_look(tmp_path: Path) -> None:
    lake = filled(tmp_path)
    table, rules = lake.table("customers"), rules_of(lake.config)["customers"]
    people = people_of({"req-1": Person("customer", (("id", "7"), ("email", ANN)))})
    protection = lake._protection("customers", quarantine=False)

    def place() -> Place:
        return Place(table.storage, past_of(table.storage, table.snapshot()))

    known = find("customers", place(), rules=rules, people=people, protection=protection)
    # The person's row dies in one file, and comes in another; a column comes.
    for rows in ([{"id": 7, "email": ANN, "city": "y"}], [{"_op": "delete", "id": 7}], [{"id": 7, "age": 3}]):
        table.merge(rows)
        known = find_on(known, place(), rules=rules, protection=protection)
        whole = find("customers", place(), rules=rules, people=people, protection=protection)
        order = ["__file", "__position", "__rule"]
        assert known.rows.sort(order).equals(whole.rows.sort(order))
        assert known.past.files == whole.past.files


def test_a_run_is_brought_to_its_end_while_others_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake = filled(tmp_path)
    lake.requests.submit(kind="erasure", subject="customer", email=ANN)
    failed: list[bool] = []

    def went(*arguments: Any, **options: Any) -> Any:
        # As where somebody takes a file away between its listing and its reading.
        if not failed:
            failed.append(True)
            raise NotFoundError("a file is gone")
        return plan_purge(*arguments, **options)

    monkeypatch.setattr(purging, "plan_purge", went)

    def step(what: str, *_: int) -> None:
        if what == "erasing from customers":
            lake.table("customers").merge([{"id": 1001, "city": "x"}])
        if what == "erasing from orders":
            lake.table("orders").merge([{"oid": 1001, "customer_id": 1001, "ship_name": "x"}])

    report = lake.requests.run(step=step)
    assert [each.status for each in report.outcomes] == ["completed"]
    assert failed
    assert 1001 in lake.table("customers").read()["id"]
    assert 1001 in lake.table("orders").read()["oid"]
