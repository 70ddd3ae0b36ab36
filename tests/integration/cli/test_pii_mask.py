"""What a person sees of masks: copies, plans, questions, refusals."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.integration.cli.conftest import Answer

CONFIG = """\
version: 1
name: shop
storage: {root: ./lake}
tables:
  people:
    owner: crm@shop.example
    key: [id]
    schema: {id: long, email: string, city: string}
    pii: {email: EMAIL_ADDRESS}
    mask_at: AT
  orders:
    key: [id]
"""
Run = Callable[..., Answer]
Write = Callable[..., str]


def config(mask_at: str = "read") -> None:
    Path("lakehouse.yaml").write_text(CONFIG.replace("AT", mask_at))


@pytest.fixture
def filled(run: Run, write: Write) -> Run:
    config()
    rows = [{"id": n, "email": f"clear{n}@x.example", "city": "Ulm"} for n in range(3)]
    assert run("merge", "people", write("a.jsonl", *rows)).code == 0
    return run


def test_a_copy_is_made_followed_listed_and_dropped(filled: Run, write: Write) -> None:
    planned = filled("pii", "mask", "people", "--to", "people_masked", "--dry-run", "--json").document
    assert (planned["action"], planned["inserted"], planned["version"]) == ("anew", 3, None)
    assert filled("pii", "mask", "--list").out == "there are no masked copies\n"
    made = filled("pii", "mask", "people", "--to", "people_masked")
    assert made.code == 0
    assert made.out.startswith("people_masked: 3 rows copied: it is made")
    assert "lakehouse read people_masked" in made.err
    assert filled("merge", "people", write("b.jsonl", {"id": 1, "_op": "delete"})).code == 0
    (copy,) = filled("pii", "mask", "people", "--list", "--json").document["copies"]
    assert (copy["copy"], copy["has"], copy["newest"], copy["up_to_date"]) == ("people_masked", 1, 2, False)
    followed = filled("pii", "mask", "people", "--to", "people_masked", "--json").document
    assert (followed["action"], followed["deleted"], followed["since"]) == ("follow", 1, 1)
    assert "nothing to do" in filled("pii", "mask", "people", "--to", "people_masked").out
    rows = filled("read", "people_masked", "--order-by", "id", "--json").document["rows"]
    assert [(row["id"], row["email"]) for row in rows] == [(0, ""), (2, "")]
    refused = filled("pii", "mask", "--drop", "people_masked")
    assert refused.code == 2
    assert "--yes" in refused.err
    assert filled("pii", "mask", "--drop", "people_masked", "--yes").out.endswith(
        "people_masked is dropped\n"
    )
    assert filled("read", "people_masked").code == 6


def test_every_verb_knows_a_copy(filled: Run) -> None:
    filled("pii", "mask", "people", "--to", "people_masked")
    for words in (
        ["tables"], ["status"], ["show", "people_masked"], ["verify"], ["compact"], ["vacuum", "--dry-run"],
    ):  # fmt: skip
        answer = filled(*words)
        assert answer.code == 0, answer.err
        assert "people_masked" in answer.out
        assert "clear" not in answer.out
    assert "crm@shop.example" in filled("show", "people_masked").out
    assert filled("history", "people_masked").code == 0
    assert filled("tag", "people_masked", "first").code == 0
    assert filled("sql", "select count(*) as n from people_masked", "--json").document["rows"] == [{"n": 3}]
    for words in (
        ["merge", "people_masked", "a.jsonl"],
        ["restore", "people_masked", "--version", "0", "--yes"],
    ):
        refused = filled(*words)
        assert refused.code == 3
        assert "only its source feeds it" in refused.err


def test_in_place_shows_what_it_does_and_asks(filled: Run) -> None:
    assert filled("pii", "mask", "people", "--in-place", "--yes").code == 3
    config("merge")
    planned = filled("pii", "mask", "people", "--in-place", "--dry-run")
    assert planned.code == 0
    assert "people: 3 rows in 1 file" in planned.out
    assert "versions 0 to 1, files, statistics and change data: `vacuum`" in planned.out
    refused = filled("pii", "mask", "people", "--in-place")
    assert refused.code == 2
    assert "--yes" in refused.err
    done = filled("pii", "mask", "people", "--in-place", "--yes", "--json").document
    assert (done["version"], done["rows"], done["changes_nothing"]) == (2, 3, False)
    assert "nothing to do" in filled("pii", "mask", "people", "--in-place", "--yes").out
    (record,) = filled("retention", "history", "--json").document["records"]
    assert (record["verb"], record["action"], record["table"], record["rows"]) == (
        "mask",
        "mask",
        "people",
        3,
    )


def test_a_hold_is_an_answer(filled: Run) -> None:
    config("merge")
    filled("hold", "add", "--table", "people", "--where", "id = 1", "--reason", "case 12")
    refused = filled("pii", "mask", "people", "--in-place", "--yes")
    assert refused.code == 3
    assert "rows of table people must stay as they are" in refused.err
    assert "case 12" in refused.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["people"], "say one of --to, --in-place, --list, --drop"),
        (["people", "--to", "c", "--in-place"], "--to and --in-place exclude each other"),
        (["--to", "c"], "--to needs a TABLE"),
        (["people", "--drop", "c"], "--drop takes the name of the copy alone"),
        (["people", "--in-place", "--anew"], "--anew belongs to --to"),
    ],
)
def test_wrong_usage_is_told(filled: Run, words: list[str], said: str) -> None:
    answer = filled("pii", "mask", *words)
    assert answer.code == 2
    assert said in answer.err


def test_names_that_are_not_there(filled: Run) -> None:
    assert filled("pii", "mask", "peple", "--to", "c").code == 6
    assert filled("pii", "mask", "--drop", "c").code == 6
    assert filled("pii", "mask", "orders", "--to", "c").code == 6
    taken = filled("pii", "mask", "people", "--to", "orders")
    assert taken.code == 3
    assert "orders is a table of the config" in taken.err


def test_a_text_whose_masks_can_be_turned_back_in_part_is_said_to_be_one(filled: Run) -> None:
    text = CONFIG.replace("city: string", "city: string, note: string").replace(": AT", ": read")
    text = text.replace("{email:", "{note: [PERSON, EMAIL_ADDRESS], email:")
    Path("lakehouse.yaml").write_text(text + "pii: {operators: {EMAIL_ADDRESS: {operator: tokenize}}}\n")
    filled("keys", "create", "mask")
    Path("b.jsonl").write_text('{"id": 9, "note": "hello"}\n')
    assert filled("merge", "people", "b.jsonl").code == 0
    planned = filled("pii", "mask", "people", "--to", "people_masked", "--dry-run").out.splitlines()
    assert [line.split("  ")[-1].strip() for line in planned if line.startswith(("note ", "email "))] == [
        "in part, with the key",
        "yes, with the key",
    ]


def test_a_copy_is_not_begun_where_what_searches_texts_is_not_installed(filled: Run) -> None:
    text = CONFIG.replace("{email: EMAIL_ADDRESS}", "{email: EMAIL_ADDRESS, city: [PERSON, LOCATION]}")
    Path("lakehouse.yaml").write_text(
        text.replace("mask_at: AT", "mask_at: read") + "pii: {nlp: {model: xx_no_such_model}}\n"
    )
    refused = filled("pii", "mask", "people", "--to", "people_masked")
    assert refused.code == 2
    assert "the language model `xx_no_such_model` is not installed" in refused.err
    assert filled("pii", "mask", "--list").out == "there are no masked copies\n"


def test_what_comes_into_a_copy_clear_is_told_and_found(filled: Run, write: Write) -> None:
    filled("pii", "mask", "people", "--to", "people_masked")
    rows = [{"id": n, "contact": f"clear{n}@x.example"} for n in range(3)]
    assert filled("merge", "people", write("b.jsonl", *rows)).code == 0
    followed = filled("pii", "mask", "people", "--to", "people_masked")
    assert "note: contact: new in people and not in its `pii`, so copied as it is" in followed.out
    assert "note:" not in filled("pii", "mask", "people", "--to", "people_masked").out
    before = Path("lakehouse.yaml").read_text()
    scanned = filled("pii", "scan", "people_masked", "--fail-on", "undeclared", "--write", "--yes")
    assert scanned.code == 5
    assert "nothing can be added" in scanned.out
    assert "people_masked: it is a masked copy" in scanned.err
    assert Path("lakehouse.yaml").read_text() == before
