"""Tables whose files are gone or cut off: what each verb says, and that none of them makes it worse."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.integration.cli.conftest import change

Run = Callable[..., Any]
Write = Callable[..., str]

TABLE = Path("lake/customers")
READING = (
    ["read", "customers"],
    ["sql", "SELECT count(DISTINCT name) AS names FROM customers"],
    ["diff", "customers", 0],
    ["merge", "customers", "more.jsonl"],
)


@pytest.fixture
def damaged(shop: Run, write: Write) -> Run:
    """A lake of customers and a file of changes for them, to be damaged."""
    write("more.jsonl", change(1, "Ada L.", 9))
    return shop


@pytest.mark.parametrize("words", READING)
def test_data_files_that_are_gone_are_told_by_every_verb(damaged: Run, words: list[object]) -> None:
    for file in TABLE.glob("*.parquet"):
        file.unlink()
    before = sorted(TABLE.rglob("*"))
    answer = damaged(*words)
    assert answer.code == 1
    assert "table customers, the newest, can't be read" in answer.err
    assert "lakehouse verify" in answer.err
    assert sorted(TABLE.rglob("*")) == before


@pytest.mark.parametrize("words", READING)
def test_data_files_that_are_cut_off_are_told_by_every_verb(damaged: Run, words: list[object]) -> None:
    for file in TABLE.glob("*.parquet"):
        file.write_bytes(file.read_bytes()[:200])
    answer = damaged(*words)
    assert answer.code == 1
    assert "files are damaged" in answer.err
    assert damaged("verify").code == 5


def test_a_version_without_its_vector_does_not_come_back(damaged: Run) -> None:
    """A restore that can't be read afterwards would cost the version that can."""
    assert damaged("merge", "customers", "more.jsonl").code == 0
    marked = int(damaged("--json", "show", "customers").document["version"])
    assert damaged("restore", "customers", "--version", 1, "--yes").code == 0
    for vectors in TABLE.glob("deletion_vector_*.bin"):
        vectors.unlink()
    answer = damaged("restore", "customers", "--version", marked, "--yes")
    assert answer.code == 6
    assert "can't come back" in answer.err
    assert damaged("read", "customers").code == 0


@pytest.mark.parametrize("left", [0, 40])
def test_a_commit_that_is_cut_off_is_a_finding(damaged: Run, left: int) -> None:
    commit = TABLE / "_delta_log" / f"{1:020}.json"
    commit.write_bytes(commit.read_bytes()[:left])
    answer = damaged("--json", "verify")
    assert answer.code == 5
    (report,) = answer.document["tables"]
    assert (report["version"], report["ok"]) == (None, False)
    assert [finding["kind"] for finding in report["findings"]] == ["bad_log"]
    assert "customers: 1 finding (its log can't be read)" in damaged("verify").out


def test_one_damaged_table_does_not_hide_the_others(damaged: Run, write: Write) -> None:
    assert damaged("merge", "events", write("events.jsonl", {"id": 1})).code == 0
    (TABLE / "_delta_log" / f"{1:020}.json").write_bytes(b"")
    answer = damaged("status")
    assert answer.code == 1
    assert "error: customers: " in answer.err
    assert any(line.startswith("events") and " 1 " in line for line in answer.out.splitlines())
    customers, events = damaged("--json", "status").document["tables"]
    assert customers["problem"]
    assert not events["problem"]
    checked = damaged("--json", "verify").document["tables"]
    assert [(report["table"], report["ok"]) for report in checked] == [("customers", False), ("events", True)]
