from __future__ import annotations

import io
import sys
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from lakehouse.lake import Lakehouse
from lakehouse.records import operator
from tests.integration.cli.conftest import CONFIG, Answer, change
from tests.unit.pii.sealing import sealing

Run = Callable[..., Answer]
WHY = ("--role", "support", "--reason", "case 12/2026")
WITH_PII = CONFIG.replace("    owner:", "    pii: {email: EMAIL_ADDRESS}\n    owner:")
PII = f"""{WITH_PII}
pii:
  operators: {{EMAIL_ADDRESS: {{operator: tokenize}}}}
roles:
  support: {{tables: [customers], reveal: true}}
  analyst: {{tables: [customers]}}
"""


def masked(email: str) -> str:
    lake = Lakehouse.open("lakehouse.yaml")
    made = sealing(lake.config.pii.operators["EMAIL_ADDRESS"], ring=lake.keys, pinned=False)
    return str(made.mask(pl.Series([email]), entity="EMAIL_ADDRESS").item())


@pytest.fixture
def shop(run: Run, write: Callable[..., str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Customers whose e-mails are stored masked, and operators that can turn them back."""
    monkeypatch.setattr("lakehouse.pii.verbs.operator_for", sealing)
    run("keys", "create", "mask")
    Path("lakehouse.yaml").write_text(PII)
    people = [change(n, name, 1) for n, name in enumerate(("Ada", "Grace", "Joan"), 1)]
    rows = [{**each, "email": masked(str(each["email"]))} for each in people]
    # By a config without `pii`, so that nothing masks the masks.
    Path("writer.yaml").write_text(CONFIG)
    merged = run("-c", "writer.yaml", "merge", "customers", write("people.jsonl", *rows))
    assert merged.code == 0, merged.err
    return run


def test_masks_come_back_in_a_table_and_in_json(shop: Run) -> None:
    mask = masked("ada@shop.example")
    answer = shop("pii", "reveal", "customers", "email", mask, *WHY)
    assert answer.code == 0, answer.err
    assert [line.split() for line in answer.out.splitlines()][2:] == [[mask, "ada@shop.example"]]
    assert f"recorded for {operator()}" in answer.err
    document = shop("--json", "pii", "reveal", "customers", "email", "--where", "id > 1", *WHY).document
    assert sorted(row["value"] for row in document.pop("rows")) == ["grace@shop.example", "joan@shop.example"]
    assert document == {
        "table": "customers",
        "column": "email",
        "role": "support",
        "author": operator(),
        "reason": "case 12/2026",
        "at": document["at"],
        "withheld": 0,
        "unmasked": 0,
        "problems": [],
    }


def test_masks_come_from_standard_input(shop: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    mask = masked("joan@shop.example")
    monkeypatch.setattr(sys, "stdin", io.StringIO(f"{mask}\n{mask}\n"))
    answer = shop("pii", "reveal", "customers", "email", "-", *WHY)
    assert answer.out.count("joan@shop.example") == 2


def test_who_turned_masks_back_can_be_looked_up(shop: Run) -> None:
    assert shop("pii", "history").out == "nobody has turned masks back yet\n"
    shop("pii", "reveal", "customers", "email", "--where", "id > 1", *WHY)
    shown = shop("pii", "history")
    assert shown.out.splitlines()[-1].split()[2:] == [
        operator(), "support", "customers.email", "2", "case", "12/2026",
    ]  # fmt: skip
    (record,) = shop("--json", "pii", "history", "customers").document["records"]
    assert (record["author"], record["rows"], record["role"]) == (operator(), 2, "support")
    assert shop("pii", "history", "custmers").code == 6


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("email", "x", "--role", "analyst", "--reason", "r"), 3, "roles that may: support"),
        (("email", "x", "--role", "suport", "--reason", "r"), 6, "did you mean support?"),
        (("email", "x", "--role", "support", "--reason", " "), 2, "the reason is empty"),
        (("email", "x", "--role", "support"), 2, "--reason"),
        (("email", *WHY), 2, "give one of them"),
        (("email", "x", "--where", "id = 1", *WHY), 2, "give one of them"),
        (("name", "x", *WHY), 2, "no column name with personal data"),
        (("email", "--where", "email = 'ada'", *WHY), 2, "ask for other columns: id, name, updated_at"),
        (("email", "--where", "id > 0", "--limit", "2", *WHY), 2, "more than 2 rows"),
    ],
)
def test_what_is_not_allowed_is_told(shop: Run, words: tuple[str, ...], code: int, said: str) -> None:
    answer = shop("pii", "reveal", "customers", *words)
    assert answer.code == code, answer.err
    assert said in answer.err
    assert answer.out == ""
    assert shop("pii", "history").out == "nobody has turned masks back yet\n"


def test_without_its_state_database_nothing_is_shown(shop: Run) -> None:
    Path("lake/_lakehouse/state.db").unlink()
    answer = shop("pii", "reveal", "customers", "email", "--where", "id = 1", *WHY)
    assert answer.code in {1, 3}
    assert answer.out == ""
    assert "state database" in answer.err


def test_what_is_no_mask_is_said_to_be_none(shop: Run) -> None:
    mask = masked("ada@shop.example")
    answer = shop("pii", "reveal", "customers", "email", mask, "bob@shop.example", "", *WHY)
    assert answer.code == 0
    assert "1 value came back as given: no mask of this column is in it" in answer.err
    assert shop("--json", "pii", "reveal", "customers", "email", mask, *WHY).document["unmasked"] == 0
