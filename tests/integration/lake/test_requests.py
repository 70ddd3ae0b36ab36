"""Requests of people: taken, shown, decided; who they are about is never kept as it is."""

from __future__ import annotations

import json
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import time_machine

from lakehouse import ConflictError, DataError, Lakehouse, NotFoundError, RefusedError, UsageError
from lakehouse.errors import KeysError, LakehouseError
from lakehouse.requests.identity import Person, seal, unseal
from lakehouse.state.rows import RequestEvent

ANN = "ann-canary-91c@shop.example"


def config(root: Path, **requests: Any) -> dict[str, Any]:
    return {
        "version": 1,
        "name": "shop",
        "storage": {"root": str(root / "lake")},
        "keys": {"path": str(root / "keys")},
        "tables": {
            "customers": {"key": ["id"], "schema": {"id": "long", "email": "string"}},
            "orders": {"key": ["oid"], "schema": {"oid": "long", "customer_id": "long"}},
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
        "requests": requests,
    }


def opened(root: Path, **requests: Any) -> Lakehouse:
    lake = Lakehouse.open(config(root, **requests))
    for purpose in ("suppress", "requests"):
        if not lake.keys.versions(purpose):
            lake.keys.create(purpose)
    return lake


def test_a_request_is_kept_with_its_due_date(tmp_path: Path) -> None:
    with time_machine.travel(datetime(2026, 1, 31, 12, tzinfo=UTC), tick=False):
        made = opened(tmp_path, due="1mo").requests.submit("erasure", subject="customer", email=ANN)
    assert (made.status, made.is_new, made.identifiers) == ("received", True, ("email",))
    assert made.due == datetime(2026, 2, 28, 12, tzinfo=UTC)
    shown = opened(tmp_path).requests.show(made.id)
    assert [each.event for each in shown.events] == ["received"]
    assert shown.overdue(datetime(2026, 3, 1, tzinfo=UTC))


def test_who_it_is_about_lies_nowhere_in_clear(tmp_path: Path) -> None:
    lake = opened(tmp_path)
    made = lake.requests.submit("erasure", subject="customer", email=ANN, external_id="T1")
    again = lake.requests.show(made.id)
    assert "canary" not in repr((made, again, made.to_dict()))
    lake.requests.cancel(made.id)
    for file in (tmp_path / "lake").rglob("*"):
        if file.is_file():
            assert b"canary-91c" not in file.read_bytes(), file


def test_the_external_id_is_submitted_once(tmp_path: Path) -> None:
    requests = opened(tmp_path).requests
    first = requests.submit("erasure", subject="customer", email=ANN, external_id="T1")
    second = requests.submit("erasure", subject="customer", email=ANN, external_id="T1")
    assert (second.id, second.is_new) == (first.id, False)
    with pytest.raises(UsageError, match="used again"):
        requests.submit("erasure", subject="customer", email="b@shop.example", external_id="T1")
    assert len(requests.list()) == 1


def test_a_second_request_of_a_person_is_linked_however_it_is_written(tmp_path: Path) -> None:
    requests = opened(tmp_path).requests
    first = requests.submit("erasure", subject="customer", email=ANN)
    assert requests.submit("erasure", subject="customer", email=f" {ANN.upper()} ").same_as == first.id
    assert requests.submit("access", subject="customer", email=ANN).same_as is None
    assert requests.submit("erasure", subject="customer", email="b@shop.example").same_as is None


def test_a_file_is_submitted_as_a_whole_or_not_at_all(tmp_path: Path) -> None:
    requests = opened(tmp_path).requests
    bad = tmp_path / "bad.jsonl"
    lines = [
        {"kind": "erasure", "email": ANN},
        {"kind": "erasur", "email": ANN},
        {"kind": "erasure", "mail": ANN},
        {"kind": "erasure"},
        {"kind": "erasure", "email": "x@y.example", "external_id": "A"},
        {"kind": "erasure", "email": "z@y.example", "external_id": "A"},
    ]
    bad.write_text("\n".join(map(json.dumps, lines)) + "\n{oops\n[1]\n")
    with pytest.raises(DataError) as error:
        requests.submit_file(bad, subject="customer")
    told = str(error.value)
    assert [f"line {number}:" in told for number in range(1, 9)] == [
        False,
        True,
        True,
        True,
        False,
        True,
        True,
        True,
    ]
    assert "canary" not in told
    assert requests.list() == []
    good = tmp_path / "good.csv"
    good.write_text(
        "kind,external_id,email,id\nerasure,A1,a@b.example,\naccess,A2,,7\n", encoding="utf-8-sig"
    )
    made = requests.submit_file(good, subject="customer")
    assert [(each.kind, each.identifiers) for each in made] == [("erasure", ("email",)), ("access", ("id",))]
    assert [each.is_new for each in requests.submit_file(good, subject="customer")] == [False, False]


def test_all_mistakes_of_a_line_are_named(tmp_path: Path) -> None:
    file = tmp_path / "wrong.csv"
    file.write_text("kind,subject,mail,id,external_id\nerasur,custmer,,x,\nerase,customer,canary,canary,E1\n")
    requests = opened(tmp_path).requests
    with pytest.raises(DataError) as error:
        requests.submit_file(file)
    first, second = str(error.value).splitlines()[1:]
    assert "did you mean erasure" in first
    assert "no subject custmer (did you mean customer?)" in first
    assert "no kind of request `erase`" in second
    assert "no identifier mail" in second
    assert "canary" not in str(error.value)


def test_a_file_is_listed_line_by_line(tmp_path: Path) -> None:
    requests = opened(tmp_path).requests
    for batch in range(2):
        file = tmp_path / f"{batch}.jsonl"
        lines = [{"email": f"u{batch}{n}@x.example", "external_id": f"E{batch}{n}"} for n in range(9)]
        file.write_text("\n".join(map(json.dumps, lines)))
        requests.submit_file(file, kind="erasure", subject="customer")
    assert [each.external_id for each in requests.list()] == [f"E{b}{n}" for b in range(2) for n in range(9)]


def test_a_look_ahead_needs_no_key_that_signs(tmp_path: Path) -> None:
    lake = Lakehouse.open(config(tmp_path))
    for purpose in ("suppress", "requests"):
        lake.keys.create(purpose)
    lake.apply()
    lake.requests.submit("erasure", subject="customer", email=ANN)
    (plan,) = lake.requests.run(dry_run=True).plans
    assert plan.stage == "erase"
    with pytest.raises(KeysError, match="sign"):
        lake.requests.run()


def test_thousands_at_once(tmp_path: Path) -> None:
    file = tmp_path / "many.jsonl"
    file.write_text(
        "\n".join(json.dumps({"email": f"u{n}@x.example", "external_id": f"E{n}"}) for n in range(1_000))
    )
    requests = opened(tmp_path).requests
    assert len(requests.submit_file(file, kind="erasure", subject="customer")) == 1_000
    assert len(requests.list()) == 1_000


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ({"kind": "erase", "email": ANN}, UsageError, "kind of request"),
        ({"subject": "custmer", "email": ANN}, NotFoundError, "no subject custmer"),
        ({"mail": ANN}, NotFoundError, "no identifier mail"),
        ({}, UsageError, "who it is about"),
        ({"email": ""}, UsageError, "empty"),
        ({"email": ANN, "external_id": ""}, UsageError, "external id"),
    ],
)
def test_mistakes_are_named_without_values(
    tmp_path: Path, given: dict[str, Any], error: type[LakehouseError], message: str
) -> None:
    with pytest.raises(error, match=message) as caught:
        opened(tmp_path).requests.submit(**{"kind": "erasure", "subject": "customer", **given})
    assert "canary" not in f"{caught.value} {caught.value.advice}"


def test_without_the_keys_nothing_is_kept(tmp_path: Path) -> None:
    lake = Lakehouse.open(config(tmp_path))
    lake.keys.create("suppress")
    with pytest.raises(KeysError, match="requests"):
        lake.requests.submit("erasure", subject="customer", email=ANN)
    assert lake.requests.list() == []


def test_approval_is_by_somebody_else_where_it_must_be(tmp_path: Path) -> None:
    requests = opened(tmp_path, approval="required").requests
    made = requests.submit("erasure", subject="customer", email=ANN, author="ann")
    assert made.promise is not None
    assert made.promise.earliest is None
    with pytest.raises(RefusedError, match="submitted by ann"):
        requests.approve(made.id, author="ann")
    approved = requests.approve(made.id, author="bob")
    assert (approved.status, approved.approved_by) == ("approved", "bob")


def test_what_is_over_stays_over(tmp_path: Path) -> None:
    requests = opened(tmp_path).requests
    made = requests.submit("erasure", subject="customer", email=ANN)
    assert requests.reject(made.id, reason="identity not proved").status == "rejected"
    for decide in (requests.approve, requests.cancel):
        with pytest.raises(RefusedError, match="rejected, and that is final"):
            decide(made.id)
    assert requests.list() == []
    assert [each.id for each in requests.list(all=True)] == [made.id]


def test_holds_and_grace_are_told_at_submission(tmp_path: Path) -> None:
    lake = opened(tmp_path, purge_after="12h")
    lake.apply()
    free = lake.requests.submit("erasure", subject="customer", email=ANN).promise
    assert free is not None
    assert free.earliest is not None
    assert free.earliest - datetime.now(UTC) > timedelta(hours=11)
    hold = lake.holds.add(table="orders", reason="case 12/2026")
    held = lake.requests.submit("erasure", subject="customer", email=ANN).promise
    assert held is not None
    assert held.earliest is None
    assert any(hold.id in reason for reason in held.reasons)


def test_of_two_who_decide_at_once_one_does(tmp_path: Path) -> None:
    lake = opened(tmp_path)
    made = lake.requests.submit("erasure", subject="customer", email=ANN)
    state = lake._control.existing()
    assert state is not None
    outcomes: list[str] = []

    def append(event: str) -> None:
        said = RequestEvent(request=made.id, number=2, event=event, at=datetime.now(UTC), author="x")
        try:
            state.requests.append([said])
            outcomes.append(event)
        except ConflictError:
            pass

    threads = [threading.Thread(target=append, args=(event,)) for event in ("approved", "rejected") * 4]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(outcomes) == 1
    assert lake.requests.show(made.id).status == outcomes[0]


def test_sealed_identifiers_open_for_their_request_alone(tmp_path: Path) -> None:
    lake = opened(tmp_path)
    person = Person("customer", (("email", ANN),))
    sealed = seal(person, request="req-1", ring=lake.keys)
    lake.keys.rotate("requests")
    assert unseal(sealed, request="req-1", ring=lake.keys) == person
    with pytest.raises(KeysError, match="req-2"):
        unseal(sealed, request="req-2", ring=lake.keys)
