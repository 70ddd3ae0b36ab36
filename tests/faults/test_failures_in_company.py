"""A store that fails at any call of a merge that others overtake: before or after, never in between."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest

from lakehouse.errors import StorageError
from lakehouse.storage import open_storage
from lakehouse.table import Table
from tests.faults import work
from tests.fixtures.faults import FaultyStorage, Moment
from tests.fixtures.meanwhile import Deed, Meanwhile

RIVAL = [{"id": 2, "seq": 9, "v": "theirs"}, {"id": 33, "seq": 9, "_op": "delete"}]
ELSEWHERE = [{"id": 5000, "seq": 1, "v": "theirs"}]


def rows(table: Table) -> Mapping[int, str]:
    return dict(table.read().select("id", "v").iter_rows())


def overtaken(root: Path, *deeds: Deed, at: int | None, when: Moment, merge: str) -> FaultyStorage:
    storage = FaultyStorage(
        Meanwhile(open_storage(root, options={"fsync": "false"}), deeds), at=at, when=when
    )
    work.merge(work.table(root, storage=storage, merge=merge))
    return storage


@pytest.mark.slow
@pytest.mark.parametrize("merge", ["on_read", "on_write"])
@pytest.mark.parametrize("when", ["before", "after"])
def test_at_every_call(tmp_path: Path, merge: str, when: Moment) -> None:
    clean = tmp_path / "clean"
    work.fill(clean, merge=merge)

    def company(root: Path) -> list[Deed]:
        other = work.table(root, merge=merge)
        return [lambda: other.merge(ELSEWHERE), lambda: other.merge(RIVAL)]

    def attempt(name: str, at: int | None) -> tuple[Path, int]:
        root = tmp_path / name
        shutil.copytree(clean, root)
        try:
            return root, overtaken(root, *company(root), at=at, when=when, merge=merge).calls
        except StorageError:
            return root, 0

    whole, calls = attempt("whole", None)
    final = rows(work.table(whole, merge=merge))
    assert calls > 10
    # Every other call, so that what fails before and after take turns.
    for at in range(1 + (when == "after"), calls + 1, 2):
        root, _ = attempt(f"at-{at}", at)
        table = work.table(root, merge=merge)
        offset = table.snapshot().transactions["shop"].version
        if offset != work.OFFSET:
            assert rows(table)[0] != "third", at
            for deed in company(root):
                deed()
            work.merge(table)
        assert rows(table) == final, at
        assert table.verify().ok
        shutil.rmtree(root)
