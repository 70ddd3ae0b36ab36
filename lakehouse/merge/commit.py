"""What a merge commits: writes the new objects of a plan and gives the actions that speak of them.

Where others committed first and the plan was made again, what the try before has written is kept as far as it
is still right: the vector or the rewritten rows of a file that is as it was and loses the same rows, the new
rows if they are the same, and so on. Each is compared with what it was made from, and written anew in doubt.
"""

from __future__ import annotations

from pyroaring import BitMap64

from lakehouse.delta import protocols
from lakehouse.delta.actions import Action, CommitInfo, SetTransaction
from lakehouse.delta.snapshot import Snapshot
from lakehouse.errors import RefusedError
from lakehouse.merge.after import table_after
from lakehouse.merge.decide import Decision
from lakehouse.merge.feed import write_feed
from lakehouse.merge.files import FileChanges, FileWriter
from lakehouse.merge.offset import Offset
from lakehouse.merge.target import MergeTarget, Mode
from lakehouse.merge.together import write_together
from lakehouse.merge.tombstones import remember
from lakehouse.merge.verdicts import INSERT, UPDATE
from lakehouse.merge.written import Removal, Written, same_feed, same_memory, same_rows, same_table


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
    after = table_after(target, snapshot, decision)
    done = Written(plan, after)
    known = before if before is not None and same_table(before.after, after) else None
    try:
        _write_parts(target, decision.view or snapshot, done, known=known, now_ms=now_ms)
    except BaseException:
        done.clean_up(target.storage, but=before)
        raise
    tail: list[Action] = []
    if offset is not None:
        tail.append(SetTransaction(app_id=offset.source, version=offset.position, last_updated=now_ms))
    done.actions = [*after.head, *done.total.actions, *tail]
    return done


def _write_parts(
    target: MergeTarget, view: Snapshot, done: Written, *, known: Written | None, now_ms: int
) -> None:
    plan, after = done.plan, done.after
    writer = FileWriter(storage=target.storage, after=after.snapshot, reading=after.reading, now_ms=now_ms)
    for add in plan.dropped:
        writer.drop(done.total, add)

    def remove(part: FileChanges) -> None:
        _remove(part, writer, done, known=known, dead_share=target.rewrite_share)

    def append(part: FileChanges) -> None:
        if known is not None and same_rows(known.plan.rows, plan.rows):
            part.take(known.appended)
        else:
            writer.append(part, plan.rows)

    def feed(part: FileChanges) -> None:
        if known is not None and same_feed(known.plan, plan):
            part.take(known.fed)
        else:
            write_feed(
                target.storage,
                before=view,
                after=after.snapshot,
                plan=plan,
                changes=part,
                rewritten=after.anew,
            )

    def bury(part: FileChanges) -> None:
        if known is not None and same_memory(known.plan, plan):
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
    dead_share: float,
) -> None:
    """Takes rows out of files, and notes for each file how."""
    plan, files, mode = done.plan, done.plan.files, done.after.mode
    old = known.removals if known is not None else {}
    fresh: dict[int, BitMap64] = {}
    gone = plan.dead
    if done.after.anew:
        gone = {n: plan.dead.get(n, BitMap64()) for n, add in enumerate(files) if add not in plan.dropped}
    for number, dead in gone.items():
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


def commit_info(snapshot: Snapshot, decision: Decision, written: Written, *, mode: Mode) -> CommitInfo:
    """What the log says of the merge: counts and the way it was done, never values.

    Args:
        snapshot: The version that it was worked out on.
        decision: What the merge does.
        written: What was written for it.
        mode: How rows are taken out.
    """
    plan, changes = written.plan, written.total
    inserted = int((plan.row_verdicts == INSERT).sum())
    updated = int((plan.row_verdicts == UPDATE).sum())
    metrics = {
        "numSourceRows": sum(decision.counts.values()),
        "numTargetRowsInserted": inserted,
        "numTargetRowsUpdated": updated,
        "numTargetRowsDeleted": changes.rows_removed - updated,
        "numTargetRowsCopied": changes.rows_copied,
        "numOutputRows": plan.rows.height + changes.rows_copied,
        "numTargetFilesAdded": changes.added,
        "numTargetFilesRemoved": changes.removed,
        "numTargetDeletionVectorsAdded": changes.vectors,
    }
    for each in decision.expectations:
        metrics[f"expectation.{each.name}.checked"] = each.checked
        metrics[f"expectation.{each.name}.failed"] = each.failed
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
