"""Compaction: many small files become few, and rows that vectors hide are left behind.

The plan is pure: which files, in which groups. Carrying it out reads each group once and writes it anew;
the rows do not change, so the commit says ``dataChange: false`` and readers of the change feed see nothing.
If another writer commits meanwhile, what was written still stands: rows that were hidden in the old files
get a vector in the new ones (`lakehouse.maintenance.carry`). A group of which a file is gone is given up, and
only where none is left the plan is made again.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from typing import Final

import polars as pl

from lakehouse.delta.actions import Action, CommitInfo
from lakehouse.delta.checkpoint import checkpoint_if_due
from lakehouse.delta.data import scan_files, write_files
from lakehouse.delta.features import ensure_writable
from lakehouse.delta.snapshot import Snapshot, load_snapshot
from lakehouse.delta.transaction import Committed, commit
from lakehouse.errors import ConflictError, LakehouseError
from lakehouse.maintenance.carry import Carried, Rewritten, carry
from lakehouse.maintenance.groups import CompactPlan, plan_compaction, target_size
from lakehouse.storage import Storage

_FILE: Final = "__file"
_POSITION: Final = "__position"


def compact(
    storage: Storage,
    snapshot: Snapshot,
    *,
    table: str,
    clock: Callable[[], datetime],
    dry_run: bool,
    tries: int = 5,
) -> CompactPlan:
    """Plans a compaction and, unless it is a dry run, carries it out.

    Args:
        storage: The table's folder.
        snapshot: The newest version.
        table: The table's name.
        clock: Gives the time.
        dry_run: Only plan.
        tries: How often to begin again where another writer took one of the files.

    Returns:
        The plan, with ``version`` where it was carried out.

    Raises:
        UnsupportedFeatureError: The table needs a feature that is not known here.
        ConflictError: Another writer took files of the plan in all tries.
    """
    ensure_writable(snapshot)
    for _ in range(tries):
        plan = plan_compaction(snapshot, table=table)
        if dry_run or plan.changes_nothing:
            return plan
        written = _rewrite(storage, snapshot, plan)
        done = _commit(storage, snapshot, plan, written, clock=clock)
        if done is not None:
            return done
        snapshot = load_snapshot(storage, base=snapshot)
    raise ConflictError(
        f"table {table} could not be compacted: other writers took its files in each of {tries} tries",
        advice="try again when fewer writers work on the table",
    )


def _rewrite(storage: Storage, snapshot: Snapshot, plan: CompactPlan) -> list[Rewritten]:
    done: list[Rewritten] = []
    try:
        for group in plan.groups:
            rows = scan_files(storage, snapshot, group.files, file=_FILE, position=_POSITION)
            frame = rows.collect(engine="streaming")
            place = pl.col(_FILE).cast(pl.UInt64) * (1 << 32) + pl.col(_POSITION)
            if not frame.select(place)[_FILE].is_sorted():
                # Others can hide rows of the old files meanwhile; where those lie must be known.
                frame = frame.sort(_FILE, _POSITION)
            counts = dict(frame[_FILE].value_counts().iter_rows())
            written = write_files(
                storage,
                frame.drop(_FILE, _POSITION),
                schema=snapshot.schema,
                metadata=snapshot.metadata,
                target_bytes=target_size(snapshot),
            )
            live = tuple(counts.get(number, 0) for number in range(len(group.files)))
            added = tuple(replace(add, data_change=False) for add in written)
            done.append(Rewritten(group.files, live, added))
    except BaseException:
        _clean_up(storage, done)
        raise
    return done


def _clean_up(storage: Storage, groups: Sequence[Rewritten], *, paths: Collection[str] = ()) -> None:
    """Takes away what was written in vain; what stays is an orphan for vacuum."""
    added = [add.relative_path(storage.url) for group in groups for add in group.added]
    with suppress(LakehouseError):
        storage.delete([*(path for path in added if path is not None), *paths])


def _look_after(storage: Storage, base: Snapshot, version: int) -> None:
    """Sees to checkpoints. The compaction is done, whatever fails now."""
    with suppress(LakehouseError):
        after = load_snapshot(storage, base=base)
        checkpoint_if_due(storage, version, after.metadata, last=after.checkpoint_version)


def _commit(
    storage: Storage,
    snapshot: Snapshot,
    plan: CompactPlan,
    written: list[Rewritten],
    *,
    clock: Callable[[], datetime],
) -> CompactPlan | None:
    """Commits the new files for the old ones. None where other writers left no group as it can be used."""
    base = snapshot
    vectors: set[str] = set()
    while True:
        fitted = [(group, carry(storage, group, base)) for group in written]
        kept = [part for _, part in fitted if part is not None]
        if not kept:
            _clean_up(storage, written, paths=vectors)
            return None
        mine = {path for part in kept for path in part.vectors}
        now_ms = int(clock().timestamp() * 1000)
        outcome = commit(
            storage,
            version=base.version + 1,
            actions=_actions(kept, now_ms=now_ms),
            commit_info=CommitInfo(
                operation="OPTIMIZE",
                operation_metrics={
                    "numAddedFiles": sum(len(part.added) for part in kept),
                    "numRemovedFiles": sum(len(part.files) for part in kept),
                },
                read_version=snapshot.version,
                is_blind_append=False,
            ),
            base=base,
            now_ms=lambda moment=now_ms: moment,  # type: ignore[misc]
        )
        if isinstance(outcome, Committed):
            _clean_up(storage, [group for group, part in fitted if part is None], paths=vectors - mine)
            _look_after(storage, base, outcome.version)
            return _carried_out(plan, fitted, version=outcome.version)
        vectors |= mine
        base = load_snapshot(storage, base=base)
        if base.metadata != snapshot.metadata or base.protocol != snapshot.protocol:
            _clean_up(storage, written, paths=vectors)
            return None


def _actions(kept: Sequence[Carried], *, now_ms: int) -> list[Action]:
    removed = [add.remove(at_ms=now_ms, data_change=False) for part in kept for add in part.files]
    return [*removed, *(add for part in kept for add in part.added)]


def _carried_out(
    plan: CompactPlan, fitted: Sequence[tuple[Rewritten, Carried | None]], *, version: int
) -> CompactPlan:
    """The plan as it was carried out: without the groups of which another writer took a file."""
    done = [(group, part) for group, (_, part) in zip(plan.groups, fitted, strict=True) if part is not None]
    added = [add for _, part in done for add in part.added]
    return replace(
        plan,
        groups=tuple(group for group, _ in done),
        files_removed=sum(len(group.files) for group, _ in done),
        bytes_read=sum(group.size for group, _ in done),
        files_added=len(added),
        bytes_written=sum(add.size for add in added),
        version=version,
    )
