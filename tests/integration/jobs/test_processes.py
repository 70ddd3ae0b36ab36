"""Several processes on one state database: each run once, whoever is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from lakehouse import Lakehouse
from lakehouse.jobs.runner import Runner
from lakehouse.state import open_state

ROOT = Path(__file__).parents[3]
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
KINDS = [
    "sqlite",
    pytest.param("postgres", marks=[pytest.mark.server, pytest.mark.xdist_group("postgres")]),
]


@pytest.fixture(params=KINDS)
def config(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    url = f"sqlite:///{tmp_path}/state.db"
    if request.param == "postgres":
        url = str(request.getfixturevalue("postgres"))
    path = tmp_path / "lakehouse.yaml"
    work = "tests.integration.jobs.work"
    path.write_text(
        "version: 1\nname: shop\nstorage: {root: ./lake}\n"
        f'state: "{url}"\n'
        "tables:\n  stock: {key: [item]}\n"
        "jobs:\n"
        f"  note: {{do: {work}.note, overlap: queue}}\n"
        f"  slow: {{do: {work}.slowly}}\n"
        f"  one: {{do: {work}.alone}}\n"
        f"  two: {{do: {work}.alone}}\n"
    )
    lake = Lakehouse.open(path)
    lake._control.made(now=NOON)
    lake._control.made(now=NOON).close()
    return path


def start(config: Path, job: str, moments: list[datetime], *, lease: float = 60) -> subprocess.Popen[str]:
    words = [str(config), job, str(lease), *(each.isoformat() for each in moments)]
    return subprocess.Popen(
        [sys.executable, "-m", "tests.integration.jobs.work", *words],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def go(*children: subprocess.Popen[str]) -> None:
    for child in children:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
    for child in children:
        assert child.stdin is not None
        child.stdin.write("\n")
        child.stdin.flush()


def ended(*children: subprocess.Popen[str]) -> list[str]:
    return [line for child in children for line in child.communicate(timeout=120)[0].splitlines()]


def notes(config: Path) -> list[str]:
    file = config.parent / "notes.txt"
    return file.read_text().splitlines() if file.exists() else []


def test_of_two_processes_each_run_is_done_by_one(config: Path) -> None:
    moments = [NOON + timedelta(minutes=n) for n in range(15)]
    children = [start(config, "note", moments) for _ in range(2)]
    go(*children)
    assert ended(*children) == []
    assert sorted(notes(config)) == [each.isoformat() for each in moments]
    runs = Lakehouse.open(config).jobs.history()
    assert [each.status for each in runs] == ["succeeded"] * 15


def test_a_run_whose_process_was_killed_is_done_again(config: Path) -> None:
    child = start(config, "slow", [NOON], lease=1)
    go(child)
    give_up = time.monotonic() + 60
    while not notes(config):
        assert time.monotonic() < give_up
        time.sleep(0.02)
    lake = Lakehouse.open(config)
    runner = Runner(
        lake=lake,
        state=open_state(lake.config.state.get_secret_value()),
        author="next",
        lease=timedelta(seconds=1),
    )
    time.sleep(1.5)
    assert runner.run("slow", fire_time=NOON, cause="schedule").status == "running", "its heart beats"
    child.send_signal(signal.SIGKILL)
    ended(child)
    (config.parent / "go").touch()
    while not (done := runner.recover()):
        assert time.monotonic() < give_up
        time.sleep(0.1)
    assert [each.status for each in done] == ["succeeded"]
    assert [each.event for each in done[0].events] == [
        "queued", "started", "abandoned", "started", "succeeded",
    ]  # fmt: skip
    assert notes(config) == [NOON.isoformat()] * 2
    assert runner.recover() == []


def test_two_jobs_that_need_a_table_for_themselves_take_turns(config: Path) -> None:
    moments = [NOON + timedelta(minutes=n) for n in range(4)]
    children = [start(config, job, moments) for job in ("one", "two")]
    go(*children)
    assert ended(*children) == []
    runs = Lakehouse.open(config).jobs.history()
    assert [each.reason for each in runs if each.status != "succeeded"] == []
    assert len(runs) == 8
