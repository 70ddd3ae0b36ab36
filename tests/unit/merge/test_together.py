"""A merge on a store whose answers take their time: little is asked, and what can go out at once does."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from lakehouse.errors import StorageError
from lakehouse.storage import Storage, open_storage
from lakehouse.table import Table
from tests.faults import work
from tests.fixtures.faults import READS, FaultyStorage, Plan
from tests.properties.tables import NAME

FILLED = 2
"""The version that `filled` leaves."""


def filled() -> Storage:
    lake = open_storage("memory://")
    found = table(lake)
    found.merge(work.FIRST, source="shop", offset=1)
    found.merge(work.SECOND, source="shop", offset=2)
    return lake


def table(lake: Storage) -> Table:
    return work.table(Path(), storage=lake, change_feed=True, merge="on_read")


class Meeting(Plan):
    """Lets writes of new objects go on only when a number of them have come."""

    def __init__(self, parties: int) -> None:
        super().__init__(operations={"put"})
        self.barrier = threading.Barrier(parties)

    def strikes(self, operation: str, path: str) -> bool:
        if operation == "put" and len(self.log) < self.barrier.parties:
            self.log.append((operation, path))
            self.barrier.wait(timeout=20)
        return False


def test_old_rows_new_rows_change_data_and_tombstones_are_written_at_once() -> None:
    meeting = Meeting(4)
    work.merge(table(FaultyStorage(filled(), plan=meeting)))
    # The barrier let them pass: all four were under way together.
    assert sum(path.startswith("_lakehouse/tombstones/") for _, path in meeting.log) == 1


def test_nothing_is_read_twice_nor_what_was_just_written() -> None:
    counting = FaultyStorage(filled())
    found = table(counting)
    found.snapshot()
    counting.plan.log.clear()
    work.merge(found)
    reads = [path for name, path in counting.log if name in READS - {"list"}]
    assert f"_delta_log/{FILLED + 1:020}.json" not in reads
    # Once to see which rows are dead already, once to write the larger vectors.
    assert sum(path.startswith("deletion_vector_") for path in reads) == 2
    # Before the merge, and after it.
    assert sum(name == "list" for name, _ in counting.log) == 2


def test_what_the_others_wrote_is_taken_away_where_one_fails() -> None:
    whole = filled()
    counting = FaultyStorage(whole, operations={"put"})
    before = {info.path for info in whole.list()}
    work.merge(table(counting))
    for at in range(1, counting.calls + 1):
        lake = filled()
        there = len(lake.list())
        with pytest.raises(StorageError, match="injected"):
            work.merge(table(FaultyStorage(lake, at=at, operations={"put"})))
        assert len(lake.list()) == there, at
        assert work.merge(table(lake))["version"] == FILLED + 1
    assert {info.path for info in whole.list(f"{NAME}/_delta_log")} - before == {
        f"{NAME}/_delta_log/{FILLED + 1:020}.json"
    }
