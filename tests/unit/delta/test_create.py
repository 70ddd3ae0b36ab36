from __future__ import annotations

import orjson
import pytest

from lakehouse.delta.actions import Protocol
from lakehouse.delta.create import create_table
from lakehouse.delta.log import commit_path, read_commit
from lakehouse.delta.schema import (
    BINARY,
    LONG,
    STRING,
    TIMESTAMP_NTZ,
    VARIANT,
    ArrayType,
    DataType,
    DecimalType,
    OpaqueType,
    StructField,
    StructType,
)
from lakehouse.delta.snapshot import load_snapshot
from lakehouse.errors import ConflictError, UnsupportedFeatureError, UsageError
from lakehouse.storage import Storage, open_storage

SCHEMA = StructType(
    (StructField("id", LONG, nullable=False), StructField("day", STRING), StructField("x", DecimalType(9, 2)))
)


@pytest.fixture
def storage() -> Storage:
    return open_storage("memory://")


def columns(**types: DataType) -> StructType:
    return StructType(tuple(StructField(name, kind) for name, kind in types.items()))


def test_a_plain_table(storage: Storage) -> None:
    made = create_table(storage, schema=SCHEMA, description="about", name="orders", now_ms=lambda: 77)
    assert made == 0
    snapshot = load_snapshot(storage)
    assert snapshot.version == 0
    assert snapshot.protocol == Protocol(1, 2)
    assert snapshot.schema == SCHEMA
    assert snapshot.files == {}
    assert snapshot.metadata.description == "about"
    assert snapshot.metadata.name == "orders"
    assert snapshot.metadata.created_time == 77
    assert snapshot.configuration == {}


def test_the_first_commit(storage: Storage) -> None:
    create_table(
        storage, schema=SCHEMA, partition_columns=["day", "x"], properties={"delta.appendOnly": "true"}
    )
    lines = [orjson.loads(line) for line in storage.get(commit_path(0)).splitlines()]
    assert [next(iter(line)) for line in lines] == ["commitInfo", "protocol", "metaData"]
    info = read_commit(storage, 0).info
    assert info is not None
    assert info.operation == "CREATE TABLE"
    assert info.operation_parameters["partitionBy"] == '["day","x"]'
    assert lines[2]["metaData"]["partitionColumns"] == ["day", "x"]
    assert lines[2]["metaData"]["format"] == {"provider": "parquet", "options": {}}


def test_deletion_vectors_bring_only_their_own_feature(storage: Storage) -> None:
    create_table(storage, schema=SCHEMA, deletion_vectors=True)
    snapshot = load_snapshot(storage)
    assert snapshot.protocol == Protocol(3, 7, ("deletionVectors",), ("deletionVectors",))
    assert snapshot.configuration == {"delta.enableDeletionVectors": "true"}


def test_in_commit_timestamps_from_the_start(storage: Storage) -> None:
    create_table(
        storage, schema=SCHEMA, properties={"delta.enableInCommitTimestamps": "true"}, now_ms=lambda: 5000
    )
    assert load_snapshot(storage).timestamp_ms == 5000


def test_two_tables_have_two_ids() -> None:
    ids = set()
    for _ in range(2):
        storage = open_storage("memory://")
        create_table(storage, schema=columns(t=TIMESTAMP_NTZ, x=LONG))
        ids.add(load_snapshot(storage).metadata.id)
    assert len(ids) == 2


def test_a_table_that_is_there_stays(storage: Storage) -> None:
    create_table(storage, schema=SCHEMA)
    before = storage.get(commit_path(0))
    with pytest.raises(ConflictError, match="already"):
        create_table(storage, schema=columns(other=LONG))
    assert storage.get(commit_path(0)) == before


@pytest.mark.parametrize(
    ("schema", "partitions"),
    [
        (StructType(), []),
        (columns(a=LONG, A=LONG), []),
        (columns(a=columns(x=LONG, X=LONG)), []),
        (StructType((StructField("a b", LONG),)), []),
        (StructType((StructField("", LONG),)), []),
        (columns(a=ArrayType(StructType((StructField("x=", LONG),)))), []),
        (columns(a=LONG, b=LONG), ["z"]),
        (columns(a=LONG, b=LONG), ["a", "a"]),
        (columns(a=LONG, b=LONG), ["a", "b"]),
        (columns(a=BINARY, b=LONG), ["a"]),
        (columns(a=ArrayType(LONG), b=LONG), ["a"]),
    ],
)
def test_columns_that_make_no_table(storage: Storage, schema: StructType, partitions: list[str]) -> None:
    with pytest.raises(UsageError):
        create_table(storage, schema=schema, partition_columns=partitions)
    assert storage.list() == []


@pytest.mark.parametrize(
    ("schema", "properties", "feature"),
    [
        (SCHEMA, {"delta.columnMapping.mode": "name"}, "columnMapping"),
        (SCHEMA, {"delta.enableRowTracking": "true"}, "rowTracking"),
        (SCHEMA, {"delta.enableIcebergCompatV2": "true"}, "icebergCompatV2"),
        (columns(v=VARIANT, x=LONG), {}, "variantType"),
        (columns(v=OpaqueType('"geometry"'), x=LONG), {}, "not known"),
        (StructType((StructField("x", LONG, metadata={"CURRENT_DEFAULT": "1"}),)), {}, "allowColumnDefaults"),
    ],
)
def test_features_that_are_not_made_here_are_named(
    storage: Storage, schema: StructType, properties: dict[str, str], feature: str
) -> None:
    with pytest.raises(UnsupportedFeatureError, match=feature):
        create_table(storage, schema=schema, properties=properties)
    assert storage.list() == []
