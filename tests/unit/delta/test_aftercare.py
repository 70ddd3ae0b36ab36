"""What is seen to after a commit: never at the commit's cost."""

from __future__ import annotations

import builtins
from pathlib import Path

import polars as pl

from lakehouse.delta.aftercare import look_after
from lakehouse.delta.snapshot import load_snapshot
from lakehouse.delta.transaction import Committed
from lakehouse.errors import StorageError
from lakehouse.storage import ObjectInfo, open_storage
from tests.fixtures.faults import FaultyStorage


class Silent(FaultyStorage):
    def list(self, prefix: str = "", *, after: str | None = None) -> builtins.list[ObjectInfo]:
        raise StorageError("the store does not answer")


def test_a_version_that_cant_be_read_just_now_is_no_failure_of_its_commit(tmp_path: Path) -> None:
    pl.DataFrame({"id": [1]}).write_delta(tmp_path)
    storage = open_storage(tmp_path)
    base = load_snapshot(storage)
    pl.DataFrame({"id": [2]}).write_delta(tmp_path, mode="append")
    done = Committed(1, 0, "t")
    assert look_after(Silent(storage), base=base, done=done) is base
    assert look_after(storage, base=base, done=done).version == 1
