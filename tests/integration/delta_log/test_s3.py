"""The log on object stores: listing, checkpoints by delta-rs, and races for one version."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from deltalake import DeltaTable

from lakehouse.delta.actions import AddFile, CommitInfo
from lakehouse.delta.checkpoint import checkpoint_if_due
from lakehouse.delta.create import create_table
from lakehouse.delta.log import commit_path, version_at
from lakehouse.delta.schema import LONG, StructField, StructType
from lakehouse.delta.snapshot import load_snapshot
from lakehouse.delta.transaction import Committed, Conflicted, Outcome, commit
from lakehouse.errors import VersionNotFoundError
from lakehouse.storage import Storage, open_storage
from tests.fixtures.servers import S3Server

pytestmark = pytest.mark.server
SCHEMA = StructType((StructField("id", LONG),))
INFO = CommitInfo(operation="WRITE")


@pytest.fixture
def moto(moto_s3: S3Server) -> Iterator[Storage]:
    with moto_s3.bucket() as bucket:
        yield open_storage(f"s3://{bucket}/lake/orders", options=moto_s3.options())


@pytest.fixture
def seaweed(seaweedfs: S3Server) -> Iterator[Storage]:
    with seaweedfs.bucket() as bucket:
        yield open_storage(f"s3://{bucket}/lake/orders", options=seaweedfs.options())


def add(name: str) -> AddFile:
    return AddFile(f"{name}.parquet", {}, 10, 10, stats='{"numRecords":1}')


def test_a_table_on_s3(moto: Storage) -> None:
    create_table(moto, schema=SCHEMA, properties={"delta.checkpointInterval": "5"}, deletion_vectors=True)
    snapshot = load_snapshot(moto)
    made = []
    for number in range(1, 13):
        commit(moto, version=number, actions=[add(f"f{number}")], commit_info=INFO, base=snapshot)
        result = checkpoint_if_due(moto, number, snapshot.metadata, last=snapshot.checkpoint_version)
        made += [number] if result.made else []
        snapshot = load_snapshot(moto, base=snapshot)
    assert made == [5, 10]
    assert load_snapshot(moto) == snapshot
    assert len(load_snapshot(moto, version=7).files) == 7
    there = DeltaTable(moto.uri(), storage_options=moto.library_options())
    assert there.version() == 12
    assert len(there.file_uris()) == 12
    assert version_at(moto, datetime.now(UTC) + timedelta(hours=1)) == 12
    moto.delete([commit_path(number) for number in range(5)])
    assert len(load_snapshot(moto).files) == 12
    with pytest.raises(VersionNotFoundError, match="before version 5"):
        load_snapshot(moto, version=3)


def test_of_many_writers_one_makes_a_version(seaweed: Storage) -> None:
    create_table(seaweed, schema=SCHEMA)

    def write(writer: int) -> list[Outcome]:
        outcomes: list[Outcome] = []
        base = load_snapshot(seaweed)
        for number in range(3):
            while True:
                name = add(f"w{writer}-{number}")
                outcome = commit(
                    seaweed, version=base.version + 1, actions=[name], commit_info=INFO, base=base
                )
                outcomes.append(outcome)
                base = load_snapshot(seaweed, base=base)
                if isinstance(outcome, Committed):
                    break
        return outcomes

    with ThreadPoolExecutor(4) as pool:
        outcomes = [outcome for found in pool.map(write, range(4)) for outcome in found]
    committed = sorted(outcome.version for outcome in outcomes if isinstance(outcome, Committed))
    assert committed == list(range(1, 13))
    assert all(isinstance(outcome, Committed | Conflicted) for outcome in outcomes)
    snapshot = load_snapshot(seaweed)
    assert snapshot.version == 12
    assert len(snapshot.files) == 12
