"""The verbs that bring rows in: making the table, merging changes and files of changes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from lakehouse.cdc.formats import normalize, settings_of
from lakehouse.cdc.records import Records, Tabular
from lakehouse.cdc.room import TIMES_FILES, TIMES_ROWS, ensure_room, free_memory, size_of
from lakehouse.cdc.sources import FileKind, read_files
from lakehouse.delta.snapshot import Snapshot
from lakehouse.errors import UsageError
from lakehouse.maintenance.after_merge import compact_after_merge
from lakehouse.merge.offset import Offset
from lakehouse.merge.quarantine import CONFIG, Keeping
from lakehouse.merge.result import MergeResult
from lakehouse.merge.run import merge
from lakehouse.merge.tables import declared_schema, make_table
from lakehouse.merge.timer import Timer
from lakehouse.timetravel.damage import naming_damage
from lakehouse.verbs.opened import OpenTable


def create(table: OpenTable) -> None:
    """Does `lakehouse.table.Table.create`."""
    table.refuse_quarantine("is made when it is needed")
    table.refuse_copy("can't be made empty")
    columns = table.config.column_schema
    if not columns:
        raise UsageError(
            f"the config has no schema for table {table.name}", advice="add one, or merge a first batch"
        )
    table.before_write()
    make_table(table.target(), declared_schema(columns))


def merge_changes(
    table: OpenTable,
    changes: Any,
    *,
    source: str | None,
    offset: int | None,
    source_table: str | None,
    allow_deletes: bool,
    dry_run: bool,
) -> MergeResult:
    """Does `lakehouse.table.Table.merge`."""
    table.refuse_quarantine("can't be merged into")
    table.refuse_copy("can't be merged into")
    if (source is None) != (offset is None):
        raise UsageError("source and offset belong together", advice="give both for exactly-once, or none")
    # Reading comes first: some stores make a bucket of any name as soon as something is written to it.
    known = table.find()
    if not dry_run:
        table.before_write()
    return merge_batch(
        table,
        changes,
        source_table=source_table,
        offset=None if source is None or offset is None else Offset(source=source, position=offset),
        rejects=Keeping(store=table.quarantine, source=source, offset=offset, source_table=source_table),
        allow_deletes=allow_deletes,
        dry_run=dry_run,
        known=known,
    )


def records_of_files(
    table: OpenTable, files: Sequence[str | Path], *, kind: FileKind | None
) -> Records | Tabular:
    """What files hold, for `merge_changes`; refuses those that would not fit into memory.

    Raises:
        RefusedError: They would not.
        NotFoundError: A file is not there.
        DataError: A file can't be read at all.
    """
    table.refuse_quarantine("can't be merged into")
    table.refuse_copy("can't be merged into")
    if isinstance(files, str | Path):
        raise UsageError("files is a list of paths", advice=f"write [{str(files)!r}]")
    ensure_room(size_of(files), times=TIMES_FILES, table=table.name, free=free_memory())
    return read_files([Path(file) for file in files], kind=kind)


def merge_batch(
    table: OpenTable,
    changes: Any,
    *,
    source_table: str | None = None,
    offset: Offset | None = None,
    rejects: Keeping | None = None,
    allow_deletes: bool = False,
    dry_run: bool = False,
    known: Snapshot | None = None,
) -> MergeResult:
    """Merges; without a place for rejected records, these are from the quarantine itself.

    Args:
        table: The table.
        changes: As for `lakehouse.table.Table.merge`.
        source_table: As there.
        offset: How far its source has been read with this batch.
        rejects: Where rejected records are kept.
        allow_deletes: As there.
        dry_run: As there.
        known: The newest version, if it has just been read.
    """
    known = known or table.find()
    timer = Timer()
    with timer.phase("normalize"):
        settings = settings_of(
            table.config, source_table=source_table, stored=known.schema if known else None
        )
        if table.suppression is not None:
            settings = replace(settings, before=table.suppression.before())
        batch = normalize(changes, format=table.config.changes.format, settings=settings)
        if rejects is None:
            # Single rows of a full picture say nothing of those that are not among them.
            batch = replace(batch, full=False)
    rows = batch.frame.estimated_size()
    ensure_room(int(rows), times=TIMES_ROWS, table=table.name, free=free_memory())
    with naming_damage(table.storage, snapshots=[known] if known else [], table=table.name):
        result, after = merge(
            table.target(allow_deletes=allow_deletes, rejects=rejects),
            batch,
            snapshot=known,
            offset=offset,
            dry_run=dry_run,
            timer=timer,
        )
    if rejects is not None and result.quarantined and not dry_run:
        _compact_quarantine(table)
    if after is not None:
        table.newest.remember(after)
    return _compacted(table, result, after, timer) if after is not None and result.committed else result


def _compact_quarantine(table: OpenTable) -> None:
    """Puts small files of the quarantine together, by the rule that the config has for its table."""
    place = table.quarantine
    after = table.config.compact.after
    snapshot = None if after is None else place.snapshot()
    if after is not None and snapshot is not None:
        compact_after_merge(
            place.storage,
            snapshot,
            table=place.name,
            after=after,
            cluster_by=CONFIG.compact.cluster_by,
            clock=table.clock,
        )


def _compacted(table: OpenTable, result: MergeResult, snapshot: Snapshot, timer: Timer) -> MergeResult:
    """Puts small files together after a merge, if the config asks for it."""
    if table.config.compact.after is None:
        return result
    with timer.phase("compact"):
        done = compact_after_merge(
            table.storage,
            snapshot,
            table=table.name,
            after=table.config.compact.after,
            cluster_by=table.cluster_by,
            clock=table.clock,
        )
    if done is None:
        return replace(result, seconds=timer.seconds)
    return replace(
        result,
        seconds=timer.seconds,
        files_compacted=done.files_removed,
        compacted_version=done.version,
    )
