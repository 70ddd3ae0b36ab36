"""People who are known by what is stored under keys of people: an e-mail that nobody reads in the files."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from lakehouse import ConfigError, Lakehouse

ANN, BOB = "ann-canary-7d2@shop.example", "bob-canary-7d2@shop.example"
_SHRED = {"entity": "EMAIL_ADDRESS", "shred": "customer"}


def config(root: Path, **more: Any) -> dict[str, Any]:
    """Customers by id and shredded e-mail; orders by both; tickets that know only the e-mail, clear."""
    rows = [
        {"table": "customers", "where": {"id": "id"}, "do": "delete"},
        {"table": "orders", "where": {"who": "id"}, "do": "anonymize", "columns": ["mail"]},
        {"table": "orders", "where": {"mail": "email"}, "do": "anonymize", "columns": ["mail"]},
        {"table": "tickets", "where": {"sender": "email"}, "do": "delete"},
    ]
    return {
        "version": 1,
        "storage": {"root": str(root / "lake")},
        "keys": {"path": str(root / "keys")},
        "tables": {
            "customers": {"key": ["id"], "pii": {"email": _SHRED}},
            "orders": {"key": ["oid"], "pii": {"mail": _SHRED}},
            "tickets": {"key": ["nr"]},
        },
        "subjects": {
            "customer": {"identifiers": {"id": "customers.id", "email": "customers.email"}, "rows": rows}
        },
        "pii": {"nlp": {"engine": "none"}},
        **more,
    }


@pytest.fixture
def lake(tmp_path: Path) -> Lakehouse:
    found = Lakehouse.open(config(tmp_path))
    for purpose in ("shred", "suppress", "requests", "sign"):
        found.keys.create(purpose)
    found.table("customers").merge([{"id": 1, "email": "Ann-Old@shop.example"}, {"id": 2, "email": BOB}])
    found.table("customers").merge([{"id": 1, "email": ANN.title()}])
    found.table("orders").merge(
        [
            {"oid": 7, "who": 1, "mail": "other@shop.example"},
            {"oid": 8, "who": 2, "mail": BOB},
            # Under the key of somebody else, who ordered for her.
            {"oid": 9, "who": 3, "mail": ANN.upper()},
        ]
    )
    found.table("tickets").merge(
        [
            {"nr": 1, "sender": ANN},
            {"nr": 2, "sender": BOB},
            # The e-mail of an earlier version, written in another way: only the closure leads there.
            {"nr": 3, "sender": "ann-old@SHOP.example"},
        ]
    )
    return found


def test_an_e_mail_leads_to_the_person_and_all_goes_with_the_key(lake: Lakehouse, tmp_path: Path) -> None:
    made = lake.requests.submit("erasure", subject="customer", email=ANN)
    report = lake.requests.run()
    assert [(each.status, each.reason) for each in report.outcomes] == [("completed", "")]
    assert report.outcomes[0].rows == {"delete": 3, "anonymize": 2}
    assert lake.table("customers").read().rows() == [(2, BOB)]
    assert lake.table("orders").read().sort("oid")["mail"].to_list() == [None, BOB, None]
    assert lake.table("tickets").read()["nr"].to_list() == [2]
    assert [(each.keys, each.destroyed) for each in lake.subject_keys.count()] == [(2, 1)]
    told = json.dumps(lake.requests.certificate(made.id).model_dump(mode="json"))
    assert "canary-7d2" not in told.lower()
    # A replay finds the door closed, whichever of them it says.
    lake.table("customers").merge(
        [{"id": 9, "email": "ann-old@shop.example"}, {"id": 1, "email": "x@y.example"}]
    )
    assert lake.table("customers").read()["id"].to_list() == [2]
    # Another one of that name is not found by it any more, and that is proved too.
    lake.requests.submit("erasure", subject="customer", email=ANN, external_id="again")
    assert lake.requests.run().outcomes[0].rows == {}


def test_what_is_given_is_found_by_its_cells_alone(lake: Lakehouse, tmp_path: Path) -> None:
    made = lake.requests.submit("access", subject="customer", email=ANN)
    bundle = lake.requests.answer(made.id, to=tmp_path / "all.zip")
    with zipfile.ZipFile(bundle.path) as file:
        told = "".join(file.read(each).decode() for each in file.namelist() if each.endswith(".jsonl"))
    assert all(each in told for each in (ANN.title(), "Ann-Old@shop.example", ANN.upper()))
    assert "shred:v1:" not in told
    # What stands in her rows and is not known to be hers is masked, opened or not.
    assert "bob-" not in told
    assert "other@" not in told
    again = lake.requests.submit("access", subject="customer", email=ANN.upper())
    bundle = lake.requests.answer(again.id, to=tmp_path / "given.zip", identified="given")
    assert {each.table: each.total for each in bundle.sources if each.total} == {
        "tickets": 1,
        "orders": 1,
    }


def test_what_hides_under_the_key_of_another_is_found_by_the_search(tmp_path: Path) -> None:
    forgetful = config(tmp_path)
    del forgetful["subjects"]["customer"]["rows"][2]
    lake = Lakehouse.open(forgetful)
    for purpose in ("shred", "suppress", "requests", "sign"):
        lake.keys.create(purpose)
    lake.table("customers").merge([{"id": 1, "email": ANN}, {"id": 2, "email": BOB}])
    lake.table("orders").merge([{"oid": 9, "who": 2, "mail": ANN.upper()}])
    made = lake.requests.submit("erasure", subject="customer", email=ANN)
    assert [each.status for each in lake.requests.run().outcomes] == ["failed"]
    assert "column mail" in str(lake.requests.show(made.id).events[-1].detail)
    # With a rule for it, the same request comes to its end.
    again = Lakehouse.open(config(tmp_path))
    assert [each.status for each in again.requests.run(made.id).outcomes] == ["completed"]
    assert again.table("orders").read()["mail"].to_list() == [None]


def test_a_hold_on_somebody_known_by_it_holds_the_table(lake: Lakehouse) -> None:
    lake.holds.add(subject="customer", identifiers={"id": "1", "email": ANN}, reason="case 7")
    lake.requests.submit("erasure", subject="customer", id="1")
    assert [each.status for each in lake.requests.run().outcomes] == ["held"]


def test_what_says_whose_a_row_is_stays_clear(tmp_path: Path) -> None:
    alone = config(tmp_path)
    alone["subjects"]["customer"]["identifiers"] = {"email": "customers.email"}
    alone["subjects"]["customer"]["rows"] = [
        {"table": "tickets", "where": {"sender": "email"}, "do": "delete"}
    ]
    with pytest.raises(ConfigError, match=r"it says whose the row is.*`customer` has no other one"):
        Lakehouse.open(alone)


def test_many_people_are_looked_through_in_one_pass(tmp_path: Path) -> None:
    lake = Lakehouse.open(config(tmp_path))
    for purpose in ("shred", "suppress", "requests", "sign"):
        lake.keys.create(purpose)
    ids = pl.int_range(3_000, eager=True).alias("id")
    lake.table("customers").merge(
        ids.to_frame().with_columns(pl.format("p{}@shop.example", "id").alias("email"))
    )
    lake.table("orders").merge([{"oid": 1, "who": 5, "mail": "p5@shop.example"}])
    lake.table("tickets").merge([{"nr": 1, "sender": "P7@shop.example"}])
    for number in (5, 7, 2_999):
        lake.requests.submit("erasure", subject="customer", email=f"p{number}@shop.example")
    assert [each.status for each in lake.requests.run().outcomes] == ["completed"] * 3
    left = lake.table("customers").read()
    assert left.height == 2_997
    assert not left["id"].is_in([5, 7, 2_999]).any()
