"""What a person sees of rules for rows: plans, questions, refusals, archives."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import orjson
import pytest

from tests.integration.cli.conftest import Answer

CONFIG = """\
version: 1
name: shop
storage: {root: ./lake}
tables:
  orders:
    key: [id]
    schema: {id: long, day: date, name: string}
    changes: {sequence: day}
    merge: on_read
    retention:
      - {name: old, column: day, keep: 1y, action: archive, to: archive}
  tickets:
    key: [id]
    schema: {id: long, text: string}
    retention:
      - {name: closed, column: opened, keep: 1y, action: delete}
"""
NOW = ("--now", "2026-06-01T00:00:00Z")
Run = Callable[..., Answer]
Write = Callable[..., str]


@pytest.fixture
def filled(run: Run, write: Write) -> Run:
    Path("lakehouse.yaml").write_text(CONFIG)
    days = ["2024-01-01", "2025-03-01", "2025-12-01", "2026-01-01", "2026-05-01"]
    rows = [{"id": n, "day": day, "name": f"person {n}"} for n, day in enumerate(days)]
    assert run("merge", "orders", write("a.jsonl", *rows)).code == 0
    return run


def ids(run: Run) -> list[int]:
    return [row["id"] for row in run("read", "orders", "--order-by", "id", "--json").document["rows"]]


def test_plan_shows_what_goes(filled: Run) -> None:
    answer = filled("retention", "plan", "orders", *NOW)
    assert answer.code == 0
    assert "orders" in answer.out
    assert "40.0%" in answer.out
    assert "2024-01-01" in answer.out
    assert "1 deletion vector, 2 rows copied to archives" in answer.out
    assert "person" not in answer.out
    found = filled("retention", "plan", "orders", *NOW, "--json").document["tables"][0]
    assert (found["table"], found["rules"][0]["rows"], found["brakes"]) == ("orders", 2, [])
    assert ids(filled) == [0, 1, 2, 3, 4]


def test_apply_needs_an_answer(filled: Run) -> None:
    answer = filled("retention", "apply", "orders", *NOW)
    assert answer.code == 2
    assert "no terminal to ask on" in answer.err
    answer = filled("retention", "apply", "orders", *NOW, "--dry-run", "--json")
    assert (answer.code, answer.document["dry_run"]) == (0, True)
    assert ids(filled) == [0, 1, 2, 3, 4]
    answer = filled("retention", "apply", "orders", *NOW, "--yes")
    assert answer.code == 0
    assert "orders: 2 rows archived, version 2" in answer.out
    assert ids(filled) == [2, 3, 4]
    answer = filled("retention", "apply", "orders", *NOW, "--yes")
    assert "nothing to do" in answer.out


def test_a_plan_in_a_file_is_carried_out_exactly_or_not(filled: Run, write: Write) -> None:
    assert filled("retention", "plan", *NOW, "orders", "--output", "plan.json").code == 0
    answer = filled("retention", "apply", "--plan", "plan.json", "--now", "2027-01-01T00:00:00Z")
    assert (answer.code, "its own moment" in answer.err) == (2, True)
    file = write("b.jsonl", {"id": 0, "day": "2026-05-30", "name": "new"})
    assert filled("merge", "orders", file).code == 0
    answer = filled("retention", "apply", "--plan", "plan.json", "--yes")
    assert answer.code == 4
    assert "does not fit the table any more" in answer.err
    assert ids(filled) == [0, 1, 2, 3, 4]
    assert filled("retention", "plan", *NOW, "orders", "--output", "plan.json").code == 0
    answer = filled("retention", "apply", "--plan", "plan.json", "--yes", "--json")
    assert answer.code == 0
    assert answer.document["tables"][0]["rows_archived"] == 1
    Path("plan.json").write_bytes(orjson.dumps({"no": "plan"}))
    answer = filled("retention", "apply", "--plan", "plan.json", "--yes")
    assert (answer.code, "no retention plan" in answer.err) == (2, True)
    assert "--output" in answer.err


def test_brakes_are_told_and_refuse(filled: Run, write: Write) -> None:
    assert filled("merge", "tickets", write("t.jsonl", {"id": 1, "text": "x"})).code == 0
    answer = filled("retention", "plan", *NOW)
    assert answer.code == 0
    assert "refused: tickets: rule closed: there is no column opened" in answer.out
    answer = filled("retention", "apply", *NOW, "--yes")
    assert answer.code == 3
    assert "there is no column opened" in answer.err
    # The other table was done.
    assert ids(filled) == [2, 3, 4]
    answer = filled("retention", "apply", "--now", "2027-03-01T00:00:00Z", "orders", "--yes")
    assert answer.code == 3
    assert "--max-fraction" in answer.err
    answer = filled(
        "retention", "apply", "orders", "--now", "2027-03-01T00:00:00Z", "--max-fraction", "0.9", "--yes"
    )
    assert answer.code == 0
    assert ids(filled) == [4]


def test_archives_are_listed_and_come_back(filled: Run) -> None:
    assert "orders has no archives" in filled("retention", "archives", "orders").out
    assert filled("retention", "archives").out == "no table has archives\n"
    filled("retention", "apply", "orders", *NOW, "--yes")
    answer = filled("retention", "archives", "orders")
    assert answer.code == 0
    assert "2024-01-01" in answer.out
    (found,) = filled("retention", "archives", "orders", "--json").document["archives"]
    assert (found["rows"], found["state"]) == (2, "complete")
    back = ("retention", "restore-archive", "orders", "--from", "2025-01-01", "--to", "2025-12-31")
    answer = filled(*back, "--dry-run")
    assert "1 row of 1 archive would be merged" in answer.out
    assert ids(filled) == [2, 3, 4]
    answer = filled(*back)
    assert "1 row of 1 archive merged (version 3)" in answer.out
    assert ids(filled) == [1, 2, 3, 4]
    assert "1 row of 1 archive looked at; nothing changed" in filled(*back).out
    answer = filled("retention", "restore-archive", "orders", "--from", "2030-01-01")
    assert answer.out.startswith("orders: no archived row lies in that range")
    answer = filled("retention", "restore-archive", "orders", "--archive", "nowhere")
    assert answer.code == 6


def test_a_table_without_rules_for_rows_says_so(filled: Run) -> None:
    rules = "      - {name: old, column: day, keep: 1y, action: archive, to: archive}"
    Path("lakehouse.yaml").write_text(CONFIG.replace(rules, "      - {name: few, versions: {last: 3}}"))
    assert filled("retention", "plan", "orders").out == "orders: has no rules for rows\n"


def test_the_way_to_the_archives_can_be_pasted(filled: Run) -> None:
    answer = filled("retention", "restore-archive", "orders")
    assert answer.code == 6
    assert "--place" in answer.err
    filled("retention", "apply", "orders", *NOW, "--yes")
    answer = filled("retention", "restore-archive", "orders", "--archive", "x")
    assert "`lakehouse retention archives orders`" in answer.err


def test_bounds_the_wrong_way_round_are_a_mistake(filled: Run) -> None:
    filled("retention", "apply", "orders", *NOW, "--yes")
    answer = filled("retention", "restore-archive", "orders", "--from", "2025-01-01", "--to", "2024-01-01")
    assert answer.code == 2
    assert "--from" in answer.err
    assert ids(filled) == [2, 3, 4]


def test_apply_with_yes_shows_the_plan_and_its_warnings(filled: Run, write: Write) -> None:
    assert (
        filled("merge", "orders", write("b.jsonl", {"id": 9, "day": "2031-01-01", "name": "ahead"})).code == 0
    )
    shown = filled("retention", "plan", "orders", *NOW).out
    assert "warning: orders: rule old: column day has dates more than a day ahead" in shown
    answer = filled("retention", "apply", "orders", *NOW, "--yes")
    assert answer.code == 0
    assert answer.out == shown + "orders: 2 rows archived, version 3\n"
    answer = filled("retention", "apply", "orders", *NOW, "--yes", "--json")
    assert answer.document["tables"][0]["status"] == "nothing"
    assert "a day ahead" in answer.document["tables"][0]["plan"]["warnings"][0]


def test_all_that_stands_in_the_way_is_said_at_once(filled: Run) -> None:
    rule = "      - {name: old, column: day, keep: 1y, action: archive, to: archive}"
    more = "\n      - {name: all, column: day, keep: 1d, action: delete}"
    Path("lakehouse.yaml").write_text(CONFIG.replace(rule, rule + more))
    answer = filled("retention", "apply", "orders", *NOW, "--yes")
    assert answer.code == 3
    assert answer.err.splitlines()[:2] == [
        "error: table orders: nothing was done, for 2 reasons:",
        "  rule all would take 3 of 5 rows (60%); at most 50% may go in one run",
    ]
    assert "  it would have no rows left (5 would go)" in answer.err.splitlines()
    assert "refused: orders: it would have no rows left (5 would go)" in answer.out


def test_one_refusal_names_its_table_once(filled: Run) -> None:
    limits = ("--now", "2027-06-01T00:00:00Z", "--max-fraction", "1")
    answer = filled("retention", "apply", "orders", *limits, "--yes")
    assert answer.code == 3
    assert answer.err.startswith(
        "error: table orders: it would have no rows left (5 would go); nothing was done\n"
    )


def test_what_to_type_next_does_what_was_shown(filled: Run) -> None:
    answer = filled(
        "retention", "plan", "orders", "--now", "2027-03-01T01:00:00+01:00", "--max-fraction", "0.9"
    )
    command = "lakehouse retention apply orders --now 2027-03-01T00:00:00Z --max-fraction 0.9"
    assert f"{command}   # carry it out" in answer.err
    assert filled(*command.split()[1:], "--yes").code == 0
    assert ids(filled) == [4]


def test_a_plan_in_a_file_is_what_to_apply_next(filled: Run) -> None:
    answer = filled("retention", "plan", "orders", *NOW, "--output", "my plan.json")
    assert "lakehouse retention apply --plan 'my plan.json'   # carry it out" in answer.err
    done = filled("retention", "apply", "--plan", "my plan.json", "--yes")
    assert done.code == 0
    again = filled("retention", "apply", "--plan", "my plan.json", "--yes")
    assert again.code == 4
    assert "was it carried out already?" in again.err
    assert "hint: plan again" in again.err


def test_tables_that_are_not_there_are_said_to_be_so_once(run: Run) -> None:
    Path("lakehouse.yaml").write_text(CONFIG)
    assert run("retention", "apply", "--yes").out.splitlines() == [
        "orders: has not been made yet",
        "tickets: has not been made yet",
    ]
