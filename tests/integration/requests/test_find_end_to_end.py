"""People in nested columns and free text are gone from every byte, in both histories."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lakehouse import Lakehouse, VersionNotFoundError

ANN, BOB = "ann-canary-9f3@shop.example", "bob@shop.example"


def opened(root: Path, history: str) -> Lakehouse:
    lake = Lakehouse.open(
        {
            "version": 1,
            "storage": {"root": str(root / "lake")},
            "keys": {"path": str(root / "keys")},
            "requests": {"history": history},
            "tables": {
                "customers": {"key": "id", "schema": {"id": "long", "email": "string"}},
                "teams": {
                    "key": "no",
                    "schema": {
                        "no": "long",
                        "boss": "struct<email:string,since:integer>",
                        "members": "array<struct<email:string,role:string>>",
                        "marks": "map<string,string>",
                    },
                },
                "tickets": {"key": "no", "schema": {"no": "long", "body": "string"}},
            },
            "subjects": {
                "customer": {
                    "identifiers": {"id": "customers.id", "email": "customers.email"},
                    "rows": [
                        {"table": "customers", "where": {"id": "id"}, "do": "delete"},
                        {
                            "table": "teams",
                            "where": {"members[].email": "email"},
                            "do": "anonymize",
                            "columns": "members[]",
                        },
                        {
                            "table": "teams",
                            "where": {"boss.email": "email"},
                            "do": "anonymize",
                            "columns": "boss.email",
                        },
                        {
                            "table": "teams",
                            "where": {"marks{key}": "email"},
                            "do": "anonymize",
                            "columns": "marks{}",
                        },
                        {"table": "tickets", "text": "body", "do": "anonymize"},
                    ],
                }
            },
        }
    )
    for purpose in ("suppress", "requests", "sign"):
        lake.keys.create(purpose)
    lake.apply()
    return lake


def team(number: int, boss: str, *members: str) -> dict[str, Any]:
    return {
        "no": number,
        "boss": {"email": boss, "since": 2020},
        "members": [{"email": each, "role": "dev"} for each in members],
        "marks": dict.fromkeys(members, "good"),
    }


@pytest.mark.parametrize("history", ["cut", "redact"])
def test_people_in_nested_columns_and_texts_are_gone(tmp_path: Path, history: str) -> None:
    lake = opened(tmp_path, history)
    lake.table("customers").merge([{"id": 1, "email": ANN}, {"id": 2, "email": BOB}])
    teams, tickets = lake.table("teams"), lake.table("tickets")
    teams.merge([team(1, ANN, BOB), team(2, BOB, ANN, BOB), team(3, BOB, BOB)])
    teams.merge([team(4, BOB, ANN)])
    tickets.merge([{"no": 1, "body": f"from {ANN}: hello"}, {"no": 2, "body": "hi"}])
    tickets.merge([{"no": 1, "body": f"closed for {ANN}"}])
    before = teams.snapshot().version
    asked = lake.requests.submit("erasure", subject="customer", id=1)
    (outcome,) = lake.requests.run().outcomes
    assert (outcome.status, outcome.reason) == ("completed", "")
    rows = {row["no"]: row for row in teams.read().rows(named=True)}
    assert rows[1]["boss"] == {"email": None, "since": 2020}
    assert rows[2]["members"] == [{"email": BOB, "role": "dev"}]
    assert rows[2]["marks"] == [{"key": BOB, "value": "good"}]
    assert rows[3]["boss"]["email"] == BOB
    assert rows[4]["members"] == []
    assert dict(tickets.read().rows()) == {1: "closed for [erased]", 2: "hi"}
    if history == "redact":
        old = {row["no"]: row for row in teams.read(version=before).rows(named=True)}
        assert len(old) == 4
        assert old[3]["members"] == [{"email": BOB, "role": "dev"}]
        assert "canary" not in str(old)
    else:
        with pytest.raises(VersionNotFoundError):
            teams.read(version=before)
    assert lake.requests.show(asked.id).status == "completed"
