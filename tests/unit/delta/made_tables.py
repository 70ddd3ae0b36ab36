"""Snapshots and files made for one test, without a log."""

from __future__ import annotations

import datetime as dt
import io
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from lakehouse.delta import data
from lakehouse.delta.actions import AddFile, Metadata, Protocol
from lakehouse.delta.schema import (
    StructType,
    parse_type,
)
from lakehouse.delta.snapshot import Snapshot
from lakehouse.storage import Storage

UTC = dt.UTC
FEATURES = ("columnMapping", "deletionVectors", "timestampNtz", "typeWidening")
ID, PHYSICAL = "delta.columnMapping.id", "delta.columnMapping.physicalName"


def local(*parts: int) -> dt.datetime:
    """A moment without zone."""
    return dt.datetime(*parts, tzinfo=UTC).replace(tzinfo=None)  # type: ignore[arg-type,misc]


def struct(text: str) -> StructType:
    found = parse_type(f"struct<{text}>")
    assert isinstance(found, StructType)
    return found


def snapshot_of(
    schema: StructType,
    adds: Sequence[AddFile] = (),
    *,
    partition_by: tuple[str, ...] = (),
    protocol: Protocol | None = None,
    properties: Mapping[str, str] | None = None,
) -> Snapshot:
    return Snapshot(
        version=0,
        timestamp_ms=0,
        protocol=protocol or Protocol(3, 7, FEATURES, FEATURES),
        metadata=Metadata("0", schema.to_json(), partition_by, properties or {}),
        schema=schema,
        files=MappingProxyType({add.path: add for add in adds}),
        transactions=MappingProxyType({}),
        domains=MappingProxyType({}),
    )


def put(table: Storage, content: pa.Table, *, path: str = "f.parquet", **options: Any) -> AddFile:
    """A file as another engine wrote it."""
    buffer = io.BytesIO()
    pq.write_table(content, buffer, **options)
    table.put(path, buffer.getvalue())
    return AddFile(path.replace(" ", "%20"), {}, len(buffer.getvalue()), 0)


def write(table: Storage, frame: pl.DataFrame, here: Snapshot) -> list[AddFile]:
    return data.write_files(table, frame, schema=here.schema, metadata=here.metadata)
