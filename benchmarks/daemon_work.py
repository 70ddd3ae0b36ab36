"""What the jobs of `benchmarks.daemon` do."""

from __future__ import annotations

import os
import time
from pathlib import Path

from lakehouse import Lakehouse
from lakehouse.jobs import JobContext


def note(lake: Lakehouse, context: JobContext) -> None:
    """Leaves a line: one write at the end of a file, which no other can come between."""
    path = Path(lake.config.storage.root).parent / "notes.txt"
    number = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    try:
        os.write(number, f"{context.job} {context.fire_time.isoformat()}\n".encode())
    finally:
        os.close(number)


def rest(_lake: Lakehouse, context: JobContext) -> None:
    """Takes a moment, so that kills hit runs."""
    note(_lake, context)
    time.sleep(0.02)
