"""What the child processes of the fault tests do."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

from lakehouse.errors import ConflictError, LakehouseError, NotFoundError, RefusedError
from lakehouse.pii.mask.mark import marks_of
from lakehouse.storage import open_storage
from tests.faults import mask_work, retention_work, work
from tests.fixtures.faults import WRITES, FaultyStorage, Moment
from tests.fixtures.meanwhile import Meanwhile
from tests.unit.pii.mask_lakes import people
from tests.unit.retention.lakes import NOW

NO_SYNC = {"fsync": "false"}


def die_at(
    *,
    root: str,
    task: str,
    section: dict[str, Any],
    at: int | None,
    when: Moment,
    company: Sequence[str] = (),
    report: str | None = None,
) -> int:
    """Does a piece of work on a storage that ends the process at one of its calls.

    Args:
        root: The lake's root.
        task: A name of `work.WORKS`.
        section: More of the table's section.
        at: Number of the call, from 1; None to do it all.
        when: Before, during or after that call.
        company: Names of `work.COMPANY`: what others do, one deed before each commit that is tried.
        report: Where the calls, as (method, path), and the result are written to.
    """
    deeds = [partial(work.COMPANY[name], work.table(Path(root), **section)) for name in company]
    inner = Meanwhile(open_storage(root, options=NO_SYNC), deeds)
    storage = FaultyStorage(inner, at=at, when=when, how="exit")
    result = work.WORKS[task](work.table(Path(root), storage=storage, **section))
    if report is not None:
        Path(report).write_text(json.dumps({"calls": storage.log, "result": result}))
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


def mask(*, root: str, case: str, at: int | None, when: Moment, report: str | None = None) -> int:
    """Masks a table as `mask_work` says, on a storage that ends the process at one of its calls.

    Args:
        root: The lake's root, as `mask_work.fill` made it.
        case: A name of `mask_work.CASES`.
        at: Number of the call, from 1; None to do it all.
        when: Before, during or after that call.
        report: Where the calls are written to, as (method, path).
    """
    storage = FaultyStorage(open_storage(root, options=NO_SYNC), at=at, when=when, how="exit")
    try:
        mask_work.do(mask_work.lake(Path(root), case, storage=storage), case)
    except NotFoundError as error:
        return error.exit_code
    if report is not None:
        Path(report).write_text(json.dumps(storage.log))
    return 0


def feed_copy(*, root: str, seconds: float, report: str) -> int:
    """Brings a masked copy up to date for a while. Writes down how often it followed.

    Args:
        root: The lake's root, as `mask_work.fill_many` made it.
        seconds: How long.
        report: Where that is written to.
    """
    found = mask_work.lake(Path(root), "follow")
    followed = 0
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            followed += found.pii.mask("t", to=mask_work.COPY).action == "follow"
        except ConflictError:
            continue
    Path(report).write_text(json.dumps({"followed": followed}))
    return 0


def change_people(*, root: str, case: str, seconds: float, seed: int) -> int:
    """Merges for a while: people change, go and come, and the table is compacted now and then.

    It ends when the table was masked in place: clear rows are not taken any more.

    Args:
        root: The lake's root, as `mask_work.fill_many` made it.
        case: A name of `mask_work.CASES`.
        seconds: How long.
        seed: Of the choice.
    """
    random = Random(seed)
    table = mask_work.lake(Path(root), case).t
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        ids = random.sample(range(mask_work.MANY), 4)
        rows = people(*ids[:3], n=random.randrange(1000))
        try:
            table.merge([*rows, {"_op": "delete", "id": ids[3]}])
        except RefusedError:
            return 0 if marks_of(table.snapshot().configuration) else 1
        if random.random() < 0.2:
            table.compact()
    return 0


def see_again(*, root: str, action: str, seconds: float, seed: int, report: str) -> int:
    """Merges for a while: rows that are past are seen again, and new ones come. Writes down which.

    Args:
        root: The lake's root, as `retention_work.fill_many` made it.
        action: What the rule does.
        seconds: How long.
        seed: Of the choice.
        report: Where the ids are written to.
    """
    random = Random(seed)
    table = retention_work.lake(Path(root), action).table("t")
    seen: set[int] = set()
    new = 1_000_000 * (seed + 1)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        ids = [*random.sample(range(retention_work.MANY), 3), new, new + 1]
        new += 2
        rows = [{"id": n, "at": NOW, "name": f"person {n}"} for n in ids]
        table.merge(rows)
        seen.update(ids)
    Path(report).write_text(json.dumps(sorted(seen)))
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


def die_repairing(*, root: str, at: int | None, when: Moment, report: str | None = None) -> int:
    """Repairs a table on a storage that ends the process at one of the calls that write.

    Args:
        root: The lake's root.
        at: Number of the call, from 1; None to do it all.
        when: Before, during or after that call.
        report: Where the calls are written to, as (method, path).
    """
    storage = FaultyStorage(
        open_storage(root, options=NO_SYNC), at=at, when=when, how="exit", operations=WRITES
    )
    work.table(Path(root), storage=storage).verify(repair=True)
    if report is not None:
        Path(report).write_text(json.dumps(storage.log))
    return 0
