"""Full history: any order, any batches, any repeats give the versions that the slow model gives."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given

from tests.properties.history_model import Version, versions
from tests.properties.tables import by_delta_rs, by_polars, open_table, ours
from tests.properties.test_merge_model import (
    ORDER,
    TYPES,
    VALUES,
    Mode,
    Plan,
    compact,
    evolving,
    long,
    plans,
    quick,
    record,
)

NAMES = list(VALUES)


def rows_of(frame: pl.DataFrame, *, width: int) -> list[Version]:
    found = [
        {
            "id": row["id"],
            "sequence": tuple(row[name] for name in ORDER[:width]),
            "from": row["_valid_from"],
            "to": row["_valid_to"],
            **{name: row.get(name) for name in NAMES},
        }
        for row in frame.iter_rows(named=True)
    ]
    assert (frame["_is_current"] == frame["_valid_to"].is_null()).all()
    return sorted(found, key=lambda row: (row["id"], row["sequence"]))


def check(plan: Plan, *, width: int, untracked: Sequence[str] = (), types: Mapping[str, str] = TYPES) -> None:
    wanted = versions(plan.events, columns=NAMES, untracked=untracked)
    sequence = list(ORDER[:width])
    history: Any = {"mode": "full", "track_except": list(untracked)} if untracked else "full"
    schema = {"id": "long", **dict.fromkeys(sequence, "long"), **types}
    modes: tuple[Mode, ...] = ("on_read", "on_write")
    for mode in modes:
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder)
            table = open_table(
                root, merge=mode, schema=schema, history=history, changes={"sequence": sequence}
            )
            for number, batch in enumerate(plan.batches):
                assert table.merge([record(event) for event in batch]).total == len(batch)
                if number in plan.compact_after and table.exists():
                    compact(table, root, plan, mode=mode)
            if not wanted:
                continue
            assert rows_of(ours(table), width=width) == wanted, mode
            assert rows_of(by_delta_rs(root), width=width) == wanted, mode
            assert rows_of(by_polars(root), width=width) == wanted, mode
            assert table.verify().ok


@pytest.mark.slow
@quick
@given(plan=plans(width=2, partial=False, size=12))
def test_whole_rows(plan: Plan) -> None:
    check(plan, width=2)


@pytest.mark.slow
@quick
@given(plan=plans(width=1, partial=True, size=12))
def test_partial_rows(plan: Plan) -> None:
    check(plan, width=1)


@pytest.mark.slow
@long
@given(plan=plans(width=1, partial=True, size=12, event=evolving()))
def test_columns_that_come_with_any_batch(plan: Plan) -> None:
    check(plan, width=1, types={})


@pytest.mark.slow
@quick
@given(plan=plans(width=1, partial=True, size=12, event=evolving()))
def test_columns_that_come_and_open_no_version(plan: Plan) -> None:
    check(plan, width=1, types={}, untracked=["b", "d"])


@pytest.mark.slow
@quick
@given(plan=plans(width=1, partial=True, size=12))
def test_columns_that_open_no_version(plan: Plan) -> None:
    check(plan, width=1, untracked=["b", "c"])
