"""Writing data files: Parquet with exactly the table's types, and the ``add`` action that speaks of it.

A file is made in memory and put into the store whole, so that nobody ever sees half of it. The Delta
protocol says in section "Delta Data Type to Parquet Type Mappings" which types Parquet gets, and in
section "Column Mapping" which names and ids.
"""

from __future__ import annotations

import contextlib
import io
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, Literal, TypeAlias
from uuid import uuid4

import polars as pl

from lakehouse.delta import column_mapping, partitions, paths, stats
from lakehouse.delta.actions import AddFile, Metadata
from lakehouse.delta.exact import column
from lakehouse.delta.fitting import conform, conform_column, file_type
from lakehouse.delta.read_plan import shape
from lakehouse.delta.schema import (
    ArrayType,
    DataType,
    MapType,
    StructField,
    StructType,
    walk,
)
from lakehouse.errors import LakehouseError, UsageError
from lakehouse.storage import Storage

ROW_GROUP_ROWS: Final = 128 * 1024
TARGET_BYTES: Final = 128 * 1024 * 1024

_Codec: TypeAlias = Literal["snappy", "zstd", "gzip", "lz4", "brotli", "uncompressed"]

_CODEC_PROPERTY: Final = "delta.parquet.compression.codec"
# By the property's value: Polars' name, and how the file's name tells it.
_CODECS: Final[Mapping[str, tuple[_Codec, str]]] = {
    "snappy": ("snappy", "snappy."),
    "zstd": ("zstd", "zstd."),
    "gzip": ("gzip", "gz."),
    "lz4": ("lz4", "lz4raw."),
    "lz4raw": ("lz4", "lz4raw."),
    "lz4_raw": ("lz4", "lz4raw."),
    "brotli": ("brotli", "br."),
    "uncompressed": ("uncompressed", ""),
    "none": ("uncompressed", ""),
}
# The lowest level of zstd is as small as its default on tables, and much faster.
_LEVELS: Final[Mapping[_Codec, int]] = {"zstd": 1}
# What Parquet usually makes of a frame in memory; the first file written tells better.
_USUAL_SHRINKING: Final = 0.6
_SMALLEST_FILE_ROWS: Final = 1024
_DISPLAY: Final = "display"


def write_file(
    storage: Storage,
    frame: pl.DataFrame,
    *,
    schema: StructType,
    metadata: Metadata,
    partition_values: Mapping[str, Any] | None = None,
    folders: bool = True,
) -> AddFile:
    """Write one data file.

    Args:
        storage: The table's root.
        frame: The rows, under display names. Columns that the schema has and the frame lacks are written as
            null; other types are cast where nothing is lost. Partition columns in it are left out.
        schema: The table's schema.
        metadata: Gives partition columns, column mapping, codec and which statistics to gather.
        partition_values: Display name of each partition column to its value for all the rows, as a
            Python value; only for partitioned tables.
        folders: Whether each partition has a folder of its own. The log tells the values in any case.

    Returns:
        The action to commit. The file is there, in its partition's folder, but no reader sees it before that.

    Raises:
        DataError: A value does not fit its column, or is null where it must not be. Nothing was written.
        UsageError: The frame has a column that the schema lacks, or a partition value is missing.
        UnsupportedFeatureError: A column's type can't be written.
        StorageError: The store failed.
    """
    unknown = [name for name in frame.columns if name not in schema]
    if unknown:
        raise UsageError(f"the table has no column {', '.join(unknown)}", advice="add it to the schema first")
    mapping = column_mapping.mode(metadata)
    texts = _partition_texts(partition_values or {}, schema=schema, metadata=metadata)
    names = column_mapping.physical_names(schema, mapping)
    rows = conform(frame, schema.without(metadata.partition_columns))
    codec, suffix = _codec(metadata)
    content = _parquet(rows, schema.select(rows.columns), mapping=mapping, codec=codec)
    by_physical = {names[name]: text for name, text in texts.items()}
    folder = partitions.folder(by_physical) if folders else ""
    path = f"part-00000-{uuid4()}-c000.{suffix}parquet"
    if folder:
        path = f"{folder}/{path}"
    storage.put(path, content)
    return AddFile(
        path=paths.encode_path(path),
        partition_values=by_physical,
        size=len(content),
        modification_time=time.time_ns() // 1_000_000,
        data_change=True,
        stats=stats.collect(rows, schema, metadata=metadata),
    )


def write_files(
    storage: Storage,
    frame: pl.DataFrame,
    *,
    schema: StructType,
    metadata: Metadata,
    target_bytes: int = TARGET_BYTES,
    folders: bool = True,
) -> list[AddFile]:
    """Write rows into as many files as their partitions and their size ask for.

    Args:
        storage: The table's root.
        frame: The rows, partition columns included (null where they lack); see `write_file`.
        schema: The table's schema.
        metadata: Gives partition columns, column mapping, codec and which statistics to gather.
        target_bytes: About how large a file may become.
        folders: Whether each partition has a folder of its own.

    Returns:
        The actions to commit; none for no rows. If one file fails, those written before are removed.

    Raises:
        DataError: A value does not fit its column, or is null where it must not be.
        UsageError: The frame has a column that the schema lacks.
        UnsupportedFeatureError: A column's type can't be written.
        StorageError: The store failed.
    """
    written: list[AddFile] = []
    bytes_a_row = frame.estimated_size() / max(frame.height, 1) * _USUAL_SHRINKING
    columns = metadata.partition_columns
    if columns:
        frame = _with_columns(frame, columns, schema)
    try:
        for values, part in partitioned(frame, columns):
            rest = part
            while rest.height:
                rows = max(int(target_bytes / max(bytes_a_row, 0.01)), _SMALLEST_FILE_ROWS)
                # A small remainder goes along rather than into a small file.
                rows = rest.height if rest.height <= rows * 1.25 else rows
                add = write_file(
                    storage,
                    rest.head(rows),
                    schema=schema,
                    metadata=metadata,
                    partition_values=values,
                    folders=folders,
                )
                written.append(add)
                bytes_a_row = add.size / rows if rows >= _SMALLEST_FILE_ROWS else bytes_a_row
                rest = rest.slice(rows)
    except BaseException:
        gone = [path for add in written if (path := add.relative_path(storage.url)) is not None]
        with contextlib.suppress(LakehouseError):
            storage.delete(gone)
        raise
    return written


def partitioned(frame: pl.DataFrame, columns: Sequence[str]) -> Iterator[tuple[dict[str, Any], pl.DataFrame]]:
    """Split rows by partition.

    Args:
        frame: Rows with the partition columns.
        columns: Display names of the partition columns; none gives the frame itself.

    Yields:
        The partition's values, and its rows in their order without the partition columns.
    """
    if not columns:
        yield {}, frame
        return
    # Partitions come by the first row of each, so that the same rows give the same files.
    parts = frame.partition_by(columns, as_dict=True, include_key=False, maintain_order=True)
    for values, part in parts.items():
        yield dict(zip(columns, values, strict=True)), part


def _parquet(
    rows: pl.DataFrame, schema: StructType, *, mapping: column_mapping.Mode, codec: _Codec
) -> memoryview:
    arrow = None
    if mapping != "none":
        rows = _physical(rows, schema)
        arrow = column_mapping.arrow_schema(schema, mapping)
    buffer = io.BytesIO()
    rows.write_parquet(
        buffer,
        compression=codec,
        compression_level=_LEVELS.get(codec),
        row_group_size=ROW_GROUP_ROWS,
        arrow_schema=arrow,
    )
    return buffer.getbuffer()


def _physical(rows: pl.DataFrame, schema: StructType) -> pl.DataFrame:
    """The same rows under physical names, nested ones too."""
    columns = []
    for item in schema.fields:
        value = column(item.name)
        if any(isinstance(kind, StructType) for kind in walk(item.type)):
            target = _with_display_names(item.type)
            value = shape(value, rows.schema[item.name], target, _display_name)
            value = value.cast(file_type(target, item.name))
        columns.append(value.alias(item.physical_name))
    return rows.select(columns)


def _with_display_names(data_type: DataType) -> DataType:
    """The physical type, whose fields remember what they are called in the rows."""
    match data_type:
        case StructType(fields):
            return StructType(
                tuple(
                    StructField(
                        item.physical_name, _with_display_names(item.type), metadata={_DISPLAY: item.name}
                    )
                    for item in fields
                )
            )
        case ArrayType(element, _):
            return ArrayType(_with_display_names(element))
        case MapType(key, value, _):
            return MapType(_with_display_names(key), _with_display_names(value))
        case _:
            return data_type


def _display_name(item: StructField) -> str | None:
    name = item.metadata.get(_DISPLAY)
    return name if isinstance(name, str) else None


def _codec(metadata: Metadata) -> tuple[_Codec, str]:
    return _CODECS.get(metadata.configuration.get(_CODEC_PROPERTY, "").lower(), _CODECS["snappy"])


def _partition_texts(
    values: Mapping[str, Any], *, schema: StructType, metadata: Metadata
) -> dict[str, str | None]:
    columns = metadata.partition_columns
    missing = [name for name in columns if name not in values]
    if missing:
        raise UsageError(f"a file needs values for the partition columns {', '.join(missing)}")
    return partitions.serialize_values([values[name] for name in columns], columns=columns, schema=schema)


def _with_columns(frame: pl.DataFrame, columns: Sequence[str], schema: StructType) -> pl.DataFrame:
    """The partition columns in their types, so that equal values are one partition."""
    return frame.with_columns([conform_column(frame, schema.field(name)) for name in columns])
