"""What the child processes of the fault tests do."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from lakehouse.errors import LakehouseError
from lakehouse.storage import open_storage
from tests.faults import retention_work, work
from tests.fixtures.faults import FaultyStorage, Moment

NO_SYNC = {"fsync": "false"}


def die_at(
    *, root: str, task: str, section: dict[str, Any], at: int | None, when: Moment, report: str | None = None
) -> int:
    """Does a piece of work on a storage that ends the process at one of its calls.

    Args:
        root: The lake's root.
        task: A name of `work.WORKS`.
        section: More of the table's section.
        at: Number of the call, from 1; None to do it all.
        when: Before, during or after that call.
        report: Where the calls are written to, as (method, path).
    """
    storage = FaultyStorage(open_storage(root, options=NO_SYNC), at=at, when=when, how="exit")
    work.WORKS[task](work.table(Path(root), storage=storage, **section))
    if report is not None:
        Path(report).write_text(json.dumps(storage.log))
    return 0


def retain(
    *,
    root: str,
    action: str,
    section: dict[str, Any],
    at: int | None,
    when: Moment,
    report: str | None = None,
) -> int:
    """Applies the rule of `retention_work` on a storage that ends the process at one of its calls.

    Args:
        root: The lake's root.
        action: What the rule does.
        section: More of the table's section.
        at: Number of the call, from 1; None to do it all.
        when: Before, during or after that call.
        report: Where the calls are written to, as (method, path).
    """
    storage = FaultyStorage(open_storage(root, options=NO_SYNC), at=at, when=when, how="exit")
    retention_work.lake(Path(root), action, storage=storage, **section).retention.apply()
    if report is not None:
        Path(report).write_text(json.dumps(storage.log))
    return 0


def write_no_more_than(*, root: str, task: str, section: dict[str, Any], size: int) -> int:
    """Does a piece of work where no file can get larger than some bytes; 1 where it failed cleanly."""
    found = work.table(Path(root), **section)
    found.exists()
    work.limit_file_size(size)
    try:
        work.WORKS[task](found)
    except LakehouseError as error:
        return error.exit_code
    return 0
