"""Every kind of checkpoint, made from a table of delta-rs: the same table here and there."""

from __future__ import annotations

import io
import json
import shutil
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable, write_deltalake

from lakehouse.delta.actions import CheckpointMetadata, Sidecar, parse_action, serialize_all
from lakehouse.delta.log import list_log
from lakehouse.delta.snapshot import load_snapshot
from lakehouse.storage import Storage, open_storage

VERSION = 7
UUID = "80a083e8-7026-4e79-81be-64bd76c43a11"
CLASSIC = f"_delta_log/{VERSION:020d}.checkpoint.parquet"


def batch(number: int) -> pa.Table:
    ids = range(number * 10, number * 10 + 10)
    return pa.table({"id": pa.array(ids, pa.int64()), "d": pa.array([f"p{i % 3}" for i in ids])})


@pytest.fixture
def table(tmp_path: Path) -> Storage:
    return with_checkpoint(tmp_path)


def with_checkpoint(tmp_path: Path) -> Storage:
    """A table with nothing but a checkpoint of its newest version, and the commits after it."""
    path = tmp_path / "table"
    write_deltalake(path, batch(0), partition_by=["d"], configuration={"delta.checkpointInterval": "100"})
    for number in range(1, VERSION):
        write_deltalake(path, batch(number), mode="append")
    DeltaTable(path).delete("d = 'p0' and id < 30")
    # V2 checkpoints are only for tables that name the feature.
    metadata = json.dumps(
        {"protocol": {"minReaderVersion": 3, "minWriterVersion": 7, **features("v2Checkpoint")}}
    )
    log = path / "_delta_log"
    last = log / f"{VERSION:020d}.json"
    last.write_text(last.read_text().rstrip("\n") + "\n" + metadata + "\n")
    DeltaTable(path).create_checkpoint()
    write_deltalake(path, batch(VERSION + 1), mode="append")
    shutil.copytree(path, tmp_path / "whole")
    for number in range(VERSION):
        (log / f"{number:020d}.json").unlink()
    (log / "_last_checkpoint").unlink()
    return open_storage(path)


def features(*names: str) -> dict[str, list[str]]:
    return {"readerFeatures": [*names], "writerFeatures": ["appendOnly", "invariants", *names]}


def expected(storage: Storage) -> Any:
    whole = load_snapshot(open_storage(Path(storage.url).parent / "whole"))
    return whole.files, whole.protocol, whole.metadata


def parquet(table: pa.Table) -> bytes:
    out = io.BytesIO()
    pq.write_table(table, out)
    return out.getvalue()


def taken(storage: Storage) -> pa.Table:
    """The classic checkpoint, which is taken away."""
    found = pq.read_table(pa.BufferReader(storage.get(CLASSIC)))
    storage.delete([CLASSIC])
    return found


def file_rows(found: pa.Table) -> pa.Array:
    return pc.or_(pc.is_valid(found["add"]), pc.is_valid(found["remove"]))


def check(storage: Storage) -> None:
    snapshot = load_snapshot(storage)
    assert (snapshot.files, snapshot.protocol, snapshot.metadata) == expected(storage)
    assert snapshot.checkpoint_version == VERSION
    there = DeltaTable(storage.url)
    assert there.version() == snapshot.version == VERSION + 1
    assert set(there.file_uris()) == {add.location(storage.url) for add in snapshot.files.values()}
    assert load_snapshot(storage, version=VERSION).version == VERSION


def test_classic(table: Storage) -> None:
    check(table)


def into_parts(table: Storage) -> None:
    found = taken(table)
    third = -(-found.num_rows // 3)
    for number in range(3):
        data = parquet(found.slice(number * third, third))
        table.put(f"_delta_log/{VERSION:020d}.checkpoint.{number + 1:010d}.{3:010d}.parquet", data)


def test_multi_part(table: Storage) -> None:
    into_parts(table)
    assert len(list_log(table).checkpoints[VERSION][0].files) == 3
    check(table)


@pytest.mark.parametrize("kind", ["json", "parquet"])
def test_v2_with_sidecars(table: Storage, kind: str) -> None:
    into_v2(table, kind)
    check(table)


def into_v2(table: Storage, kind: str) -> None:
    found = taken(table)
    files = found.filter(file_rows(found)).select(["add", "remove"])
    rest = found.filter(pc.invert(file_rows(found)))
    half = files.num_rows // 2
    sidecars = []
    for name, part in (("one.parquet", files.slice(0, half)), ("two.parquet", files.slice(half))):
        data = parquet(part)
        table.put(f"_delta_log/_sidecars/{name}", data)
        sidecars.append(Sidecar(name, len(data), 1))
    if kind == "json":
        lines = [
            {name: fields}
            for row in rest.to_pylist(maps_as_pydicts="strict")
            for name, fields in row.items()
            if fields is not None
        ]
        others = [action for line in lines if (action := parse_action(line)) is not None]
        content = serialize_all([CheckpointMetadata(VERSION, {}), *others, *sidecars])
    else:
        content = parquet(with_sidecars(rest, sidecars))
    table.put(f"_delta_log/{VERSION:020d}.checkpoint.{UUID}.{kind}", content)


def loose(kind: pa.DataType) -> pa.DataType:
    """The same type, every part of it nullable."""
    if pa.types.is_struct(kind):
        return pa.struct([pa.field(item.name, loose(item.type)) for item in kind.fields])
    if pa.types.is_map(kind):
        return pa.map_(kind.key_type, kind.item_type)
    return pa.list_(loose(kind.value_type)) if pa.types.is_list(kind) else kind


def with_sidecars(rest: pa.Table, sidecars: list[Sidecar]) -> pa.Table:
    rows = rest.select(["protocol", "metaData", "txn", "domainMetadata"]).to_pylist()
    rows.append({"checkpointMetadata": {"version": VERSION, "tags": []}})
    for item in sidecars:
        rows.append(
            {"sidecar": {"path": item.path, "sizeInBytes": item.size_in_bytes, "modificationTime": 1}}
        )
    tags = pa.map_(pa.string(), pa.string())
    types = {
        name: loose(rest.schema.field(name).type)
        for name in ("protocol", "metaData", "txn", "domainMetadata")
    }
    types["checkpointMetadata"] = pa.struct({"version": pa.int64(), "tags": tags})
    types["sidecar"] = loose(rest.schema.field("sidecar").type)
    return pa.Table.from_pylist(rows, schema=pa.schema(types))
