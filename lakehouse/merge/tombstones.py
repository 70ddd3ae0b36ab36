"""The memory that keys were deleted, so that a late, older change does not bring a row back.

A commit that deletes points at a manifest through one ``txn`` action: ``appId`` is ``lakehouse.tombstones``
and ``version`` is a random number, the manifest's name (0 stands for no memory, after a restore). So the
memory changes in the same atomic commit as the rows, needs no table feature, and passes through every
writer and every checkpoint (Delta protocol, section "Transaction Identifiers").

``_lakehouse/tombstones/<number>.json`` lists Parquet files and the newest truncate; each file holds key
columns, sequence columns and ``__deleted_at``. Every commit with deletes adds one file and takes in the
newest files that are not much larger, so that their number grows with the logarithm of the deletes; files
in which all is older than the configured time are left out. Nothing is ever changed in place.
"""

from __future__ import annotations

import io
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, Final

import orjson
import polars as pl

from lakehouse.delta.actions import SetTransaction
from lakehouse.delta.snapshot import Snapshot
from lakehouse.errors import CorruptTableError, NotFoundError
from lakehouse.merge.verdicts import buried
from lakehouse.storage import Storage

APP_ID: Final = "lakehouse.tombstones"
DELETED_AT: Final = "__deleted_at"
FOLDER: Final = "_lakehouse/tombstones"


@dataclass(frozen=True, slots=True)
class TombstoneFile:
    """One Parquet file of tombstones.

    Args:
        path: Below the table's folder.
        rows: How many tombstones.
        newest_ms: When the youngest of them was made, in milliseconds since the epoch.
    """

    path: str
    rows: int
    newest_ms: int


@dataclass(frozen=True, slots=True)
class Manifest:
    """All that a table version remembers of its deletes.

    Args:
        files: The files, oldest first.
        watermark: The file that holds the sequence of the newest truncate (one row), or None.
    """

    files: tuple[TombstoneFile, ...] = ()
    watermark: str | None = None

    @property
    def is_empty(self) -> bool:
        """Whether nothing is remembered."""
        return not self.files and self.watermark is None


def load_manifest(storage: Storage, snapshot: Snapshot) -> Manifest:
    """Reads what a version remembers.

    Args:
        storage: The table's folder.
        snapshot: The version.

    Returns:
        Its manifest; an empty one where the table has none.

    Raises:
        CorruptTableError: The log points at a manifest that is not there.
    """
    pointer = snapshot.transactions.get(APP_ID)
    if pointer is None or pointer.version == 0:
        return Manifest()
    return _read_manifest(storage, pointer.version, whose=f"version {snapshot.version} of {storage.url}")


def files_of(storage: Storage, number: int) -> frozenset[str]:
    """All files that make up one memory, for those who must not take them away.

    Args:
        storage: The table's folder.
        number: What the ``txn`` action says.

    Returns:
        Paths below the table's folder, the manifest's own among them.

    Raises:
        CorruptTableError: The manifest is gone.
    """
    manifest = _read_manifest(storage, number, whose=f"a version of {storage.url}")
    paths = {_manifest_path(number), *(file.path for file in manifest.files)}
    return frozenset(paths if manifest.watermark is None else {*paths, manifest.watermark})


def _manifest_path(number: int) -> str:
    return f"{FOLDER}/{number}.json"


def _read_manifest(storage: Storage, number: int, *, whose: str) -> Manifest:
    path = _manifest_path(number)
    try:
        body: dict[str, Any] = orjson.loads(storage.get(path))
    except NotFoundError as error:
        raise CorruptTableError(
            f"{whose} points at {path}, which is gone",
            advice="without it late changes could bring deleted rows back; restore the file from a backup",
        ) from error
    return Manifest(
        files=tuple(TombstoneFile(**item) for item in body["files"]), watermark=body.get("watermark")
    )


def find(
    storage: Storage, manifest: Manifest, *, keys: pl.DataFrame, sequence: Sequence[str]
) -> pl.DataFrame | None:
    """Looks up the tombstones of some keys.

    Args:
        storage: The table's folder.
        manifest: What the version remembers.
        keys: The key columns of the changes that found no row.
        sequence: The sequence columns.

    Returns:
        Key columns and the sequence columns as ``buried`` names them, one row per key, the newest; None
        where none of the keys has one.
    """
    if keys.is_empty() or not sequence or not (manifest.files or manifest.watermark):
        return None
    key = keys.columns
    names = [buried(column) for column in sequence]
    # A key column can be a sequence column too, so it is copied, not renamed.
    columns = [*key, *(pl.col(column).alias(name) for column, name in zip(sequence, names, strict=True))]
    # What was remembered under another key or sequence can't be compared, as little as the rows of that time.
    frames = [
        frame
        for file in manifest.files
        if {*key, *sequence} <= set((frame := _read(storage, file.path)).columns)
    ]
    parts = [
        frame.cast({name: keys.schema[name] for name in key}).join(keys, on=key, how="semi").select(columns)
        for frame in frames
    ]
    mark = watermark(storage, manifest)
    if mark is not None and set(sequence) <= set(mark.columns):
        # A truncate is a delete of every key.
        parts.append(keys.join(mark, how="cross").select(columns))
    found = pl.concat(parts, how="vertical_relaxed") if parts else pl.DataFrame()
    if found.is_empty():
        return None
    return found.sort(names).unique(subset=key, keep="last", maintain_order=True)


def deletes_of(storage: Storage, manifest: Manifest, *, keys: pl.DataFrame) -> pl.DataFrame | None:
    """Looks up all that is remembered of some keys, for tables with full history.

    Args:
        storage: The table's folder.
        manifest: What the version remembers.
        keys: The key columns.

    Returns:
        Key columns, sequence columns and whatever else was remembered, one row per delete; None where there
        is none.
    """
    found = [
        part
        for file in manifest.files
        if set(keys.columns) <= set((frame := _read(storage, file.path)).columns)
        and (
            part := frame.cast({name: keys.schema[name] for name in keys.columns}).join(
                keys, on=keys.columns, how="semi"
            )
        ).height
    ]
    return pl.concat(found, how="diagonal_relaxed").drop(DELETED_AT) if found else None


def watermark(storage: Storage, manifest: Manifest) -> pl.DataFrame | None:
    """The sequence of the newest truncate: one row of sequence columns, or None.

    With full history all truncates, one row each.
    """
    return _read(storage, manifest.watermark) if manifest.watermark else None


def remember(
    storage: Storage,
    manifest: Manifest,
    *,
    deletes: pl.DataFrame,
    truncate: pl.DataFrame | None,
    now_ms: int,
    keep: timedelta,
    written: list[str] | None = None,
) -> SetTransaction | None:
    """Writes down new deletes and gives the action that makes a commit point at them.

    Args:
        storage: The table's folder.
        manifest: What the version that the commit builds on remembers.
        deletes: Key and sequence columns of the deletes that took effect or found no row.
        truncate: The sequence columns of a truncate that took effect, one row, or None.
        now_ms: The time of the commit in milliseconds since the epoch.
        keep: How long a tombstone counts.
        written: Takes the paths of the objects written, also where a later one fails.

    Returns:
        The ``txn`` action for the commit; None where there is nothing new to remember.
    """
    if deletes.is_empty() and truncate is None:
        return None
    names = written if written is not None else []
    oldest_ms = now_ms - int(keep.total_seconds() * 1000)
    files = [file for file in manifest.files if file.newest_ms >= oldest_ms]
    if not deletes.is_empty():
        fresh = deletes.with_columns(pl.lit(now_ms, dtype=pl.Int64).alias(DELETED_AT))
        while files and files[-1].rows <= 2 * len(fresh):
            older = _read(storage, files[-1].path).filter(pl.col(DELETED_AT) >= oldest_ms)
            if older.columns != fresh.columns:
                break
            files.pop()
            fresh = pl.concat([older, fresh], how="vertical_relaxed")
        files.append(TombstoneFile(_write(storage, fresh, names), len(fresh), now_ms))
    mark = manifest.watermark if truncate is None else _write(storage, truncate, names)
    return _put_manifest(storage, Manifest(tuple(files), mark), now_ms=now_ms, written=names)


def rewrite(
    storage: Storage,
    manifest: Manifest,
    change: Callable[[pl.DataFrame], pl.DataFrame],
    *,
    now_ms: int,
    written: list[str],
) -> SetTransaction | None:
    """Writes the memory anew, where keys of the table change or are forgotten.

    Args:
        storage: The table's folder.
        manifest: What the version that the commit builds on remembers.
        change: Gives remembered rows as they shall be, in their order; the same ones where nothing changes.
        now_ms: The time of the commit in milliseconds since the epoch.
        written: Takes the paths of the objects written, also where a later one fails.

    Returns:
        The ``txn`` action for the commit; None where nothing changes.
    """
    files: list[TombstoneFile] = []
    for file in manifest.files:
        before = _read(storage, file.path)
        after = change(before)
        if after.equals(before):
            files.append(file)
        elif after.height:
            files.append(replace(file, path=_write(storage, after, written), rows=after.height))
    if tuple(files) == manifest.files:
        return None
    return _put_manifest(storage, Manifest(tuple(files), manifest.watermark), now_ms=now_ms, written=written)


def _put_manifest(storage: Storage, manifest: Manifest, *, now_ms: int, written: list[str]) -> SetTransaction:
    number = 1 + secrets.randbits(62)
    body = {
        "files": [{"path": f.path, "rows": f.rows, "newest_ms": f.newest_ms} for f in manifest.files],
        "watermark": manifest.watermark,
    }
    path = _manifest_path(number)
    storage.put(path, orjson.dumps(body))
    written.append(path)
    return SetTransaction(app_id=APP_ID, version=number, last_updated=now_ms)


def _read(storage: Storage, path: str) -> pl.DataFrame:
    return pl.read_parquet(io.BytesIO(storage.get(path)))


def _write(storage: Storage, frame: pl.DataFrame, written: list[str]) -> str:
    path = f"{FOLDER}/{secrets.token_hex(16)}.parquet"
    buffer = io.BytesIO()
    frame.write_parquet(buffer, compression="zstd", compression_level=1)
    storage.put(path, buffer.getvalue())
    written.append(path)
    return path
