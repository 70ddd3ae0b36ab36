"""What jobs of the tests of the daemon do."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import time
from pathlib import Path

from lakehouse import Lakehouse
from lakehouse.jobs import JobContext


def folder(lake: Lakehouse) -> Path:
    return Path(lake.config.storage.root).parent


def note(lake: Lakehouse, context: JobContext) -> dict[str, int]:
    """Leaves a line for each time that it is called: one small write, which others can't come between."""
    line = f"{context.job} {context.fire_time.isoformat()}\n"
    with (folder(lake) / "notes.txt").open("a") as file:
        file.write(line)
    return {"notes": 1}


def slowly(lake: Lakehouse, context: JobContext) -> None:
    note(lake, context)
    while not (folder(lake) / "go").exists():
        context.check()
        time.sleep(0.02)


def never(lake: Lakehouse, context: JobContext) -> None:
    """Neither asks whether to go on, nor lets any other thread of its process do anything."""
    note(lake, context)
    ctypes.PyDLL(None).sleep(3600)


def stubborn(lake: Lakehouse, context: JobContext) -> None:
    """Never asks whether to go on."""
    with context.alone("stock"):
        note(lake, context)
        while True:
            time.sleep(0.05)


def crash(lake: Lakehouse, context: JobContext) -> None:
    note(lake, context)
    os.kill(os.getpid(), signal.SIGSEGV)


def talk(lake: Lakehouse, context: JobContext) -> None:
    """Prints a hundred megabytes, and lets others print as much; logs a flood too."""
    line = "x" * 999
    for _ in range(100_000):
        print(line)  # noqa: T201
    for _ in range(100):
        os.write(1, b"y" * 1_000_000)
    for number in range(10_000):
        context.log(f"line {number}")
    print("the end", file=sys.stdout)  # noqa: T201
    note(lake, context)


def alone(lake: Lakehouse, context: JobContext) -> None:
    with context.alone("stock"):
        note(lake, context)


def fail(lake: Lakehouse, context: JobContext) -> None:
    raise RuntimeError("somebody@example.com")
