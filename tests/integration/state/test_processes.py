"""Many processes on one state database at once, and processes that are killed."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lakehouse.state import open_state

ROOT = Path(__file__).parents[3]


def start(url: str, count: int) -> subprocess.Popen[str]:
    """A process that has imported everything and waits for `go`."""
    return subprocess.Popen(
        [sys.executable, "-m", "tests.integration.state.work", url, str(count)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def go(children: list[subprocess.Popen[str]]) -> None:
    for child in children:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
    for child in children:
        assert child.stdin is not None
        child.stdin.write("\n")
        child.stdin.flush()


def test_many_open_a_new_database_at_once_and_place_holds(url: str) -> None:
    children = [start(url, 5) for _ in range(4)]
    go(children)
    answers = [child.communicate(timeout=120) for child in children]
    assert [child.returncode for child in children] == [0] * 4, [err for _, err in answers]
    told = {line for out, _ in answers for line in out.splitlines()}
    assert len(told) == 20
    state = open_state(url)
    holds = state.holds.list()
    assert {hold.id for hold in holds} == told
    assert len(holds) == 20
    assert sorted(hold.where or "" for hold in holds) == sorted(
        f"id = {n}" for n in range(5) for _ in range(4)
    )
    assert len(state.id) == 32, "it was made once"


@pytest.mark.slow
def test_a_process_that_is_killed_leaves_whole_holds(url: str) -> None:
    chance = random.Random(7)
    told: set[str] = set()
    for round_ in range(6):
        children = [start(url, 1000) for _ in range(2)]
        go(children)
        # The first rounds hit the making of the database, the later ones the placing of holds.
        time.sleep(chance.random() * 0.3)
        if round_ > 2:
            told |= {line(child) for child in children for _ in range(5)}
            time.sleep(chance.random() * 0.05)
        for child in children:
            child.kill()
        for child in children:
            told |= rest(child)
        state = open_state(url)
        if told or state.exists():
            holds = state.holds.list()
            assert told <= {hold.id for hold in holds}, "a hold that was told of is gone"
            assert all(hold.where is not None and hold.placed is not None for hold in holds)
    assert len(told) >= 30


def line(child: subprocess.Popen[str]) -> str:
    assert child.stdout is not None
    return child.stdout.readline().rstrip("\n")


def rest(child: subprocess.Popen[str]) -> set[str]:
    """The holds that a killed child told of since; the last line can be half."""
    assert child.stdin is not None
    assert child.stdout is not None
    assert child.stderr is not None
    with child.stdin, child.stdout, child.stderr:
        out, err = child.stdout.read(), child.stderr.read()
        child.wait(timeout=60)
    assert "Error" not in err, err
    return set(out.split("\n")[:-1])
