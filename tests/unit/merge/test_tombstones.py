from __future__ import annotations

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
from lakehouse.merge.tombstones import APP_ID, Manifest, find, load_manifest, remember, watermark
from lakehouse.merge.verdicts import buried
from lakehouse.storage import Storage, open_storage

WEEK = timedelta(days=7)
DAY_MS = 24 * 60 * 60 * 1000


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    return open_storage(tmp_path / "t")


@pytest.fixture
def snapshot(storage: Storage) -> Snapshot:
    create_table(storage, schema=StructType((StructField("id", parse_type("long")),)))
    return load_snapshot(storage)


def _deletes(*rows: tuple[int, int]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema={"id": pl.Int64(), "seq": pl.Int64()}, orient="row")


def _keys(*keys: int) -> pl.DataFrame:
    return pl.DataFrame({"id": keys}, schema={"id": pl.Int64()})


def _mark(sequence: int) -> pl.DataFrame:
    return pl.DataFrame({"seq": [sequence]}, schema={"seq": pl.Int64()})


class Memory:
    """The memory of a table whose commits only delete."""

    def __init__(self, storage: Storage, snapshot: Snapshot) -> None:
        self.storage = storage
        self.snapshot = snapshot

    @property
    def manifest(self) -> Manifest:
        return load_manifest(self.storage, self.snapshot)

    def remember(
        self, *deletes: tuple[int, int], truncate: int | None = None, at: int = 0, keep: timedelta = WEEK
    ) -> SetTransaction | None:
        pointer = remember(
            self.storage,
            self.manifest,
            deletes=_deletes(*deletes),
            truncate=None if truncate is None else _mark(truncate),
            now_ms=at,
            keep=keep,
        )
        if pointer is not None:
            self.point(pointer)
        return pointer

    def point(self, pointer: SetTransaction) -> None:
        from dataclasses import replace  # noqa: PLC0415

        self.snapshot = replace(self.snapshot, transactions={APP_ID: pointer})

    def found(self, *keys: int) -> dict[int, int]:
        frame = find(self.storage, self.manifest, keys=_keys(*keys), sequence=["seq"])
        return {} if frame is None else dict(frame.select("id", buried("seq")).rows())


@pytest.fixture
def memory(storage: Storage, snapshot: Snapshot) -> Memory:
    return Memory(storage, snapshot)
