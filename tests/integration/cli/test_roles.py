"""Reading in a role, from the command line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from lakehouse import Lakehouse
from tests.integration.cli.conftest import Answer

CONFIG = """\
version: 1
name: shop
storage: {root: ./lake}
keys: {path: ./keys}
tables:
  customers:
    key: [id]
    schema: {id: long, email: string, country: string}
    pii: {email: EMAIL_ADDRESS}
  orders: {key: [id], schema: {id: long}}
pii:
  nlp: {engine: none}
  operators: {EMAIL_ADDRESS: {operator: tokenize}}
roles:
  analyst: {tables: [customers], rows: {customers: "country = 'DE'"}}
"""


@pytest.fixture
def lake(run: Callable[..., Answer]) -> Callable[..., Answer]:
    Path("lakehouse.yaml").write_text(CONFIG)
    Path("customers.jsonl").write_text(
        '{"id": 1, "email": "ann@shop.example", "country": "DE"}\n'
        '{"id": 2, "email": "bob@shop.example", "country": "FR"}\n'
    )
    assert run("merge", "customers", "customers.jsonl").code == 0
    Lakehouse.open("lakehouse.yaml").keys.create("mask")
    return run


def test_read_and_sql_show_masks_and_the_roles_rows(lake: Callable[..., Answer]) -> None:
    (row,) = lake("--json", "read", "customers", "--role", "analyst").document["rows"]
    assert row["id"] == 1
    assert row["email"].startswith("tok_1_")
    (row,) = lake("--json", "sql", "--role", "analyst", "SELECT email FROM customers").document["rows"]
    assert row["email"].startswith("tok_1_")
    assert "@" in lake("read", "customers").out


def test_sorting_and_exports_have_the_masks_too(lake: Callable[..., Answer], tmp_path: Path) -> None:
    done = lake("read", "customers", "--role", "analyst", "--order-by", "email", "--output", "out.jsonl")
    assert done.code == 0
    (row,) = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert row["email"].startswith("tok_1_")


def test_differences_are_those_of_what_the_role_sees(lake: Callable[..., Answer]) -> None:
    Path("more.jsonl").write_text(
        '{"id": 1, "email": "ann@work.example", "country": "DE"}\n'
        '{"id": 2, "email": "bob@work.example", "country": "FR"}\n'
    )
    assert lake("merge", "customers", "more.jsonl").code == 0
    shown = lake("--json", "diff", "customers", "1", "--role", "analyst").document
    assert (shown["updated"], shown["inserted"], shown["deleted"]) == (1, 0, 0)
    assert [row["email"][:6] for row in shown["rows"]] == ["tok_1_", "tok_1_"]
    assert lake("diff", "orders", "0", "--role", "analyst").code == 3


def test_refusals_have_their_exit_codes(lake: Callable[..., Answer]) -> None:
    assert lake("read", "orders", "--role", "analyst").code == 3
    unknown = lake("read", "customers", "--role", "analist")
    assert unknown.code == 6
    assert "did you mean analyst?" in unknown.err
    assert lake("sql", "--role", "analyst", "SELECT * FROM orders").code == 3


def test_a_lost_key_shows_nothing(lake: Callable[..., Answer], tmp_path: Path) -> None:
    for key in (tmp_path / "keys").iterdir():
        key.unlink()
    lost = lake("read", "customers", "--role", "analyst")
    assert lost.code == 1
    assert "lakehouse keys create mask" in lost.err
    assert "ann@" not in lost.out + lost.err


def test_conditions_that_do_not_fit_the_rows_are_not_taken_for_damage(lake: Callable[..., Answer]) -> None:
    for words in (
        ["--where", "CAST(email AS BIGINT) = 3", "--role", "analyst"],
        ["--where", "CAST(email AS BIGINT) = 3"],
    ):
        refused = lake("read", "customers", *words)
        assert refused.code == 2
        assert "the condition on table customers does not fit its rows" in refused.err
        assert "tok_" not in refused.err
        assert "@" not in refused.err
    assert lake("read", "customers", "--columns", "id,id", "--role", "analyst").code == 0
