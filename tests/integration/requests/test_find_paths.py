"""People in structs, lists and maps: found there, and taken out without what belongs to others."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest

from lakehouse import Lakehouse
from tests.fixtures.people import erased, found_in, known, people

ANN, BOB = "ann-canary-7e2@shop.example", "bob@shop.example"


def opened(root: Path, *rows: dict[str, Any], **identifiers: str) -> Lakehouse:
    schema = {
        "id": "long",
        "profile": "struct<email:string,name:string,home:struct<town:string>>",
        "contacts": "array<struct<email:string,phone:string>>",
        "labels": "map<string,string>",
    }
    return Lakehouse.open(
        {
            "version": 1,
            "storage": {"root": str(root / "lake")},
            "tables": {"people": {"key": ["id"], "schema": schema}},
            "subjects": {
                "customer": {
                    "identifiers": {"id": "people.id", "email": "people.profile.email", **identifiers},
                    "rows": [{"table": "people", **each} for each in rows],
                }
            },
        }
    )


def filled(lake: Lakehouse) -> None:
    lake.table("people").merge(
        [
            {
                "id": 1,
                "profile": {"email": ANN, "name": "Ann", "home": {"town": "Ulm"}},
                "contacts": [{"email": ANN, "phone": "1"}, {"email": BOB, "phone": "2"}],
                "labels": {"owner": ANN, "colour": "red"},
            },
            {
                "id": 2,
                "profile": {"email": BOB, "name": "Bob", "home": None},
                "contacts": [
                    {"email": BOB, "phone": "2"},
                    {"email": ANN, "phone": "1"},
                    {"email": None, "phone": "3"},
                ],
                "labels": {ANN: "friend", "colour": "blue"},
            },
            {"id": 3, "profile": None, "contacts": None, "labels": None},
        ]
    )


def row(lake: Lakehouse, number: int) -> dict[str, Any]:
    return lake.table("people").read().filter(pl.col("id") == number).row(0, named=True)


def test_an_identifier_can_be_a_field_of_a_struct(tmp_path: Path) -> None:
    lake = opened(tmp_path, {"where": {"profile.email": "email"}, "do": "delete"})
    filled(lake)
    who = people(lake, r={"email": ANN})
    assert known(who) == {("email", ANN), ("id", "1")}
    assert erased(lake, "people", who).deleted == 1
    assert sorted(lake.table("people").read()["id"]) == [2, 3]


def test_of_lists_only_the_person_s_elements_go(tmp_path: Path) -> None:
    lake = opened(
        tmp_path, {"where": {"contacts[].email": "email"}, "do": "anonymize", "columns": ["contacts[]"]}
    )
    filled(lake)
    who = people(lake, r={"email": ANN})
    assert erased(lake, "people", who).anonymized == 2
    assert row(lake, 1)["contacts"] == [{"email": BOB, "phone": "2"}]
    assert row(lake, 2)["contacts"] == [{"email": BOB, "phone": "2"}, {"email": None, "phone": "3"}]
    assert row(lake, 2)["profile"] == {"email": BOB, "name": "Bob", "home": None}
    assert row(lake, 3)["contacts"] is None
    assert not erased(lake, "people", who).committed


def test_one_field_of_the_person_s_elements_is_emptied(tmp_path: Path) -> None:
    lake = opened(
        tmp_path, {"where": {"contacts[].email": "email"}, "do": "anonymize", "columns": ["contacts[].phone"]}
    )
    filled(lake)
    erased(lake, "people", people(lake, r={"email": ANN}))
    assert row(lake, 1)["contacts"] == [{"email": ANN, "phone": None}, {"email": BOB, "phone": "2"}]


@pytest.mark.parametrize(
    ("where", "left"),
    [("labels{}", [{"colour": "red"}, None]), ("labels{key}", [None, {"colour": "blue"}])],
)
def test_entries_of_maps(tmp_path: Path, where: str, left: list[dict[str, str] | None]) -> None:
    lake = opened(tmp_path, {"where": {where: "email"}, "do": "anonymize", "columns": ["labels{}"]})
    filled(lake)
    assert erased(lake, "people", people(lake, r={"email": ANN})).anonymized == 1
    for number, wanted in enumerate(left, start=1):
        if wanted is not None:
            assert {each["key"]: each["value"] for each in row(lake, number)["labels"]} == wanted


def test_rows_found_elsewhere_lose_all_of_what_a_path_leads_to(tmp_path: Path) -> None:
    columns = ["profile.home.town", "profile.name", "contacts[]", "labels{}"]
    lake = opened(tmp_path, {"where": {"id": "id"}, "do": "anonymize", "columns": columns})
    filled(lake)
    assert erased(lake, "people", people(lake, r={"email": ANN})).anonymized == 1
    assert row(lake, 1) == {
        "id": 1,
        "profile": {"email": ANN, "name": None, "home": {"town": None}},
        "contacts": [],
        "labels": [],
    }


def test_rows_with_an_element_can_go_whole_and_old_versions_are_known(tmp_path: Path) -> None:
    lake = opened(tmp_path, {"where": {"contacts[].email": "email"}, "do": "delete"})
    filled(lake)
    lake.table("people").merge([{"id": 2, "profile": None, "contacts": [], "labels": None}])
    who = people(lake, r={"email": ANN})
    assert erased(lake, "people", who).deleted >= 1
    assert sorted(lake.table("people").read()["id"]) == [2, 3]
    # In the old file it still is.
    assert not found_in(lake, "people", who).rows["__live"].any()
    assert found_in(lake, "people", who).touched


def test_an_identifier_can_be_in_lists(tmp_path: Path) -> None:
    lake = opened(tmp_path, {"where": {"id": "id"}, "do": "delete"}, phone="people.contacts[].phone")
    filled(lake)
    who = people(lake, r={"phone": "3"})
    assert known(who) == {("phone", "3"), ("phone", "2"), ("phone", "1"), ("id", "2"), ("email", BOB)} | {
        ("id", "1"), ("email", ANN),
    }  # fmt: skip
