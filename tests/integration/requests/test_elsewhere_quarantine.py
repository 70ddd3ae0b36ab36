"""People in rejected records: found in whatever form they came, taken out, and nobody else with them."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from lakehouse import Lakehouse, ProtectedError
from lakehouse.pii.executor import Here
from lakehouse.requests.elsewhere.quarantine import find_in_quarantine
from lakehouse.requests.elsewhere.wanted import wanted_of
from lakehouse.requests.erase import erase
from lakehouse.requests.find import Found
from lakehouse.requests.identity import Person
from lakehouse.requests.people import People, people_of
from lakehouse.requests.search import lake_places, search

MAIL = "anna.canary-3c1@example.org"
ANNA = people_of({"req-1": Person("customer", (("email", MAIL), ("id", "4711")))})


def opened(root: Path, *, rows: dict[str, Any] | None = None, **section: Any) -> Lakehouse:
    columns = {"id": "long", "email": "string", "n": "long"}
    pii = {"pii": {"nlp": {"engine": "none"}, "operators": {"EMAIL_ADDRESS": {"operator": "tokenize"}}}}
    return Lakehouse.open(
        {
            "version": 1,
            "storage": {"root": str(root / "lake")},
            "keys": {"path": str(root / "keys")},
            "tables": {"people": {"key": ["id"], "schema": columns, **section}},
            "subjects": {
                "customer": {
                    "identifiers": {"id": "people.id", "email": "people.email"},
                    "rows": [{"table": "people", "where": {"id": "id"}, "do": "delete", **(rows or {})}],
                }
            },
            **(pii if "pii" in section else {}),
        }
    )


def found_in(lake: Lakehouse, who: People = ANNA) -> Found:
    quarantine = lake.table("people__quarantine").opened
    seal = lake.table("people").opened.quarantine.seal
    found = find_in_quarantine(quarantine, seal=seal, people=who, config=lake.config)
    assert found is not None
    return found


def erased(lake: Lakehouse) -> int:
    quarantine = lake.table("people__quarantine").opened
    again = partial(found_in, lake)
    return erase(quarantine, again(), again=again, sleep=lambda _: None).deleted


def left(lake: Lakehouse) -> set[str]:
    """The objects of the quarantine in which the search still finds her."""
    needles = wanted_of(ANNA, lake.config).needles
    report = search(lake_places(lake.storage, tables={"people": {}}), needles, executor=Here())
    return {hit.path for hit in report.hits if hit.table == "people__quarantine"}


ANNAS = [
    b'{"id": "no number", "email": "%s"}' % MAIL.encode(),
    b'{"id": 4711, "n": "x"}',
    b'{"id": "?1", "note": {"of": ["ANNA.Canary-3c1@example.org"]}}',
    b'{"id": 1, "n": "written to anna\\u002ecanary-3c1@example.org"}',
    b'{"id": 4711.0, "email": "\xff"',
    b"4711 but no json, <" + MAIL.encode() + b">\xfe",
    json.dumps({"n": json.dumps({"id": "4711"}), "id": "?"}).encode(),
]
OTHERS = [
    b'{"id": 14711, "n": "x"}',
    b'{"id": 5, "n": "x 4711"}',
    b'{"id": "?", "email": "jo%s"}' % MAIL.encode(),
    b"\xff\xfe no record at all",
    b"[]",
]


def test_all_records_of_a_person_go_and_no_others(tmp_path: Path) -> None:
    lake = opened(tmp_path)
    people = lake.table("people")
    people.merge([*ANNAS[:3], *OTHERS])
    people.merge(ANNAS[3:])
    before = people.quarantine.count()
    assert before == len(ANNAS) + len(OTHERS)
    found = found_in(lake)
    assert found.counts.get("req-1", {}) == {"delete": len(ANNAS) - 1}
    assert left(lake)
    assert erased(lake) == len(ANNAS) - 1
    assert set(people.quarantine.list()["raw"]) == {*OTHERS, ANNAS[4]}
    current = lake.table("people__quarantine").snapshot().files
    assert not {f"people__quarantine/{path}" for path in current} & left(lake)
    assert {each.path for each in found_in(lake).touched} >= {
        path.removeprefix("people__quarantine/") for path in left(lake) if path.endswith(".parquet")
    }
    assert erased(lake) == 0


def test_sealed_records_are_opened_and_found(tmp_path: Path) -> None:
    lake = opened(tmp_path, pii={"email": "EMAIL_ADDRESS"}, mask_at="merge")
    lake.keys.create("mask")
    people = lake.table("people")
    people.merge([*ANNAS[:2], *OTHERS])
    assert not left(lake)
    assert erased(lake) == 2
    assert set(people.quarantine.list()["raw"]) == set(OTHERS)
    # Records that have gone from the newest version still are in an older file.
    assert [each.kind for each in found_in(lake).touched] == ["data"]


def test_records_dropped_before_are_found_in_old_files(tmp_path: Path) -> None:
    lake = opened(tmp_path)
    lake.table("people").merge([ANNAS[0], *OTHERS])
    lake.table("people").quarantine.drop(everything=True)
    found = found_in(lake)
    assert found.counts.get("req-1", {}) == {}
    assert found.touched


def test_what_the_config_keeps_all_of_stays(tmp_path: Path) -> None:
    lake = opened(tmp_path, rows={"do": "keep", "ground": "invoices, ten years"})
    lake.table("people").merge(ANNAS[:2])
    found = found_in(lake)
    assert found.counts.get("req-1", {}) == {"keep": 2}
    assert not found.touched
    assert erased(lake) == 0


def test_an_identifier_that_tells_nobody_alone_takes_nobody_along(tmp_path: Path) -> None:
    lake = opened(tmp_path, rows={"where": {"id": "id", "email": "email"}})
    lake.table("people").merge([*ANNAS[:2], b'{"id": 4711, "email": "%s", "n": "x"}' % MAIL.encode()])
    assert erased(lake) == 1
    assert lake.table("people").quarantine.count() == 2


def test_a_hold_on_the_table_holds_its_records(tmp_path: Path) -> None:
    lake = opened(tmp_path)
    lake.table("people").merge(ANNAS[:2])
    lake.holds.add(table="people", where="id = 5", reason="case 12/2026")
    with pytest.raises(ProtectedError, match="case 12/2026"):
        erased(lake)
    assert lake.table("people").quarantine.count() == 2


def test_where_nothing_was_rejected_there_is_nothing(tmp_path: Path) -> None:
    lake = opened(tmp_path)
    quarantine, seal = lake.table("people__quarantine").opened, lake.table("people").opened.quarantine.seal
    assert find_in_quarantine(quarantine, seal=seal, people=ANNA, config=lake.config) is None
