"""Rows that one rule deletes and another one keeps: what the law wants kept stays, and that is said."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lakehouse import Lakehouse
from lakehouse.config.load import load_config
from lakehouse.requests.checks import declared_findings

GROUND = "HGB 257: invoices are kept for ten years"


def config(root: Path, *rows: dict[str, Any]) -> dict[str, Any]:
    return {
        "version": 1,
        "storage": {"root": str(root / "lake")},
        "keys": {"path": str(root / "keys")},
        "tables": {"invoices": {"key": ["nr"], "changes": {"sequence": "seq"}}, "people": {"key": ["id"]}},
        "subjects": {
            "customer": {
                "identifiers": {"id": "people.id"},
                "rows": [{"table": "people", "where": {"id": "id"}, "do": "delete"}, *rows],
            }
        },
        "requests": {"max_share": 1.0},
    }


def test_a_ground_wins_over_a_rule_that_deletes(tmp_path: Path) -> None:
    lake = Lakehouse.open(
        config(
            tmp_path,
            {"table": "invoices", "where": {"buyer": "id"}, "do": "delete"},
            {"table": "invoices", "where": {"payer": "id"}, "do": "keep", "ground": GROUND},
            {"table": "invoices", "where": {"payer": "id"}, "do": "anonymize", "columns": ["phone"]},
        )
    )
    for purpose in ("suppress", "requests", "sign"):
        lake.keys.create(purpose)
    invoices = lake.table("invoices")
    lake.table("people").merge([{"id": "id-canary-31"}])
    mine = {"seq": 1, "phone": "+49 551 31 31 31"}
    rows = [
        {"nr": 1, "buyer": "id-canary-31", "payer": "other", **mine},
        {"nr": 2, "buyer": "id-canary-31", "payer": "id-canary-31", **mine},
        {"nr": 3, "buyer": "other", "payer": "other", **mine},
    ]
    invoices.merge(rows)
    made = lake.requests.submit("erasure", subject="customer", id="id-canary-31")
    (plan,) = lake.requests.run(dry_run=True).plans
    assert {each.table: each.rows for each in plan.tables if each.rows} == {
        "people": {"delete": 1},
        "invoices": {"delete": 1, "anonymize": 1, "keep": 1},
    }
    assert [(each.status, each.reason) for each in lake.requests.run().outcomes] == [("completed", "")]
    assert invoices.read().sort("nr").select("nr", "phone").rows() == [(2, None), (3, mine["phone"])]
    (kept,) = lake.requests.certificate(made.id).certificate.kept
    assert (kept.table, kept.rows, kept.ground) == ("invoices", 1, GROUND)

    # What is kept can be put right; what went stays away, also from an older version.
    invoices.merge([{**rows[1], "seq": 2, "buyer": "other"}, {**rows[0], "seq": 2}])
    assert invoices.read().sort("nr").select("nr", "buyer").rows() == [(2, "other"), (3, "other")]


def test_a_rule_that_could_never_delete_anything_is_refused(tmp_path: Path) -> None:
    where = {"table": "invoices", "where": {"payer": "id"}}
    given = config(tmp_path, {**where, "do": "delete"}, {**where, "do": "keep", "ground": GROUND})
    (found,) = declared_findings(load_config(given))
    assert found.way == ("subjects", "customer", "rows", 1, "do")
    assert "deletes the same rows of `invoices` that another rule keeps on a ground" in found.message
