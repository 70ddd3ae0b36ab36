from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import orjson
import polars as pl
import pytest

from lakehouse.delta.actions import SetTransaction
from lakehouse.delta.create import create_table
from lakehouse.delta.schema import StructField, StructType, parse_type
from lakehouse.delta.snapshot import Snapshot, load_snapshot
from lakehouse.errors import CorruptTableError
from lakehouse.merge.tombstones import APP_ID, FOLDER, Manifest, find, load_manifest, remember, watermark
from lakehouse.merge.verdicts import buried
from lakehouse.storage import Storage, open_storage

WEEK = timedelta(days=7)
DAY = 24 * 60 * 60 * 1000


class Memory:
    """What a table remembers, as one commit after the other adds to it."""

    def __init__(self, storage: Storage, snapshot: Snapshot) -> None:
        self.storage = storage
        self.snapshot = snapshot

    @property
    def manifest(self) -> Manifest:
        return load_manifest(self.storage, self.snapshot)

    def point(self, version: int) -> None:
        pointer = SetTransaction(app_id=APP_ID, version=version)
        self.snapshot = replace(self.snapshot, transactions={APP_ID: pointer})

    def remember(self, *deletes: tuple[int, int], truncate: int | None = None, at: int = 0) -> int | None:
        pointer = remember(
            self.storage,
            self.manifest,
            deletes=pl.DataFrame(deletes, schema={"id": pl.Int64(), "seq": pl.Int64()}, orient="row"),
            truncate=None if truncate is None else pl.DataFrame({"seq": [truncate]}),
            now_ms=at,
            keep=WEEK,
        )
        if pointer is None:
            return None
        assert pointer.app_id == APP_ID
        self.point(pointer.version)
        return pointer.version

    def found(self, *keys: int) -> dict[int, int]:
        frame = find(
            self.storage,
            self.manifest,
            keys=pl.DataFrame({"id": keys}, schema={"id": pl.Int64()}),
            sequence=["seq"],
        )
        return {} if frame is None else dict(frame.select("id", buried("seq")).rows())


@pytest.fixture
def memory(tmp_path: Path) -> Memory:
    storage = open_storage(tmp_path / "t", options={"fsync": "false"})
    create_table(storage, schema=StructType((StructField("id", parse_type("long")),)))
    return Memory(storage, load_snapshot(storage))


def test_a_table_that_never_deleted_remembers_nothing(memory: Memory) -> None:
    assert memory.manifest == Manifest()
    assert memory.manifest.is_empty
    assert memory.found(1) == {}
    assert memory.remember() is None


def test_what_was_remembered_is_found_again(memory: Memory) -> None:
    memory.remember((1, 5), (2, 7))
    assert memory.found(1, 2, 3) == {1: 5, 2: 7}
    assert memory.found(3) == {}
    assert memory.found() == {}


def test_the_newest_of_several_tombstones_counts(memory: Memory) -> None:
    memory.remember((1, 5))
    memory.remember(*((key, 1) for key in range(10, 20)))
    memory.remember((1, 9))
    memory.remember((1, 7))
    assert memory.found(1) == {1: 9}


def test_a_truncate_is_a_delete_of_every_key(memory: Memory) -> None:
    memory.remember((1, 5), (2, 20), truncate=9)
    assert memory.found(1, 2, 3) == {1: 9, 2: 20, 3: 9}
    mark = watermark(memory.storage, memory.manifest)
    assert mark is not None
    assert mark.to_dicts() == [{"seq": 9}]
    memory.remember((4, 30))
    assert memory.found(3, 4) == {3: 9, 4: 30}


def test_small_files_are_taken_in_and_large_ones_stay(memory: Memory) -> None:
    memory.remember(*((key, 1) for key in range(1000)))
    for key in range(1000, 1064):
        memory.remember((key, 1))
    sizes = [file.rows for file in memory.manifest.files]
    assert sum(sizes) == 1064
    assert sizes[0] == 1000
    assert len(sizes) <= 8
    assert memory.found(*range(1070)) == dict.fromkeys(range(1064), 1)


def test_what_is_older_than_a_week_is_forgotten(memory: Memory) -> None:
    memory.remember(*((key, 1) for key in range(100)), at=0)
    memory.remember((100, 1), at=6 * DAY)
    assert len(memory.found(*range(101))) == 101
    memory.remember((101, 1), at=8 * DAY)
    assert memory.found(*range(102)) == {100: 1, 101: 1}
    memory.remember((102, 1), at=14 * DAY)
    assert memory.found(*range(103)) == {101: 1, 102: 1}


def test_a_truncate_is_never_forgotten(memory: Memory) -> None:
    memory.remember(truncate=5, at=0)
    memory.remember((1, 9), at=100 * DAY)
    assert memory.found(1, 2) == {1: 9, 2: 5}


def test_an_older_version_goes_on_to_remember_what_it_did(memory: Memory) -> None:
    first = memory.remember((1, 5))
    memory.remember((2, 6))
    assert first is not None
    memory.point(first)
    assert memory.found(1, 2) == {1: 5}


def test_a_restore_to_before_the_first_delete_forgets_all(memory: Memory) -> None:
    memory.remember((1, 5))
    memory.point(0)
    assert memory.manifest == Manifest()
    assert memory.found(1) == {}


def test_a_manifest_that_is_gone_is_said_so(memory: Memory) -> None:
    memory.remember((1, 5))
    number = memory.snapshot.transactions[APP_ID].version
    memory.storage.delete([f"{FOLDER}/{number}.json"])
    with pytest.raises(CorruptTableError, match=f"version 0 of .*{number}.json, which is gone"):
        memory.found(1)


def test_the_manifest_holds_no_values(memory: Memory) -> None:
    number = memory.remember((123456789, 5))
    body = orjson.loads(memory.storage.get(f"{FOLDER}/{number}.json"))
    assert set(body) == {"files", "watermark"}
    assert [set(file) for file in body["files"]] == [{"path", "rows", "newest_ms"}]
    assert "123456789" not in orjson.dumps(body).decode()


def test_keys_of_several_columns_that_are_the_sequence_too(memory: Memory) -> None:
    deletes = pl.DataFrame({"a": [1], "b": ["x"], "seq": [3]})
    pointer = remember(memory.storage, Manifest(), deletes=deletes, truncate=None, now_ms=0, keep=WEEK)
    assert pointer is not None
    memory.point(pointer.version)
    keys = pl.DataFrame({"a": [1, 1], "b": ["x", "y"]})
    found = find(memory.storage, memory.manifest, keys=keys, sequence=["seq", "a"])
    assert found is not None
    assert found.to_dicts() == [{"a": 1, "b": "x", buried("seq"): 3, buried("a"): 1}]


def test_another_sequence_can_not_be_compared_and_keys_can_grow_wider(memory: Memory) -> None:
    memory.remember((1, 5), truncate=3)
    keys = pl.DataFrame({"id": [1, 2]}, schema={"id": pl.Int64()})
    assert find(memory.storage, memory.manifest, keys=keys, sequence=["other"]) is None
    deletes = pl.DataFrame({"id": [2], "other": [7]}, schema={"id": pl.Int32(), "other": pl.Int32()})
    later = remember(memory.storage, memory.manifest, deletes=deletes, truncate=None, now_ms=0, keep=WEEK)
    assert later is not None
    memory.point(later.version)
    assert memory.found(1, 2) == {1: 5, 2: 3}
    found = find(memory.storage, memory.manifest, keys=keys, sequence=["other"])
    assert found is not None
    assert found.to_dicts() == [{"id": 2, buried("other"): 7}]
