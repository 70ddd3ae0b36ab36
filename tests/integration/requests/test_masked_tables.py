"""People in tables that hold masks alone, found by the clear identifiers that requests give."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import pytest

from lakehouse import Lakehouse, RefusedError
from lakehouse.pii.executor import Here
from lakehouse.requests.elsewhere.wanted import wanted_of
from lakehouse.requests.erase import erase
from lakehouse.requests.find import Found, find
from lakehouse.requests.identity import Person
from lakehouse.requests.masked import with_masks
from lakehouse.requests.people import People, people_of, resolve
from lakehouse.requests.rules import rules_of
from lakehouse.requests.search import lake_places, search
from tests.fixtures.erasing import place_of

MAIL = "anna.canary-1f9@example.org"
OTHER = "bob@example.net"


def opened(root: Path, *, operator: str = "tokenize", **section: Any) -> Lakehouse:
    lake = Lakehouse.open(
        {
            "version": 1,
            "storage": {"root": str(root / "lake")},
            "keys": {"path": str(root / "keys")},
            "tables": {
                "people": {"key": ["id"], "pii": {"email": "EMAIL_ADDRESS"}, "mask_at": "merge", **section},
                "notes": {"key": ["n"]},
            },
            "subjects": {
                "customer": {
                    "identifiers": {"email": "people.email", "id": "people.id"},
                    "rows": [
                        {"table": "people", "where": {"email": "email"}, "do": "delete"},
                        {"table": "notes", "where": {"of": "id"}, "do": "delete"},
                    ],
                }
            },
            "pii": {"nlp": {"engine": "none"}, "operators": {"EMAIL_ADDRESS": {"operator": operator}}},
        }
    )
    if not lake.keys.versions("mask"):
        lake.keys.create("mask")
    return lake


def fill(lake: Lakehouse) -> None:
    people = lake.table("people")
    people.merge([{"id": 41, "email": MAIL, "x": 1}, {"id": 2, "email": OTHER, "x": 1}])
    lake.keys.rotate("mask")
    lake.table("notes").merge([{"n": 1, "of": 41}, {"n": 2, "of": 2}, {"n": 3, "of": 43}])


def behind_masks(lake: Lakehouse, people: People) -> People:
    return with_masks(
        people, lake.config, snapshot=lambda name: lake.table(name).opened.find(), ring=lake.keys
    )


def known(lake: Lakehouse) -> People:
    people = people_of({"req-1": Person("customer", (("email", MAIL),))})
    for _ in range(2):
        people = behind_masks(lake, people)
        people = resolve(people, lake.config, place=lambda name: place_of(lake.table(name).opened))
    return people


def found_in(lake: Lakehouse, name: str, who: People) -> Found:
    table = lake.table(name).opened
    place = place_of(table)
    assert place is not None
    rules = rules_of(lake.config)[name]
    return find(name, place, rules=rules, people=who, protection=table.protection())


def test_rows_are_found_by_masks_of_all_versions_of_the_key(tmp_path: Path) -> None:
    fill(opened(tmp_path))
    lake = opened(tmp_path)
    lake.table("people").merge([{"id": 43, "email": MAIL, "x": 1}])
    tokens = set(lake.table("people").read()["email"])
    assert len(tokens) == 3
    who = known(lake)
    values = who.known.select("identifier", "value").unique().rows()
    assert {value for name, value in values if name == "id"} == {"41", "43"}
    assert behind_masks(lake, who).known.equals(who.known)
    for name in ("people", "notes"):
        again = partial(found_in, lake, name, who)
        erase(lake.table(name).opened, again(), again=again, sleep=lambda _: None)
    assert lake.table("people").read()["id"].to_list() == [2]
    assert lake.table("notes").read()["n"].to_list() == [2]


def test_what_stands_for_her_is_searched_for(tmp_path: Path) -> None:
    lake = opened(tmp_path)
    lake.table("people").merge([{"id": 41, "email": MAIL, "x": 1}])
    needles = wanted_of(known(lake), lake.config).needles
    report = search(lake_places(lake.storage, tables={"people": {}}), needles, executor=Here())
    assert any(hit.identifier == "email" and hit.place == "column email" for hit in report.hits)


def test_masks_that_tell_nobody_apart_are_refused(tmp_path: Path) -> None:
    lake = opened(tmp_path, operator="redact")
    lake.table("people").merge([{"id": 41, "email": MAIL, "x": 1}])
    with pytest.raises(RefusedError, match=r"can't be found in table people by email"):
        known(lake)


def test_clear_tables_need_no_key(tmp_path: Path) -> None:
    lake = opened(tmp_path, mask_at="read")
    lake.table("people").merge([{"id": 41, "email": MAIL, "x": 1}])
    who = known(lake).known
    assert sorted(who["value"].unique()) == ["41", MAIL]
