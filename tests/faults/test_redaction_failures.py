"""A redaction that fails at any moment leaves a table that all can read; the next try completes it."""

from __future__ import annotations

import shutil
from pathlib import Path

import polars as pl
import pytest

from lakehouse.errors import StorageError
from lakehouse.storage import open_storage
from tests.fixtures.faults import WRITES, FaultyStorage, Moment
from tests.fixtures.redaction import PERSON, anna, people, redact, traces
from tests.properties.tables import NAME, by_delta_rs, delta, open_table

NO_SYNC = {"fsync": "false"}


def filled(root: Path) -> Path:
    table = open_table(root, change_feed=True)
    table.merge(people(0, 20))
    table.merge(anna())
    delta(root).create_checkpoint()
    table.merge(pl.DataFrame({"id": [7, 8], "_op": ["delete", "delete"]}))
    return root / NAME


def all_rows(path: Path) -> list[list[object]]:
    """The ids of every version, by us and by delta-rs."""
    table = open_table(path.parent)
    ids = [
        sorted(table.read(version=version)["id"].to_list())
        for version in range(1, table.snapshot().version + 1)
    ]
    assert sorted(by_delta_rs(path.parent)["id"].to_list()) == ids[-1]
    return ids


@pytest.mark.parametrize("when", ["before", "during", "after"])
def test_a_failure_at_any_write(tmp_path: Path, when: Moment) -> None:
    base = filled(tmp_path / "base")
    ids = all_rows(base)
    whole = open_storage(shutil.copytree(base, tmp_path / "whole" / NAME), options=NO_SYNC)
    counting = FaultyStorage(whole, operations=WRITES)
    redact(counting)
    assert counting.calls > 8
    for at in range(1, counting.calls + 1):
        path = Path(shutil.copytree(base, tmp_path / f"{at}" / NAME))
        inner = open_storage(path, options=NO_SYNC)
        with pytest.raises(StorageError, match="injected"):
            redact(FaultyStorage(inner, at=at, when=when, operations=WRITES))
        assert all_rows(path) == ids
        redact(inner, whole=False)
        assert all_rows(path) == ids
        assert traces(path) == []
        shutil.rmtree(path.parent)
    assert PERSON in open_table(tmp_path / "base").read(version=2)["email"].to_list()
