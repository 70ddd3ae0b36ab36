"""What the child processes of the race around vacuums do, each until the file ``stop`` is there."""

from __future__ import annotations

import random
import time
from contextlib import suppress
from pathlib import Path

from lakehouse.errors import ConflictError, LakehouseError, VersionNotFoundError
from lakehouse.storage import open_storage
from lakehouse.table import Table
from tests.faults import ledger
from tests.properties.tables import open_table


def table(root: str, options: dict[str, str] | None, merge: str = "on_read") -> Table:
    storage = open_storage(root, options=options or {"fsync": "false"})
    rules = [{"name": "history", "versions": {"last": 2}}]
    return open_table(
        Path(root),
        storage=storage,
        schema=ledger.SCHEMA,
        changes={"sequence": "seq"},
        merge=merge,
        change_feed=True,
        retention=rules,
    )


def merge_on(*, root: str, stop: str, clerk: int, merge: str, options: dict[str, str] | None = None) -> int:
    """Writes all of a clerk's accounts anew, again and again: ten in each."""
    number = 0
    while not Path(stop).exists():
        number += 1
        batch = [
            {"id": clerk * 100 + key, "seq": time.time_ns(), "clerk": str(clerk), "balance": 10}
            for key in random.sample(range(40), 20)
        ]
        try:
            table(root, options, merge).merge(batch)
        except (ConflictError, VersionNotFoundError):
            # Overtaken, or so slow that the version it began with was vacuumed meanwhile.
            continue
    return 0


def vacuum_on(*, root: str, stop: str, options: dict[str, str] | None = None) -> int:
    """Vacuums, again and again, and gives readers a moment; once more when all others have ended."""
    while not Path(stop).exists():
        table(root, options).vacuum(grace="300ms")
    return 0


def tag_on(*, root: str, stop: str, options: dict[str, str] | None = None) -> int:
    """Names versions, also old ones; what has a name can be read until it is taken away again."""
    number = 0
    while not Path(stop).exists():
        found, number = table(root, options), number + 1
        version = max(0, found.snapshot().version - random.randrange(6))
        try:
            found.tag(f"tag-{number}", version=version)
        except VersionNotFoundError:
            continue
        for _ in range(3):
            assert found.read(tag=f"tag-{number}")["balance"].sum() % 10 == 0
            time.sleep(0.02)
        if number % 2:
            found.untag(f"tag-{number}")
    return 0


def restore_on(*, root: str, stop: str, options: dict[str, str] | None = None) -> int:
    """Goes back to versions that may be about to be vacuumed: refused, or whole."""
    while not Path(stop).exists():
        place = table(root, options)
        version = max(0, place.snapshot().version - random.randrange(1, 5))
        try:
            made = place.restore(version=version).version
        except (VersionNotFoundError, ConflictError):
            continue
        except LakehouseError as error:
            # A version whose log was read while it went.
            assert "restored" in str(error) or "gone" in str(error), error  # noqa: PT017
            continue
        time.sleep(0.1)
        if made is not None:
            with suppress(VersionNotFoundError):
                rows = place.read()
                assert rows["balance"].sum() == rows.height * 10
    return 0


def compact_on(*, root: str, stop: str, options: dict[str, str] | None = None) -> int:
    """Puts files together, again and again."""
    while not Path(stop).exists():
        try:
            table(root, options).compact()
        except (ConflictError, VersionNotFoundError):
            continue
    return 0
