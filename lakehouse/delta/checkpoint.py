"""Writing checkpoints, through delta-rs, when the table's interval says so.

Delta protocol, section "Checkpoints". The protocol leaves the frequency open ("readers should not make any
assumptions"). Without ``delta.checkpointInterval`` one is made every 10 versions, as the reference
implementation does: delta-rs waits for 100, but every reader that starts from nothing pays for those.
"""

from __future__ import annotations

import io
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

import orjson
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from deltalake import DeltaTable

from lakehouse.delta.actions import Metadata
from lakehouse.errors import LakehouseError
from lakehouse.storage.objects import Storage

DEFAULT_INTERVAL: Final = 10


@dataclass(frozen=True, slots=True)
class CheckpointResult:
    """What became of a checkpoint.

    Args:
        made: Whether one was written.
        reason: Why, or why not.
    """

    made: bool
    reason: str


def checkpoint_interval(metadata: Metadata) -> int:
    """How many versions lie between two checkpoints.

    Args:
        metadata: The table's metadata.

    Returns:
        The table property ``delta.checkpointInterval``, or 10 where it is not set or no positive number.
    """
    text = metadata.configuration.get("delta.checkpointInterval", "")
    return int(text) if text.isascii() and text.isdigit() and int(text) > 0 else DEFAULT_INTERVAL


def is_due(version: int, metadata: Metadata, *, last: int | None = None) -> bool:
    """Whether a version should get a checkpoint.

    Args:
        version: The version just committed.
        metadata: The table's metadata.
        last: The newest checkpoint known (`Snapshot.checkpoint_version`). Counting from it instead of taking
            every tenth version catches those that other writers left out, and spares those that they made.

    Returns:
        True where it should.
    """
    interval = checkpoint_interval(metadata)
    if version <= 0:
        return False
    return version % interval == 0 if last is None else version - last >= interval


def checkpoint_if_due(
    storage: Storage, version: int, metadata: Metadata, *, last: int | None = None
) -> CheckpointResult:
    """Write a checkpoint where one is due. It never raises: the commit before it stands either way.

    Args:
        storage: The table's root.
        version: The version just committed.
        metadata: The table's metadata.
        last: The newest checkpoint known, see `is_due`.

    Returns:
        What became of it.
    """
    if not is_due(version, metadata, last=last):
        return CheckpointResult(made=False, reason="not due")
    return write_checkpoint(storage, version)


def write_checkpoint(storage: Storage, version: int) -> CheckpointResult:
    """Write a checkpoint of a version.

    Args:
        storage: The table's root.
        version: A committed version.

    Returns:
        What became of it; it never raises.
    """
    try:
        table = DeltaTable(storage.uri(), version=version, storage_options=storage.library_options() or None)
        table.create_checkpoint()
    except Exception as error:  # noqa: BLE001 - whatever delta-rs trips over, the commit itself is safe
        # Only the kind of error: its text could hold what the table's files hold.
        return CheckpointResult(made=False, reason=f"failed: {type(error).__name__}")
    return CheckpointResult(made=True, reason=f"version {version}")


def forget_removed(storage: Storage, version: int, *, files: Collection[str] = ()) -> CheckpointResult:
    """Take the statistics of files that are gone out of a classic checkpoint.

    A checkpoint keeps ``remove`` actions for a week, and with them the bounds of values that the table does
    not have any more. They are optional, and nobody reads them (Delta protocol, section "Add File and Remove
    File").

    Args:
        storage: The table's root.
        version: A version with a checkpoint in one file.
        files: Paths, as in the log, of removed files that it forgets altogether: they are not there any more,
            and their names must not be either.

    Returns:
        What became of it; it never raises.
    """
    path = f"_delta_log/{version:020}.checkpoint.parquet"
    try:
        # Not `read_table`: it loads all that data sets need, pandas too, where that is installed.
        table = pq.ParquetFile(io.BytesIO(storage.get(path))).read()
        if "remove" not in table.column_names:
            return CheckpointResult(made=False, reason="nothing was removed")
        at = table.column_names.index("remove")
        table = table.set_column(at, table.schema.field(at), _without_stats(table.column(at)))
        if files:
            removed = pc.struct_field(table.column(at), "path")
            told = pc.is_in(removed, value_set=pa.array(sorted(files), removed.type))
            table = table.filter(pc.invert(told))
        buffer = io.BytesIO()
        pq.write_table(table, buffer)
        storage.put(path, buffer.getvalue())
        _tell_size(storage, version, size=buffer.tell(), actions=table.num_rows)
    except (LakehouseError, pa.ArrowException, OSError, ValueError) as error:
        return CheckpointResult(made=False, reason=f"failed: {type(error).__name__}")
    return CheckpointResult(made=True, reason=f"version {version}")


def _without_stats(removed: pa.ChunkedArray) -> pa.ChunkedArray:
    chunks = []
    for chunk in removed.chunks:
        fields = list(chunk.type)
        # The parts as they are stored: in rows of other actions they are not null where they must not be.
        values = [
            pa.nulls(len(chunk), field.type) if field.name.startswith("stats") else chunk.field(number)
            for number, field in enumerate(fields)
        ]
        chunks.append(pa.StructArray.from_arrays(values, fields=fields, mask=chunk.is_null()))
    return pa.chunked_array(chunks, removed.type)


def _tell_size(storage: Storage, version: int, *, size: int, actions: int) -> None:
    """Corrects the hint at the checkpoint, if it is at this one."""
    path = "_delta_log/_last_checkpoint"
    hint = orjson.loads(storage.get(path))
    if hint.get("version") == version and "sizeInBytes" in hint:
        hint.pop("checksum", None)
        storage.put(path, orjson.dumps({**hint, "sizeInBytes": size, "size": actions}))
