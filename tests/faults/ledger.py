"""Accounts between which money moves: who loses, doubles or tears a change leaves a wrong sum behind.

Each clerk moves money between accounts of its own, step by step, and each step is one batch with its number
as the offset. A step depends on nothing but its number and the steps before, so a clerk that was killed
begins again at the first, and what must stand in the table is known for every offset.
"""

from __future__ import annotations

import contextlib
import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import polars as pl
import pyarrow as pa
from deltalake import write_deltalake
from deltalake.exceptions import CommitFailedError

from lakehouse.errors import ConflictError
from lakehouse.storage import open_storage
from lakehouse.table import Table
from tests.properties.tables import NAME, delta, open_table

ACCOUNTS: Final = 12
OPENING: Final = 100
SCHEMA: Final = {"id": "long", "seq": "long", "clerk": "string", "balance": "long"}

Balances = dict[int, int]
Batch = list[dict[str, Any]]


def table(
    root: Path | str,
    *,
    merge: str = "on_read",
    options: dict[str, str] | None = None,
    history: str = "none",
    feed: bool = True,
) -> Table:
    """The table of the ledger in a folder, or in a bucket with the options of its store."""
    storage = None if options is None else open_storage(str(root), options=options)
    section: dict[str, Any] = {
        "schema": SCHEMA,
        "change_feed": feed,
        "changes": {"sequence": "seq"},
        "history": history,
    }
    return open_table(Path(root), storage=storage, merge=merge, **section)


def steps(clerk: int) -> Iterator[tuple[int, Batch, Balances]]:
    """What a clerk does: the step's number, its changes, and the accounts after it."""
    dice = random.Random(clerk)
    ids = range(clerk * 1000, clerk * 1000 + ACCOUNTS)
    balances = dict.fromkeys(ids, OPENING)
    number = 0
    touched = set(ids)
    while True:
        yield number, [_row(clerk, number, key, balances) for key in sorted(touched)], dict(balances)
        number += 1
        touched = set()
        for _ in range(dice.randint(1, 4)):
            giver = dice.choice(sorted(balances))
            taker = dice.choice([key for key in ids if key != giver])
            amount = dice.choice([1, 7, balances[giver]])
            balances[taker] = balances.get(taker, 0) + amount
            balances[giver] -= amount
            if balances[giver] == 0:
                del balances[giver]
            touched |= {giver, taker}


def _row(clerk: int, number: int, key: int, balances: Balances) -> dict[str, Any]:
    if key not in balances:
        return {"id": key, "seq": number, "_op": "delete"}
    return {"id": key, "seq": number, "clerk": f"clerk-{clerk}", "balance": balances[key]}


def keep_books(*, root: str, clerk: int, last: int, merge: str) -> int:
    """Merges a clerk's steps up to the last, each twice; begins at the first whatever the table has."""
    found = table(Path(root), merge=merge)
    for number, batch, _ in steps(clerk):
        if number > last:
            return 0
        for _ in range(2):
            _until_done(found, batch, source=f"clerk-{clerk}", offset=number)
    return 1


def _until_done(found: Table, batch: Batch, *, source: str, offset: int) -> None:
    for _ in range(10):
        try:
            result = found.merge(batch, source=source, offset=offset)
        except ConflictError:
            continue
        assert result.total == len(batch)
        return
    raise AssertionError("a clerk never got through")


def race(*, clerk: int, stop: str, merge: str, **where: Any) -> int:
    """Merges a clerk's steps until a file is there; goes on where the table has it."""
    found = table(where.pop("root"), merge=merge, **where)
    source = f"clerk-{clerk}"
    for number, batch, _ in steps(clerk):
        if Path(stop).exists():
            return 0
        known = found.snapshot().transactions.get(source)
        if known is None or known.version < number:
            _until_done(found, batch, source=source, offset=number)
    return 1


def read_on(*, stop: str, pairs: bool, **where: Any) -> int:
    """Reads the newest version again and again and checks it, until a file is there."""
    found = table(where.pop("root"), **where)
    while not Path(stop).exists():
        version = found.snapshot().version
        check_sums(found.read(version=version), version=version, pairs=pairs)
    return 0


def check_sums(rows: pl.DataFrame, *, version: int, pairs: bool) -> None:
    """Each clerk's accounts hold what they began with, and the pairs of others are whole."""
    if "_is_current" in rows.columns:
        rows = rows.filter("_is_current")
    assert not rows["id"].is_duplicated().any(), version
    by_clerk = dict(rows.group_by("clerk").agg(pl.col("balance").sum()).iter_rows())
    if pairs:
        others = rows.filter(clerk="delta-rs")
        assert (others.height % 2, by_clerk.pop("delta-rs", 0)) == (0, 0), version
    assert set(by_clerk.values()) <= {ACCOUNTS * OPENING}, (version, by_clerk)


def compact_on(*, stop: str, **where: Any) -> int:
    """Compacts again and again until a file is there."""
    found = table(where.pop("root"), **where)
    for _ in _until(stop):
        with contextlib.suppress(ConflictError):
            found.compact()
    return 0


def append_pairs(*, root: str, stop: str, options: dict[str, str] | None = None) -> int:
    """Appends entries whose sum is zero with delta-rs, until a file is there."""
    for number in _until(stop):
        rows = {
            "id": pa.array([-2 * number, -2 * number - 1], pa.int64()),
            "seq": pa.array([0, 0], pa.int64()),
            "clerk": pa.array(["delta-rs"] * 2),
            "balance": pa.array([number, -number], pa.int64()),
        }
        # delta-rs gives up, also on appends, where somebody else took rows away meanwhile.
        with contextlib.suppress(CommitFailedError):
            write_deltalake(
                f"{root}/{NAME}", pa.table(rows), mode="append", storage_options=for_delta_rs(options)
            )
    return 0


def compact(*, root: str, stop: str, who: str) -> int:
    """Compacts until a file is there, with Lakehouse or with delta-rs."""
    found = table(Path(root))
    for _ in _until(stop):
        if who == "ours":
            with contextlib.suppress(ConflictError):
                found.compact()
        else:
            with contextlib.suppress(CommitFailedError):
                delta(Path(root)).optimize.compact()
    return 0


def for_delta_rs(options: dict[str, str] | None) -> dict[str, str] | None:
    """Options of a store as delta-rs calls them."""
    if options is None:
        return None
    named = {f"aws_{name}": value for name, value in options.items()}
    return {**named, "aws_region": "us-east-1", "aws_allow_http": "true", "aws_conditional_put": "etag"}


def _until(stop: str) -> Iterator[int]:
    """Counts from 1 until a file is there."""
    number = 0
    while not Path(stop).exists():
        number += 1
        yield number
        time.sleep(0.25)
