"""The store fails at every call, keeps failing, loses answers, is full: clean errors, whole tables."""

from __future__ import annotations

import shutil
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import pytest

from lakehouse.errors import CommitUnknownError, LakehouseError, StorageError
from lakehouse.storage import Storage, open_storage
from tests.faults import work
from tests.faults.moments import copy, moments, rows
from tests.faults.nursery import Nursery
from tests.faults.test_kills import CASES, Case
from tests.fixtures.faults import WRITES, FaultyStorage, Plan
from tests.properties.tables import NAME, everywhere, files_below

MEMORY = "_lakehouse/tombstones/"
NO_SYNC = {"fsync": "false"}


def left_over(root: Path, before: Collection[str]) -> set[str]:
    """Files that a failure has left, but for tombstones that nothing points at and empty log entries."""
    now = {name.removeprefix(f"{NAME}/") for name in files_below(root)}
    return {name for name in now - set(before) if not name.startswith((MEMORY, "_delta_log/"))}


def objects(root: Path) -> set[str]:
    return {name.removeprefix(f"{NAME}/") for name in files_below(root)}


@pytest.mark.parametrize("case", [case for case in CASES if case.task != "create"], ids=str)
def test_a_failure_at_any_call(tmp_path: Path, case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lakehouse.delta.transaction._PAUSES", (0.0, 0.0))
    base = tmp_path / "base"
    if case.filled:
        work.fill(base, **case.section)
    before = rows(case.table(base), base) if case.filled else []
    whole = copy(base, tmp_path / "whole")
    counting = FaultyStorage(open_storage(whole, options=NO_SYNC))
    work.WORKS[case.task](work.table(whole, storage=counting, **case.section))
    after = rows(case.table(whole), whole)
    version = case.table(whole).snapshot().version

    for at, when in moments(counting.log):
        root = copy(base, tmp_path / f"{at}-{when}")
        place = f"{when} call {at}, {counting.log[at - 1]}"
        there = objects(root)
        broken = FaultyStorage(open_storage(root, options=NO_SYNC), at=at, when=when, how="raise")
        done, error = attempt(case, root, storage=broken)
        failed = error is not None
        assert done is None or done["version"] is not None, place
        assert error is None or "injected" in error.message, place
        table = case.table(root)
        found = rows(table, root)
        assert found == (before if failed else after), place
        if table.exists():
            assert table.verify().ok, place
        if failed:
            # Of a write whose answer is lost, or that died half-way, the object itself can stay as an orphan.
            assert len(left_over(root, there)) <= (when != "before"), place
            again(case, root, version=version)
        assert rows(case.table(root), root) == after, place
        shutil.rmtree(root)


def attempt(
    case: Case, root: Path, *, storage: Storage
) -> tuple[Mapping[str, Any] | None, StorageError | None]:
    try:
        return work.WORKS[case.task](work.table(root, storage=storage, **case.section)), None
    except StorageError as error:
        return None, error


def again(case: Case, root: Path, *, version: int) -> None:
    work.WORKS[case.task](case.table(root))
    assert case.table(root).snapshot().version == version


class Dying(Plan):
    """After ``at`` calls of some kinds, all of them fail."""

    def strikes(self, operation: str, path: str) -> bool:
        if operation not in self.operations:
            return False
        with self.lock:
            self.log.append((operation, path))
            return len(self.log) > (self.at or 0)


@pytest.mark.parametrize("task", ["merge", "compact", "restore"])
@pytest.mark.parametrize(
    "operations", [WRITES, WRITES - {"delete"}, WRITES | {"get", "head", "list"}], ids=len
)
def test_a_store_that_goes_away_and_comes_back(
    tmp_path: Path, task: str, operations: frozenset[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lakehouse.delta.transaction._PAUSES", (0.0, 0.0))
    base = tmp_path / "base"
    work.fill(base)
    before = rows(work.table(base), base)
    whole = copy(base, tmp_path / "whole")
    work.WORKS[task](work.table(whole))
    after = rows(work.table(whole), whole)
    for number in range(40):
        root = copy(base, tmp_path / str(number))
        plan = Dying(at=number, operations=operations)
        dying = FaultyStorage(open_storage(root, options=NO_SYNC), plan=plan)
        try:
            work.WORKS[task](work.table(root, storage=dying))
        except LakehouseError as error:
            table = work.table(root)
            found = rows(table, root)
            unknown = isinstance(error, CommitUnknownError)
            assert found == before or (unknown and found == after), number
            assert table.verify().ok
            work.WORKS[task](table)
            assert rows(table, root) == after, number
        else:
            assert rows(work.table(root), root) == after
            break
        shutil.rmtree(root)
    else:
        pytest.fail("the work never came to an end")


class LostAnswer(FaultyStorage):
    """Every commit is written, but its answer is lost, some times over."""

    def __init__(self, inner: Storage, *, mute: int) -> None:
        super().__init__(inner)
        self.mute = mute

    def child(self, prefix: str) -> LostAnswer:
        return LostAnswer(self.inner.child(prefix), mute=self.mute)

    def put_if_absent(self, path: str, data: bytes) -> bool:
        written = self.inner.put_if_absent(path, data)
        if "_delta_log" in path:
            raise StorageError("injected: the answer was lost")
        return written

    def get(self, path: str) -> bytes:
        if "_delta_log" in path and self.mute and path.endswith(f"{3:020}.json"):
            self.mute -= 1
            raise StorageError("injected: no answer")
        return self.inner.get(path)


@pytest.mark.parametrize("mute", [0, 1, 2])
def test_a_commit_whose_answer_is_lost_is_looked_up(
    tmp_path: Path, mute: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lakehouse.delta.transaction._PAUSES", (0.0, 0.0))
    work.fill(tmp_path)
    storage = LostAnswer(open_storage(tmp_path, options=NO_SYNC), mute=mute)
    result = work.table(tmp_path, storage=storage).merge(work.BATCH, source="shop", offset=work.OFFSET)
    assert (result.committed, result.version) == (True, 3)
    assert result.total == len(work.BATCH)
    table = work.table(tmp_path)
    assert table.snapshot().version == 3
    assert table.merge(work.BATCH, source="shop", offset=work.OFFSET).duplicate == len(work.BATCH)
    assert table.verify().ok


def test_a_commit_that_can_not_be_looked_up_is_unknown_and_keeps_its_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lakehouse.delta.transaction._PAUSES", (0.0, 0.0))
    work.fill(tmp_path)
    storage = LostAnswer(open_storage(tmp_path, options=NO_SYNC), mute=1000)
    with pytest.raises(CommitUnknownError, match="version 3"):
        work.table(tmp_path, storage=storage).merge(work.BATCH, source="shop", offset=work.OFFSET)
    table = work.table(tmp_path)
    assert table.snapshot().version == 3
    assert table.verify().ok
    assert table.merge(work.BATCH, source="shop", offset=work.OFFSET).duplicate == len(work.BATCH)
    assert len(everywhere(table, tmp_path)) == len({*range(40), *range(100, 105)} - {20, 21})


@pytest.mark.parametrize("task", ["merge", "compact"])
def test_a_disk_that_is_full_in_the_middle_of_a_file(tmp_path: Path, nursery: Nursery, task: str) -> None:
    base = tmp_path / "base"
    work.fill(base, merge="on_read")
    before = rows(work.table(base), base)
    codes = []
    for size in (0, 60, 400, 1000, 2000, 1_000_000):
        root = copy(base, tmp_path / str(size))
        there = objects(root)
        section: dict[str, Any] = {"merge": "on_read"}
        child = "tests.faults.children:write_no_more_than"
        codes.append(nursery.run(child, root=str(root), task=task, section=section, size=size))
        table = work.table(root)
        assert table.verify().ok
        if codes[-1]:
            assert rows(table, root) == before
            assert not left_over(root, there)
            work.WORKS[task](table)
        else:
            assert table.snapshot().version == 3
    assert codes[0] == codes[1] == 1
    assert codes[-1] == 0
