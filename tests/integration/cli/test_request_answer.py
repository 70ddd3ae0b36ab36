"""``request answer``: a bundle on the command line, its document and its exit codes."""

from __future__ import annotations

import zipfile
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
  customers:
    key: [id]
    schema: {id: long, email: string, friend: string}
    pii: {email: EMAIL_ADDRESS, friend: EMAIL_ADDRESS}
subjects:
  customer:
    identifiers: {id: customers.id, email: customers.email}
    rows: [{table: customers, where: {id: id}, do: delete}]
"""
ANN = "ann-canary-8c2@shop.example"


@pytest.fixture
def lake(run: Callable[..., Answer], write: Callable[..., str]) -> Callable[..., Answer]:
    Path("lakehouse.yaml").write_text(CONFIG)
    for purpose in ("suppress", "requests"):
        assert run("keys", "create", purpose).code == 0
    rows = write(
        "rows.jsonl", {"id": 1, "email": ANN, "friend": "bob@shop.example"}, {"id": 2, "email": "x@y"}
    )
    assert run("merge", "customers", rows).code == 0
    return run


def submitted(lake: Callable[..., Answer], kind: str, identifier: str) -> str:
    made = lake("--json", "request", "submit", kind, "--subject", "customer", "--id", identifier)
    return str(made.document["requests"][0]["id"])


def test_a_request_is_answered_by_a_file(lake: Callable[..., Answer]) -> None:
    request = submitted(lake, "access", f"email={ANN}")
    told = lake("request", "answer", request, "--to", "ann.zip", "--author", "dpo")
    assert told.code == 0
    assert f"{request} is completed: 1 row in " in told.out
    assert "canary" not in told.out + told.err
    assert zipfile.is_zipfile("ann.zip")
    again = lake("request", "answer", request, "--to", "again.zip")
    assert (again.code, Path("again.zip").exists()) == (3, False)
    shown = lake("request", "show", request)
    assert "completed" in shown.out
    assert "dpo" in shown.out


def test_the_document_counts_and_names_the_file(lake: Callable[..., Answer]) -> None:
    request = submitted(lake, "access", "id=1")
    own = lake("--json", "request", "answer", request, "--to", ".", "--own", "customers.friend").document
    assert Path(own["path"]).name == f"access-{request}.zip"
    assert (own["rows"], own["masked"], len(own["sha256"])) == (1, 0, 64)
    assert [each["name"] for each in own["sources"]] == ["customers"]


def test_mistakes_have_their_exit_codes(lake: Callable[..., Answer]) -> None:
    request, erasure = submitted(lake, "access", "id=1"), submitted(lake, "erasure", "id=1")
    Path("there.zip").touch()
    for words, code in (
        ([request, "--to", "there.zip"], 3),
        ([request, "--to", "lake/a.zip"], 3),
        ([request, "--to", "none/a.zip"], 6),
        ([request, "--to", "a.zip", "--own", "customers.nme"], 6),
        ([request, "--to", "a.zip", "--identified", "maybe"], 2),
        ([request], 2),
        ([erasure, "--to", "a.zip"], 2),
        (["req-nobody", "--to", "a.zip"], 6),
    ):
        answer = lake("request", "answer", *words)
        assert answer.code == code, (words, answer.err)
        assert "canary" not in answer.err
    assert lake("request", "answer", request, "--to", "there.zip", "--overwrite").code == 0
