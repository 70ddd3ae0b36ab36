"""Requests on lakes that are not as they should be: clear errors, and nothing half done."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lakehouse import ConfigError, CorruptTableError, DataError, Lakehouse, RefusedError
from lakehouse.requests.certificate import as_document
from lakehouse.requests.certificate.canonical import canonical

MAIL = "zz-canary-anna@example.org"


def config(root: Path, **more: Any) -> dict[str, Any]:
    return {
        "version": 1,
        "storage": {"root": str(root / "lake")},
        "keys": {"path": str(root / "keys")},
        "tables": {
            "people": {"key": ["id"], "schema": {"id": "long", "email": "string", "name": "string"}},
            "orders": {"key": ["oid"], "schema": {"oid": "long", "customer": "long", "ship_to": "string"}},
        },
        "subjects": {
            "customer": {
                "identifiers": {"id": "people.id", "email": "people.email"},
                "rows": [
                    {"table": "people", "where": {"id": "id"}, "do": "delete"},
                    {"table": "orders", "where": {"customer": "id"}, "do": "delete"},
                ],
            }
        },
        **more,
    }


@pytest.fixture
def lake(tmp_path: Path) -> Lakehouse:
    found = Lakehouse.open(config(tmp_path))
    for purpose in ("suppress", "requests", "sign"):
        found.keys.create(purpose)
    found.table("people").merge([{"id": n, "email": f"o{n}@x.example", "name": "o"} for n in range(4)])
    found.table("people").merge([{"id": 4711, "email": MAIL, "name": "Anna"}])
    found.table("orders").merge([{"oid": n, "customer": 4711 if n else 1} for n in range(3)])
    return found


def contents(root: Path) -> dict[str, bytes]:
    """All objects of the tables."""
    return {
        str(path.relative_to(root)): path.read_bytes()
        for name in ("people", "orders")
        for path in sorted((root / name).rglob("*"))
        if path.is_file()
    }


def drop_commit(table: Path) -> None:
    (table / "_delta_log" / f"{0:020}.json").unlink()


def cut_commit_short(table: Path) -> None:
    last = max((table / "_delta_log").glob("*.json"))
    last.write_bytes(last.read_bytes()[:-20])


def drop_file(table: Path) -> None:
    for path in table.glob("*.parquet"):
        path.unlink()


def break_file(table: Path) -> None:
    for path in table.glob("*.parquet"):
        path.write_bytes(b"PAR1" + b"\0" * (path.stat().st_size - 4))


@pytest.mark.parametrize("damage", [drop_commit, cut_commit_short, drop_file, break_file])
def test_a_damaged_table_stops_it_before_anything_is_done(
    lake: Lakehouse, tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    request = lake.requests.submit("erasure", subject="customer", email=MAIL)
    kept = shutil.copytree(tmp_path / "lake" / "orders", tmp_path / "kept")
    damage(tmp_path / "lake" / "orders")
    before = contents(tmp_path / "lake")
    again = Lakehouse.open(config(tmp_path))
    with pytest.raises((CorruptTableError, DataError), match="orders") as error:
        again.requests.run()
    assert error.value.advice
    assert MAIL not in str(error.value)
    assert contents(tmp_path / "lake") == before
    assert again.requests.show(request.id).status == "received"
    shutil.rmtree(tmp_path / "lake" / "orders")
    shutil.copytree(kept, tmp_path / "lake" / "orders")
    assert Lakehouse.open(config(tmp_path)).requests.run().outcomes[0].status == "completed"


def test_a_table_that_was_moved_away_is_not_taken_for_one_without_the_person(
    lake: Lakehouse, tmp_path: Path
) -> None:
    request = lake.requests.submit("erasure", subject="customer", email=MAIL)
    (tmp_path / "lake" / "orders").rename(tmp_path / "orders_elsewhere")
    before = contents(tmp_path / "lake")
    again = Lakehouse.open(config(tmp_path))
    with pytest.raises(RefusedError, match="orders") as error:
        again.requests.run()
    assert error.value.advice
    assert contents(tmp_path / "lake") == before
    assert again.requests.show(request.id).status == "received"
    (tmp_path / "orders_elsewhere").rename(tmp_path / "lake" / "orders")
    assert Lakehouse.open(config(tmp_path)).requests.run().outcomes[0].status == "completed"


def test_somebody_unknown_is_proved_to_be_nowhere(lake: Lakehouse, tmp_path: Path) -> None:
    before = contents(tmp_path / "lake")
    request = lake.requests.submit("erasure", subject="customer", email="nobody-canary@x.example", id=99)
    (outcome,) = lake.requests.run().outcomes
    assert (outcome.status, outcome.rows) == ("completed", {})
    signed = lake.requests.certificate(request.id)
    assert lake.requests.verify_certificate(canonical(as_document(signed))).valid
    assert not signed.certificate.tables
    searched = {each.kind: each for each in signed.certificate.search.searched}
    assert sum(each.rows for each in searched.values()) >= 8, searched
    assert signed.certificate.search.hits == 0
    assert contents(tmp_path / "lake") == before


def test_people_who_lead_to_each_other_in_a_circle(tmp_path: Path) -> None:
    document = config(tmp_path)
    document["tables"]["people"]["schema"] |= {"invited_by": "long"}
    rows = document["subjects"]["customer"]["rows"]
    invited = {"table": "people", "where": {"invited_by": "id"}, "do": "anonymize"}
    rows.append({**invited, "columns": ["invited_by"]})
    lake = Lakehouse.open(document)
    for purpose in ("suppress", "requests", "sign"):
        lake.keys.create(purpose)
    lake.apply()
    people = lake.table("people")
    # Each was invited by the next, and the last by the first.
    people.merge([{"id": n, "email": f"o{n}@x.example", "invited_by": n % 5 + 1} for n in range(1, 6)])
    lake.requests.submit("erasure", subject="customer", id=2)
    assert lake.requests.run().outcomes[0].status == "completed"
    left = dict(people.read(columns=["id", "invited_by"]).sort("id").rows())
    assert left == {1: None, 3: 4, 4: 5, 5: 1}


def test_tables_reached_through_each_other_in_a_circle_are_refused(tmp_path: Path) -> None:
    document = config(tmp_path)
    document["subjects"]["customer"]["rows"] = [
        {"table": "people", "where": {"id": "orders.customer"}, "do": "delete"},
        {"table": "orders", "where": {"customer": "people.id"}, "do": "delete"},
    ]
    with pytest.raises(ConfigError) as error:
        Lakehouse.open(document)
    assert "people" in str(error.value)
