"""The purge whose every storage call is made to fail in turn."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from lakehouse import Lakehouse
from lakehouse.storage import open_storage
from tests.fixtures.erasing import History, at, erased, fill, opened, people, purged
from tests.fixtures.faults import FaultyStorage, Moment

SECTIONS: Final[Mapping[str, dict[str, Any]]] = {
    "feed": {"merge": "on_read", "change_feed": True},
    "by_email": {"partition_by": ["email"], "merge": "on_read"},
}
LATER: Final = timedelta(days=2)
"""So that old commits go altogether."""


def lake(root: Path, name: str) -> Lakehouse:
    return opened(root / "lake", {name: SECTIONS[name]}, storage={"options": {"fsync": "false"}})


def prepare(root: Path, name: str) -> None:
    """A person in a table, erased from its newest version."""
    found = lake(root, name)
    fill(found, name)
    erased(found, found.table(name).opened, people(found))


def die(
    *, root: str, name: str, history: History, at_call: int | None, when: Moment, report: str | None = None
) -> int:
    """Purges on a storage that ends the process at one of its calls.

    Args:
        root: Where the lake is.
        name: The table.
        history: What becomes of older versions.
        at_call: Number of the call, from 1; None to do it all.
        when: Before, during or after that call.
        report: Where the calls are written to, as (method, path).
    """
    found = lake(Path(root), name)
    inner = open_storage(Path(root, "lake"), options={"fsync": "false"})
    storage = FaultyStorage(inner, at=at_call, when=when, how="exit")
    table = at(found.table(name).opened, later=LATER, storage=storage)
    purged(found, table, people(found), history)
    if report is not None:
        Path(report).write_text(json.dumps(storage.log))
    return 0
