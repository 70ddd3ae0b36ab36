"""Requests carried out from end to end: whoever asked is gone from every byte, and that is proved."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest
import time_machine

from lakehouse import KeysError, Lakehouse, NotFoundError, VersionNotFoundError
from lakehouse.requests.certificate import as_document
from lakehouse.requests.certificate.canonical import canonical
from lakehouse.requests.run import RunReport

ANN = "ann-canary-5d1@shop.example"
NAME = "Annabella Canaryson"


def config(root: Path, **requests: Any) -> dict[str, Any]:
    return {
        "version": 1,
        "name": "shop",
        "storage": {"root": str(root / "lake")},
        "keys": {"path": str(root / "keys")},
        "tables": {
            "customers": {
                "key": ["id"],
                "schema": {"id": "long", "email": "string", "name": "string", "city": "string"},
                "change_feed": True,
            },
            "orders": {
                "key": ["oid"],
                "schema": {"oid": "long", "customer_id": "long", "ship_name": "string", "total": "double"},
            },
            "invoices": {"key": ["number"], "schema": {"number": "long", "customer_id": "long"}},
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
                    {
                        "table": "invoices",
                        "where": {"customer_id": "id"},
                        "do": "keep",
                        "ground": "tax law: ten years",
                    },
                ],
            }
        },
        "requests": requests,
    }


def opened(root: Path, **requests: Any) -> Lakehouse:
    lake = Lakehouse.open(config(root, **requests))
    for purpose in ("suppress", "requests", "sign"):
        if not lake.keys.versions(purpose):
            lake.keys.create(purpose)
    return lake


def filled(root: Path, **requests: Any) -> Lakehouse:
    """Customers in several versions, with vectors and change data; Ann is number 7 and has moved."""
    lake = opened(root, **requests)
    lake.apply()
    customers = lake.table("customers")
    customers.merge(
        [{"id": n, "email": f"c{n}@shop.example", "name": f"C{n}", "city": "Ulm"} for n in range(6)]
    )
    customers.merge([{"id": 7, "email": ANN, "name": NAME, "city": "Ulm"}])
    customers.merge([{"id": 7, "email": ANN, "name": NAME, "city": "Bonn"}, {"id": 3, "city": "Köln"}])
    lake.table("orders").merge(
        [{"oid": n, "customer_id": n, "ship_name": NAME if n == 7 else "B", "total": 1.0} for n in range(9)]
    )
    lake.table("invoices").merge([{"number": n, "customer_id": 7 if n < 3 else 1} for n in range(5)])
    return lake


def anywhere(root: Path, *marks: str) -> list[Path]:
    """The files in which a mark is, read plainly; what is packed is for the search to find."""
    return [
        path
        for path in root.rglob("*")
        if path.is_file() and any(mark.encode() in path.read_bytes() for mark in marks)
    ]


def carried_out(lake: Lakehouse, **identifiers: Any) -> tuple[str, RunReport]:
    request = lake.requests.submit("erasure", subject="customer", **identifiers)
    return request.id, lake.requests.run()


@pytest.mark.parametrize("history", ["cut", "redact"])
def test_a_person_is_gone_from_every_byte_and_that_is_proved(tmp_path: Path, history: str) -> None:
    lake = filled(tmp_path, history=history)
    assert anywhere(tmp_path / "lake", ANN, NAME)
    request, report = carried_out(lake, email=ANN)
    (outcome,) = report.outcomes
    assert (outcome.status, outcome.certificate) == ("completed", 1)
    assert outcome.rows == {"delete": 1, "anonymize": 1, "keep": 3}
    assert not anywhere(tmp_path / "lake", ANN, NAME)
    assert lake.table("customers").read(columns=["id"])["id"].sort().to_list() == [0, 1, 2, 3, 4, 5]
    orders = lake.table("orders").read().sort("oid")
    assert orders.filter(pl.col("oid") == 7)["ship_name"].to_list() == [None]
    assert orders.height == 9
    shown = lake.requests.show(request)
    assert shown.status == "completed"
    signed = lake.requests.certificate(request)
    assert lake.requests.verify_certificate(canonical(as_document(signed))).valid
    tables = {each.name: each for each in signed.certificate.tables}
    assert tables["customers"].rows.deleted == 1
    assert tables["orders"].rows.anonymized == 1
    assert tables["customers"].files
    assert [(each.table, each.rows, each.ground) for each in signed.certificate.kept] == [
        ("invoices", 3, "tax law: ten years")
    ]
    assert ANN not in repr((report, shown, signed))


def test_versions_before_are_closed_or_stay_readable_without_the_person(tmp_path: Path) -> None:
    cut, redacted = filled(tmp_path / "cut"), filled(tmp_path / "redact", history="redact")
    for lake in (cut, redacted):
        before = lake.table("customers").snapshot().version
        carried_out(lake, email=ANN)
        if lake is cut:
            with pytest.raises(VersionNotFoundError, match="eras"):
                lake.table("customers").read(version=before)
        else:
            rows = lake.table("customers").read(version=before)
            assert rows.height == 7
            assert rows["email"].null_count() == 1
            assert rows.filter(pl.col("id") == 3)["city"].to_list() == ["Köln"]


def test_nobody_is_found_and_that_is_proved_too(tmp_path: Path) -> None:
    lake = filled(tmp_path)
    versions = {name: lake.table(name).snapshot().version for name in lake.tables}
    request, report = carried_out(lake, email="nobody-canary@shop.example")
    assert report.outcomes[0].status == "completed"
    assert report.outcomes[0].rows == {}
    assert not lake.requests.certificate(request).certificate.tables
    assert {name: lake.table(name).snapshot().version for name in lake.tables} == versions


def test_a_dry_run_says_what_would_go_and_writes_nothing(tmp_path: Path) -> None:
    lake = filled(tmp_path)
    request = lake.requests.submit("erasure", subject="customer", email=ANN)
    before = {path: path.read_bytes() for path in (tmp_path / "lake").rglob("*.json") if path.is_file()}
    (plan,) = lake.requests.run(dry_run=True).plans
    assert plan.stage == "erase"
    assert {each.table: each.rows for each in plan.tables} == {
        "customers": {"delete": 1},
        "orders": {"anonymize": 1},
        "invoices": {"keep": 3},
    }
    assert lake.requests.show(request.id).status == "received"
    assert before == {
        path: path.read_bytes() for path in (tmp_path / "lake").rglob("*.json") if path.is_file()
    }


def test_held_requests_wait_and_the_others_go_on(tmp_path: Path) -> None:
    lake = filled(tmp_path)
    hold = lake.holds.add(table="customers", where="id = 3", reason="court")
    held = lake.requests.submit("erasure", subject="customer", email="c3@shop.example")
    free = lake.requests.submit("erasure", subject="customer", email=ANN)
    status = {each.request: each.status for each in lake.requests.run().outcomes}
    assert status[held.id] == "held"
    assert status[free.id] == "completed"
    assert not anywhere(tmp_path / "lake", ANN, NAME)
    assert lake.table("customers").read(version=1).filter(pl.col("id") == 3).height == 1
    lake.holds.release(hold.id, reason="over")
    assert {each.status for each in lake.requests.run().outcomes} == {"completed"}


def test_old_files_stay_for_the_grace_that_was_set(tmp_path: Path) -> None:
    with time_machine.travel("2026-03-01T12:00:00Z", tick=True) as clock:
        lake = filled(tmp_path, purge_after="2d")
        request, report = carried_out(lake, email=ANN)
        assert report.outcomes[0].status == "purging"
        assert anywhere(tmp_path / "lake", ANN)
        assert "2026-03-03" in lake.requests.run().outcomes[0].reason
        clock.shift(3 * 86_400)
        assert lake.requests.run(request).outcomes[0].status == "completed"
    assert not anywhere(tmp_path / "lake", ANN, NAME)


def test_what_the_search_finds_fails_the_request_and_says_where(tmp_path: Path) -> None:
    lake = filled(tmp_path)
    (tmp_path / "lake" / "customers" / "export.csv").write_text(f"7;{ANN}\n")
    request, report = carried_out(lake, email=ANN)
    assert report.failed
    assert "export.csv" in report.outcomes[0].reason
    with pytest.raises(NotFoundError, match="no certificate"):
        lake.requests.certificate(request)
    (tmp_path / "lake" / "customers" / "export.csv").unlink()
    assert lake.requests.run().outcomes[0].status == "completed"


def test_without_a_key_to_sign_with_nothing_is_begun(tmp_path: Path) -> None:
    lake = Lakehouse.open(config(tmp_path))
    for purpose in ("suppress", "requests"):
        lake.keys.create(purpose)
    lake.apply()
    request = lake.requests.submit("erasure", subject="customer", email=ANN)
    with pytest.raises(KeysError, match="sign"):
        lake.requests.run()
    assert lake.requests.show(request.id).status == "received"


def test_many_people_go_in_one_commit_a_table(tmp_path: Path) -> None:
    lake = filled(tmp_path)
    before = lake.table("customers").snapshot().version
    for number in (0, 1, 2):
        lake.requests.submit("erasure", subject="customer", id=number)
    report = lake.requests.run()
    assert [each.certificate for each in report.outcomes] == [1, 2, 3]
    assert lake.table("customers").snapshot().version == before + 1
    certificates = lake.requests.certificates()
    assert [each.certificate.request.id for each in certificates] == [
        each.request for each in report.outcomes
    ]
    assert lake.requests.verify_certificate(canonical(as_document(certificates[2]))).valid
