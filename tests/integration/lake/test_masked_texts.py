"""Free texts in a real lake: masked span by span, at merge and for a role."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lakehouse import Lakehouse

pytestmark = pytest.mark.xdist_group("presidio")

NOTE = "Ann Miller called from her phone 212-736-5001 about the invoice."


def config(root: Path, mask_at: str) -> dict[str, Any]:
    return {
        "version": 1,
        "storage": {"root": str(root / "lake")},
        "keys": {"path": str(root / "keys")},
        "tables": {
            "tickets": {
                "key": ["id"],
                "schema": {"id": "long", "note": "string"},
                "pii": {"note": ["PERSON", "PHONE_NUMBER"]},
                "mask_at": mask_at,
            }
        },
        "pii": {"operators": {"DEFAULT": {"operator": "replace"}, "PHONE_NUMBER": {"operator": "tokenize"}}},
        "roles": {"analyst": {}},
    }


@pytest.mark.parametrize("mask_at", ["read", "merge"])
def test_only_what_is_personal_is_masked(tmp_path: Path, mask_at: str) -> None:
    lake = Lakehouse.open(config(tmp_path, mask_at))
    lake.keys.create("mask")
    tickets = lake.table("tickets")
    tickets.merge(
        [{"id": 1, "note": NOTE}, {"id": 2, "note": None}, {"id": 3, "note": "Nothing of anybody."}]
    )
    stored = tickets.read().sort("id")["note"].to_list()
    seen = tickets.read(role="analyst").sort("id")["note"].to_list()
    assert seen[1:] == [None, "Nothing of anybody."]
    assert seen[0].startswith("<PERSON> called from her phone tok_1_")
    assert seen[0].endswith(" about the invoice.")
    assert stored[0] == (seen[0] if mask_at == "merge" else NOTE)
