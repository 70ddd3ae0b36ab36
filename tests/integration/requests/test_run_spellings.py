"""Whoever asks writes an identifier as people do; tables have it as it came, and a capital saves nobody."""

from __future__ import annotations

import unicodedata
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from lakehouse import Lakehouse

OLD = datetime(2020, 1, 1, tzinfo=UTC)
ARCHIVE = {
    "name": "cold",
    "column": "at",
    "keep": "30d",
    "action": "archive",
    "to": "archive",
    "max_fraction": 1,
}


def opened(root: Path, **requests: Any) -> Lakehouse:
    lake = Lakehouse.open(
        {
            "version": 1,
            "storage": {"root": str(root / "lake")},
            "keys": {"path": str(root / "keys")},
            "tables": {
                "people": {"key": ["id"], "schema": {"id": "long", "email": "string"}},
                "visits": {
                    "key": ["v"],
                    "schema": {"v": "long", "mail": "string", "at": "timestamp"},
                    "retention": [ARCHIVE],
                },
            },
            "subjects": {
                "customer": {
                    "identifiers": {"id": "people.id", "email": "people.email"},
                    "rows": [
                        {"table": "people", "where": {"id": "id"}, "do": "delete"},
                        {"table": "visits", "where": {"mail": "email"}, "do": "delete"},
                    ],
                }
            },
            "requests": requests,
        }
    )
    for purpose in ("suppress", "requests", "sign"):
        lake.keys.create(purpose)
    return lake


@pytest.mark.parametrize(
    ("asked", "stored"),
    [
        ("ANN.CANARY@shop.example", "ann.canary@shop.example "),
        (" ann.canary@shop.example", "Ann.Canary@Shop.Example"),
        ("jos\u00e9.canary@shop.example", unicodedata.normalize("NFD", "Jos\u00e9.canary@shop.example")),
        ("stra\u00dfe.canary@shop.example", "STRASSE.CANARY@shop.example"),
        ("kim.canary@shop.example", "\u212aim.canary@shop.example"),
    ],
)
def test_a_person_is_found_however_the_value_is_written(tmp_path: Path, asked: str, stored: str) -> None:
    lake = opened(tmp_path, max_values=1)
    now = datetime.now(UTC)
    for number, mail in enumerate(("bob@shop.example", "zoe@shop.example", stored, None)):
        lake.table("people").merge([{"id": number, "email": mail}])
    lake.table("visits").merge(
        [
            {"v": 1, "mail": stored.swapcase(), "at": now},
            {"v": 2, "mail": "bob@shop.example", "at": now},
            {"v": 3, "mail": f"  {stored}", "at": OLD},
        ]
    )
    lake.retention.apply()
    lake.requests.submit("erasure", subject="customer", email=asked)
    (outcome,) = lake.requests.run().outcomes
    assert (outcome.status, outcome.reason) == ("completed", "")
    assert lake.table("people").read()["id"].sort().to_list() == [0, 1, 3]
    assert lake.table("visits").read()["v"].to_list() == [2]
    assert lake.retention.restore_archive("visits").rows == 0
    assert lake.table("people").merge([{"id": 9, "email": stored}]).suppressed == 1
