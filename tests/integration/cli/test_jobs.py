from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

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
