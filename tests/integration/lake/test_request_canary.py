"""A marked person lives in the whole product and is erased: no file, state, log or message has the mark."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, inspect, text

from lakehouse import Lakehouse, LakehouseError
from lakehouse.cli import main
from tests.unit.pii.mask_lakes import holding

MARK = "zzcanary77"
MAIL = f"{MARK}@example.org"
NAME = f"{MARK.title()} Doe"
ID = 771177
NOW = datetime.now(UTC)
PEOPLE = {"id": "long", "email": "string", "name": "string", "at": "timestamp", "note": "string"}
EXPECT = [
    {"name": "short", "check": "length(note) < 30", "on_fail": "warn"},
    {"name": "kind", "check": "note <> 'refuse'", "on_fail": "quarantine"},
]
COLD = {
    "name": "cold",
    "column": "at",
    "keep": "30d",
    "action": "archive",
    "to": "archive",
    "max_fraction": 1,
}
TICKETS = {"key": ["tid"], "schema": {"tid": "long", "mail": "string", "text": "string"}}


def config(root: Path, history: str, *, strict: bool) -> dict[str, Any]:
    """A lake with a table for each way in; where it is strict, letters are stored masked."""
    formats = ("debezium", "maxwell", "dms", "snapshot")
    letters = {**TICKETS, "pii": {"text": "PERSON"}, "mask_at": "merge" if strict else "read"}
    where = {"where": {"mail": "email"}, "do": "delete"}
    return {
        "version": 1,
        "name": "canary",
        "storage": {"root": str(root / "lake")},
        "keys": {"path": str(root / "keys")},
        "tables": {
            "people": {
                "key": ["id"],
                "schema": PEOPLE,
                "change_feed": True,
                "expect": EXPECT,
                "pii": {"email": "EMAIL_ADDRESS", "name": "PERSON"},
                "retention": [COLD],
            },
            "visits": {"key": ["id"], "schema": PEOPLE, "history": "full"},
            "letters": letters,
            # Nothing of it was ever stored as it came.
            "badges": {
                "key": ["bid"],
                "schema": {"bid": "long", "mail": "string", "who": "string"},
                "pii": {"mail": "EMAIL_ADDRESS", "who": "PERSON"},
                "mask_at": "merge",
            },
            **{name: {**TICKETS, "changes": {"format": name}} for name in formats},
        },
        "subjects": {
            "customer": {
                "identifiers": {"id": "people.id", "email": "people.email"},
                "rows": [
                    {"table": "people", "where": {"id": "id"}, "do": "delete"},
                    {"table": "visits", "where": {"email": "email"}, "do": "delete"},
                    *({"table": name, **where} for name in ("letters", "badges", *formats)),
                ],
            }
        },
        "pii": {
            "nlp": {"engine": "none"},
            "operators": {"EMAIL_ADDRESS": {"operator": "tokenize"}, "PERSON": {"operator": "redact"}},
        },
        "roles": {"analyst": {"tables": ["people"], "columns": "masked"}},
        "requests": {"history": history},
    }


def person(**more: Any) -> dict[str, Any]:
    return {"id": ID, "email": MAIL, "name": NAME, "at": NOW, "note": "x", **more}


def ways_in(lake: Lakehouse) -> None:
    """All formats, good and unusable records, several versions, and what warns and is rejected."""
    people = lake.table("people")
    others = [
        {"id": n, "email": f"o{n}@x.example", "name": f"O {n}", "at": NOW, "note": "y"} for n in range(4)
    ]
    people.merge(others)
    people.merge(
        [person(at=NOW - timedelta(days=90)), {"id": 9, "at": NOW - timedelta(days=90), "note": "z"}]
    )
    lake.retention.apply()
    people.merge([person(note=f"{MARK} {'long ' * 10}"), person(id=3, note="refuse", email=MAIL)])
    people.merge([person(id=f"{MARK}x"), {"id": "?", "email": MAIL}, person(at=f"{MARK} o'clock")])
    people.merge([person(note="again")])
    for city in ("Ulm", "Bonn"):
        lake.table("visits").merge([person(id=1, note=city), person(id=2, email="b@x.example", name="B")])
    lake.table("badges").merge(
        [{"bid": 1, "mail": MAIL, "who": NAME}, {"bid": 2, "mail": "b@x.example", "who": "B"}]
    )
    row = {"tid": 1, "mail": MAIL, "text": NAME}
    other = {"tid": 2, "mail": "b@x.example", "text": "B"}
    lake.table("letters").merge([row, other])
    source = {"table": "t", "schema": "s", "db": "d", "connector": "postgresql", "ts_ms": 1}
    for n, each in enumerate((row, other), start=1):
        told = {**source, "lsn": n, "sequence": json.dumps([str(n), str(n)])}
        lake.table("debezium").merge([{"op": "c", "before": None, "after": each, "source": told}])
        lake.table("maxwell").merge(
            [{"database": "d", "table": "t", "type": "insert", "ts": n, "data": each}]
        )
        lake.table("dms").merge([{"Op": "I", **each}])
    lake.table("snapshot").merge([row, other])
    lake.table("debezium").merge([{"op": MARK, "after": {"mail": MAIL}}, MAIL])


def features(lake: Lakehouse, root: Path, said: list[str]) -> None:
    """What else can be done with a person's rows. What is said of it is written down."""
    people = lake.table("people")
    people.tag("before")
    lake.pii.mask("people", to="masked")
    people.merge([person(note="moved")])
    lake.pii.mask("people", to="masked")
    people.restore(tag="before")
    people.compact()
    said += [repr(lake.pii.risk("people", quasi=["note"]))]
    said += [repr(lake.pii.scan(["people"])), repr(lake.pii.last_scan("people"))]
    assert MARK not in str(people.read(role="analyst").to_dicts()).lower()
    for hold in (
        lake.holds.add(table="people", where=f"email = '{MAIL}'", reason="case 12"),
        lake.holds.add(subject="customer", identifiers={"id": ID, "email": MAIL}, reason="case 13"),
    ):
        said.append(repr(hold))
        lake.holds.release(hold.id, reason="over")
    asked = lake.requests.submit("access", subject="customer", email=MAIL)
    bundle = lake.requests.answer(asked.id, to=root / "answer.zip")
    said += [repr(asked), repr(bundle)]


def errors(lake: Lakehouse, said: list[str]) -> None:
    """Mistakes with the person's values in them."""
    deeds: list[Callable[[], Any]] = [
        lambda: lake.table("people").merge([{"id": ID, "email": {"deep": MAIL}}, MAIL]),
        lambda: lake.table("people").merge([{"email": MAIL}]),
        lambda: lake.requests.submit("erasure", subject="customer", mail=MAIL),
    ]
    for deed in deeds:
        try:
            said.append(repr(deed()))
        except LakehouseError as error:
            said.append(f"{error!r} {error}")


@pytest.mark.parametrize("history", ["cut", "redact"])
def test_nothing_of_the_person_is_left_anywhere(
    tmp_path: Path, history: str, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    said: list[str] = []
    lake = Lakehouse.open(config(tmp_path, history, strict=False))
    for purpose in ("suppress", "requests", "sign", "mask"):
        lake.keys.create(purpose)
    ways_in(lake)
    features(lake, tmp_path, said)
    errors(lake, said)
    document = tmp_path / "lake.yaml"
    document.write_text(json.dumps(config(tmp_path, history, strict=True)))
    rows = tmp_path / "rows.jsonl"
    rows.write_text(json.dumps({"id": MARK, "email": MAIL}) + f'\n{{"email": "{MAIL}"\n')
    strict = Lakehouse.open(document)
    strict.pii.mask("letters", in_place=True)
    assert holding(tmp_path / "lake", MARK)
    capfd.readouterr()
    commands = [
        ["--debug", "merge", "people", str(rows)],
        ["--debug", "request", "submit", "erasure", "--subject", "customer", f"id={MARK}"],
        ["--debug", "request", "submit", "erasure", "--subject", "customer", "--id", f"mail={MAIL}"],
        ["request", "submit", "erasure", "--subject", "customer", "--id", f"email={MAIL}"],
        ["--json", "request", "list"],
        ["request", "run", "--dry-run"],
        ["--debug", "request", "run", "--yes"],
        ["request", "list", "--all"],
        ["--json", "status"],
        ["--debug", "merge", "people", str(rows)],
    ]
    codes = {" ".join(command[:4]): main(["--config", str(document), *command]) for command in commands}
    out, err = capfd.readouterr()
    (asked,) = [each for each in strict.requests.list(all=True) if each.kind == "erasure"]
    assert asked.status == "completed", (asked, codes, out, err)
    signed = strict.requests.certificate(asked.id)
    said += [repr(asked), repr(signed), caplog.text, out, err]
    # What the person writes again afterwards is suppressed.
    said += [repr(strict.table("people").merge([person(), {"id": "?", "email": MAIL}]))]
    back = strict.retention.restore_archive("people")
    said += [repr(back)]
    assert strict.table("badges").read()["bid"].to_list() == [2]
    for mark in (MARK, MARK.title()):
        assert holding(tmp_path / "lake", mark) == []
    for part in said:
        at = part.lower().find(MARK)
        assert at < 0, part[max(0, at - 300) : at + 100]
    engine = create_engine(f"sqlite:///{tmp_path}/lake/_lakehouse/state.db")
    with engine.connect() as connection:
        for table in inspect(engine).get_table_names():
            for row in connection.execute(text(f"SELECT * FROM {table}")):
                shown = str(tuple(row))
                assert MARK not in shown.lower(), table
                assert str(ID) not in shown, (table, shown)
    engine.dispose()
    # The archive has brought back who was archived beside the person.
    assert set(strict.table("people").read()["id"]) == {0, 1, 2, 3, 9}
