from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

Run = Callable[..., Any]
Write = Callable[..., str]


def ids(answer: Any) -> list[int]:
    return sorted(row["id"] for row in answer.document["rows"])


def test_from_an_empty_folder_to_rows(run: Run) -> None:
    """What `init` says to type next works as it stands."""
    Path("lakehouse.yaml").unlink()
    answer = run("init")
    assert answer.code == 0
    steps = [
        line.split("#")[0].split() for line in answer.err.splitlines() if line.startswith("  lakehouse ")
    ]
    assert [words[1] for words in steps] == ["apply", "merge", "read", "history"]
    for words in steps:
        done = run(*words[1:])
        assert done.code == 0, done.err
    assert ids(run("--json", "read", "customers")) == [1, 2]


def test_init_does_not_replace_what_is_there(run: Run) -> None:
    before = Path("lakehouse.yaml").read_text()
    answer = run("init")
    assert answer.code == 3
    assert "--force" in answer.err
    assert Path("lakehouse.yaml").read_text() == before
    assert run("init", "--force").code == 0
    assert Path("lakehouse.yaml").read_text() != before


def test_init_in_another_folder_and_in_full(run: Run) -> None:
    answer = run("--json", "init", "a/b", "--full")
    assert answer.document == {"written": ["a/b/lakehouse.yaml"]}
    assert run("-c", "a/b/lakehouse.yaml", "config", "check").code == 0


def test_config_check_reads_the_conditions_of_expectations(run: Run) -> None:
    section = (
        "    expect:\n"
        "      - {name: known, check: \"length(email) > 3 AND updated_at > '2020-01-01'\"}\n"
        '      - {name: unknown, check: "mail IS NOT NULL"}\n'
        '      - {name: cut, check: "id >"}\n'
        '      - {name: sums, check: "sum(id) > 0"}\n'
    )
    before = Path("lakehouse.yaml").read_text()
    # Below `events`, whose columns nobody knows yet, only the SQL itself can be wrong.
    whole = before.replace("  events:\n", section + "  events:\n") + section
    Path("lakehouse.yaml").write_text(whole)
    answer = run("config", "check")
    assert answer.code == 2
    told = [line.split(": ", 2)[1:] for line in answer.err.splitlines() if "the condition" in line]
    assert [path for path, _ in told] == [
        "tables.customers.expect[1].check",
        "tables.customers.expect[2].check",
        "tables.customers.expect[3].check",
        "tables.events.expect[2].check",
    ]
    assert told[0][1].endswith("there is no column mail")
    line = whole[: whole.index("mail IS NOT NULL")].count("\n") + 1
    assert f"lakehouse.yaml:{line}:" in answer.err


def test_config_check_names_personal_columns_that_are_not_there(run: Run) -> None:
    before = Path("lakehouse.yaml").read_text()
    Path("lakehouse.yaml").write_text(
        before.replace("  events:\n", "    pii: {email: EMAIL_ADDRESS, telephone: PHONE_NUMBER}\n  events:\n")
    )
    answer = run("config", "check")
    assert answer.code == 0
    assert "tables.customers.pii.telephone: `telephone` is not in the `schema`" in answer.err
    assert "email" not in answer.err
    assert len(run("config", "check", "--json").document["notes"]) == 1


def test_config_check_reads_the_rules_against_the_schema(run: Run) -> None:
    head = """\
version: 1
storage: {root: ./lake}
tables:
  visits:
    key: [id]
    schema: {id: long, at: timestamp, page: string, seq: long}
    changes: {sequence: seq}
    history: full
    retention:
"""
    rule = "      - {{name: r{}, column: {}, keep: 1y, action: delete{}}}\n"
    fine = [
        rule.format(1, "at", ", where: \"page <> 'checkout'\""),
        rule.format(2, "_valid_to", ', where: "NOT _is_current AND page IS NULL"'),
    ]
    Path("lakehouse.yaml").write_text(head + "".join(fine))
    assert run("config", "check").code == 0
    wrong = [
        rule.format(3, "seen", ""),
        rule.format(4, "at", ", where: \"pge <> 'checkout'\""),
        rule.format(5, "at", ', where: "page <"'),
        rule.format(6, "at", ', where: "seq + 1"'),
        rule.format(7, "_valid_to", ', where: "NOT _is_current AND pge IS NULL"'),
        "  events:\n    retention:\n" + rule.format(8, "at", ', where: "page <"'),
        "retention:\n  " + rule.format(9, "at", ", where: 'pge = 1'").strip() + "\n",
    ]
    Path("lakehouse.yaml").write_text(head + "".join(fine + wrong))
    answer = run("config", "check", "--json")
    assert answer.code == 2
    told = {each["path"]: each["message"] for each in answer.error["problems"]}
    rules = "tables.visits.retention"
    assert list(told) == [
        f"{rules}[2].column",
        *(f"{rules}[{number}].where" for number in (3, 4, 5, 6)),
        "tables.events.retention[0].where",
        "retention[0].where",
    ]
    assert "`seen` is not in the `schema` of `visits`" in told[f"{rules}[2].column"]
    assert "the table does not have: pge" in told[f"{rules}[3].where"]
    assert "can't be read" in told[f"{rules}[4].where"]
    assert "neither true nor false" in told[f"{rules}[5].where"]
    assert "(table `visits`)" in told["retention[0].where"]


def test_sql_can_begin_with_a_comment(run: Run) -> None:
    for query in ("-- all\nSELECT 1 AS a", "--all\nSELECT 1 AS a"):
        assert run("sql", query, "--json").document["rows"] == [{"a": 1}]
    assert run("sql", "--all").code == 2
    assert "No such option" in run("sql", "--nonsense=1", "SELECT 1").err


def test_config_check_show_schema(run: Run) -> None:
    assert run("config", "check").out == "lakehouse.yaml is fine: 2 tables (customers and events)\n"
    assert run("config", "show", "--json").document["tables"]["customers"]["key"] == ["id"]
    assert "tombstones: 7d" in run("config", "show").out
    assert run("config", "schema").document["title"]


def test_a_broken_config_is_told_with_all_its_places(run: Run) -> None:
    Path("lakehouse.yaml").write_text("version: 1\ntabels: {}\nstorage: {rot: x}\n")
    for words in (["config", "check"], ["status"], ["read", "customers"]):
        answer = run(*words)
        assert answer.code == 2
        assert answer.err.startswith("error: 2 problems in lakehouse.yaml\nlakehouse.yaml:2:1: ")
    problems = run("--json", "status").error["problems"]
    assert [problem["line"] for problem in problems] == [2, 3]


def test_no_config(run: Run) -> None:
    Path("lakehouse.yaml").unlink()
    answer = run("status")
    assert answer.code == 2
    assert "lakehouse init" in answer.err


def test_secrets_are_not_shown(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEY", "geheim")
    Path("lakehouse.yaml").write_text(
        'version: 1\nstorage: {root: "s3://b/p", options: {secret_access_key: "${KEY}"}}\ntables: {}\n'
    )
    for words in (["config", "show"], ["config", "show", "--json"]):
        answer = run(*words)
        assert answer.code == 0
        assert "geheim" not in answer.out + answer.err


def test_apply_makes_tables_once(run: Run) -> None:
    planned = run("apply", "--dry-run", "--json").document
    assert [(each["table"], each["action"]) for each in planned["tables"]] == [
        ("customers", "create"),
        ("events", "wait"),
    ]
    assert not Path("lake/customers/_delta_log").exists()
    answer = run("apply")
    assert answer.code == 0
    assert "made customers" in answer.out
    again = run("apply", "--json")
    assert again.document["changes_nothing"] is True


def test_tables_status_and_show(shop: Run) -> None:
    assert [each["table"] for each in shop("tables", "--json").document["tables"]] == ["customers", "events"]
    assert "crm@shop.example" in shop("tables").out
    customers, events = shop("status", "--json").document["tables"]
    assert (customers["version"], customers["rows"], customers["exists"]) == (3, 2, True)
    assert (events["version"], events["exists"]) == (None, False)
    text = shop("status").out
    assert "customers" in text
    assert "2 tables" in text
    shown = shop("show", "customers", "--json").document
    assert shown["version"] == 3
    assert shown["rows"] == 2
    assert {
        "name": "id",
        "type": "long",
        "nullable": True,
        "key": True,
        "partition": False,
        "pii": [],
        "control": False,
    } in shown["columns"]
    assert "deletionVectors" in shop("show", "customers").out


def test_show_of_a_table_that_is_not_made_yet(run: Run) -> None:
    answer = run("show", "events")
    assert answer.code == 0
    assert "not been made yet" in answer.out
    assert run("show", "customers", "--json").document["exists"] is False


def test_reading_columns_rows_and_order(shop: Run) -> None:
    answer = shop(
        "read",
        "customers",
        "--columns",
        "name",
        "--where",
        "id > 0",
        "--order-by",
        "id",
        "--descending",
        "--json",
    )
    assert answer.document["rows"] == [{"name": "Joan"}, {"name": "Ada Lovelace"}]
    assert shop("read", "customers", "--limit", 1, "--order-by", "id", "--json").document["more"] is True
    table = shop("read", "customers", "--columns", "id,name", "--order-by", "id").out
    assert table.splitlines() == ["id  name", "──  ────────────", " 1  Ada Lovelace", " 3  Joan"]


def test_reading_other_versions(shop: Run) -> None:
    assert ids(shop("read", "customers", "--json")) == [1, 3]
    assert ids(shop("read", "customers", "--version", 1, "--json")) == [1, 2]
    assert shop("tag", "customers", "before", "--version", 2).code == 0
    assert ids(shop("read", "customers", "--tag", "before", "--json")) == [1, 2, 3]
    assert ids(shop("read", "customers", "--timestamp", "2100-01-01T00:00:00Z", "--json")) == [1, 3]
    assert shop("read", "customers", "--timestamp", "1999-01-01T00:00:00Z").code == 6
    assert shop("read", "customers", "--version", 99).code == 6
    assert shop("read", "customers", "--version", 1, "--tag", "before").code == 2


@pytest.mark.parametrize("ending", ["csv", "parquet", "jsonl", "json"])
def test_exports(shop: Run, ending: str) -> None:
    answer = shop("read", "customers", "--output", f"rows.{ending}")
    assert answer.code == 0, answer.err
    assert f"wrote rows.{ending}" in answer.out
    readers: dict[str, Callable[[str], pl.DataFrame]] = {
        "csv": pl.read_csv,
        "parquet": pl.read_parquet,
        "jsonl": pl.read_ndjson,
        "json": pl.read_json,
    }
    assert sorted(readers[ending](f"rows.{ending}")["name"].to_list()) == ["Ada Lovelace", "Joan"]


def test_sql(shop: Run) -> None:
    answer = shop("sql", "SELECT count(*) AS n FROM customers", "--json")
    assert answer.document["rows"] == [{"n": 2}]
    wrong = shop("sql", "SELECT nope FROM customers")
    assert wrong.code == 2
    assert "nope" in wrong.err


@pytest.mark.parametrize(
    "words", [["--where", "nope = 1"], ["--where", "SELEKT ="], ["--columns", "nope"], ["--order-by", "nope"]]
)
def test_a_question_about_what_is_not_there_is_wrong_usage(shop: Run, words: list[str]) -> None:
    answer = shop("read", "customers", *words)
    assert answer.code == 2, answer.err
    assert "internal error" not in answer.err


def test_history_newest_first(shop: Run) -> None:
    entries = shop("history", "customers", "--json").document["history"]
    assert [entry["version"] for entry in entries] == [3, 2, 1, 0]
    assert entries[1]["counts"]["inserted"] == 1
    assert entries[1]["counts"]["updated"] == 1
    limited = shop("history", "customers", "--limit", 2)
    assert "--limit" in limited.err
    assert len(limited.out.splitlines()) == 4


def test_diff_in_both_directions(shop: Run) -> None:
    there = shop("diff", "customers", 1, 3, "--json").document
    assert (there["inserted"], there["updated"], there["deleted"]) == (1, 1, 1)
    assert [row["_change"] for row in there["rows"] if row["id"] == 1] == ["update_before", "update_after"]
    back = shop("diff", "customers", 3, 1, "--json").document
    assert {(row["id"], row["_change"]) for row in back["rows"]} >= {(3, "delete"), (2, "insert")}
    text = shop("diff", "customers", 1)
    assert "1 inserted, 1 updated, 1 deleted" in text.err


def test_tags(shop: Run) -> None:
    assert "no tags" in shop("tag", "customers", "--list").out
    assert shop("tag", "customers", "v", "--version", 1).code == 0
    assert shop("tag", "customers", "v", "--version", 2).code == 3
    listed = shop("tag", "customers", "--list", "--json").document["tags"]
    assert [(each["name"], each["version"]) for each in listed] == [("v", 1)]
    assert "v" in shop("history", "customers").out
    assert shop("tag", "customers", "v", "--delete").code == 0
    assert shop("tag", "customers", "v", "--delete").code == 6
    assert shop("tag", "customers", "--delete").code == 2
    assert shop("tag", "customers", "x", "--delete", "--list").code == 2


def test_restore_shows_and_then_does(shop: Run) -> None:
    assert shop("restore", "customers").code == 2
    plan = shop("restore", "customers", "--version", 1, "--dry-run", "--json").document
    assert (plan["from_version"], plan["to_version"], plan["version"]) == (3, 1, None)
    refused = shop("restore", "customers", "--version", 1)
    assert refused.code == 2
    assert "--yes" in refused.err
    assert "version 1" in refused.out  # the plan was shown
    assert ids(shop("read", "customers", "--json")) == [1, 3]
    done = shop("restore", "customers", "--version", 1, "--yes", "--json")
    assert done.code == 0
    assert done.document["version"] == 4
    assert ids(shop("read", "customers", "--json")) == [1, 2]
    assert shop("restore", "customers", "--version", 4, "--yes", "--json").document["changes_nothing"] is True


def test_merge_tells_what_it_did(shop: Run, write: Write) -> None:
    again = shop("merge", "customers", "first.jsonl", "--json").document
    assert again["committed"] is False
    assert again["total"] == 2
    assert sum(again[name] for name in ("stale", "duplicate", "unchanged")) == 2
    text = shop("merge", "customers", "second.jsonl").out
    assert "2 records changed nothing" in text


def test_merge_dry_run_writes_nothing(shop: Run, write: Write) -> None:
    name = write("new.jsonl", {"id": 9, "name": "New", "email": None, "updated_at": "2026-02-01T00:00:00Z"})
    answer = shop("merge", "customers", name, "--dry-run")
    assert answer.code == 0
    assert "nothing was written" in answer.out
    assert ids(shop("read", "customers", "--json")) == [1, 3]


def test_rejected_records_are_listed_by_line_and_the_others_merged(shop: Run, write: Write) -> None:
    name = write(
        "bad.jsonl",
        {"id": 7, "name": "Good", "email": None, "updated_at": "2026-02-01T00:00:00Z"},
        {"id": None, "name": "geheim", "email": None, "updated_at": "2026-02-01T00:00:00Z"},
        b'{"id": 8, "name": "geheim',
        {"id": 9, "name": "Good", "email": None, "updated_at": "2026-02-01T00:00:00Z"},
    )
    answer = shop("merge", "customers", name)
    assert answer.code == 1
    assert (
        "error: 2 of 4 records were rejected and kept in customers__quarantine; the other 2 are merged"
        in answer.err
    )
    assert "geheim" not in answer.out + answer.err
    lines = answer.out.splitlines()
    assert any(line.lstrip().startswith("2 ") and "null_key" in line for line in lines)
    assert any(line.lstrip().startswith("3 ") and "bad_json" in line for line in lines)
    assert ids(shop("read", "customers", "--json")) == [1, 3, 7, 9]
    document = shop("merge", "customers", name, "--json").document
    assert [each["line"] for each in document["problems"]] == [2, 3]
    assert document["rejected"] == 2


def test_an_offset_counts_once(shop: Run, write: Write) -> None:
    name = write("new.jsonl", {"id": 9, "name": "New", "email": None, "updated_at": "2026-02-01T00:00:00Z"})
    assert (
        shop("merge", "customers", name, "--source", "shop", "--offset", 1, "--json").document["inserted"]
        == 1
    )
    version = shop("status", "--json").document["tables"][0]["version"]
    assert shop("merge", "customers", name, "--source", "shop", "--offset", 1).code == 0
    assert shop("status", "--json").document["tables"][0]["version"] == version
    assert shop("merge", "customers", name, "--source", "shop").code == 2


def test_merge_makes_a_table_without_schema(run: Run, write: Write) -> None:
    name = write("events.jsonl", {"id": 1, "kind": "a"}, {"id": 2, "kind": "b"})
    answer = run("merge", "events", name)
    assert answer.code == 0, answer.err
    assert ids(run("read", "events", "--json")) == [1, 2]


def test_compact_and_verify(shop: Run) -> None:
    planned = shop("compact", "--dry-run", "--json").document["tables"]
    assert [each["table"] for each in planned] == ["customers"]
    assert shop("compact", "customers").code == 0
    assert ids(shop("read", "customers", "--json")) == [1, 3]
    healthy = shop("verify")
    assert healthy.code == 0
    assert "customers: all well" in healthy.out


def test_verify_finds_damage(shop: Run) -> None:
    for file in Path("lake/customers").glob("*.parquet"):
        file.unlink()
    answer = shop("verify", "--json")
    assert answer.code == 5
    assert answer.document["ok"] is False
    assert {each["kind"] for each in answer.document["tables"][0]["findings"]} == {"missing_file"}
    assert shop("verify").code == 5


def test_verify_finds_a_broken_log_and_goes_on(shop: Run) -> None:
    Path("lake/customers/_delta_log/00000000000000000000.json").write_text("{")
    answer = shop("verify", "--json")
    assert answer.code == 5
    (finding,) = answer.document["tables"][0]["findings"]
    assert finding["kind"] == "bad_log"


def test_an_unknown_table_names_the_nearest(shop: Run) -> None:
    for words in (
        ["read", "custmers"],
        ["show", "custmers"],
        ["verify", "custmers"],
        ["merge", "custmers", "first.jsonl"],
    ):
        answer = shop(*words)
        assert answer.code == 6
        assert "customers" in answer.err


def test_a_missing_file_of_changes(shop: Run) -> None:
    answer = shop("merge", "customers", "nope.jsonl")
    assert answer.code == 6
    assert "nope.jsonl" in answer.err


def test_a_table_that_has_not_been_made(run: Run) -> None:
    for words in (
        ["read", "events"],
        ["history", "events"],
        ["verify", "events"],
        ["sql", "SELECT * FROM events"],
    ):
        answer = run(*words)
        assert answer.code == 6, (words, answer)
        assert "has not been made yet" in answer.err
    assert "no table of the config has been made yet" in run("verify").err


def test_rows_whose_files_are_gone_say_so(shop: Run) -> None:
    for file in Path("lake/customers").glob("*.parquet"):
        file.unlink()
    for words in (
        ["read", "customers"],
        ["read", "customers", "--output", "rows.parquet"],
        ["diff", "customers", 0],
    ):
        answer = shop(*words)
        assert answer.code == 1, (words, answer)
        assert "files are gone" in answer.err
        assert "lakehouse verify" in answer.err
    assert not Path("rows.parquet").exists()


@pytest.mark.parametrize("where", ["id = 'x'", "name > 3", "length(id) > 1"])
def test_a_condition_of_the_wrong_type(shop: Run, where: str) -> None:
    answer = shop("read", "customers", "--where", where)
    assert answer.code == 2, answer.err
    assert "the condition on table customers can't be used" in answer.err


@pytest.mark.parametrize("moment", ["'2026-01-02'", "'2026-01-02T00:00:00Z'", "date '2026-01-02'"])
def test_times_in_a_condition_may_be_text(shop: Run, moment: str) -> None:
    assert ids(shop("read", "customers", "--where", f"updated_at >= {moment}", "--json")) == [1, 3]


def test_shells_complete_table_names(
    run: Run, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("_LAKEHOUSE_COMPLETE", "bash_complete")
    monkeypatch.setenv("COMP_CWORD", "2")
    for typed, expected in (
        ("read cus", "plain,customers\n"),
        ("verify ", "plain,customers\nplain,events\n"),
    ):
        monkeypatch.setenv("COMP_WORDS", f"lakehouse {typed}")
        with pytest.raises(SystemExit):
            run()
        assert capfd.readouterr().out == expected
    Path("lakehouse.yaml").write_text("broken: [")
    with pytest.raises(SystemExit):
        run()
    out, err = capfd.readouterr()
    assert (out.strip(), err) == ("", "")
