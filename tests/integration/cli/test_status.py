from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from lakehouse import Lakehouse
from lakehouse.state import open_state
from lakehouse.state.rows import Request
from tests.integration.cli.conftest import CONFIG, Answer

Run = Callable[..., Answer]
MORE = """
jobs:
  broken: {do: tests.integration.jobs.work.refused, retries: 0}
  tidy: {do: compact, schedule: every 1h}
alerts:
  - {name: ops, to: 'json://127.0.0.1:9/hook', timeout: 1s}
"""


def ask(*dues: datetime) -> list[str]:
    """Requests that are due then, as the state database keeps them; their ids."""
    state = open_state(Lakehouse.open("lakehouse.yaml").config.state.get_secret_value())
    drafts = [
        Request(
            id="", kind="erasure", subject="customer", submitted=due, due=due, author="joan", digests=(),
            person=str(due),
        )
        for due in dues
    ]  # fmt: skip
    found = state.requests.submit([(each, {}) for each in drafts], seal=lambda *_: "sealed")
    state.close()
    return [each.id for each, _ in found]


def test_the_whole_lake_with_what_needs_attention_on_top(shop: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    quiet = shop("status")
    assert quiet.code == 0
    assert "attention" not in quiet.out
    Path("lakehouse.yaml").write_text(
        CONFIG.replace(
            "key: [id]\n    schema", "key: [id]\n    expect: [{name: f, freshness: 0s}]\n    schema"
        )
        + MORE
    )
    shop("hold", "add", "--table", "customers", "--reason", "case 1")
    shop("jobs", "run", "broken")
    now = datetime.now(UTC)
    late, soon, _ = ask(now - timedelta(days=2), now + timedelta(days=1), now + timedelta(days=20))
    answer = shop("status")
    assert answer.code == 0
    lines = answer.out.splitlines()
    assert lines[0].endswith("2 tables, 2 jobs")
    top = lines[3 : lines.index("", 3)]
    assert [line.split(":")[0].strip() for line in top] == [
        "1 request is overdue", "1 request is due within 3 days", "job broken failed",
        "table customers is old", "alerts can't be sent to ops",
    ]  # fmt: skip
    assert late in top[0]
    assert soon in top[1]
    assert "requests   3 open, 1 overdue" in answer.out
    assert "1 active" in answer.out
    assert "ops (failing)" in answer.out
    assert "joan" not in answer.out
    document = shop("status", "--json").document
    assert [each["about"] for each in document["attention"]] == [
        "request",
        "request",
        "job",
        "table",
        "alert",
    ]
    assert document["requests"] == {**document["requests"], "open": 3, "overdue": 1}
    assert document["holds"] == 1
    assert [(each["job"], each["late"]) for each in document["jobs"]] == [("broken", None), ("tidy", None)]
    assert [each["table"] for each in document["tables"]] == ["customers", "events"]
    assert document["state"]["bytes"] > 10_000


def test_a_state_database_that_is_gone_keeps_no_table_from_being_shown(shop: Run) -> None:
    shop("hold", "add", "--table", "customers", "--reason", "case 1")
    for file in Path("lake/_lakehouse").glob("state.db*"):
        file.unlink()
    answer = shop("status")
    assert answer.code == 1
    assert "customers" in answer.out
    assert "there is no state database" in answer.err
    assert shop("status", "--json").document["attention"][0]["about"] == "state"
