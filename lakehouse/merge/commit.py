"""What a merge commits: writes the new objects of a plan and gives the actions that speak of them.

Where others committed first and the plan was made again, what the try before has written is kept as far as it
is still right: the vector or the rewritten rows of a file that is as it was and loses the same rows, the new
rows if they are the same, and so on. Each is compared with what it was made from, and written anew in doubt.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace

import polars as pl
from pyroaring import BitMap64

from lakehouse.cdc.cells import CELLS
from lakehouse.delta import column_mapping, protocols
from lakehouse.delta.actions import Action, AddFile, CommitInfo, Metadata, Protocol, SetTransaction
from lakehouse.delta.schema import StructField, StructType, parse_schema, type_from_arrow
from lakehouse.delta.snapshot import Snapshot
from lakehouse.errors import LakehouseError, RefusedError
from lakehouse.merge.decide import Decision
from lakehouse.merge.feed import write_feed
from lakehouse.merge.files import FileChanges, FileWriter
from lakehouse.merge.history import same_type
from lakehouse.merge.offset import Offset
from lakehouse.merge.plan import MergePlan
from lakehouse.merge.target import MergeTarget, Mode
from lakehouse.merge.together import write_together
from lakehouse.merge.tombstones import remember
from lakehouse.merge.verdicts import FILE, INSERT, POSITION, UPDATE
from lakehouse.storage import Storage


@dataclass(frozen=True, slots=True)
class Removal:
    """How rows were taken out of one file.

    Args:
        add: The file as it was.
        dead: The positions that went.
        changes: The actions and objects for it.
    """

    add: AddFile
    dead: BitMap64
    changes: FileChanges


@dataclass(slots=True)
class Written:
    """What one try has written, part by part.

    Args:
        plan: What it was written for.
        after: The version that it builds on, with the schema and properties that the commit gives the table.
        actions: The actions of the commit.
        total: All parts together; filled also where a part failed.
        removals: By path of the file, how rows were taken out of it.
        appended: The new rows.
        fed: The change data.
        buried: The tombstones.
    """

    plan: MergePlan
    after: Snapshot
    actions: list[Action] = field(default_factory=list)
    total: FileChanges = field(default_factory=FileChanges)
    removals: dict[str, Removal] = field(default_factory=dict)
    appended: FileChanges = field(default_factory=FileChanges)
    fed: FileChanges = field(default_factory=FileChanges)
    buried: FileChanges = field(default_factory=FileChanges)

    def clean_up(self, storage: Storage, *, but: Written | None = None) -> None:
        """Takes away what no commit speaks of; what stays is an orphan for vacuum.

        Args:
            storage: The table's folder.
            but: A later try, which goes on with some of it.
        """
        kept = set(but.total.written) if but is not None else set()
        gone = [path for path in dict.fromkeys(self.total.written) if path not in kept]
        with suppress(LakehouseError):
            storage.delete(gone)


def write(
    target: MergeTarget,
    snapshot: Snapshot,
    decision: Decision,
    *,
    offset: Offset | None,
    before: Written | None = None,
) -> Written:
    """Writes the new objects and works out the actions of the commit.

    Args:
        target: The table.
        snapshot: The version to build on.
        decision: What is to be done.
        offset: How far the source has come with it.
        before: What an earlier try has written, whose commit did not happen.

    Returns:
        What was written, with what was kept.

    Raises:
        RefusedError: The table is append-only and rows would go.
        StorageError: The store failed. What was written in this try is gone again, apart from what it kept.
    """
    plan = decision.plan
    now_ms = millis(target)
    if (plan.dead or plan.dropped) and protocols.append_only(snapshot.protocol, snapshot.metadata):
        raise RefusedError(
            f"table {target.name} is append-only (delta.appendOnly), and the batch would change its rows",
            advice="merge only new keys, or take the property off the table",
        )
    mode = mode_of(target, snapshot)
    head = _table_actions(snapshot, decision, vectors=mode == "on_read" and bool(plan.dead))
    metadata = next((action for action in head if isinstance(action, Metadata)), snapshot.metadata)
    protocol = next((action for action in head if isinstance(action, Protocol)), snapshot.protocol)
    after = replace(
        snapshot, protocol=protocol, metadata=metadata, schema=parse_schema(metadata.schema_string)
    )
    done = Written(plan, after)
    same_table = (
        before is not None and before.after.metadata == metadata and before.after.protocol == protocol
    )
    known = before if same_table else None
    try:
        _write_parts(target, snapshot, done, known=known, mode=mode, now_ms=now_ms)
    except BaseException:
        done.clean_up(target.storage, but=before)
        raise
    tail: list[Action] = []
    if offset is not None:
        tail.append(SetTransaction(app_id=offset.source, version=offset.position, last_updated=now_ms))
    done.actions = [*head, *done.total.actions, *tail]
    return done


def _write_parts(
    target: MergeTarget,
    snapshot: Snapshot,
    done: Written,
    *,
    known: Written | None,
    mode: Mode,
    now_ms: int,
) -> None:
    plan = done.plan
    writer = FileWriter(storage=target.storage, after=done.after, now_ms=now_ms)
    for add in plan.dropped:
        writer.drop(done.total, add)

    def remove(part: FileChanges) -> None:
        _remove(part, writer, done, known=known, mode=mode, dead_share=target.rewrite_share)

    def append(part: FileChanges) -> None:
        if known is not None and _same(known.plan.rows, plan.rows):
            part.take(known.appended)
        else:
            writer.append(part, plan.rows)

    def feed(part: FileChanges) -> None:
        if known is not None and _same_feed(known.plan, plan):
            part.take(known.fed)
        else:
            write_feed(target.storage, before=snapshot, after=done.after, plan=plan, changes=part)

    def bury(part: FileChanges) -> None:
        if known is not None and _same_memory(known.plan, plan):
            part.take(known.buried)
            return
        pointer = remember(
            target.storage,
            plan.manifest,
            deletes=plan.tombstones,
            truncate=plan.truncate,
            now_ms=now_ms,
            keep=target.config.changes.tombstones,
            written=part.written,
        )
        part.actions += [pointer] if pointer is not None else []

    parts = write_together(done.total, [remove, append, feed, bury], storage=target.storage)
    _, done.appended, done.fed, done.buried = parts


def _remove(
    part: FileChanges,
    writer: FileWriter,
    done: Written,
    *,
    known: Written | None,
    mode: Mode,
    dead_share: float,
) -> None:
    """Takes rows out of files, and notes for each file how."""
    plan, files = done.plan, done.plan.files
    old = known.removals if known is not None else {}
    fresh: dict[int, BitMap64] = {}
    for number, dead in plan.dead.items():
        earlier = old.get(files[number].path)
        if earlier is not None and earlier.add == files[number] and earlier.dead == dead:
            done.removals[files[number].path] = earlier
            part.take(earlier.changes)
        else:
            fresh[number] = dead
    worn = writer.worn(fresh, files=files, mode=mode, dead_share=dead_share)
    for number in sorted(worn):
        one = FileChanges()
        try:
            writer.rewrite(one, {number: fresh[number]}, files=files)
        finally:
            part.take(one)
        done.removals[files[number].path] = Removal(files[number], fresh[number], one)
    marked = {number: dead for number, dead in fresh.items() if number not in worn}
    group = FileChanges()
    try:
        writer.mark(group, marked, files=files)
    finally:
        part.take(group)
    single = group.by_file()
    for number, dead in marked.items():
        add = files[number]
        single[add.path].rows_removed = len(dead)
        done.removals[add.path] = Removal(add, dead, single[add.path])


def _same(before: pl.DataFrame, now: pl.DataFrame) -> bool:
    return before.schema == now.schema and before.equals(now)


def _same_feed(before: MergePlan, now: MergePlan) -> bool:
    """Whether the change data of two plans is the same: the same rows go and come, for the same reasons."""
    # The place of a row among the files of a version is not the same in another version; its path is.
    return (
        not (before.dropped or now.dropped)
        and _same(before.rows, now.rows)
        and before.row_verdicts.equals(now.row_verdicts)
        and _by_path(before) == _by_path(now)
        and _same(_updates_by_path(before), _updates_by_path(now))
    )


def _by_path(plan: MergePlan) -> Mapping[str, BitMap64]:
    return {plan.files[number].path: dead for number, dead in plan.dead.items()}


def _updates_by_path(plan: MergePlan) -> pl.DataFrame:
    if plan.updates.is_empty():
        return pl.DataFrame()
    paths = pl.Series([add.path for add in plan.files], dtype=pl.String)
    places = plan.updates.select(paths.gather(plan.updates[FILE]).alias(FILE), POSITION)
    return places.sort(FILE, POSITION)


def _same_memory(before: MergePlan, now: MergePlan) -> bool:
    if before.truncate is not None or now.truncate is not None:
        return False
    return before.manifest == now.manifest and _same(before.tombstones, now.tombstones)


def _table_actions(snapshot: Snapshot, decision: Decision, *, vectors: bool) -> list[Action]:
    """Protocol and metadata, where the merge changes them: new columns, vectors switched on."""
    protocol, metadata = snapshot.protocol, snapshot.metadata
    plan, fields = decision.plan, list(decision.conformed.schema.fields)
    known = {field.name: field for field in snapshot.schema.fields}
    fields += [
        known[field.name] if same_type(known.get(field.name), field) else field for field in decision.fields
    ]
    if CELLS in plan.rows.columns or CELLS in snapshot.schema.names:
        fields.append(
            known.get(CELLS) or StructField(CELLS, type_from_arrow(plan.rows[CELLS].to_arrow().type))
        )
    schema = StructType(tuple(fields))
    if schema != snapshot.schema:
        metadata = column_mapping.with_new_columns(metadata, schema)
        protocol = protocols.with_types_of(protocol, schema)
    if vectors:
        protocol, metadata = protocols.enable_deletion_vectors(protocol, metadata)
    changed: list[Action] = [protocol] if protocol is not snapshot.protocol else []
    return [*changed, metadata] if metadata is not snapshot.metadata else changed


def mode_of(target: MergeTarget, snapshot: Snapshot) -> Mode:
    """How rows are taken out: by vectors or by rewriting.

    ``auto`` uses vectors where the table has them, and does not switch them on in a table that it did not
    make: older readers of it would be locked out.
    """
    if target.config.merge == "auto":
        return "on_read" if protocols.deletion_vectors(snapshot.protocol, snapshot.metadata) else "on_write"
    return target.config.merge


def commit_info(snapshot: Snapshot, counts: Mapping[str, int], written: Written, *, mode: Mode) -> CommitInfo:
    """What the log says of the merge: counts and the way it was done, never values."""
    plan, changes = written.plan, written.total
    inserted = int((plan.row_verdicts == INSERT).sum())
    updated = int((plan.row_verdicts == UPDATE).sum())
    metrics = {
        "numSourceRows": sum(counts.values()),
        "numTargetRowsInserted": inserted,
        "numTargetRowsUpdated": updated,
        "numTargetRowsDeleted": changes.rows_removed - updated,
        "numTargetRowsCopied": changes.rows_copied,
        "numOutputRows": plan.rows.height + changes.rows_copied,
        "numTargetFilesAdded": changes.added,
        "numTargetFilesRemoved": changes.removed,
        "numTargetDeletionVectorsAdded": changes.vectors,
    }
    return CommitInfo(
        operation="MERGE",
        operation_parameters={"mode": mode},
        operation_metrics=metrics,
        read_version=snapshot.version,
        is_blind_append=False,
    )


def millis(target: MergeTarget) -> int:
    """The target's time in milliseconds since the epoch."""
    return int(target.clock().timestamp() * 1000)
