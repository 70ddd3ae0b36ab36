"""Who else is at work while a person is erased: each does its thing until the file ``stop`` is there."""

from __future__ import annotations

import json
import random
import time
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
from deltalake import write_deltalake
from deltalake.exceptions import DeltaError

from lakehouse.errors import ConflictError, LakehouseError, StorageError
from tests.faults.request_work import ID, MAIL, lake, other, person

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def replay(*, root: str, history: str, stop: str, report: str) -> int:
    """Merges the person's old events again and again, also those that can't be used."""
    merged = suppressed = 0
    found = lake(Path(root), history)
    while _goes_on(stop):
        with suppress(ConflictError):
            people = [person(NOW, name=f"Name {merged}"), {"id": f"{ID}x", "email": MAIL}]
            suppressed += found.table("people").merge(people).suppressed
            suppressed += found.table("visits").merge([person(NOW, id=1)]).suppressed
            merged += 1
    Path(report).write_text(json.dumps({"merged": merged, "suppressed": suppressed}))
    return 0


def keep_accounts(*, root: str, history: str, stop: str, clerk: int, report: str) -> int:
    """Changes, deletes and brings back people of its own; writes down who has to be there and how."""
    dice = random.Random(clerk)
    table = lake(Path(root), history).table("people")
    ids = range(clerk * 1000, clerk * 1000 + 20)
    expected: dict[int, str] = {}
    number = 0
    while _goes_on(stop):
        number += 1
        chosen = dice.sample(ids, 6)
        change = [
            {"_op": "delete", "id": n} if n % 3 == number % 3 else other(n, NOW) | {"name": f"N{number}"}
            for n in chosen
        ]
        with suppress(ConflictError):
            table.merge(change, source=f"clerk-{clerk}", offset=number)
            for row in change:
                expected.pop(int(str(row["id"])), None)
                if "name" in row:
                    expected[int(str(row["id"]))] = str(row["name"])
    Path(report).write_text(json.dumps(expected))
    return 0


def append(*, root: str, stop: str, report: str) -> int:
    """Appends orders with delta-rs; writes down which were taken."""
    number, taken = 1_000_000, []
    while _goes_on(stop):
        number += 1
        rows = pa.table({"id": [number], "customer": [number], "ship_name": ["B"]})
        # It gives up where somebody else took rows away meanwhile, or a checkpoint shrank while it was read.
        with suppress(DeltaError):
            write_deltalake(f"{root}/lake/orders", rows, mode="append")
            taken.append(number)
    Path(report).write_text(json.dumps(taken))
    return 0


def read_old(*, root: str, history: str, stop: str, report: str, heights: dict[str, list[int]]) -> int:
    """Reads old versions: all rows that they had, or fewer by the person's, or an error that says why."""
    errors: set[str] = set()
    rows = 0
    while _goes_on(stop):
        found = lake(Path(root), history)
        for name, known in heights.items():
            version = random.randrange(len(known))
            try:
                read = found.table(name).read(version=version)
            except StorageError:
                raise
            except LakehouseError as error:
                errors.add(f"{type(error).__name__}: {error.message}")
                continue
            assert read.height == known[version], (name, version, read.height)
            rows += 1
    Path(report).write_text(json.dumps({"rows": rows, "errors": sorted(errors)}))
    return 0


def _goes_on(stop: str) -> bool:
    """Whether to do it again; in between others have their turn."""
    time.sleep(0.4)
    return not Path(stop).exists()
