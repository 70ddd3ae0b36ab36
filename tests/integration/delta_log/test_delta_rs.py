"""What delta-rs writes opens here, file by file the same; what is written here opens there."""

from __future__ import annotations

import datetime as dt
import os
import time
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pytest
from deltalake import CommitProperties, DeltaTable, Transaction, write_deltalake

from lakehouse.delta.actions import Action, AddFile, CommitInfo, RemoveFile, SetTransaction
from lakehouse.delta.checkpoint import checkpoint_if_due, write_checkpoint
from lakehouse.delta.create import create_table
from lakehouse.delta.features import enable_deletion_vectors, ensure_readable, ensure_writable
from lakehouse.delta.log import commits, earliest_version, list_log, version_at
from lakehouse.delta.schema import from_arrow, to_arrow
from lakehouse.delta.snapshot import Snapshot, load_snapshot
from lakehouse.delta.transaction import Committed, Conflicted, commit
from lakehouse.errors import VersionNotFoundError
from lakehouse.storage import open_storage

NOON = dt.datetime(2026, 1, 2, 12, tzinfo=dt.UTC)


def rows(start: int = 0, count: int = 6) -> pa.Table:
    ids = range(start, start + count)
    return pa.table(
        {
            "id": pa.array(ids, pa.int64()),
            "place": pa.array([["a b", "ü/%", None][i % 3] for i in ids]),
            "at": pa.array([NOON + dt.timedelta(hours=i) for i in ids], pa.timestamp("us", "UTC")),
            "amount": pa.array([Decimal(i) / 4 for i in ids], pa.decimal128(12, 2)),
            "day": pa.array([dt.date(2026, 1, 1 + i % 20) for i in ids]),
            "tags": pa.array([[f"t{i}", None] for i in ids], pa.list_(pa.string())),
            "inner": pa.array(
                [{"x": i, "y": None} for i in ids], pa.struct({"x": pa.int32(), "y": pa.string()})
            ),
        }
    )


def local(table: pa.Table) -> pa.Table:
    """With a timestamp without zone, which needs a table feature."""
    return table.append_column(
        "local", pa.array([NOON.replace(tzinfo=None)] * len(table), pa.timestamp("us"))
    )


def plain(path: str) -> None:
    write_deltalake(path, rows())


def partitioned(path: str) -> None:
    write_deltalake(path, rows(), partition_by=["place", "day"])
    write_deltalake(path, rows(6), mode="append")


def with_features(path: str) -> None:
    options = {"delta.enableDeletionVectors": "true", "delta.enableChangeDataFeed": "true"}
    write_deltalake(path, local(rows()), configuration=options)
    DeltaTable(path).delete("id = 2")


def many_commits(path: str) -> None:
    write_deltalake(path, rows(), partition_by=["place"], configuration={"delta.checkpointInterval": "4"})
    for number in range(1, 14):
        properties = CommitProperties(app_transactions=[Transaction(f"app{number % 3}", number)])
        write_deltalake(path, rows(number * 10), mode="append", commit_properties=properties)


def rewritten(path: str) -> None:
    many_commits(path)
    table = DeltaTable(path)
    table.delete("id % 2 = 0")
    table.update({"amount": "1.5"}, predicate="id < 50")
    table.optimize.compact()
    write_deltalake(path, rows(500), mode="overwrite", predicate="id >= 120")


def compacted_log(path: str) -> None:
    many_commits(path)
    DeltaTable(path).compact_logs(9, 12)
    DeltaTable(path).compact_logs(1, 3)


def vacuumed(path: str) -> None:
    rewritten(path)
    DeltaTable(path).vacuum(retention_hours=0, dry_run=False, enforce_retention_duration=False, full=True)


def cleaned_up(path: str) -> None:
    many_commits(path)
    old = time.time() - 90 * 86_400
    for file in Path(path, "_delta_log").glob("*"):
        os.utime(file, (old, old))
    DeltaTable(path).cleanup_metadata()
    assert not Path(path, "_delta_log", f"{0:020d}.json").exists()


def altered(path: str) -> None:
    write_deltalake(path, rows())
    table = DeltaTable(path)
    table.alter.add_constraint({"positive": "id >= 0"})
    table.alter.set_table_properties({"delta.appendOnly": "false"})
    wider = rows(10).append_column("new", pa.array(["x"] * 6))
    write_deltalake(path, wider, mode="append", schema_mode="merge")
    DeltaTable(path).create_checkpoint()
    DeltaTable(path).restore(0)


TABLES: list[Callable[[str], None]] = [
    plain,
    partitioned,
    with_features,
    many_commits,
    rewritten,
    compacted_log,
    vacuumed,
    cleaned_up,
    altered,
]


def described(snapshot: Snapshot) -> dict[str, tuple[int, int, int | None, dict[str, int]]]:
    return {
        path: (add.size, add.modification_time, add.physical_records, dict(add.statistics.null_count))
        for path, add in snapshot.files.items()
    }


def described_there(table: DeltaTable) -> dict[str, tuple[int, int, int | None, dict[str, Any]]]:
    adds = pa.table(table.get_add_actions()).to_pylist()
    return {
        add["path"]: (add["size_bytes"], add["modification_time"], add["num_records"], add["null_count"])
        for add in adds
    }


def without_nulls(found: dict[str, Any]) -> dict[str, Any]:
    cleaned = {
        name: without_nulls(value) if isinstance(value, dict) else value for name, value in found.items()
    }
    return {name: value for name, value in cleaned.items() if value is not None and value != {}}


@pytest.mark.parametrize("make", TABLES, ids=lambda make: make.__name__)
def test_a_table_of_delta_rs_is_the_same_here(tmp_path: Path, make: Callable[[str], None]) -> None:
    make(str(tmp_path))
    table, storage = DeltaTable(tmp_path), open_storage(tmp_path)
    snapshot = load_snapshot(storage)
    ensure_readable(snapshot)
    ensure_writable(snapshot)
    assert snapshot.version == table.version()

    here, there = described(snapshot), described_there(table)
    assert here.keys() == there.keys()
    for path, (size, modified, records, nulls) in here.items():
        assert there[path][:3] == (size, modified, records)
        assert without_nulls(there[path][3]) == without_nulls(nulls)
    locations = {add.location(storage.url) for add in snapshot.files.values()}
    assert locations == set(table.file_uris())
    assert all(Path(location).is_file() for location in locations)

    protocol, metadata = table.protocol(), table.metadata()
    assert snapshot.protocol.min_reader_version == protocol.min_reader_version
    assert snapshot.protocol.min_writer_version == protocol.min_writer_version
    assert list(snapshot.protocol.writer_features or ()) == sorted(protocol.writer_features or ())
    assert list(snapshot.protocol.reader_features or ()) == sorted(protocol.reader_features or ())
    assert snapshot.metadata.id == str(metadata.id)
    assert snapshot.configuration == metadata.configuration
    assert list(snapshot.partition_columns) == metadata.partition_columns
    assert to_arrow(snapshot.schema) == pa.schema(table.schema().to_arrow())
    for name in ("app0", "app1", "app2"):
        mine = snapshot.transactions.get(name)
        assert (mine.version if mine else None) == table.transaction_version(name)


@pytest.mark.parametrize(
    "make", [partitioned, rewritten, compacted_log, cleaned_up, altered], ids=lambda make: make.__name__
)
def test_every_version_is_the_same_here(tmp_path: Path, make: Callable[[str], None]) -> None:
    make(str(tmp_path))
    storage = open_storage(tmp_path)
    newest, first = load_snapshot(storage), earliest_version(storage)
    base: Snapshot | None = None
    for version in range(first, newest.version + 1):
        snapshot = load_snapshot(storage, version=version)
        table = DeltaTable(tmp_path, version=version)
        assert set(snapshot.files) == set(described_there(table))
        assert to_arrow(snapshot.schema) == pa.schema(table.schema().to_arrow())
        base = load_snapshot(storage, version=version, base=base)
        assert base == snapshot
        moment = dt.datetime.fromtimestamp(snapshot.timestamp_ms / 1000, dt.UTC)
        if version == newest.version:
            assert version_at(storage, moment + dt.timedelta(days=1)) == version
    if first:
        with pytest.raises(VersionNotFoundError, match=f"before version {first} was cleaned up"):
            load_snapshot(storage, version=first - 1)


def test_the_history_is_the_same_here(tmp_path: Path) -> None:
    rewritten(str(tmp_path))
    history = sorted(DeltaTable(tmp_path).history(), key=lambda entry: entry["version"])
    found = list(commits(open_storage(tmp_path)))
    assert [item.version for item in found] == [entry["version"] for entry in history]
    assert [item.info.operation if item.info else None for item in found] == [
        entry["operation"] for entry in history
    ]
    assert [item.info.timestamp if item.info else None for item in found] == [
        entry["timestamp"] for entry in history
    ]


def written(path: Path, table: pa.Table, name: str) -> AddFile:
    """A data file, and the action that names it."""
    frame = pl.from_arrow(table)
    assert isinstance(frame, pl.DataFrame)
    frame.write_parquet(path / name)
    return AddFile(name, {}, (path / name).stat().st_size, 1, stats=f'{{"numRecords":{frame.height}}}')


@pytest.mark.parametrize("vectors", [False, True])
def test_a_table_made_here_opens_in_delta_rs_and_polars(tmp_path: Path, vectors: bool) -> None:
    storage, table = open_storage(tmp_path), rows().drop_columns(["tags", "inner"])
    properties = {"delta.enableChangeDataFeed": "true", "delta.checkpointInterval": "2"}
    schema = from_arrow(table.schema)
    create_table(
        storage,
        schema=schema,
        properties=properties,
        description="about",
        name="orders",
        deletion_vectors=vectors,
    )
    assert pa.schema(DeltaTable(tmp_path).schema().to_arrow()) == table.schema
    assert DeltaTable(tmp_path).metadata().description == "about"
    assert DeltaTable(tmp_path).metadata().name == "orders"

    snapshot = load_snapshot(storage)
    for number in range(1, 4):
        name = f"part-{number}.parquet"
        actions: list[Action] = [
            written(tmp_path, rows(number * 10).select(table.column_names), name),
            SetTransaction("app", number),
        ]
        info = CommitInfo(
            operation="WRITE", operation_parameters={"mode": "Append"}, operation_metrics={"rows": 6}
        )
        outcome = commit(storage, version=number, actions=actions, commit_info=info, base=snapshot)
        assert isinstance(outcome, Committed)
        checkpoint_if_due(storage, number, snapshot.metadata, last=snapshot.checkpoint_version)
        snapshot = load_snapshot(storage, base=snapshot)
    assert sorted(list_log(storage).checkpoints) == [2]

    there = DeltaTable(tmp_path)
    assert there.version() == 3
    assert described_there(there).keys() == snapshot.files.keys()
    assert there.transaction_version("app") == 3
    assert there.history(1)[0]["operation"] == "WRITE"
    assert there.history(1)[0]["engineInfo"].startswith("lakehouse/")
    assert set(there.protocol().writer_features or ()) == (
        {"changeDataFeed", "deletionVectors"} if vectors else set()
    )
    ids = pl.scan_delta(str(tmp_path)).select("id").collect()["id"]
    assert sorted(ids) == [number * 10 + i for number in range(1, 4) for i in range(6)]

    write_deltalake(tmp_path, rows(90).select(table.column_names), mode="append")
    DeltaTable(tmp_path).delete("id = 90")
    after = load_snapshot(storage, base=snapshot)
    assert after.version == 5
    assert after.protocol == snapshot.protocol
    assert described(after).keys() == described_there(DeltaTable(tmp_path)).keys()


@pytest.mark.parametrize("make", [plain, partitioned, with_features, altered], ids=lambda make: make.__name__)
def test_delta_rs_writes_on_where_vectors_were_switched_on(
    tmp_path: Path, make: Callable[[str], None]
) -> None:
    make(str(tmp_path))
    storage = open_storage(tmp_path)
    snapshot = load_snapshot(storage)
    protocol, metadata = enable_deletion_vectors(snapshot.protocol, snapshot.metadata)
    changed = [
        item
        for item, old in ((protocol, snapshot.protocol), (metadata, snapshot.metadata))
        if item is not old
    ]
    info = CommitInfo(operation="SET TBLPROPERTIES")
    commit(storage, version=snapshot.version + 1, actions=changed, commit_info=info, base=snapshot)
    more = local(rows(700)) if make is with_features else rows(700)
    write_deltalake(tmp_path, more, mode="append")
    after = load_snapshot(storage)
    assert after.protocol == protocol
    assert after.configuration["delta.enableDeletionVectors"] == "true"
    assert set(DeltaTable(tmp_path).protocol().writer_features or ()) == set(protocol.writer_features or ())
    count = pl.scan_delta(str(tmp_path)).select(pl.len()).collect().item()
    assert count == sum(add.live_records or 0 for add in after.files.values())


def test_racing_with_delta_rs_loses_nothing(tmp_path: Path) -> None:
    storage, table = open_storage(tmp_path), rows().select(["id"])
    write_deltalake(tmp_path, table)
    expected = list(range(6))
    base = load_snapshot(storage)
    for number in range(1, 9):
        if number % 2:
            # Somebody gets in between our reading and our commit.
            write_deltalake(tmp_path, rows(number * 100).select(["id"]), mode="append")
            expected += [number * 100 + i for i in range(6)]
        add = written(tmp_path, rows(number * 1000).select(["id"]), f"ours-{number}.parquet")
        expected += [number * 1000 + i for i in range(6)]
        conflicts = 0
        while True:
            info = CommitInfo(operation="WRITE", is_blind_append=True)
            outcome = commit(storage, version=base.version + 1, actions=[add], commit_info=info, base=base)
            base = load_snapshot(storage, base=base)
            if isinstance(outcome, Committed):
                break
            assert outcome == Conflicted(base.version)
            conflicts += 1
        assert conflicts == number % 2
    assert sorted(pl.scan_delta(str(tmp_path)).collect()["id"]) == sorted(expected)
    assert DeltaTable(tmp_path).version() == base.version == 12


def test_removes_written_here_are_honoured_there(tmp_path: Path) -> None:
    storage = open_storage(tmp_path)
    partitioned(str(tmp_path))
    snapshot = load_snapshot(storage)
    gone = [add for add in snapshot.files.values() if add.partition_values["place"] is None]
    removes: list[RemoveFile] = [add.remove(at_ms=int(time.time() * 1000)) for add in gone]
    info = CommitInfo(operation="DELETE")
    commit(storage, version=snapshot.version + 1, actions=removes, commit_info=info, base=snapshot)
    places = pl.scan_delta(str(tmp_path)).collect()["place"]
    assert sorted(set(places)) == ["a b", "ü/%"]
    assert write_checkpoint(storage, snapshot.version + 1).made
    assert load_snapshot(storage).files.keys() == described_there(DeltaTable(tmp_path)).keys()
    table = DeltaTable(tmp_path)
    table.vacuum(retention_hours=0, dry_run=False, enforce_retention_duration=False)
    assert not any(Path(add.location(storage.url)).exists() for add in gone)
