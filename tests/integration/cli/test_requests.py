"""Requests on the command line: taken one by one or by file, shown, decided."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.integration.cli.conftest import Answer

CONFIG = """\
version: 1
name: shop
storage: {root: ./lake}
keys: {path: ./keys}
tables:
  customers: {key: [id], schema: {id: long, email: string}}
subjects:
  customer:
    identifiers: {id: customers.id, email: customers.email}
    rows: [{table: customers, where: {id: id}, do: delete}]
"""
ANN = "ann-canary-3b8@shop.example"


@pytest.fixture
def lake(run: Callable[..., Answer]) -> Callable[..., Answer]:
    Path("lakehouse.yaml").write_text(CONFIG)
    for purpose in ("suppress", "requests"):
        assert run("keys", "create", purpose).code == 0
    return run


def submit(lake: Callable[..., Answer], *more: str) -> Answer:
    return lake("request", "submit", "erasure", "--subject", "customer", "--id", f"email={ANN}", *more)


def test_a_request_is_submitted_shown_and_decided(lake: Callable[..., Answer]) -> None:
    assert submit(lake, "--external-id", "T1").code == 0
    assert "submitted before" in submit(lake, "--external-id", "T1").out
    (one,) = lake("--json", "request", "list").document["requests"]
    assert (one["status"], one["external_id"], one["identifiers"]) == ("received", "T1", ["email"])
    shown = lake("request", "show", one["id"])
    assert "erasure of a customer" in shown.out
    assert "canary" not in shown.out
    assert lake("request", "approve", one["id"]).out.strip() == f"{one['id']} is approved"
    assert lake("request", "reject", one["id"], "--reason", "not proved").code == 0
    over = lake("request", "cancel", one["id"])
    assert over.code == 3
    assert "is rejected, and that is final" in over.err
    assert "no request waits" in lake("request", "list").out
    assert one["id"] in lake("request", "list", "--all").out


def test_mistakes_have_their_exit_codes_and_no_value(lake: Callable[..., Answer]) -> None:
    for words, code in (
        (["submit"], 2),
        (["submit", "erasure"], 2),
        (["submit", "erase", "--subject", "customer", "--id", f"email={ANN}"], 2),
        (["submit", "erasure", "--subject", "customer", "--id", ANN], 2),
        (["submit", "erasure", "--subject", "custmer", "--id", f"email={ANN}"], 6),
        (["submit", "erasure", "--subject", "customer", "--id", f"mail={ANN}"], 6),
        (["submit", "--file", "nothing.csv", "--subject", "customer"], 6),
        (["show", "req-nothing"], 6),
        (["readmit", "--subject", "customer", "--id", f"email={ANN}", "--reason", "consent"], 6),
    ):
        done = lake("request", *words)
        assert done.code == code, (words, done)
        assert "canary" not in done.out + done.err


def test_a_file_is_all_or_nothing(lake: Callable[..., Answer]) -> None:
    Path("bad.csv").write_text(f"kind,email\nerasure,{ANN}\nerasur,{ANN}\n")
    bad = lake("request", "submit", "--file", "bad.csv", "--subject", "customer")
    assert bad.code == 1
    assert "line 3" in bad.err
    assert "no request waits" in lake("request", "list").out
    Path("good.csv").write_text(f"kind,email\nerasure,{ANN}\naccess,b@x.example\n")
    assert (
        "2 requests submitted" in lake("request", "submit", "--file", "good.csv", "--subject", "customer").out
    )
