"""Writes the change data of a merge, where the table keeps a change feed.

Delta protocol, section "Add CDC File": a commit with change data must tell all of its changes by it. A
merge that only adds rows needs none, since readers take the added files for inserts. It gets some all the
same where a file's path is escaped in the log: delta-rs 1.6 looks for such a file under the escaped name when
it reads a feed, and fails. For the same reason change data has no folders by partition.
"""

from __future__ import annotations

from typing import Final

import polars as pl

from lakehouse.delta import partitions, paths, protocols
from lakehouse.delta.actions import AddCdcFile
from lakehouse.delta.data import scan_file, write_files
from lakehouse.delta.deletion_vectors import positions_of
from lakehouse.delta.schema import STRING, StructField, StructType
from lakehouse.delta.snapshot import Snapshot
from lakehouse.merge.files import FileChanges
from lakehouse.merge.plan import MergePlan
from lakehouse.merge.stored import stored_rows
from lakehouse.merge.verdicts import FILE, POSITION, UPDATE
from lakehouse.storage import Storage

FOLDER: Final = "_change_data"
CHANGE_TYPE: Final = "_change_type"


def write_feed(
    storage: Storage,
    *,
    before: Snapshot,
    after: Snapshot,
    plan: MergePlan,
    changes: FileChanges,
    rewritten: bool = False,
) -> None:
    """Writes the rows that a merge takes away and brings, each with what happened to it.

    Args:
        storage: The table's folder.
        before: The version that the commit builds on.
        after: The same with the schema and properties that the commit gives the table.
        plan: What the merge does.
        changes: Where the actions and the written objects are noted.
        rewritten: Whether the commit adds files with rows that were there before.
    """
    if not protocols.change_feed(after.protocol, after.metadata):
        return
    if not (rewritten or plan.dead or plan.dropped or _escaped(plan.rows, after)):
        return
    columns = list(before.schema.names)
    gone = stored_rows(storage, after, plan.files, _dead_places(plan), columns=columns)
    updated = plan.updates.with_columns(pl.lit("update_preimage").alias(CHANGE_TYPE))
    gone = gone.join(updated, on=[FILE, POSITION], how="left").with_columns(
        pl.col(CHANGE_TYPE).fill_null("delete")
    )
    parts = [gone.drop(FILE, POSITION)]
    for add in plan.dropped:
        rows = scan_file(storage, after, add, columns=columns).collect()
        parts.append(rows.with_columns(pl.lit("delete").alias(CHANGE_TYPE)))
    is_update = plan.row_verdicts == UPDATE
    kind = pl.when(is_update).then(pl.lit("update_postimage")).otherwise(pl.lit("insert"))
    parts.append(plan.rows.with_columns(kind.alias(CHANGE_TYPE)))
    write_change_rows(storage, pl.concat(parts, how="diagonal_relaxed"), after=after, changes=changes)


def _escaped(rows: pl.DataFrame, after: Snapshot) -> bool:
    """Whether rows go into a partition whose folder is escaped in the log."""
    columns = [name for name in after.metadata.partition_columns if name in rows.columns]
    if not columns:
        return False
    for values in rows.select(columns).unique().iter_rows():
        texts = partitions.serialize_values(values, columns=columns, schema=after.schema)
        if "%" in paths.encode_path(partitions.folder(texts)):
            return True
    return False


def _dead_places(plan: MergePlan) -> pl.DataFrame:
    places = [
        pl.DataFrame({FILE: number, POSITION: positions_of(positions)}).cast(
            {FILE: pl.UInt32, POSITION: pl.UInt32}
        )
        for number, positions in plan.dead.items()
    ]
    return pl.concat([pl.DataFrame(schema={FILE: pl.UInt32, POSITION: pl.UInt32}), *places])


def write_change_rows(storage: Storage, rows: pl.DataFrame, *, after: Snapshot, changes: FileChanges) -> None:
    """Writes rows of change data.

    Args:
        storage: The table's folder.
        rows: The table's columns and ``_change_type``.
        after: The version that the commit builds on, with the schema and properties that it gives the table.
        changes: Where the actions and the written objects are noted.
    """
    schema = StructType((*after.schema.fields, StructField(CHANGE_TYPE, STRING)))
    folder = storage.child(FOLDER)
    for add in write_files(folder, rows, schema=schema, metadata=after.metadata, folders=False):
        path = add.relative_path(folder.url)
        changes.actions.append(
            AddCdcFile(path=f"{FOLDER}/{add.path}", partition_values=add.partition_values, size=add.size)
        )
        changes.bytes_written += add.size
        if path is not None:
            changes.written.append(f"{FOLDER}/{path}")
