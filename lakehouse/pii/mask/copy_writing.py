"""What one commit of a masked copy is made of: all rows anew, or those that changed.

Nothing of it is seen before the commit that speaks of it. Rows are masked before anything is written.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Final
from uuid import uuid4

import orjson
import polars as pl

from lakehouse.copies import application
from lakehouse.delta import protocol_changes
from lakehouse.delta.actions import Action, AddFile, CommitInfo, Metadata, Protocol, SetTransaction
from lakehouse.delta.create import check_columns
from lakehouse.delta.data import write_files
from lakehouse.delta.protocol_changes import required_protocol, with_types_of
from lakehouse.delta.snapshot import Snapshot
from lakehouse.errors import LakehouseError
from lakehouse.merge.files import FileChanges, FileWriter
from lakehouse.merge.locate import KeyFilter, locate
from lakehouse.merge.plan import dead_rows
from lakehouse.merge.target import Mode
from lakehouse.merge.verdicts import CHANGE
from lakehouse.pii.mask.changes import Changes, NotFollowableError
from lakehouse.pii.mask.copy_shape import CopyShape, properties_after
from lakehouse.pii.mask.rows import Distinct, Masker, gathered, parts_of
from lakehouse.storage import Storage

REWRITE_SHARE: Final = 0.5
"""A file of which more than this is dead is rewritten even where a vector could mark it."""


@dataclass(slots=True)
class CopyWork:
    """What was written for one commit.

    Args:
        storage: The copy's folder.
        total: All that was done to files.
        head: Protocol and metadata, where the commit changes them.
        inserted: Rows that the copy did not have.
        updated: Rows that took another one's place.
        deleted: Rows that went.
    """

    storage: Storage
    total: FileChanges = field(default_factory=FileChanges)
    head: list[Action] = field(default_factory=list)
    inserted: int = 0
    updated: int = 0
    deleted: int = 0

    def clean_up(self) -> None:
        """Takes away what no commit speaks of; what stays is an orphan for vacuum."""
        with suppress(LakehouseError):
            self.storage.delete(list(dict.fromkeys(self.total.written)))


def write_anew(
    source: Storage, snapshot: Snapshot, target: Storage, *, masker: Masker, shape: CopyShape, table: str
) -> tuple[CopyWork, list[AddFile]]:
    """Masks all rows of a version and writes them, a part at a time.

    Args:
        source: The source's folder.
        snapshot: Its version.
        target: The copy's folder.
        masker: Masks rows.
        shape: What the copy looks like.
        table: The source's name, for errors.

    Returns:
        What was written, and the files for the commit.

    Raises:
        RefusedError: Two keys would have one mask.
        DataError: A masked value does not fit its column.
        StorageError: The store failed; what was written is gone again.
    """
    work = CopyWork(target)
    adds: list[AddFile] = []
    columns = list(shape.schema.names)
    masked_key = any(name in shape.key for name in masker.columns)
    distinct = Distinct(shape.key if masked_key else ())
    metadata = new_metadata(shape, name="", description="", vectors=False, now_ms=0)

    def masked() -> Iterator[pl.DataFrame]:
        for add in snapshot.files.values():
            for rows in parts_of(source, snapshot, add, columns=columns):
                found = masker.mask(rows)
                distinct.note(rows, found)
                yield found

    try:
        for rows in gathered(masked()):
            for add in write_files(target, rows, schema=shape.schema, metadata=metadata):
                adds.append(add)
                path = add.relative_path(target.url)
                work.total.written += [path] if path is not None else []
                work.total.added += 1
                work.total.bytes_written += add.size
            work.inserted += rows.height
        distinct.ensure(table)
    except BaseException:
        work.clean_up()
        raise
    return work, adds


def new_metadata(shape: CopyShape, *, name: str, description: str, vectors: bool, now_ms: int) -> Metadata:
    """The metadata of a copy that is made.

    Args:
        shape: What the copy looks like.
        name: Its name.
        description: For people.
        vectors: Whether its rows may be marked as deleted.
        now_ms: The time, in milliseconds since the epoch.
    """
    check_columns(shape.schema, shape.partition_by)
    properties = shape.properties()
    if vectors:
        properties["delta.enableDeletionVectors"] = "true"
    return Metadata(
        id=str(uuid4()),
        schema_string=shape.schema.to_json(),
        partition_columns=shape.partition_by,
        configuration=properties,
        name=name or None,
        description=description or None,
        created_time=now_ms,
    )


def metadata_after(now: Snapshot, shape: CopyShape) -> Metadata:
    """The metadata of a copy that is there, once it looks as it should.

    Args:
        now: The copy.
        shape: What it should look like.
    """
    return replace(
        now.metadata,
        schema_string=shape.schema.to_json(),
        partition_columns=shape.partition_by,
        configuration=properties_after(now.configuration, shape),
    )


def head_of(now: Snapshot | None, shape: CopyShape, metadata: Metadata) -> list[Action]:
    """The actions that tell what the table is, where that changes.

    Args:
        now: The copy; None before it is made.
        shape: What it should look like.
        metadata: Its metadata after the commit.
    """
    if now is None:
        return [required_protocol(shape.schema, metadata), metadata]
    protocol: Protocol = with_types_of(now.protocol, shape.schema)
    head: list[Action] = [protocol] if protocol is not now.protocol else []
    return [*head, metadata] if metadata != now.metadata else head


def follow(
    target: Storage,
    now: Snapshot,
    changes: Changes,
    *,
    masker: Masker,
    shape: CopyShape,
    mode: Mode,
    now_ms: int,
) -> CopyWork:
    """Writes what changed: the rows that went are marked, the rows that came appended.

    Each row is found by its masked key; one that is not where it should be means that somebody else changed
    the copy, or that two keys have one mask.

    Args:
        target: The copy's folder.
        now: The copy.
        changes: What changed in the source.
        masker: Masks rows.
        shape: What the copy looks like.
        mode: How rows are taken out of files.
        now_ms: The commit's time in milliseconds since the epoch.

    Raises:
        NotFollowableError: The copy does not have the rows that it should.
        StorageError: The store failed; what was written is gone again.
    """
    key = list(shape.key)
    gone = masker.mask(changes.gone).select(key)
    come = masker.mask(changes.come)
    located, files = _located(target, now, gone, come.select(key))
    work = CopyWork(target)
    after = _after(now, shape, vectors=mode == "on_read" and bool(gone.height))
    work.head = [
        *([after.protocol] if after.protocol is not now.protocol else []),
        *([after.metadata] if after.metadata != now.metadata else []),
    ]
    work.updated = changes.updated(key)
    work.inserted = come.height - work.updated
    work.deleted = gone.height - work.updated
    writer = FileWriter(storage=target, after=after, reading=after, now_ms=now_ms)
    dead = dead_rows(located)
    try:
        worn = writer.worn(dead, files=files, mode=mode, dead_share=REWRITE_SHARE)
        emptied = {number for number in worn if len(dead[number]) == files[number].live_records}
        rewritten = worn - emptied
        writer.rewrite(work.total, {n: dead[n] for n in sorted(rewritten)}, files=files)
        writer.mark(work.total, {n: p for n, p in dead.items() if n not in rewritten}, files=files)
        writer.append(work.total, come)
    except BaseException:
        work.clean_up()
        raise
    return work


def _located(
    target: Storage, now: Snapshot, gone: pl.DataFrame, come: pl.DataFrame
) -> tuple[pl.DataFrame, tuple[AddFile, ...]]:
    """Where the rows are that go; that all of them are there once, and the new ones are not."""
    key = gone.columns
    fresh = come.join(gone, on=key, how="anti")
    if gone.is_duplicated().any() or fresh.is_duplicated().any():
        raise NotFollowableError("two keys have one mask")
    keys = pl.concat([gone, fresh]).with_row_index(CHANGE)
    candidates = KeyFilter.of(keys.select(key)).files(tuple(now.files.values()), snapshot=now)
    if not candidates:
        if gone.height:
            raise NotFollowableError("the copy lacks rows that it should have")
        return pl.DataFrame(schema={"__file": pl.UInt32(), "__position": pl.UInt32()}), ()
    found = locate(target, now, candidates, keys=keys, sequence=())
    places = found.frame
    there = places[CHANGE].n_unique()
    if places.height != gone.height or there != gone.height or bool((places[CHANGE] >= gone.height).any()):
        raise NotFollowableError("the copy does not have the rows that it should: others wrote to it")
    return places, found.files


def _after(now: Snapshot, shape: CopyShape, *, vectors: bool) -> Snapshot:
    metadata = metadata_after(now, shape)
    protocol = with_types_of(now.protocol, shape.schema)
    if vectors:
        protocol, metadata = protocol_changes.enable_deletion_vectors(protocol, metadata)
    return replace(now, protocol=protocol, metadata=metadata, schema=shape.schema)


def transaction(shape: CopyShape, version: int, *, now_ms: int) -> SetTransaction:
    """The action that says which version of the source the copy has.

    Args:
        shape: What the copy looks like.
        version: The source's version.
        now_ms: The commit's time in milliseconds since the epoch.
    """
    return SetTransaction(app_id=application(shape.about.source), version=version, last_updated=now_ms)


def commit_info(
    work: CopyWork, shape: CopyShape, *, version: int, anew: bool, read: int | None
) -> CommitInfo:
    """What the log says: where from and how many, never a value.

    Args:
        work: What was written.
        shape: What the copy looks like.
        version: The source's version.
        anew: Whether all rows were written.
        read: The version of the copy that it was worked out on; None for the first.
    """
    about = {"source": shape.about.source, "version": version, "columns": sorted(shape.marks)}
    return CommitInfo(
        operation="WRITE" if anew else "MERGE",
        operation_parameters={
            "mode": "Overwrite" if anew else "Append",
            "copy": orjson.dumps(about).decode(),
        },
        operation_metrics={
            "numOutputRows": work.inserted + work.updated + work.total.rows_copied,
            "numTargetRowsInserted": work.inserted,
            "numTargetRowsUpdated": work.updated,
            "numTargetRowsDeleted": work.deleted,
            "numAddedFiles": work.total.added,
            "numRemovedFiles": work.total.removed,
        },
        read_version=read,
        is_blind_append=False,
    )


Sleep = Callable[[float], None]
"""Waits so many seconds."""
