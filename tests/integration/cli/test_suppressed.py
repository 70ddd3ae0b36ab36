"""What the command line says of people who were erased and came again."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from lakehouse import Lakehouse
from tests.fixtures.suppressing import erase_person
from tests.integration.cli.conftest import Answer
from tests.integration.cli.test_requests import ANN, CONFIG


def test_what_was_left_out_is_counted_and_said(run: Callable[..., Answer]) -> None:
    Path("lakehouse.yaml").write_text(CONFIG)
    for purpose in ("suppress", "requests"):
        assert run("keys", "create", purpose).code == 0
    rows = [{"id": 1, "email": ANN}, {"id": 2, "email": "bob@shop.example"}]
    Path("rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
    assert run("merge", "customers", "rows.jsonl").code == 0
    erase_person(Lakehouse.open("lakehouse.yaml"), email=ANN)

    merged = run("merge", "customers", "rows.jsonl")
    assert merged.code == 0
    assert "1 of 2 records merged" in merged.out
    assert "suppressed" in merged.out
    assert run("--json", "merge", "customers", "rows.jsonl", "--dry-run").document["suppressed"] == 1
    planned = run("restore", "customers", "--version", "1", "--dry-run")
    assert "1 stay away" in planned.out
    document = run("--json", "restore", "customers", "--version", "1", "--yes").document
    assert (document["rows_after"], document["rows_suppressed"]) == (1, 1)
    told = " ".join(each.out + each.err for each in (merged, planned))
    assert "canary" not in told

    words = ("request", "readmit", "--subject", "customer", "--id", f"email={ANN}", "--reason", "new consent")
    assert run(*words).code == 0
    assert "2 records merged" in run("merge", "customers", "rows.jsonl").out
