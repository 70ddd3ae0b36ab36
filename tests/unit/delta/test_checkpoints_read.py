"""Checkpoints built by hand, in every shape that the protocol allows."""

from __future__ import annotations

import io
import json
import time
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, ClassVar

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lakehouse.delta.actions import (
    Action,
    AddFile,
    CheckpointMetadata,
    DeletionVector,
    DomainMetadata,
    Metadata,
    Protocol,
    SetTransaction,
    Sidecar,
    serialize_all,
)
from lakehouse.delta.schema import LONG, StructField, StructType
from lakehouse.delta.snapshot import load_snapshot
from lakehouse.errors import CorruptTableError
from lakehouse.storage import Storage, open_storage

TEXTS = pa.map_(pa.string(), pa.string())
VECTOR_TYPE = pa.struct(
    {
        "storageType": pa.string(),
        "pathOrInlineDv": pa.string(),
        "offset": pa.int32(),
        "sizeInBytes": pa.int32(),
        "cardinality": pa.int64(),
    }
)
ADD_FIELDS: dict[str, pa.DataType] = {
    "path": pa.string(),
    "partitionValues": TEXTS,
    "size": pa.int64(),
    "modificationTime": pa.int64(),
    "dataChange": pa.bool_(),
    "stats": pa.string(),
    "tags": TEXTS,
    "deletionVector": VECTOR_TYPE,
    "baseRowId": pa.int64(),
    "defaultRowCommitVersion": pa.int64(),
    "clusteringProvider": pa.string(),
}
OTHERS: dict[str, pa.DataType] = {
    "protocol": pa.struct(
        {
            "minReaderVersion": pa.int32(),
            "minWriterVersion": pa.int32(),
            "readerFeatures": pa.list_(pa.string()),
            "writerFeatures": pa.list_(pa.string()),
        }
    ),
    "metaData": pa.struct(
        {
            "id": pa.string(),
            "name": pa.string(),
            "description": pa.string(),
            "format": pa.struct({"provider": pa.string(), "options": TEXTS}),
            "schemaString": pa.string(),
            "partitionColumns": pa.list_(pa.string()),
            "createdTime": pa.int64(),
            "configuration": TEXTS,
        }
    ),
    "txn": pa.struct({"appId": pa.string(), "version": pa.int64(), "lastUpdated": pa.int64()}),
    "domainMetadata": pa.struct({"domain": pa.string(), "configuration": pa.string(), "removed": pa.bool_()}),
    "sidecar": pa.struct(
        {"path": pa.string(), "sizeInBytes": pa.int64(), "modificationTime": pa.int64(), "tags": TEXTS}
    ),
    "checkpointMetadata": pa.struct({"version": pa.int64(), "tags": TEXTS}),
    "remove": pa.struct({"path": pa.string(), "deletionTimestamp": pa.int64(), "dataChange": pa.bool_()}),
}

SCHEMA = StructType((StructField("id", LONG), StructField("d", LONG)))
METADATA = Metadata("id", SCHEMA.to_json(), ("d",), {"a": "b"}, "n", "about", "parquet", {"o": "p"}, 7)
PROTOCOL_ROW: dict[str, Any] = {"protocol": {"minReaderVersion": 1, "minWriterVersion": 2}}
METADATA_ROW: dict[str, Any] = {
    "metaData": {
        "id": "id",
        "name": "n",
        "description": "about",
        "format": {"provider": "parquet", "options": [("o", "p")]},
        "schemaString": SCHEMA.to_json(),
        "partitionColumns": ["d"],
        "createdTime": 7,
        "configuration": [("a", "b")],
    }
}
FULL_ADD: dict[str, Any] = {
    "path": "d=1/a.parquet",
    "partitionValues": [("d", "1")],
    "size": 10,
    "modificationTime": 20,
    "dataChange": False,
    "stats": '{"numRecords":3}',
    "tags": [("k", "v")],
    "deletionVector": {
        "storageType": "u",
        "pathOrInlineDv": "x" * 20,
        "offset": 1,
        "sizeInBytes": 40,
        "cardinality": 2,
    },
    "baseRowId": 5,
    "defaultRowCommitVersion": 6,
    "clusteringProvider": "liquid",
}
EXPECTED_ADD = AddFile(
    path="d=1/a.parquet",
    partition_values={"d": "1"},
    size=10,
    modification_time=20,
    data_change=False,
    stats='{"numRecords":3}',
    tags={"k": "v"},
    deletion_vector=DeletionVector("u", "x" * 20, 40, 2, 1),
    base_row_id=5,
    default_row_commit_version=6,
    clustering_provider="liquid",
)
UUID = "80a083e8-7026-4e79-81be-64bd76c43a11"
CLASSIC = f"_delta_log/{3:020d}.checkpoint.parquet"


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    return open_storage(tmp_path)


def parquet(rows: list[dict[str, Any]], *, add: dict[str, pa.DataType] | None = None) -> bytes:
    used = {name for row in rows for name in row}
    types = {name: kind for name, kind in OTHERS.items() if name in used}
    if "add" in used:
        types["add"] = pa.struct(ADD_FIELDS if add is None else add)
    out = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows, schema=pa.schema(types)), out)
    return out.getvalue()


def plain_add(path: str) -> dict[str, Any]:
    return {
        "add": {"path": path, "partitionValues": [], "size": 1, "modificationTime": 1, "dataChange": True}
    }


def test_a_classic_checkpoint_with_everything(storage: Storage) -> None:
    rows = [
        {
            "protocol": {
                "minReaderVersion": 3,
                "minWriterVersion": 7,
                "readerFeatures": ["b", "a"],
                "writerFeatures": ["a", "b"],
            }
        },
        METADATA_ROW,
        {"txn": {"appId": "app", "version": 4, "lastUpdated": None}},
        {"domainMetadata": {"domain": "x", "configuration": "{}", "removed": False}},
        {"add": FULL_ADD},
        plain_add("b.parquet"),
        {"remove": {"path": "gone.parquet", "deletionTimestamp": 1, "dataChange": True}},
    ]
    storage.put(CLASSIC, parquet(rows))
    snapshot = load_snapshot(storage)
    assert snapshot.version == 3
    assert snapshot.protocol == Protocol(3, 7, ("a", "b"), ("a", "b"))
    assert snapshot.metadata == METADATA
    assert snapshot.transactions == {"app": SetTransaction("app", 4)}
    assert snapshot.domains == {"x": DomainMetadata("x", "{}")}
    assert snapshot.files == {
        "d=1/a.parquet": EXPECTED_ADD,
        "b.parquet": AddFile("b.parquet", {}, 1, 1),
    }


def test_a_multi_part_checkpoint(storage: Storage) -> None:
    parts = [[PROTOCOL_ROW, plain_add("a")], [METADATA_ROW], [plain_add("b"), {"add": FULL_ADD}]]
    for number, rows in enumerate(parts, start=1):
        storage.put(f"_delta_log/{3:020d}.checkpoint.{number:010d}.{3:010d}.parquet", parquet(rows))
    assert sorted(load_snapshot(storage).files) == ["a", "b", "d=1/a.parquet"]
    storage.delete([f"_delta_log/{3:020d}.checkpoint.{2:010d}.{3:010d}.parquet"])
    storage.put(f"_delta_log/{4:020d}.json", serialize_all([AddFile("c", {}, 1, 1)]))
    with pytest.raises(CorruptTableError, match=f"{2:010d}.{3:010d}.parquet"):
        load_snapshot(storage)


@pytest.mark.parametrize("top", ["json", "parquet", "classic"])
def test_a_v2_checkpoint_with_sidecars(storage: Storage, top: str) -> None:
    storage.put("_delta_log/_sidecars/one.parquet", parquet([plain_add("a"), {"add": FULL_ADD}]))
    storage.put("_delta_log/_sidecars/two.parquet", parquet([plain_add("b")]))
    storage.put("_delta_log/_sidecars/orphan.parquet", parquet([plain_add("never")]))
    # Only the name counts, however much of a path stands before it.
    paths = ["one.parquet", "somewhere/_delta_log/_sidecars/two%2Eparquet"]
    if top == "json":
        actions: list[Action] = [
            CheckpointMetadata(3),
            Protocol(1, 2),
            METADATA,
            *[Sidecar(path, 1, 1) for path in paths],
        ]
        storage.put(f"_delta_log/{3:020d}.checkpoint.{UUID}.json", serialize_all(actions))
    else:
        rows: list[dict[str, Any]] = [
            {"checkpointMetadata": {"version": 3, "tags": [("k", "v")]}},
            PROTOCOL_ROW,
            METADATA_ROW,
            *[
                {"sidecar": {"path": path, "sizeInBytes": 1, "modificationTime": 1, "tags": []}}
                for path in paths
            ],
        ]
        name = CLASSIC if top == "classic" else f"_delta_log/{3:020d}.checkpoint.{UUID}.parquet"
        storage.put(name, parquet(rows))
    snapshot = load_snapshot(storage)
    assert sorted(snapshot.files) == ["a", "b", "d=1/a.parquet"]
    assert snapshot.metadata == METADATA
    assert snapshot.files["d=1/a.parquet"] == EXPECTED_ADD


def test_a_v2_checkpoint_without_sidecars(storage: Storage) -> None:
    storage.put(
        CLASSIC, parquet([{"checkpointMetadata": {"version": 3}}, PROTOCOL_ROW, METADATA_ROW, plain_add("a")])
    )
    assert sorted(load_snapshot(storage).files) == ["a"]


def test_a_checkpoint_of_an_empty_table(storage: Storage) -> None:
    storage.put(CLASSIC, parquet([PROTOCOL_ROW, METADATA_ROW]))
    assert load_snapshot(storage).files == {}


def test_columns_that_old_writers_did_not_know_may_be_missing(storage: Storage) -> None:
    few = {"path": pa.string(), "size": pa.int64(), "partitionValues": TEXTS}
    rows = [PROTOCOL_ROW, METADATA_ROW, {"add": {"path": "a", "size": 3, "partitionValues": None}}]
    storage.put(CLASSIC, parquet(rows, add=few))
    assert load_snapshot(storage).files == {"a": AddFile("a", {}, 3, 0)}


def test_absent_actions_may_be_structs_full_of_nulls(storage: Storage) -> None:
    nothing = {
        "txn": {"appId": None},
        "add": {"path": None, "partitionValues": None},
        "protocol": {"minReaderVersion": None},
    }
    rows = [{**nothing, **row} for row in (PROTOCOL_ROW, METADATA_ROW, plain_add("a"))]
    storage.put(CLASSIC, parquet(rows))
    snapshot = load_snapshot(storage)
    assert sorted(snapshot.files) == ["a"]
    assert snapshot.transactions == {}


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"PAR1 no parquet PAR1", "no readable Parquet"),
        (b"", "no readable Parquet"),
        (parquet([PROTOCOL_ROW, plain_add("a")]), "no protocol or no metadata"),
        (parquet([METADATA_ROW, PROTOCOL_ROW, {"txn": {"version": 3}}]), "'txn'"),
    ],
)
def test_a_broken_checkpoint_is_named(storage: Storage, data: bytes, why: str) -> None:
    storage.put(CLASSIC, data)
    with pytest.raises(CorruptTableError, match=why) as error:
        load_snapshot(storage)
    assert CLASSIC in str(error.value)


class TestParsedStatistics:
    values = pa.struct(
        {
            "id": pa.int64(),
            "amount": pa.decimal128(38, 2),
            "at": pa.timestamp("us", tz="UTC"),
            "local": pa.timestamp("us"),
            "day": pa.date32(),
            "name": pa.string(),
            "place": pa.struct({"x": pa.float64()}),
        }
    )
    low: ClassVar[dict[str, Any]] = {
        "id": 1,
        "amount": Decimal("12345678901234567890.12"),
        "at": datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC),
        "local": datetime(2026, 1, 2, 3, 4, 5),
        "day": date(2026, 1, 2),
        "name": 'qu"ote 12.5',
        "place": {"x": 0.5},
    }

    def types(self, *, stats: bool) -> dict[str, pa.DataType]:
        parsed = {
            "numRecords": pa.int64(),
            "tightBounds": pa.bool_(),
            "minValues": self.values,
            "nullCount": pa.struct({"id": pa.int64()}),
        }
        kept = {"path": pa.string(), "size": pa.int64()} | ({"stats": pa.string()} if stats else {})
        return kept | {"stats_parsed": pa.struct(parsed)}

    def row(self, path: str, **more: Any) -> dict[str, Any]:
        parsed = {"numRecords": 9, "tightBounds": False, "minValues": self.low, "nullCount": {"id": 0}}
        return {"add": {"path": path, "size": 1, "stats_parsed": parsed, **more}}

    def test_they_become_the_text_that_is_missing(self, storage: Storage) -> None:
        rows = [PROTOCOL_ROW, METADATA_ROW, self.row("a"), {"add": {"path": "b", "size": 1}}]
        storage.put(CLASSIC, parquet(rows, add=self.types(stats=False)))
        files = load_snapshot(storage).files
        assert files["b"].stats is None
        found = files["a"].statistics
        assert found.num_records == 9
        assert not found.tight_bounds
        assert found.null_count == {"id": 0}
        assert found.min_values == {
            "id": 1,
            "amount": Decimal("12345678901234567890.12"),
            "at": "2026-01-02T03:04:05.678901Z",
            "local": "2026-01-02T03:04:05.000000",
            "day": "2026-01-02",
            "name": 'qu"ote 12.5',
            "place": {"x": Decimal("0.5")},
        }

    def test_a_text_that_is_there_wins(self, storage: Storage) -> None:
        rows = [PROTOCOL_ROW, METADATA_ROW, self.row("a", stats='{"numRecords":1}'), self.row("b")]
        storage.put(CLASSIC, parquet(rows, add=self.types(stats=True)))
        files = load_snapshot(storage).files
        assert files["a"].physical_records == 1
        assert files["b"].physical_records == 9


def test_a_hundred_thousand_files_load_quickly(storage: Storage) -> None:
    count = 100_000
    text = json.dumps(
        {"numRecords": 1, "minValues": {"id": 1}, "maxValues": {"id": 2}, "nullCount": {"id": 0}}
    )
    add = pa.StructArray.from_arrays(
        [
            pa.array([None, None, *(f"d={i % 7}/part-{i}.parquet" for i in range(count))]),
            pa.array([None, None, *([("d", str(i % 7))] for i in range(count))], TEXTS),
            pa.array([None, None, *range(count)], pa.int64()),
            pa.array([None, None, *([text] * count)]),
        ],
        names=["path", "partitionValues", "size", "stats"],
        mask=pa.array([True, True, *([False] * count)]),
    )
    columns = {
        "add": add,
        "protocol": pa.array([PROTOCOL_ROW["protocol"], None, *([None] * count)], OTHERS["protocol"]),
        "metaData": pa.array([None, METADATA_ROW["metaData"], *([None] * count)], OTHERS["metaData"]),
    }
    out = io.BytesIO()
    pq.write_table(pa.table(columns), out)
    storage.put(CLASSIC, out.getvalue())
    started = time.process_time()
    snapshot = load_snapshot(storage)
    assert len(snapshot.files) == count
    assert snapshot.files["d=3/part-10.parquet"].partition_values == {"d": "3"}
    # About one second of work; the bound only catches row-by-row reading, which takes ten times as long.
    assert time.process_time() - started < 8
