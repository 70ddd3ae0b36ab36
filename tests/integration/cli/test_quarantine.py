"""What a person sees of rejected records, of expectations, and of the ways back."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.integration.cli.conftest import Answer, change

STRICT = """\
version: 1
name: shop
storage: {root: ./lake}
tables:
  customers:
    key: [id]
    schema: {id: long, name: string, email: string, updated_at: timestamp}
    changes: {sequence: updated_at}
    expect:
      - {name: short, check: "length(name) < 10", on_fail: ON_FAIL}
      - {name: lower, check: "email = lower(email)"}
"""

LOOSE = STRICT.replace("length(name) < 10", "length(name) < 100").replace("ON_FAIL", "quarantine")
Run = Callable[..., Answer]
Write = Callable[..., str]


@pytest.fixture
def filled(run: Run, write: Write) -> Run:
    Path("lakehouse.yaml").write_text(STRICT.replace("ON_FAIL", "quarantine"))
    file = write(
        "a.jsonl", change(1, "Ada", 1), change(2, "Ada Lovelace", 1), b'{"id": 3, "na', change(4, "", 1)
    )
    answer = run("merge", "customers", file, "--source", "shop", "--offset", 7)
    assert answer.code == 1
    assert "2 of 4 records were rejected and kept in customers__quarantine" in answer.err
    assert "lower" in answer.out
    return run


def test_it_is_read_like_a_table(filled: Run) -> None:
    words = ["--columns", "reason,line", "--order-by", "line"]
    found = filled("--json", "read", "customers__quarantine", *words)
    assert [tuple(row.values()) for row in found.document["rows"]] == [("expectation", 2), ("bad_json", 3)]
    query = "SELECT reason, count(*) AS n FROM customers__quarantine GROUP BY reason ORDER BY reason"
    assert filled("--json", "sql", query).document["rows"] == [
        {"reason": "bad_json", "n": 1},
        {"reason": "expectation", "n": 1},
    ]
    assert "customers__quarantine" in filled("show", "customers__quarantine").out
    assert filled("history", "customers__quarantine", "--json").code == 0


def test_one_that_nothing_has_needed_has_no_rows(filled: Run) -> None:
    Path("lakehouse.yaml").write_text(STRICT.replace("ON_FAIL", "drop") + "  events: {key: [id]}\n")
    assert filled("read", "events__quarantine", "--json").document["rows"] == []
    query = "SELECT count(*) AS n FROM events__quarantine"
    assert filled("--json", "sql", query).document["rows"] == [{"n": 0}]
    assert "made when a merge first rejects something" in filled("show", "events__quarantine").err
    for words in (["history"], ["verify"], ["compact"]):
        answer = filled(*words, "events__quarantine")
        assert answer.code == 6
        assert "no merge into events has rejected anything" in answer.err
    assert "lake shop has no table nothing__quarantine" in filled("read", "nothing__quarantine").err


def test_compact_and_verify_take_it_along(filled: Run) -> None:
    filled("merge", "customers", "a.jsonl", "--source", "shop", "--offset", 8)
    names = ["customers", "customers__quarantine"]
    for words in ([], ["customers"]):
        assert [each["table"] for each in filled("--json", "verify", *words).document["tables"]] == names
    done = filled("--json", "compact").document["tables"]
    assert [(each["table"], each["files_before"]) for each in done] == [(names[0], 1), (names[1], 2)]
    assert len(filled("--json", "read", names[1]).document["rows"]) == 4
    alone = filled("--json", "verify", names[1]).document["tables"]
    assert [(each["table"], each["files"], each["ok"]) for each in alone] == [(names[1], 1, True)]
    for file in Path("lake", names[1]).rglob("*.parquet"):
        file.unlink()
    assert filled("verify", "customers").code == 5


def test_only_merges_into_its_table_write_it(filled: Run) -> None:
    for words in (
        ["merge", "customers__quarantine", "a.jsonl"],
        ["restore", "customers__quarantine", "--version", "0", "--yes"],
        ["quarantine", "list", "customers__quarantine"],
    ):
        answer = filled(*words)
        assert answer.code == 2, answer
        assert "customers__quarantine keeps what merges into customers reject" in answer.err
    assert len(filled("--json", "read", "customers__quarantine").document["rows"]) == 2


def test_a_restore_of_the_table_leaves_it_as_it_is(filled: Run) -> None:
    assert filled("restore", "customers", "--version", "0", "--yes").code == 0
    assert filled("--json", "read", "customers").document["rows"] == []
    assert len(filled("--json", "read", "customers__quarantine").document["rows"]) == 2


def test_a_retry_that_is_refused_as_a_whole_says_so(filled: Run) -> None:
    Path("lakehouse.yaml").write_text(STRICT.replace("ON_FAIL", "fail"))
    answer = filled("quarantine", "retry", "customers", "--reason", "expectation")
    assert answer.code == 1
    assert "1 of 1 record stays in quarantine, refused together: the expectation short" in answer.err
    assert "--id and --reason merge those that fit" in answer.err


def test_a_merge_says_where_they_went(filled: Run) -> None:
    answer = filled("merge", "customers", "a.jsonl", "--json")
    assert answer.code == 1
    found = answer.document
    assert (found["rejected"], found["quarantined"], found["dropped"]) == (2, 2, 0)
    assert found["quarantine"] == "customers__quarantine"
    assert found["expectations"] == [
        {"name": "short", "on_fail": "quarantine", "checked": 3, "failed": 1},
        {"name": "lower", "on_fail": "warn", "checked": 3, "failed": 0},
    ]


def test_list_shows_reasons_and_no_values(filled: Run) -> None:
    answer = filled("quarantine", "list")
    assert answer.code == 0
    assert "expectation" in answer.out
    assert "bad_json" in answer.out
    assert "Lovelace" not in answer.out
    found = filled("quarantine", "list", "customers", "--json").document
    assert found["waiting"] == {"customers": 2}
    assert [each["offset"] for each in found["records"]] == [7, 7]
    assert "raw" not in found["records"][0]
    raw = filled("quarantine", "list", "customers", "--raw", "--reason", "bad_json")
    assert raw.out == '{"id": 3, "na\n'
    assert filled("quarantine", "list", "events_of_nobody").code == 6


def test_status_shows_how_many_wait(filled: Run) -> None:
    assert "quarantined" in filled("status").out
    assert filled("status", "--json").document["tables"][0]["quarantined"] == 2


def test_retry_after_a_fix(filled: Run) -> None:
    stuck = filled("quarantine", "retry", "customers")
    assert stuck.code == 1
    assert "2 of 2 records stay in quarantine" in stuck.err
    Path("lakehouse.yaml").write_text(LOOSE)
    dry = filled("quarantine", "retry", "customers", "--dry-run", "--json")
    assert (dry.code, dry.document["merged"], dry.document["waiting"]) == (1, 1, 1)
    one = filled("quarantine", "retry", "customers", "--reason", "expectation")
    assert one.code == 0
    assert "1 of 1 record in quarantine merged" in one.out
    rest = filled("quarantine", "list", "--json").document
    assert [(each["reason"], each["tries"]) for each in rest["records"]] == [("bad_json", 1)]
    assert filled("quarantine", "drop", "customers", "--id", rest["records"][0]["id"][:8], "--yes").code == 0
    assert "nothing waits" in filled("quarantine", "list").out
    assert "no such record" in filled("quarantine", "retry", "customers").out


def test_drop_asks(filled: Run) -> None:
    assert "would be thrown away" in filled("quarantine", "drop", "customers", "--dry-run").out
    assert filled("quarantine", "drop", "customers").code != 0
    assert filled("quarantine", "list", "--json").document["waiting"] == {"customers": 2}


def test_dropping_expectations_are_no_failure(run: Run, write: Write) -> None:
    Path("lakehouse.yaml").write_text(STRICT.replace("ON_FAIL", "drop"))
    answer = run("merge", "customers", write("a.jsonl", change(1, "Ada", 1), change(2, "Ada Lovelace", 1)))
    assert (answer.code, answer.err) == (0, "")
    assert "1, of them 1 dropped" in answer.out


def test_failing_expectations_refuse_the_batch(run: Run, write: Write) -> None:
    Path("lakehouse.yaml").write_text(STRICT.replace("ON_FAIL", "fail"))
    answer = run("merge", "customers", write("a.jsonl", change(1, "Ada", 1), change(2, "Ada Lovelace", 1)))
    assert answer.code == 1
    assert "short of table customers is not met by 1 of 2 rows" in answer.err
    assert "Lovelace" not in answer.err
    assert not Path("lake/customers").exists()


def test_a_check_of_an_unknown_column_is_wrong_config(run: Run, write: Write) -> None:
    Path("lakehouse.yaml").write_text(
        STRICT.replace("length(name)", "length(nmae)").replace("ON_FAIL", "drop")
    )
    answer = run("merge", "customers", write("a.jsonl", change(1, "Ada", 1)))
    assert answer.code == 2
    assert "no column nmae" in answer.err


def test_stale_data_is_found(filled: Run) -> None:
    text = Path("lakehouse.yaml").read_text()
    Path("lakehouse.yaml").write_text(text + "      - {name: fresh, freshness: 0s}\n")
    warned = filled("verify")
    assert warned.code == 0
    assert "warning: customers: the expectation fresh" in warned.out
    Path("lakehouse.yaml").write_text(text + "      - {name: fresh, freshness: 0s, on_fail: fail}\n")
    failed = filled("verify", "--json")
    assert failed.code == 5
    assert failed.document["tables"][0]["findings"][0]["kind"] == "stale_data"
