"""When a process is killed, and what is looked at afterwards."""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from lakehouse.table import Table
from tests.fixtures.faults import WRITES, Moment
from tests.properties.tables import Row, everywhere

SOME: Final = os.environ.get("KILL_POINTS", "3")
"""How many moments of a longer piece of work are tried; ``all`` tries every one."""

SEED: Final = int(os.environ.get("KILL_SEED", "1"))
"""Which of them."""


def rows(table: Table, root: Path) -> list[Row]:
    """The rows as all readers see them; none where the table is not there."""
    return everywhere(table, root) if table.exists() else []


def copy(source: Path, target: Path) -> Path:
    if source.exists():
        shutil.copytree(source, target)
    else:
        target.mkdir()
    return target


def moments(calls: Sequence[tuple[str, str]]) -> list[tuple[int, Moment]]:
    """Before each call; and in the midst of, and after, each that writes: reading leaves no trace."""
    found: list[tuple[int, Moment]] = []
    for number, (method, _) in enumerate(calls, start=1):
        found.append((number, "before"))
        if method in WRITES:
            found += [(number, "during"), (number, "after")]
    return found


def some(calls: Sequence[tuple[str, str]], *, times: int = 1) -> list[tuple[int, Moment]]:
    """Those of `moments` at which a commit is tried, and some others: `times` as many as are asked for."""
    found = moments(calls)
    if SOME == "all":
        return found
    commits = [moment for moment in found if calls[moment[0] - 1][0] == "put_if_absent"]
    others = [moment for moment in found if moment not in commits]
    chosen = random.Random(SEED).sample(others, min(times * int(SOME), len(others)))
    return sorted({*commits, *chosen})
