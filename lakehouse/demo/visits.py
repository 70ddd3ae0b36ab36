"""What people look at in the shop: small files that come all the time, and one that is not as the others."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

import orjson

from lakehouse.demo.shop import CUSTOMERS

USUAL: Final = 12
"""So many files are as files are."""
EVERY: Final = 1.25
"""Seconds between two files: more than between two runs of the job that merges them."""
_PAGES: Final = 40


@dataclass(frozen=True, slots=True)
class VisitFile:
    """A file of visits.

    Args:
        name: What it is called.
        data: JSON Lines.
    """

    name: str
    data: bytes


def visit_files(now: datetime) -> Iterator[VisitFile]:
    """The files in the order in which they come; of the last one, somebody broke the program that writes it.

    Args:
        now: The time; a tenth of the visits is older than what the demo's config keeps.
    """
    chance = random.Random(20)  # noqa: S311 - the same story each time
    for number in range(USUAL):
        yield _file(number, rows=chance.randrange(180, 221), unnamed=0.05, now=now, chance=chance)
    yield _file(USUAL, rows=900, unnamed=0.7, now=now, chance=chance)


def put(folder: Path, file: VisitFile) -> None:
    """Lets a file appear whole, as programs should that write for others.

    Args:
        folder: Where.
        file: The file.
    """
    half = folder / f"_{file.name}.part"
    half.write_bytes(file.data)
    os.replace(half, folder / file.name)  # noqa: PTH105 - says that it takes the place of another one


def _file(number: int, *, rows: int, unnamed: float, now: datetime, chance: random.Random) -> VisitFile:
    lines = []
    for row in range(rows):
        old = chance.random() < 0.1
        age = timedelta(days=40) if old else timedelta(minutes=60 * chance.random())
        page = None if chance.random() < unnamed else f"/p/{chance.randrange(_PAGES)}"
        visit = {
            "visit": 10_000 * number + row,
            "customer_id": chance.randint(1, CUSTOMERS),
            "page": page,
            "at": now - age,
        }
        lines.append(orjson.dumps(visit) + b"\n")
    return VisitFile(f"visits-{number:02}.jsonl", b"".join(lines))
