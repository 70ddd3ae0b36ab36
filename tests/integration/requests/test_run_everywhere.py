"""One person in all that belongs to a table, and all of it in one run: rejects, copies, archives, history."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from lakehouse import Lakehouse

MAIL = "anna.canary-8c3@example.org"
NOW = datetime.now(UTC)


def config(root: Path, **requests: Any) -> dict[str, Any]:
    columns = {"id": "long", "email": "string", "name": "string", "at": "timestamp"}
    return {
        "version": 1,
        "storage": {"root": str(root / "lake")},
        "keys": {"path": str(root / "keys")},
        "tables": {
            "people": {
                "key": ["id"],
                "schema": columns,
                "change_feed": True,
                "pii": {"email": "EMAIL_ADDRESS"},
                "retention": [
                    {
                        "name": "cold",
                        "column": "at",
                        "keep": "30d",
                        "action": "archive",
                        "to": "archive",
                        "max_fraction": 1,
                    }
                ],
            },
            "visits": {"key": ["id"], "schema": columns, "history": "full"},
        },
        "subjects": {
            "customer": {
                "identifiers": {"id": "people.id", "email": "people.email"},
                "rows": [
                    {"table": "people", "where": {"id": "id"}, "do": "delete"},
                    {"table": "visits", "where": {"email": "email"}, "do": "delete"},
                ],
            }
        },
        "pii": {"nlp": {"engine": "none"}, "operators": {"EMAIL_ADDRESS": {"operator": "tokenize"}}},
        "requests": requests,
    }


def filled(root: Path, **requests: Any) -> Lakehouse:
    lake = Lakehouse.open(config(root, **requests))
    for purpose in ("suppress", "requests", "sign", "mask"):
        lake.keys.create(purpose)
    people, visits = lake.table("people"), lake.table("visits")
    at, old = NOW - timedelta(days=1), NOW - timedelta(days=90)
    people.merge([{"id": n, "email": f"o{n}@example.net", "name": "o", "at": at} for n in range(5)])
    people.merge([{"id": 4711, "email": MAIL, "at": old}, {"id": 7, "email": "o7@example.net", "at": old}])
    lake.pii.mask("people", to="people_masked")
    lake.retention.apply()
    people.merge([{"id": 4711, "email": MAIL, "at": at}, {"id": "4711x", "email": MAIL}, {"id": "?"}])
    lake.pii.mask("people", to="people_masked")
    for city in ("Ulm", "Bonn"):
        visits.merge([{"id": 1, "email": MAIL, "name": city, "at": at}, {"id": 2, "email": "b@b.example"}])
    return lake


def held_by(root: Path, mark: str) -> list[str]:
    return [
        str(path.relative_to(root))
        for path in root.rglob("*")
        if path.is_file() and mark.encode() in path.read_bytes()
    ]


@pytest.mark.parametrize("wait", [False, True], ids=["at once", "after a while"])
@pytest.mark.parametrize("history", ["cut", "redact"])
def test_a_person_goes_from_all_that_belongs_to_tables(tmp_path: Path, history: str, wait: bool) -> None:
    lake = filled(tmp_path, history=history, **({"purge_after": "1s"} if wait else {}))
    token = lake.table("people_masked").read().filter(pl.col("id") == 4711)["email"].item()
    request = lake.requests.submit("erasure", subject="customer", email=MAIL)
    report = lake.requests.run()
    if wait:
        assert report.outcomes[0].status == "purging"
        while report.outcomes[0].status == "purging":
            report = lake.requests.run()
    assert [(each.status, each.reason) for each in report.outcomes] == [("completed", "")]
    assert held_by(tmp_path / "lake", MAIL) == []
    assert held_by(tmp_path / "lake", token) == []
    assert sorted(lake.table("people_masked").read()["id"]) == [0, 1, 2, 3, 4]
    assert lake.table("people").quarantine.count() == 1
    assert lake.table("visits").read()["email"].unique().to_list() == ["b@b.example"]
    assert lake.retention.restore_archive("people").rows == 1
    names = {each.name.split(" ")[0] for each in lake.requests.certificate(request.id).certificate.tables}
    assert names >= {"people", "people:", "visits", "people__quarantine"}
    merged = lake.table("people").merge([{"id": 4711, "email": MAIL, "at": NOW}, {"id": 8, "at": NOW}])
    assert merged.suppressed == 1
    assert held_by(tmp_path / "lake", MAIL) == []


def test_a_request_destroys_the_persons_key_and_a_new_consent_makes_another(tmp_path: Path) -> None:
    setting = config(tmp_path)
    setting["tables"]["people"]["pii"]["name"] = {"entity": "PERSON", "shred": "customer"}
    lake = Lakehouse.open(setting)
    for purpose in ("suppress", "requests", "sign", "mask", "shred"):
        lake.keys.create(purpose)
    lake.apply()
    rows = [{"id": n, "email": f"o{n}@example.net", "name": f"Name {n}", "at": NOW} for n in (1, 2)]
    lake.apply()
    people = lake.table("people")
    people.merge(rows)
    assert people.read().sort("id")["name"].to_list() == ["Name 1", "Name 2"]
    lake.requests.submit("erasure", subject="customer", id=1)
    assert lake.requests.run().outcomes[0].status == "completed"
    assert [(each.keys, each.destroyed) for each in lake.subject_keys.count()] == [(1, 1)]
    assert people.read()["name"].to_list() == ["Name 2"]
    lake.requests.readmit("customer", id=1, reason="new consent")
    people.merge(rows)
    assert people.read().sort("id")["name"].to_list() == ["Name 1", "Name 2"]
