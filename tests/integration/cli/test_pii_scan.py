from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.integration.cli.conftest import Answer, change

Run = Callable[..., Answer]


@pytest.fixture
def people(run: Run, write: Callable[..., str]) -> Run:
    """Customers with names and e-mail addresses."""
    names = [
        f"{first} {last}" for first in ("Anna", "Peter", "Maria") for last in ("Meyer", "Rossi", "Brown")
    ]
    rows = [change(at, name.replace(" ", "."), 1 + at % 9) | {"name": name} for at, name in enumerate(names)]
    assert run("merge", "customers", write("people.jsonl", *rows)).code == 0
    return run


def test_a_scan_shows_what_is_personal_and_no_value(people: Run) -> None:
    answer = people("pii", "scan")
    assert answer.code == 0
    lines = answer.out.splitlines()
    (mail,) = [line for line in lines if "EMAIL_ADDRESS" in line]
    assert mail.split()[:4] == ["customers", "email", "EMAIL_ADDRESS", "100%"]
    assert "a***.m***@s***" in answer.out or "m***.r***@s***" in answer.out or "***@s***" in answer.out
    assert "customers: personal data in 2 (9 rows of version 1, 4 paths)" in lines
    assert "events: has not been made yet" in lines
    assert "anna" not in answer.out.casefold()
    assert "lakehouse pii scan --write" in answer.err


def test_a_scan_as_json(people: Run) -> None:
    document = people("--json", "pii", "scan", "customers", "--sample", "5", "--seed", "3").document
    (table,) = document["tables"]
    assert (document["sample"], document["seed"], table["table"], table["sampled"]) == (5, 3, "customers", 5)
    assert {each["path"]: [kind["entity"] for kind in each["entities"]] for each in table["columns"]} == {
        "name": ["PERSON"],
        "email": ["EMAIL_ADDRESS"],
    }
    nothing: dict[str, list[str]] = {"gone": [], "changed": [], "shares": []}
    assert table["drift"] == {"since": None, "new": ["name", "email"], **nothing}


def test_it_fails_on_what_is_new_once_and_on_what_the_config_lacks_until_it_is_there(people: Run) -> None:
    assert people("pii", "scan", "--fail-on", "new").code == 5
    assert people("pii", "scan", "--fail-on", "new").code == 0
    assert people("pii", "scan", "--fail-on", "undeclared").code == 5
    assert people("pii", "scan", "--write", "--yes", "--fail-on", "undeclared").code == 5
    assert people("pii", "scan", "--fail-on", "undeclared").code == 0


def test_writing_is_shown_first_and_the_result_loads(people: Run) -> None:
    before = Path("lakehouse.yaml").read_text()
    answer = people("pii", "scan", "--write", "--dry-run")
    assert "+    pii:\n+      name: PERSON\n+      email: EMAIL_ADDRESS\n" in answer.out
    assert Path("lakehouse.yaml").read_text() == before
    document = people("--json", "pii", "scan", "--write", "--yes").document
    assert document["config"]["written"]
    assert document["config"]["added"] == {"customers": {"name": ["PERSON"], "email": ["EMAIL_ADDRESS"]}}
    after = Path("lakehouse.yaml").read_text()
    assert after.replace("    pii:\n      name: PERSON\n      email: EMAIL_ADDRESS\n", "") == before
    assert people("config", "check").code == 0
    assert "lakehouse.yaml names all of it" in people("pii", "scan", "--write", "--yes").out


def test_show_tells_what_the_last_scan_found_and_what_the_config_says(people: Run) -> None:
    assert people("--json", "show", "customers").document["pii_scan"] is None
    people("pii", "scan", "--write", "--yes")
    lines = people("show", "customers").out.splitlines()
    (scanned,) = [line for line in lines if line.startswith("pii scan")]
    assert "name (PERSON), email (EMAIL_ADDRESS), in version 1 on " in scanned
    (mail,) = [line for line in lines if line.startswith("email")]
    assert mail.split() == ["email", "string", "EMAIL_ADDRESS"]
    document = people("--json", "show", "customers").document
    assert document["pii_scan"]["columns"] == {"name": ["PERSON"], "email": ["EMAIL_ADDRESS"]}


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("pii", "scan", "nowhere"), 6),
        (("pii", "scan", "events"), 6),
        (("pii", "scan", "--sample", "0"), 2),
        (("pii", "scan", "--fail-on", "everything"), 2),
        (("pii", "scan", "--yes"), 2),
        (("pii", "scan", "--version", "1"), 2),
    ],
)
def test_mistakes_are_told(people: Run, words: tuple[str, ...], code: int) -> None:
    answer = people(*words)
    assert answer.code == code
    assert answer.err
    assert "Traceback" not in answer.err
