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


def only(lake: Callable[..., Answer], *more: str) -> str:
    (one,) = lake("--json", "request", "list", *more).document["requests"]
    return str(one["id"])


def test_a_status_or_kind_that_is_none_is_no_empty_list(lake: Callable[..., Answer]) -> None:
    for words, near in ((("--status", "aproved"), "approved"), (("--kind", "erasur"), "erasure")):
        done = lake("request", "list", *words)
        assert done.code == 2
        assert f"did you mean {near}?" in done.err


def test_a_spreadsheet_may_write_semicolons_and_slips_are_told_with_what_was_meant(
    lake: Callable[..., Answer],
) -> None:
    Path("good.csv").write_text(f"kind;email\nerasure;{ANN}\n")
    done = lake("request", "submit", "--file", "good.csv", "--subject", "customer")
    assert "1 request submitted" in done.out
    Path("bad.csv").write_text("kind,subject,email,id\nerasur,customer,a@x.example,\nerasure,customer,,12a\n")
    bad = lake("request", "submit", "--file", "bad.csv")
    assert "line 2: there is no kind of request `erasur` (did you mean erasure?)" in bad.err
    assert "line 3: the identifier id is a whole number" in bad.err
    assert "12a" not in bad.err


def test_named_requests_that_may_not_run_are_refused(lake: Callable[..., Answer]) -> None:
    Path("lakehouse.yaml").write_text(CONFIG + "requests: {approval: required}\n")
    lake("keys", "create", "sign")
    submitted = submit(lake, "--author", "desk")
    request = only(lake)
    assert f"lakehouse request approve {request}" in submitted.err
    assert lake("request", "run", request, "--yes").code == 3
    assert lake("request", "run", "--yes").code == 0
    assert "run" not in lake("request", "certificate", request).err
    assert lake("request", "cancel", request).code == 0
    assert lake("request", "run", request, "--yes").code == 3
    assert "by a new request" in lake("request", "certificate", request).err


def test_a_certificate_is_a_page_or_json_and_is_told_where_it_is_checked(
    lake: Callable[..., Answer], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake("keys", "create", "sign")
    lake("apply", "--yes")
    submit(lake)
    request = only(lake)
    assert lake("request", "run", request, "--yes").code == 0
    again = lake("--json", "request", "run", request, "--yes")
    assert (again.code, again.document["outcomes"][0]["certificate"]) == (0, 1)
    assert lake("request", "certificate", request, "--to", "one.pdf").code == 2
    assert not Path("one.pdf").exists()
    for name in ("one.html", "one.json"):
        assert lake("request", "certificate", request, "--to", name).code == 0
    page = lake("request", "verify-certificate", "one.html")
    assert page.code == 5
    assert "that is a page to read" in page.out
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    document = Path("one.json").resolve()
    Path("lakehouse.yaml").rename("other.yaml")
    monkeypatch.chdir(elsewhere)
    alone = lake("request", "verify-certificate", str(document))
    assert alone.code == 2
    assert "--key FILE" in alone.err
