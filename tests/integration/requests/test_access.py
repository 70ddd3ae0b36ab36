"""Requests for access: everything about a person in one file, and nothing about anybody else."""

from __future__ import annotations

import csv
import io
import json
import stat
import zipfile
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
import time_machine

from lakehouse import (
    CorruptTableError,
    DataError,
    Lakehouse,
    NotFoundError,
    RefusedError,
    StorageError,
    UsageError,
)
from lakehouse.requests.access import Bundle, bundle

ANN, OLD, BOB = "ann-canary-4d1@shop.example", "ann-before@shop.example", "bob@shop.example"

CUSTOMERS = {
    "description": "One row per customer",
    "owner": "crm@shop.example",
    "key": ["id"],
    "schema": {
        "id": "long",
        "email": "string",
        "name": "string",
        "partner_email": "string",
        "notes": "string",
    },
    "pii": {
        "email": "EMAIL_ADDRESS",
        "name": "PERSON",
        "partner_email": "EMAIL_ADDRESS",
        "notes": ["PERSON", "EMAIL_ADDRESS"],
    },
}
ORDERS = {
    "key": ["oid"],
    "schema": {"oid": "long", "customer_id": "long", "recipient": "string", "total": "decimal(10,2)"},
    "pii": {"recipient": "PERSON"},
    "retention": [{"name": "old", "column": "oid", "unit": "days", "keep": "10y", "action": "delete"}],
}


def config(root: Path, **more: Any) -> dict[str, Any]:
    return {
        "version": 1,
        "name": "shop",
        "storage": {"root": str(root / "lake")},
        "keys": {"path": str(root / "keys")},
        "tables": {"customers": CUSTOMERS, "orders": ORDERS},
        "subjects": {
            "customer": {
                "identifiers": {"id": "customers.id", "email": "customers.email"},
                "rows": [
                    {"table": "customers", "where": {"id": "id"}, "do": "delete"},
                    {"table": "orders", "where": {"customer_id": "id"}, "do": "keep", "ground": "tax law"},
                ],
            }
        },
        "pii": {"operators": {"PERSON": {"operator": "fake"}}},
        **more,
    }


def opened(root: Path, **more: Any) -> Lakehouse:
    lake = Lakehouse.open(config(root, **more))
    for purpose in ("suppress", "requests", "mask"):
        if not lake.keys.versions(purpose):
            lake.keys.create(purpose)
    return lake


def filled(root: Path, **more: Any) -> Lakehouse:
    lake = opened(root, **more)
    customers, orders = lake.table("customers"), lake.table("orders")
    ann = {"id": 1, "name": "Ann Smith", "partner_email": "max@else.example"}
    notes = f"Ann Smith ({OLD}) is married to Robert Miller, robert@else-mail.com"
    customers.merge([{**ann, "email": OLD, "notes": notes}, {"id": 2, "email": BOB, "name": "Bob Jones"}])
    customers.merge([{**ann, "email": ANN, "notes": notes}])
    orders.merge(
        [
            {"oid": 1, "customer_id": 1, "recipient": "ann smith", "total": "10.50"},
            {"oid": 2, "customer_id": 1, "recipient": "Robert Miller", "total": "0.10"},
            {"oid": 3, "customer_id": 2, "recipient": "Bob Jones", "total": "2.00"},
        ]
    )
    return lake


def answered(lake: Lakehouse, to: Path, *, identifiers: dict[str, Any] | None = None, **how: Any) -> Bundle:
    made = lake.requests.submit("access", subject="customer", identifiers=identifiers or {"email": ANN})
    return lake.requests.answer(made.id, to=to, **how)


def read(done: Bundle, name: str) -> str:
    with zipfile.ZipFile(done.path) as archive:
        assert archive.testzip() is None
        return archive.read(name).decode()


def lines(done: Bundle, table: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in read(done, f"data/{table}.jsonl").splitlines()]


def cells(done: Bundle, table: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(read(done, f"data/{table}.csv").removeprefix("\ufeff"))))


class Page(HTMLParser):
    """What a browser makes of a page: its text, and tags that are opened and closed in order."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        assert not any(name.startswith("on") for name, _ in attrs)
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data if "style" not in self.open else ""


def test_everything_about_the_person_and_nothing_of_others(tmp_path: Path) -> None:
    done = answered(filled(tmp_path), tmp_path)
    customers, orders = lines(done, "customers"), lines(done, "orders")
    assert [(row["_state"], row["email"]) for row in customers] == [("current", ANN), ("earlier", OLD)]
    assert [(row["oid"], row["total"], row["recipient"]) for row in orders] == [
        (1, "10.50", "ann smith"),
        (2, "0.10", "<PERSON>"),
    ]
    (current, _) = customers
    assert (current["name"], current["partner_email"]) == ("Ann Smith", "<EMAIL_ADDRESS>")
    assert current["notes"] == f"Ann Smith ({OLD}) is married to <PERSON>, <EMAIL_ADDRESS>"
    assert cells(done, "orders")[0] == ["_state", "_version", "_stored", *ORDERS["schema"]]
    assert [row[3:] for row in cells(done, "orders")[1:]] == [
        ["1", "1", "ann smith", "10.50"],
        ["2", "1", "<PERSON>", "0.10"],
    ]
    with zipfile.ZipFile(done.path) as archive:
        whole = b"".join(map(archive.read, archive.namelist()))
    for other in (b"Robert", b"Bob", b"max@else", b"bob@shop", str(tmp_path).encode()):
        assert other not in whole
    assert [(each.name, each.rows, each.earlier, dict(each.masked)) for each in done.sources] == [
        ("customers", 1, 1, {"partner_email": 2, "notes": 2}),
        ("orders", 2, 0, {"recipient": 1}),
    ]


def test_it_says_where_from_since_when_and_why(tmp_path: Path) -> None:
    done = answered(filled(tmp_path), tmp_path)
    about = json.loads(read(done, "about.json"))
    assert (about["request"]["id"], about["lake"]) == (done.request, "shop")
    assert about["known_by"] == {"email": [OLD, ANN], "id": ["1"]}
    by_name = {each["name"]: each for each in about["sources"]}
    assert by_name["customers"]["version"] == 2
    assert by_name["customers"]["owner"] == "crm@shop.example"
    assert by_name["orders"]["kept_because"] == ["tax law"]
    assert by_name["orders"]["kept_for"] == ["10 years after `oid`, rows are deleted."]
    assert any("could not be taken in" in each for each in about["not_included"])
    page = Page(read(done, "index.html"))
    assert page.open == []
    assert not {"script", "img", "link", "iframe"} & set(page.tags)
    for said in (ANN, OLD, "tax law", "One row per customer", "10 years after", "<PERSON>", done.request):
        assert said in page.text
    assert done.request in read(done, "README.txt")


def test_what_is_handed_out_is_recorded_and_who_it_was_is_forgotten(tmp_path: Path) -> None:
    lake = filled(tmp_path)
    done = answered(lake, tmp_path / "ann.zip", author="dpo")
    assert stat.S_IMODE(done.path.stat().st_mode) == 0o600
    view = lake.requests.show(done.request)
    last = view.events[-1]
    assert (view.status, last.event, last.author) == ("completed", "completed", "dpo")
    assert dict(last.detail) == done.detail()
    assert (last.detail["tables"], last.detail["rows"], last.detail["earlier"]) == (2, 3, 1)
    state = lake._control.existing()
    assert state is not None
    assert state.requests.contents([done.request]) == {}
    assert "canary" not in repr((done, done.to_dict(), view))
    for file in (tmp_path / "lake" / "_lakehouse").rglob("*"):
        assert not file.is_file() or b"canary-4d1" not in file.read_bytes(), file
    with pytest.raises(RefusedError, match="completed, and that is final"):
        lake.requests.answer(done.request, to=tmp_path / "again.zip")


def test_rows_of_older_files_are_there_once_and_only_if_wanted(tmp_path: Path) -> None:
    lake = filled(tmp_path)
    lake.table("customers").compact()
    lake.table("customers").merge([{"id": 3, "email": "eve@shop.example"}])
    done = answered(lake, tmp_path)
    assert [row["_state"] for row in lines(done, "customers")] == ["current", "earlier"]
    without = answered(lake, tmp_path, include_history=False)
    assert [row["_state"] for row in lines(without, "customers")] == ["current"]
    assert OLD not in read(without, "data/customers.jsonl").replace(f"({OLD})", "")


def test_the_same_again_is_the_same_file(tmp_path: Path) -> None:
    lake = filled(tmp_path)
    made = lake.requests.submit("access", subject="customer", email=ANN)
    answering = lake._request_parts().answering()
    digests = []
    with time_machine.travel(datetime(2026, 12, 1, 8, 30, tzinfo=UTC), tick=False):
        for name in ("one", "two"):
            request, _, person = answering._opened(made.id)
            people = answering._people(request, person, "checked", answering._places())
            sources = tuple(answering._sources(request, people, answering._places(), include_history=True))
            done = bundle(
                tmp_path / f"{name}.zip",
                request=request,
                people=people,
                sources=sources,
                config=lake.config,
                ring=lake.keys,
                finder=answering.finder,
                now=datetime.now(UTC),
            )
            digests.append(done.sha256)
    assert digests[0] == digests[1]
    with zipfile.ZipFile(done.path) as archive:
        assert {each.date_time for each in archive.infolist()} == {(2026, 12, 1, 8, 30, 0)}


def test_an_email_of_two_people_tells_neither_of_the_other(tmp_path: Path) -> None:
    lake = filled(tmp_path)
    lake.table("customers").merge([{"id": 4, "email": ANN, "name": "Kim Smith"}])
    made = lake.requests.submit("access", subject="customer", email=ANN)
    with pytest.raises(RefusedError, match="2 rows of customers by id, perhaps of several people") as caught:
        lake.requests.answer(made.id, to=tmp_path)
    assert "canary" not in str(caught.value)
    assert lake.requests.show(made.id).status == "received"
    assert list(tmp_path.glob("*.zip")) == []
    given = answered(lake, tmp_path, identifiers={"id": 1}, identified="given")
    assert {row["name"] for row in lines(given, "customers")} == {"Ann Smith"}
    both = answered(lake, tmp_path, identifiers={"id": [1, 4]})
    assert {row["name"] for row in lines(both, "customers")} == {"Ann Smith", "Kim Smith"}
    assert lake.requests.answer(made.id, to=tmp_path, identified="all").rows == both.rows


def test_orders_that_have_numbers_of_their_own_are_no_people(tmp_path: Path) -> None:
    filled(tmp_path)
    given = config(tmp_path)
    given["subjects"]["customer"]["identifiers"]["order"] = "orders.oid"
    lake = Lakehouse.open(given)
    done = answered(lake, tmp_path, identifiers={"email": ANN, "order": [1, 2]})
    assert [row["recipient"] for row in lines(done, "orders")] == ["ann smith", "<PERSON>"]


def test_whoever_answers_can_know_better(tmp_path: Path) -> None:
    lake = filled(tmp_path)
    done = answered(
        lake, tmp_path, own=["customers.partner_email", "orders.recipient"], others=["customers.name"]
    )
    assert [row["recipient"] for row in lines(done, "orders")] == ["ann smith", "Robert Miller"]
    assert {row["partner_email"] for row in lines(done, "customers")} == {"max@else.example"}
    assert {row["name"] for row in lines(done, "customers")} == {"<PERSON>"}
    with pytest.raises(NotFoundError, match=r"customers\.nmae"):
        answered(lake, tmp_path, own=["customers.nmae"])


def test_where_it_does_not_go(tmp_path: Path) -> None:
    lake = filled(tmp_path)
    made = lake.requests.submit("access", subject="customer", email=ANN)
    there = tmp_path / "there.zip"
    there.write_bytes(b"mine")
    for to, error, message in (
        (tmp_path / "lake" / "a.zip", RefusedError, "in the lake"),
        (tmp_path / "lake" / "orders", RefusedError, "in the lake"),
        (tmp_path / "none" / "a.zip", NotFoundError, "no folder"),
        (tmp_path / "a.tar", UsageError, "ZIP"),
        (there, RefusedError, "already"),
    ):
        with pytest.raises(error, match=message):
            lake.requests.answer(made.id, to=to)
    assert there.read_bytes() == b"mine"
    done = lake.requests.answer(made.id, to=there, overwrite=True)
    assert zipfile.is_zipfile(done.path)
    assert stat.S_IMODE(there.stat().st_mode) == 0o600


def test_who_may_not_be_answered(tmp_path: Path) -> None:
    lake = filled(tmp_path, requests={"approval": "required"})
    made = lake.requests.submit("access", subject="customer", email=ANN, author="ann")
    with pytest.raises(RefusedError, match="not been approved"):
        lake.requests.answer(made.id, to=tmp_path)
    lake.requests.approve(made.id, author="bob")
    assert lake.requests.answer(made.id, to=tmp_path).rows == 4
    erasure = lake.requests.submit("erasure", subject="customer", email=ANN)
    with pytest.raises(UsageError, match="asks for erasure"):
        lake.requests.answer(erasure.id, to=tmp_path)


def test_what_can_not_be_recorded_is_not_handed_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lake = filled(tmp_path)
    made = lake.requests.submit("access", subject="customer", email=ANN)
    state = lake._control.existing()
    assert state is not None

    def fails(*_: object, **__: object) -> None:
        raise StorageError("the database is gone")

    monkeypatch.setattr(type(state.requests), "append", fails)
    before = set(tmp_path.iterdir())
    with pytest.raises(StorageError, match="database is gone"):
        lake.requests.answer(made.id, to=tmp_path)
    assert set(tmp_path.iterdir()) == before


@pytest.mark.parametrize("content", [b"PAR1 is no more", None])
def test_a_table_that_is_damaged_gives_no_half_an_answer(tmp_path: Path, content: bytes | None) -> None:
    lake = filled(tmp_path)
    for file in (tmp_path / "lake" / "orders").glob("*.parquet"):
        file.write_bytes(content or b"")
        if content is None:
            file.unlink()
    before = set(tmp_path.iterdir())
    with pytest.raises((DataError, CorruptTableError), match="orders") as caught:
        answered(lake, tmp_path)
    assert "canary" not in str(caught.value)
    assert set(tmp_path.iterdir()) == before


def test_somebody_unknown_gets_a_file_that_says_so(tmp_path: Path) -> None:
    lake = filled(tmp_path)
    done = answered(lake, tmp_path, identifiers={"email": "nobody@shop.example"})
    assert done.rows == 0
    assert json.loads(read(done, "about.json"))["known_by"] == {"email": ["nobody@shop.example"]}
    assert "Where nothing was found" in Page(read(done, "index.html")).text
    with zipfile.ZipFile(done.path) as archive:
        assert not any(name.startswith("data/") for name in archive.namelist())


def test_tables_that_say_nothing_of_personal_data_are_told(tmp_path: Path) -> None:
    bare = {name: value for name, value in ORDERS.items() if name != "pii"}
    lake = filled(tmp_path, tables={"customers": CUSTOMERS, "orders": bare})
    done = answered(lake, tmp_path)
    assert any("orders" in note and "not masked" in note for note in done.notes)
