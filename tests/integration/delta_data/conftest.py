from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import polars as pl
import pytest
from pyroaring import BitMap64

from lakehouse.delta import data, deletion_vectors, stats
from lakehouse.delta.actions import Action, AddFile, Metadata, Protocol, serialize_all
from lakehouse.delta.schema import StructType, parse_type
from lakehouse.delta.snapshot import Snapshot, load_snapshot
from lakehouse.storage import Storage, open_storage

_FEATURES = ("deletionVectors", "timestampNtz")


@dataclass(slots=True)
class HandMade:
    """A table whose commits are written by hand, so that only the files and vectors are under test."""

    storage: Storage
    version: int = -1

    def commit(self, *actions: Action) -> None:
        self.version += 1
        self.storage.put(f"_delta_log/{self.version:020}.json", serialize_all(actions))

    def create(self, columns: str, *, partition_by: Sequence[str] = ()) -> None:
        schema = parse_type(f"struct<{columns}>")
        assert isinstance(schema, StructType)
        properties = {"delta.enableDeletionVectors": "true"}
        metadata = Metadata(
            "5e5d8b5c-1f5e-4c5e-9d6f-1c1c1c1c1c1c",
            schema.to_json(),
            tuple(partition_by),
            configuration=properties,
            created_time=0,
        )
        self.commit(Protocol(3, 7, _FEATURES, _FEATURES), metadata)

    def append(self, frame: pl.DataFrame) -> list[AddFile]:
        here = self.snapshot()
        adds = data.write_files(self.storage, frame, schema=here.schema, metadata=here.metadata)
        self.commit(*adds)
        return adds

    def mark(self, dead: dict[str, BitMap64]) -> None:
        """Give files (by path) vectors, all in one vector file."""
        files = self.snapshot().files
        vectors = deletion_vectors.write(self.storage, list(dead.values()))
        actions: list[Action] = []
        for path, vector in zip(dead, vectors, strict=True):
            old = files[path]
            actions.append(old.remove(at_ms=1))
            actions.append(replace(old, deletion_vector=vector, stats=stats.loosen(old.stats)))
        self.commit(*actions)

    def snapshot(self) -> Snapshot:
        return load_snapshot(self.storage)

    def rows(self) -> pl.DataFrame:
        return data.scan_table(self.storage, self.snapshot()).collect()


@pytest.fixture
def table(tmp_path: Path) -> HandMade:
    return HandMade(open_storage(tmp_path / "table"))
