"""However a request writes a number or a date: it is the same person, who is kept out as stored."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from lakehouse import Lakehouse

BORN = datetime(1990, 5, 4, 10, 30, tzinfo=UTC)
SAME = [
    ("long", 7, "007", " 7 "),
    ("date", date(1990, 5, 4), "1990-05-04", " 1990-05-04"),
    ("timestamp", BORN, "1990-05-04T10:30:00Z", "1990-05-04 10:30:00"),
    ("decimal(6,2)", "7.00", "7", "7.00"),
]


@pytest.mark.parametrize("declared", [True, False], ids=["declared", "as it is"])
@pytest.mark.parametrize(("kind", "stored", "one", "other"), SAME, ids=[each[0] for each in SAME])
def test_two_ways_to_write_one(
    tmp_path: Path, kind: str, stored: Any, one: str, other: str, declared: bool
) -> None:
    def opened(schema: dict[str, Any]) -> Lakehouse:
        return Lakehouse.open(
            {
                "version": 1,
                "storage": {"root": str(tmp_path / "lake")},
                "keys": {"path": str(tmp_path / "keys")},
                "tables": {"people": {"key": ["n"], **schema}},
                "subjects": {
                    "customer": {
                        "identifiers": {"id": "people.id"},
                        "rows": [{"table": "people", "where": {"id": "id"}, "do": "delete"}],
                    }
                },
            }
        )

    schema = {"schema": {"n": "long", "id": kind}}
    lake = opened(schema)
    for purpose in ("suppress", "requests", "sign"):
        lake.keys.create(purpose)
    lake.table("people").merge([{"n": 1, "id": stored}, {"n": 2, "id": None}])
    lake = lake if declared else opened({})
    first = lake.requests.submit("erasure", subject="customer", id=one)
    again = lake.requests.submit("erasure", subject="customer", id=other)
    assert first.id in repr(again)
    assert {each.status for each in lake.requests.run().outcomes} == {"completed"}
    assert lake.table("people").read()["n"].to_list() == [2]
    assert lake.table("people").merge([{"n": 3, "id": stored}]).suppressed == 1
    assert lake.requests.readmit("customer", id=other, reason="new consent") == 1
