from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from lakehouse.records import operator
from tests.integration.cli.conftest import CONFIG, Answer

Run = Callable[..., Answer]
SUBJECTS = """
subjects:
  customer:
    identifiers: {id: customers.id, email: customers.email}
    rows:
      - {table: customers, where: {email: email}, do: delete}
"""
EMAIL = "joan@shop.example"


@pytest.fixture
def held(shop: Run) -> Run:
    Path("lakehouse.yaml").write_text(CONFIG + SUBJECTS)
    return shop


def test_a_hold_is_placed_listed_and_released(held: Run) -> None:
    made = held(
        "hold", "add", "--table", "customers", "--where", "id = 3", "--reason", "case 12", "--until", "2y"
    )
    assert made.code == 0, made.err
    hold = made.out.split()[0]
    assert hold.startswith("hold-")
    assert "customers  1 row\n" in made.out
    assert f"lakehouse hold release {hold}" in made.err
    listed = held("hold", "list")
    assert hold in listed.out
    assert "case 12" in listed.out
    assert operator() in listed.out
    assert "rows by id" in listed.out
    assert held("hold", "release", hold, "--reason", "closed").out == f"{hold} is released\n"
    assert held("hold", "list").out == "nothing is held\n"
    assert "released by" in held("hold", "list", "--all").out
    again = held("hold", "release", hold)
    assert (again.code, "released already" in again.err) == (3, True)


def test_what_a_hold_is_about_is_shown_only_when_asked_for(held: Run) -> None:
    held("hold", "add", "--table", "customers", "--where", f"email = '{EMAIL}'", "--reason", "r")
    added = held(
        "--json",
        "hold",
        "add",
        "--subject",
        "customer",
        "--id",
        f"email={EMAIL}",
        "--id",
        "id=3",
        "--reason",
        "r",
    )
    assert added.code == 0, added.err
    assert added.document["rows"] == {"customers": 1}
    for words in (("hold", "list"), ("hold", "list", "--all"), ("--json", "hold", "list")):
        answer = held(*words)
        assert EMAIL not in answer.out + answer.err + added.out
        assert "email" in answer.out
    shown = held("hold", "list", "--show-conditions")
    assert f"email = '{EMAIL}'" in shown.out
    document = held("--json", "hold", "list", "--show-conditions").document["holds"]
    assert document[0]["where"] == f"email = '{EMAIL}'"
    assert document[1]["identifier_values"][0] == {"name": "email", "value": EMAIL}


def test_json_has_every_part(held: Run) -> None:
    made = held("--json", "hold", "add", "--table", "customers", "--reason", "r", "--author", "counsel",
                "--until", "2090-01-31T00:00:00Z").document  # fmt: skip
    assert made["table"] == "customers"
    assert made["rows"] == {"customers": 2}
    assert made["partial"] is False
    assert (made["status"], made["author"], made["until"]) == ("active", "counsel", "2090-01-31T00:00:00Z")
    (listed,) = held("--json", "hold", "list").document["holds"]
    assert listed == {name: value for name, value in made.items() if name != "rows"}
    done = held("--json", "hold", "release", made["id"], "--author", "judge").document
    assert (done["status"], done["released_by"]) == ("released", "judge")


def test_a_restore_is_refused_with_the_hold_and_its_reason(held: Run) -> None:
    made = held("--json", "hold", "add", "--table", "customers", "--reason", "case 12/2026").document
    for words in (("--dry-run",), ("--yes",)):
        answer = held("restore", "customers", "--version", "1", *words)
        assert answer.code == 3
        assert f"{made['id']} (case 12/2026)" in answer.err
        assert "lakehouse hold list" in answer.err


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("--table", "custmers"), 6, "did you mean customers?"),
        (("--subject", "custmer", "--id", "id=1"), 6, "did you mean customer?"),
        (("--subject", "customer", "--id", EMAIL), 2, "write --id NAME=VALUE"),
        (("--subject", "customer", "--id", "id=3"), 2, "needs more to find all rows: email"),
        (("--table", "customers", "--where", f"nme = '{EMAIL}'"), 2, "names a column"),
        (("--table", "customers", "--where", f"id = '{EMAIL}'"), 2, "can't be compared"),
        (("--table", "customers", "--until", "2090-01-01"), 2, "no timezone"),
        ((), 2, "a table or on a subject"),
        (
            ("--where", f"email = '{EMAIL}'"),
            2,
            "the condition of a hold needs its table\nhint: name it: --table",
        ),
        (("--id", f"email={EMAIL}"), 2, "the identifiers of a hold need its subject"),
        (("--table", "customers", "--subject", "customer"), 2, "not on both"),
    ],
)
def test_mistakes_are_told_without_values(held: Run, words: tuple[str, ...], code: int, said: str) -> None:
    answer = held("hold", "add", "--reason", "r", *words)
    assert answer.code == code, answer.err
    assert said in answer.err
    assert EMAIL not in answer.err
    assert held("hold", "list", "--all").out == "no holds\n"


def test_an_id_that_is_nearly_right_is_named(held: Run) -> None:
    made = held("--json", "hold", "add", "--table", "customers", "--reason", "r").document
    answer = held("hold", "release", made["id"][:-1])
    assert answer.code == 6
    assert f"did you mean {made['id']}?" in answer.err


def test_a_hold_that_finds_nothing_says_so(held: Run) -> None:
    answer = held("hold", "add", "--table", "customers", "--where", "id = 99", "--reason", "r")
    assert "customers  0 rows" in answer.out
    assert "no row is like that now" in answer.err
