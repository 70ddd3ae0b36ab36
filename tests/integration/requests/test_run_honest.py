"""What a request says of itself is true: who is still there is not gone, and nothing is counted twice."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from lakehouse import ConflictError, Lakehouse, StorageError
from lakehouse.requests.run import RunReport

run = import_module("lakehouse.requests.run.run")

ANN = "ann-canary-5d1@shop.example"


def opened(root: Path, rows: list[dict[str, Any]], **columns: dict[str, str]) -> Lakehouse:
    lake = Lakehouse.open(
        {
            "version": 1,
            "name": "shop",
            "storage": {"root": str(root / "lake")},
            "keys": {"path": str(root / "keys")},
            "tables": {
                "customers": {"key": ["id"], "schema": {"id": "long", "email": "string"}},
                **{
                    table: {"key": ["number"], "schema": {"number": "long", **schema}}
                    for table, schema in columns.items()
                },
            },
            "subjects": {
                "customer": {
                    "identifiers": {"id": "customers.id", "email": "customers.email"},
                    "rows": [{"table": "customers", "where": {"id": "id"}, "do": "delete"}, *rows],
                }
            },
        }
    )
    for purpose in ("suppress", "requests", "sign"):
        lake.keys.create(purpose)
    lake.apply()
    lake.table("customers").merge([{"id": 7, "email": ANN}, {"id": 8, "email": "ben@shop.example"}])
    return lake


def carried_out(lake: Lakehouse, **identifiers: Any) -> RunReport:
    lake.requests.submit("erasure", subject="customer", **identifiers)
    return lake.requests.run()


INVOICES = {"table": "invoices", "where": {"customer_id": "id"}, "do": "keep", "ground": "tax law"}


@pytest.mark.parametrize("kept", [0, 2])
def test_a_ground_excuses_the_rows_that_it_keeps_and_no_others(tmp_path: Path, kept: int) -> None:
    lake = opened(tmp_path, [INVOICES], invoices={"customer_id": "long", "note": "string"})
    invoices = lake.table("invoices")
    if kept:
        invoices.merge([{"number": n, "customer_id": 7, "note": f"for {ANN}"} for n in range(kept)])
    assert carried_out(lake, email=ANN).outcomes[0].status == "completed"


@pytest.mark.parametrize("kept", [0, 2])
def test_a_ground_does_not_excuse_what_others_rows_say_of_the_person(tmp_path: Path, kept: int) -> None:
    lake = opened(tmp_path, [INVOICES], invoices={"customer_id": "long", "note": "string"})
    invoices = lake.table("invoices")
    if kept:
        invoices.merge([{"number": n, "customer_id": 7, "note": f"for {ANN}"} for n in range(kept)])
    invoices.merge([{"number": 9, "customer_id": 8, "note": f"ask {ANN} about it"}])
    (outcome,) = carried_out(lake, email=ANN).outcomes
    assert outcome.status == "failed"
    assert "invoices" in outcome.reason


def test_a_column_that_stays_excuses_no_other_of_the_same_name_inside_of_another(tmp_path: Path) -> None:
    emptied = {"table": "orders", "where": {"email": "email"}, "do": "anonymize", "columns": ["ship"]}
    lake = opened(
        tmp_path, [emptied], orders={"email": "string", "ship": "string", "agent": "struct<email:string>"}
    )
    lake.table("orders").merge(
        [
            {"number": 1, "email": ANN, "ship": "A", "agent": None},
            {"number": 2, "email": "ben@shop.example", "ship": "B", "agent": {"email": ANN}},
        ]
    )
    (outcome,) = carried_out(lake, email=ANN).outcomes
    assert outcome.status == "failed"
    places = lake.requests.show(outcome.request).events[-1].detail["places"]
    assert any(place.endswith(": column agent.email") for place in places)


def test_a_long_identifier_in_a_column_that_is_not_emptied_may_stay_there(tmp_path: Path) -> None:
    emptied = {"table": "orders", "where": {"email": "email"}, "do": "anonymize", "columns": ["ship"]}
    lake = opened(tmp_path, [emptied], orders={"email": "string", "ship": "string"})
    lake.table("orders").merge([{"number": 1, "email": ANN, "ship": "A"}])
    (outcome,) = carried_out(lake, email=ANN).outcomes
    assert outcome.status == "completed"
    assert lake.table("orders").read().rows() == [(1, ANN, None)]
    told = lake.requests.certificate(outcome.request).certificate.not_covered
    assert "the person's email in table orders" in [each.what for each in told]


def test_rejected_records_that_a_ground_keeps_are_kept_and_told(tmp_path: Path) -> None:
    lake = opened(tmp_path, [INVOICES], invoices={"customer_id": "long", "note": "string"})
    lake.table("invoices").merge([{"number": 1, "customer_id": 7, "note": ANN}])
    lake.table("invoices").merge([{"number": "none", "customer_id": 7, "note": ANN}])
    request = lake.requests.submit("erasure", subject="customer", email=ANN)
    (outcome,) = lake.requests.run().outcomes
    assert (outcome.status, outcome.reason) == ("completed", "")
    kept = lake.requests.certificate(request.id).certificate.kept
    assert [(each.table, each.rows, each.ground) for each in kept] == [
        ("invoices", 1, "tax law"),
        ("invoices__quarantine", 1, "tax law"),
    ]


def test_a_row_that_two_rules_find_is_counted_once(tmp_path: Path) -> None:
    rules = [
        {"table": "transfers", "where": {"sender": "id"}, "do": "delete"},
        {"table": "transfers", "where": {"receiver": "id"}, "do": "delete"},
        {"table": "transfers", "where": {"auditor": "id"}, "do": "keep", "ground": "audits"},
    ]
    lake = opened(tmp_path, rows=rules, transfers={"sender": "long", "receiver": "long", "auditor": "long"})
    lake.table("transfers").merge(
        [
            {"number": 1, "sender": 7, "receiver": 7, "auditor": 8},
            {"number": 2, "sender": 7, "receiver": 8, "auditor": 8},
            {"number": 3, "sender": 8, "receiver": 8, "auditor": 8},
            {"number": 4, "sender": 7, "receiver": 7, "auditor": 7},
        ]
    )
    (outcome,) = carried_out(lake, email=ANN).outcomes
    assert lake.table("transfers").read()["number"].sort().to_list() == [3, 4]
    assert outcome.rows == {"delete": 3, "keep": 1}
    assert outcome.status == "completed"


def test_of_two_runs_the_late_one_does_not_forget_what_the_other_knew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake = opened(tmp_path, [])
    request = lake.requests.submit("erasure", subject="customer", email=ANN)
    look_up, verify = run.look_up, run.verify_people

    def killed(*_: Any, **__: Any) -> Any:
        raise StorageError("the store is gone")

    def another_was_faster(*arguments: Any, **options: Any) -> Any:
        monkeypatch.setattr(run, "look_up", look_up)
        monkeypatch.setattr(run, "verify_people", killed)
        with pytest.raises(StorageError):
            lake.requests.run()
        monkeypatch.setattr(run, "verify_people", verify)
        return look_up(*arguments, **options)

    monkeypatch.setattr(run, "look_up", another_was_faster)
    with pytest.raises(ConflictError):
        lake.requests.run()
    assert lake.requests.run().outcomes[0].status == "completed"
    # The e-mail that was given, and the id that was beside it.
    assert lake.requests.certificate(request.id).certificate.search.needles == 2


def test_of_many_requests_only_those_fail_whose_people_others_rows_name(tmp_path: Path) -> None:
    lake = opened(tmp_path, [INVOICES], invoices={"customer_id": "long", "note": "string"})
    people = range(100, 110)
    lake.table("customers").merge([{"id": n, "email": f"person-{n}@shop.example"} for n in people])
    lake.table("invoices").merge(
        [
            {"number": n, "customer_id": n, "note": " ".join(f"person-{m}@shop.example" for m in about)}
            for n in people
            for about in [(n, n + 1) if n == 105 else (n,)]
        ]
    )
    for n in people:
        lake.requests.submit("erasure", subject="customer", external_id=str(n), id=str(n))
    statuses = {outcome.request: outcome.status for outcome in lake.requests.run().outcomes}
    told = {view.external_id: statuses[view.id] for view in lake.requests.list(all=True)}
    assert [each for each, status in told.items() if status != "completed"] == ["106"]
