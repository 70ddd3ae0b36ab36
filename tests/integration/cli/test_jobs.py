from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from lakehouse import Lakehouse
from tests.integration.cli.conftest import CONFIG, Answer

Run = Callable[..., Answer]
WINDOW = ("--from", "2026-03-01T00:00:00Z", "--to", "2026-03-01T03:00:00Z")
JOBS = """
jobs:
  tidy: {do: compact, schedule: every 1h, after: check}
  check: {do: verify, schedule: every 1h}
  broken: {do: tests.integration.jobs.work.refused, retries: 0}
"""


@pytest.fixture
def work(shop: Run) -> Run:
    Path("lakehouse.yaml").write_text(CONFIG + JOBS)
    return shop


def test_what_is_due_runs_once_and_its_history_is_kept(work: Run) -> None:
    answer = work("jobs", "list")
    assert answer.code == 0
    assert "every 1h" in answer.out
    done = work("jobs", "run", "--due", "--json").document["runs"]
    assert [(each["job"], each["status"], each["cause"]) for each in done] == [
        ("check", "succeeded", "schedule"), ("tidy", "succeeded", "schedule"),
    ]  # fmt: skip
    assert "nothing is due" in work("jobs", "run", "--due").out
    found = work("jobs", "history", "tidy", "--json").document["runs"]
    assert [each["id"] for each in found] == [done[1]["id"]]
    shown = work("jobs", "history", "--run", done[1]["id"])
    assert "compact" in shown.out
    assert "started" in shown.out
    assert work("jobs", "list", "--json").document["jobs"][0]["last"]["status"] == "succeeded"


def test_a_run_that_failed_gives_its_exit_code(work: Run) -> None:
    answer = work("jobs", "run", "broken")
    assert answer.code == 3
    assert "not like this" in answer.out
    assert "lakehouse jobs history --run run-" in answer.err
    failed = work("jobs", "history", "--status", "failed,cancelled", "--json").document["runs"]
    assert [(each["job"], each["error"]) for each in failed] == [("broken", "RefusedError")]


def test_a_run_is_done_again_or_stopped(work: Run) -> None:
    (failed,) = work("jobs", "run", "broken", "--json").document["runs"]
    again = work("jobs", "retry", failed["id"], "--json")
    assert (again.code, again.document["runs"][0]["attempts"]) == (3, 2)
    (good,) = work("jobs", "run", "check", "--json").document["runs"]
    answer = work("jobs", "retry", good["id"])
    assert (answer.code, "is succeeded" in answer.err) == (3, True)
    answer = work("jobs", "cancel", good["id"])
    assert (answer.code, "is over" in answer.err) == (3, True)
    lake = Lakehouse.open("lakehouse.yaml")
    now = datetime.now(UTC)
    state = lake._control.made(now=now)
    waits, _ = state.jobs.enqueue(
        job="check", fire_time=now, kind="verify", cause="manual", author="a", now=now
    )
    assert "is cancelled" in work("jobs", "cancel", waits.id).out
    assert work("jobs", "retry", waits.id).code == 0


def test_what_takes_something_away_waits_for_others_that_do(work: Run) -> None:
    for _ in range(3):
        work("merge", "customers", "customers.jsonl")
    state = Lakehouse.open("lakehouse.yaml")._control.made(now=datetime.now(UTC))
    lease = timedelta(seconds=1)
    assert state.locks.take(["customers"], holder="cli-other", lease=lease)
    answer = work("compact", "customers")
    assert answer.code == 0
    assert "another command works on customers" in answer.err
    assert state.locks.holder("customers") is None


def test_a_pause_and_a_window(work: Run) -> None:
    work("jobs", "pause", "check", "--reason", "audit")
    assert "audit" in work("jobs", "list").out
    assert "nothing is due" in work("jobs", "run", "--due", "check").out
    work("jobs", "resume", "check")
    planned = work("jobs", "backfill", "check", *WINDOW, "--dry-run", "--json").document
    assert planned["moments"] == [f"2026-03-01T0{hour}:00:00Z" for hour in range(3)]
    done = work("jobs", "backfill", "check", *WINDOW, "--json").document["runs"]
    assert [(each["fire_time"], each["cause"]) for each in done] == [
        (each, "backfill") for each in planned["moments"]
    ]
    assert "nothing is missing" in work("jobs", "backfill", "check", *WINDOW).out


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["run"], 2, "--due"),
        (["run", "tidi"], 6, "did you mean tidy?"),
        (["run", "--due", "--fire-time", "2026-03-01T00:00:00Z"], 2, "exclude each other"),
        (["history", "--status", "well"], 2, "there is no status well"),
        (["history", "--run", "run-zzzzzz"], 6, "no run of that id"),
        (["pause", "nothing"], 6, "no job nothing"),
        (
            ["backfill", "broken", "--from", "2026-03-01T00:00:00Z", "--to", "2026-03-02T00:00:00Z"],
            2,
            "schedule",
        ),
    ],
)
def test_mistakes_are_told(work: Run, words: list[str], code: int, told: str) -> None:
    answer = work("jobs", *words)
    assert answer.code == code
    assert told in answer.err
