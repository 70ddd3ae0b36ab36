"""Progress on long work: a bar or a spinner on standard error, on a terminal only."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from lakehouse.cli.output import on_terminal
from lakehouse.cli.session import Session

Step = Callable[[str, int, int], None]
"""Called with what is being done, how much of it is done and how much there is (0: not known)."""


@contextmanager
def progress(session: Session, text: str) -> Iterator[Step]:
    """Shows that work goes on.

    Args:
        session: The invocation; quiet or JSON shows nothing.
        text: What is being done.

    Yields:
        A function that takes phase, done and total; it may be called from any thread, and never.
    """
    if session.quiet or session.as_json or not on_terminal(sys.stderr) or os.environ.get("TERM") == "dumb":
        yield lambda _phase, _done, _total: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(text, total=None)

        def step(phase: str, done: int, total: int) -> None:
            bar.update(task, description=f"{text}: {phase}", completed=done, total=total or None)

        yield step
