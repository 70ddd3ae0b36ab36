from __future__ import annotations

import json
import time
from pathlib import Path

import polars as pl
import pytest
from deltalake import DeltaTable

from lakehouse.delta.actions import AddFile, CommitInfo, Metadata
from lakehouse.delta.checkpoint import (
    checkpoint_if_due,
    checkpoint_interval,
    forget_removed,
    is_due,
    write_checkpoint,
)
from lakehouse.delta.create import create_table
from lakehouse.delta.log import commit_path, last_checkpoint, list_log
from lakehouse.delta.schema import LONG, StructField, StructType
from lakehouse.delta.snapshot import Snapshot, load_snapshot
from lakehouse.delta.transaction import commit
from lakehouse.storage import Storage, open_storage

PLAIN = Metadata("id", "{}")


def every(interval: str) -> Metadata:
    return Metadata("id", "{}", configuration={"delta.checkpointInterval": interval})


def table(storage: Storage, versions: int) -> Snapshot:
    create_table(storage, schema=StructType((StructField("id", LONG),)), deletion_vectors=True)
    snapshot = load_snapshot(storage)
    for number in range(1, versions):
        commit(
            storage,
            version=number,
            actions=[AddFile(f"f{number}.parquet", {}, 10, 10, stats='{"numRecords":1}')],
            commit_info=CommitInfo(operation="WRITE"),
            base=snapshot,
        )
        snapshot = load_snapshot(storage, base=snapshot)
    return snapshot


@pytest.mark.parametrize(
    ("metadata", "interval"),
    [
        (PLAIN, 10),
        (every("3"), 3),
        (every("0"), 10),
        (every("-1"), 10),
        (every("many"), 10),
        (every("²"), 10),
    ],
)
def test_the_interval(metadata: Metadata, interval: int) -> None:
    assert checkpoint_interval(metadata) == interval


def test_when_one_is_due() -> None:
    assert [version for version in range(25) if is_due(version, PLAIN)] == [10, 20]
    assert [version for version in range(10) if is_due(version, every("3"))] == [3, 6, 9]


def test_what_others_left_out_is_caught_up() -> None:
    assert is_due(17, PLAIN, last=7)
    assert not is_due(17, PLAIN, last=8)
    assert not is_due(0, every("1"))


def test_a_checkpoint_is_written_and_used(tmp_path: Path) -> None:
    storage = open_storage(tmp_path)
    before = table(storage, 4)
    result = checkpoint_if_due(storage, 3, every("3"))
    assert result.made
    assert last_checkpoint(storage) == 3
    storage.delete([commit_path(number) for number in range(3)])
    after = load_snapshot(storage)
    assert after.files == before.files
    assert after.protocol == before.protocol
    assert after.metadata == before.metadata
    assert after.checkpoint_version == 3


def test_no_commit_is_ever_removed_by_it(tmp_path: Path) -> None:
    storage = open_storage(tmp_path)
    table(storage, 5)
    assert write_checkpoint(storage, 2).made
    assert sorted(list_log(storage).commits) == [0, 1, 2, 3, 4]


def test_not_due(tmp_path: Path) -> None:
    result = checkpoint_if_due(open_storage(tmp_path), 3, PLAIN)
    assert (result.made, result.reason) == (False, "not due")


def test_a_checkpoint_that_fails_is_only_told(tmp_path: Path) -> None:
    result = checkpoint_if_due(open_storage(tmp_path), 10, PLAIN)
    assert not result.made
    assert result.reason.startswith("failed: ")
    assert not write_checkpoint(open_storage("memory://"), 0).made


def test_a_checkpoint_forgets_the_bounds_of_files_that_are_gone(tmp_path: Path) -> None:
    storage = open_storage(tmp_path)
    before = table(storage, 3)
    gone = AddFile("f1.parquet", {}, 10, 10, stats='{"numRecords":1,"minValues":{"id":4711}}')
    now = time.time_ns() // 1_000_000
    info = CommitInfo(operation="DELETE")
    commit(storage, version=3, actions=[gone.remove(at_ms=now)], commit_info=info, base=before)
    assert write_checkpoint(storage, 3).made
    assert "4711" in str(checkpoint_of(tmp_path)["remove"].to_list())
    assert forget_removed(storage, 3).made
    found = checkpoint_of(tmp_path)
    assert "4711" not in str(found.to_dicts())
    assert [row["path"] for row in found["remove"].to_list() if row] == ["f1.parquet"]
    hint = json.loads((tmp_path / "_delta_log/_last_checkpoint").read_text())
    assert hint["sizeInBytes"] == (tmp_path / f"_delta_log/{3:020}.checkpoint.parquet").stat().st_size
    storage.delete([commit_path(number) for number in range(4)])
    after = load_snapshot(storage)
    assert (set(after.files), after.metadata) == ({"f2.parquet"}, before.metadata)
    assert DeltaTable(str(tmp_path)).file_uris() == [str(tmp_path / "f2.parquet")]


def checkpoint_of(root: Path) -> pl.DataFrame:
    return pl.read_parquet(root / f"_delta_log/{3:020}.checkpoint.parquet")


def test_a_checkpoint_that_is_not_there_forgets_nothing(tmp_path: Path) -> None:
    assert not forget_removed(open_storage(tmp_path), 3).made
