from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from lakehouse.errors import StorageError
from lakehouse.state import ScanRecord
from lakehouse.state.database import State

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
DOCUMENT = {"columns": [{"path": "payload$.`ü`", "entities": [{"entity": "PERSON", "share": 0.25}]}]}


def _scans() -> list[ScanRecord]:
    return [
        ScanRecord(
            table=table, version=2**40 + at, at=NOW + timedelta(hours=at), author="ü", document=DOCUMENT
        )
        for at, table in enumerate(["customers", "orders", "customers"])
    ]


def test_scans_come_back_newest_first(state: State) -> None:
    scans = _scans()
    state.scans.add(scans[:2])
    state.scans.add(scans[2:])
    assert state.scans.list() == scans[::-1]
    assert state.scans.list(table="customers") == [scans[2], scans[0]]
    assert state.scans.list(table="customers", limit=1) == [scans[2]]
    assert state.scans.list(table="nothing") == []


@pytest.mark.parametrize("change", ["DELETE FROM lakehouse_scans", "UPDATE lakehouse_scans SET version = 1"])
def test_what_was_found_can_not_be_changed(state: State, ask: Callable[..., Any], change: str) -> None:
    state.scans.add(_scans())
    with pytest.raises(StorageError):
        ask(change)
    assert state.scans.list() == _scans()[::-1]


def test_looking_makes_nothing(state: State) -> None:
    with pytest.raises(StorageError, match="there is no state"):
        state.scans.list()
    assert not state.exists()
