"""What carrying a plan out writes: vectors or new files, anonymized rows, change data; and the actions.

Nothing of it is seen before the commit that speaks of it. Rows are read a few files at a time.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Final

import orjson
import polars as pl
from pyroaring import BitMap64

from lakehouse.config.moments import iso
from lakehouse.delta import protocol_changes, protocols
from lakehouse.delta.actions import Action, AddFile, CommitInfo, SetTransaction
from lakehouse.delta.data import read_rows_at, scan_file
from lakehouse.delta.snapshot import Snapshot
from lakehouse.errors import LakehouseError, RefusedError
from lakehouse.merge.constraints import rules_of
from lakehouse.merge.feed import CHANGE_TYPE, write_change_rows
from lakehouse.merge.files import FileChanges, FileWriter
from lakehouse.merge.generated import generated_of
from lakehouse.merge.target import Mode
from lakehouse.retention.neutral import Neutral
from lakehouse.retention.work import RuleWork, TableWork
from lakehouse.storage import Storage

ARCHIVES: Final = "lakehouse.archive"
"""The application whose transaction every commit carries that takes archived rows out of a table."""

# So much memory of rows is gathered before it is written.
CHUNK_BYTES: Final = 256 * 1024 * 1024


@dataclass(slots=True)
class Written:
    """What was written for one commit.

    Args:
        actions: The actions of the commit.
        total: All that was done to files; filled also where a part failed.
        anonymized: Rows that were written over.
    """

    actions: list[Action] = field(default_factory=list)
    total: FileChanges = field(default_factory=FileChanges)
    anonymized: int = 0

    def clean_up(self, storage: Storage) -> None:
        """Takes away what no commit speaks of; what stays is an orphan for vacuum."""
        with suppress(LakehouseError):
            storage.delete(list(dict.fromkeys(self.total.written)))


def write_work(
    storage: Storage,
    work: TableWork,
    *,
    table: str,
    mode: Mode,
    dead_share: float,
    now_ms: int,
    archived: bool,
) -> Written:
    """Writes what a plan needs.

    Args:
        storage: The table's folder.
        work: What goes.
        table: The table's name.
        mode: How rows are taken out of files.
        dead_share: See `FileWriter.worn`.
        now_ms: The commit's time in milliseconds since the epoch.
        archived: Whether some rows went into an archive.

    Returns:
        The objects and actions.

    Raises:
        RefusedError: Anonymized rows would break the table's own rules.
        StorageError: The store failed; what was written is gone again.
    """
    done = Written()
    after = _after(work.snapshot, vectors=mode == "on_read" and bool(work.dead))
    head: list[Action] = [after.protocol] if after.protocol is not work.snapshot.protocol else []
    head += [after.metadata] if after.metadata is not work.snapshot.metadata else []
    writer = FileWriter(storage=storage, after=after, reading=after, now_ms=now_ms)
    try:
        _take_out(done, writer, work, mode=mode, dead_share=dead_share)
        for each in work.rules:
            if each.ready.rule.action == "anonymize" and each.rows:
                done.anonymized += _anonymize(done.total, writer, work, each, table=table)
        if work.dead and protocols.change_feed(after.protocol, after.metadata):
            _feed(done.total, writer, work)
    except BaseException:
        done.clean_up(storage)
        raise
    tail: list[Action] = []
    if archived:
        tail.append(
            SetTransaction(app_id=ARCHIVES, version=archive_number(work.snapshot), last_updated=now_ms)
        )
    done.actions = [*head, *done.total.actions, *tail]
    return done


def archive_number(snapshot: Snapshot) -> int:
    """What the next commit that archives calls itself: of all who try, one can have the number."""
    last = snapshot.transactions.get(ARCHIVES)
    return 1 if last is None else last.version + 1


def commit_info(work: TableWork, written: Written, *, run: str, archived: int) -> CommitInfo:
    """What the log says: rules and counts, never a value.

    Args:
        work: What goes.
        written: What was written for it.
        run: The commit's own id.
        archived: Rows that went into an archive.
    """
    changes = written.total
    deleted = changes.rows_removed - written.anonymized
    rules = [
        {
            "rule": each.ready.rule.name,
            "action": each.ready.rule.action,
            "column": each.ready.column,
            "cutoff": iso(each.ready.cutoff.moment),
        }
        for each in work.rules
        if each.whole or each.rows
    ]
    return CommitInfo(
        operation="DELETE" if deleted else "UPDATE",
        operation_parameters={"retention": orjson.dumps(rules).decode()},
        operation_metrics={
            "numDeletedRows": deleted,
            "numUpdatedRows": written.anonymized,
            "numArchivedRows": archived,
            "numCopiedRows": changes.rows_copied,
            "numAddedFiles": changes.added,
            "numRemovedFiles": changes.removed,
            "numDeletionVectorsAdded": changes.vectors,
        },
        txn_id=run,
        read_version=work.snapshot.version,
        is_blind_append=False,
    )


def rows_of(
    storage: Storage, work: TableWork, each: RuleWork, *, whole: bool = True
) -> Iterator[pl.DataFrame]:
    """The rows that a rule takes, a few files at a time.

    Args:
        storage: The table's folder.
        work: All work of the table.
        each: The rule's.
        whole: Whether with those of files that go unopened.

    Yields:
        Frames with the table's columns, of about `CHUNK_BYTES` in memory, or one file where that has more.
    """
    gathered: list[pl.DataFrame] = []
    size = 0
    for frame in _frames(storage, work.snapshot, work.files, each, whole=whole):
        gathered.append(frame)
        size += int(frame.estimated_size())
        if size >= CHUNK_BYTES:
            yield pl.concat(gathered)
            gathered, size = [], 0
    if gathered:
        yield pl.concat(gathered)


def _frames(
    storage: Storage, snapshot: Snapshot, files: Sequence[AddFile], each: RuleWork, *, whole: bool
) -> Iterator[pl.DataFrame]:
    for add in each.whole if whole else ():
        yield scan_file(storage, snapshot, add).collect()
    for number, positions in sorted(each.rows.items()):
        yield read_rows_at(storage, snapshot, files[number], positions)


def _after(snapshot: Snapshot, *, vectors: bool) -> Snapshot:
    if not vectors or protocols.deletion_vectors(snapshot.protocol, snapshot.metadata):
        return snapshot
    protocol, metadata = protocol_changes.enable_deletion_vectors(snapshot.protocol, snapshot.metadata)
    return replace(snapshot, protocol=protocol, metadata=metadata)


def _take_out(done: Written, writer: FileWriter, work: TableWork, *, mode: Mode, dead_share: float) -> None:
    for add in work.whole:
        writer.drop(done.total, add)
    dead = work.dead
    worn = writer.worn(dead, files=work.files, mode=mode, dead_share=dead_share)
    emptied = {n for n in worn if len(dead[n]) == work.files[n].live_records}
    # A file that keeps no row needs no reading: `mark` asks its footer and drops it.
    rewritten: dict[int, BitMap64] = {n: dead[n] for n in worn - emptied}
    writer.rewrite(done.total, rewritten, files=work.files)
    writer.mark(done.total, {n: p for n, p in dead.items() if n not in rewritten}, files=work.files)


def masked(rows: pl.DataFrame, neutral: Sequence[Neutral], snapshot: Snapshot) -> pl.DataFrame:
    """Rows with neutral values, and what is computed from those computed anew.

    Args:
        rows: With the table's columns.
        neutral: What to write.
        snapshot: The version.
    """
    rows = rows.with_columns(each.value.alias(each.column) for each in neutral)
    names = {each.column for each in neutral}
    computed = [g for g in generated_of(snapshot.schema) if names & set(g.formula.columns)]
    return rows.with_columns(g.values(rows) for g in computed)


def _anonymize(
    changes: FileChanges, writer: FileWriter, work: TableWork, each: RuleWork, *, table: str
) -> int:
    after, neutral = writer.after, each.ready.neutral
    names = {one.column for one in neutral}
    rules = [r for r in rules_of(after.schema, after.configuration) if names & set(r.columns)]
    count = 0
    for rows in rows_of(writer.storage, work, each):
        new = masked(rows, neutral, after)
        for rule in rules:
            holds = rule.holds(new)
            if holds is None or not holds.fill_null(value=False).all():
                raise RefusedError(
                    f"table {table}: anonymized rows would break a rule of the table ({rule.misfit.detail})",
                    advice="use the operator `replace` with a `new_value` that keeps it",
                )
        writer.append(changes, new)
        count += new.height
    return count


def _feed(changes: FileChanges, writer: FileWriter, work: TableWork) -> None:
    """Change data of all that goes. Where only whole files go there is none: their removal tells the same."""
    for each in work.rules:
        for rows in rows_of(writer.storage, work, each):
            if each.ready.rule.action != "anonymize":
                parts = [rows.with_columns(pl.lit("delete").alias(CHANGE_TYPE))]
            else:
                new = masked(rows, each.ready.neutral, writer.after)
                parts = [
                    rows.with_columns(pl.lit("update_preimage").alias(CHANGE_TYPE)),
                    new.with_columns(pl.lit("update_postimage").alias(CHANGE_TYPE)),
                ]
            write_change_rows(writer.storage, pl.concat(parts), after=writer.after, changes=changes)
