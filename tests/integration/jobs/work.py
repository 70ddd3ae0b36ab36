"""What jobs of the tests do, and child processes that run them: ``python -m tests.integration.jobs.work``."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from lakehouse import Lakehouse
from lakehouse.errors import ConflictError, LakehouseError, RefusedError
from lakehouse.jobs import JobContext, JobResult
from lakehouse.jobs.runner import Runner
from lakehouse.state import open_state


def note(lake: Lakehouse, context: JobContext) -> dict[str, int]:
    """Leaves a line for each time that it is called."""
    folder = Path(lake.config.storage.root).parent
    with (folder / "notes.txt").open("a") as file:
        file.write(f"{context.fire_time.isoformat()}\n")
    return {"notes": 1}


def slowly(lake: Lakehouse, context: JobContext) -> None:
    note(lake, context)
    while not (Path(lake.config.storage.root).parent / "go").exists():
        context.check()
        time.sleep(0.02)


def never(lake: Lakehouse, _context: JobContext) -> None:
    """Never asks whether to go on; the test ends it."""
    while not (Path(lake.config.storage.root).parent / "go").exists():
        time.sleep(0.02)


def alone(lake: Lakehouse, context: JobContext) -> None:
    """Fails if another process has the table too."""
    mark = Path(lake.config.storage.root).parent / "mark"
    with context.alone("stock"):
        mark.touch(exist_ok=False)
        time.sleep(0.3)
        mark.unlink()


def conflict(lake: Lakehouse, context: JobContext) -> JobResult:
    """Fails twice for a reason that passes."""
    note(lake, context)
    if len((Path(lake.config.storage.root).parent / "notes.txt").read_text().splitlines()) < 3:
        raise ConflictError("somebody was faster")
    return JobResult(counts={"rows": 3}, versions={"stock": 7}, notes=("well",))


def refused(lake: Lakehouse, context: JobContext) -> None:
    note(lake, context)
    raise RefusedError("not like this", advice="see the rules")


def broken(_lake: Lakehouse, _context: JobContext) -> None:
    raise ValueError("joan@shop.example")


def talk(_lake: Lakehouse, _context: JobContext) -> None:
    for number in range(200_000):
        print("x" * 500, number)  # noqa: T201


def nonsense(_lake: Lakehouse, _context: JobContext) -> Any:
    return {"rows": "many"}


def child(config: str, job: str, moments: list[str], lease: float) -> None:
    """Tries to run a job for each moment, when it is told to begin."""
    lake = Lakehouse.open(config)
    state = open_state(lake.config.state.get_secret_value())
    runner = Runner(lake=lake, state=state, author="child", lease=timedelta(seconds=lease))
    tell: Callable[[str], Any] = sys.stdout.write
    tell("ready\n")
    sys.stdout.flush()
    sys.stdin.readline()
    for each in moments:
        try:
            runner.run(job, fire_time=datetime.fromisoformat(each), cause="schedule")
        except LakehouseError as error:
            tell(f"error {error}\n")


if __name__ == "__main__":
    child(sys.argv[1], sys.argv[2], sys.argv[4:], float(sys.argv[3]))
