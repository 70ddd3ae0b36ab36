"""Who gets the next run."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from lakehouse.daemon.workers import DEEP, Pool, Worker
from lakehouse.state.job_rows import Claimed, JobRun

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def pool(*workers: Worker) -> Pool:
    found = Pool(size=2, hello=lambda: b"", heard=lambda *_: None, grace=1)
    found.workers += workers
    return found


def worker(**more: Any) -> Worker:
    nobody: Any = None
    return Worker(nobody, **{"ready": True, **more})


def claimed(number: int) -> Claimed:
    run = JobRun(
        id=f"run-{number}", job="j", fire_time=NOON, kind="x", cause="schedule", queued=NOON, author="a"
    )
    return Claimed(run, 1, again=False)


def test_who_has_nothing_to_do_comes_first_and_quick_ones_get_more() -> None:
    quick, other = worker(quick=True), worker()
    both = pool(quick, other)
    assert both.free == DEEP + 1
    for number in range(DEEP + 1):
        both.give(claimed(number), timeout=None, now=float(number))
    assert (len(quick.tasks), len(other.tasks), both.free) == (DEEP, 1, 0)
    assert [task.begun is None for task in quick.tasks] == [False] + [True] * (DEEP - 1)
    both.over(quick, seconds=5, memory=0, now=9)
    assert quick.tasks[0].begun == 9
    assert both.free == 0, "the last one was not quick"


def test_workers_with_an_old_config_keep_nobody_from_work() -> None:
    old = [worker(retiring=True) for _ in range(2)]
    assert (pool(*old).free, pool(*old).room) == (0, True)
    assert pool(*old, worker(), worker()).free == 2
    assert pool(worker(), worker(), worker()).free == 2, "a config that wants less"
    assert not pool(worker(), worker(ready=False)).room
