"""Compaction: many small files become few, and rows that vectors hide are left behind.

The plan is pure (`lakehouse.maintenance.layout`): which files, in which groups. Carrying it out reads each
group and writes it anew, sorted; the rows do not change, so the commit says ``dataChange: false`` and readers
of the change feed see nothing. If another writer commits meanwhile, what it took out of the old files is
hidden in the new ones too (`lakehouse.maintenance.carry`); groups for which that can't be done are given up,
and where that is all of them, the plan is made again.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

import polars as pl

from lakehouse.delta.actions import AddFile, CommitInfo
from lakehouse.delta.aftercare import look_after
from lakehouse.delta.data import scan_files, write_files
from lakehouse.delta.exact import column
from lakehouse.delta.features import ensure_writable
from lakehouse.delta.scan_query import unused_name
from lakehouse.delta.snapshot import Snapshot, load_snapshot
from lakehouse.delta.transaction import Committed, commit
from lakehouse.errors import ConflictError, LakehouseError
from lakehouse.maintenance.carry import (
    FILE,
    MOST_ROWS,
    POSITION,
    Landing,
    NewFile,
    Rewritten,
    has_vectors,
    land,
)
from lakehouse.maintenance.compact_plan import CompactPlan, clustering, plan_compaction
from lakehouse.maintenance.layout import Group, Policy
from lakehouse.storage import Storage

_UNCUT: Final = 2**62


def compact(
    storage: Storage,
    snapshot: Snapshot,
    *,
    table: str,
    clock: Callable[[], datetime],
    cluster_by: Sequence[str] = (),
    policy: Policy | None = None,
    dry_run: bool = False,
    tries: int = 5,
) -> CompactPlan:
    """Plans a compaction and, unless it is a dry run, carries it out.

    Args:
        storage: The table's folder.
        snapshot: The newest version.
        table: The table's name.
        clock: Gives the time.
        cluster_by: As for `plan_compaction`.
        policy: As for `plan_compaction`.
        dry_run: Only plan.
        tries: How often to begin again where another writer took all of the files.

    Returns:
        The plan, with ``version`` where it was carried out; groups that were given up to another writer are
        not in it.

    Raises:
        UnsupportedFeatureError: The table needs a feature that is not known here.
        ConflictError: Another writer took files of the plan in all tries.
    """
    ensure_writable(snapshot)
    for _ in range(tries):
        plan = plan_compaction(snapshot, table=table, cluster_by=cluster_by, policy=policy)
        if dry_run or plan.changes_nothing:
            return plan
        written = _rewrite(storage, snapshot, plan, cluster_by=clustering(snapshot, cluster_by))
        done = _commit(storage, snapshot, written, clock=clock)
        if done is not None:
            return _carried_out(plan, *done)
        snapshot = load_snapshot(storage, base=snapshot)
    raise ConflictError(
        f"table {table} could not be compacted: other writers took its files in each of {tries} tries",
        advice="try again when fewer writers work on the table",
    )


def _carried_out(plan: CompactPlan, version: int, done: Sequence[Landing]) -> CompactPlan:
    added = [add for each in done for add in each.added]
    groups = tuple(each.rewritten.group for each in done)
    return replace(
        plan,
        version=version,
        groups=groups,
        files_removed=sum(len(each.removed) for each in done),
        bytes_read=sum(group.size for group in groups),
        files_added=len(added),
        bytes_written=sum(add.size for add in added),
    )


def _rewrite(
    storage: Storage, snapshot: Snapshot, plan: CompactPlan, *, cluster_by: Sequence[str]
) -> list[Rewritten]:
    names = snapshot.schema.names
    origin = {FILE: unused_name(FILE, names), POSITION: unused_name(POSITION, names)}
    known = 0
    added: list[NewFile] = []
    done: list[Rewritten] = []
    try:
        for group in plan.groups:
            start = len(added)
            known += sum(add.physical_records or MOST_ROWS for add in group.files)
            # To know it costs a third more; without vectors it is of no use.
            asked = origin if known <= MOST_ROWS and has_vectors(snapshot) else {}
            found = scan_files(
                storage, snapshot, group.files, file=asked.get(FILE), position=asked.get(POSITION)
            )
            for part in _parts(found, group, cluster_by=cluster_by):
                rows = part.collect(engine="streaming")
                # The plan says how many files there are to be, from the sizes in the log.
                written = write_files(
                    storage,
                    rows.drop(asked.values()),
                    schema=snapshot.schema,
                    metadata=snapshot.metadata,
                    target_bytes=_UNCUT,
                )
                kept = None
                if asked and len(written) == 1:
                    kept = rows.select(pl.col(there).alias(name) for name, there in asked.items())
                added += [NewFile(replace(add, data_change=False), kept) for add in written]
            done.append(Rewritten(group, tuple(added[start:])))
    except BaseException:
        _clean_up(storage, [each.add for each in added])
        raise
    return done


def _parts(rows: pl.LazyFrame, group: Group, *, cluster_by: Sequence[str]) -> Iterator[pl.LazyFrame]:
    """The rows of each new file: one stretch of the clustering column after the other, sorted.

    Only one of them is in memory at a time, so the group may be larger than that.
    """
    if not cluster_by:
        yield rows
        return
    keys = [column(name) for name in cluster_by]
    cuts: list[Any] = []
    if group.parts > 1:
        values = rows.select(keys[0]).collect(engine="streaming").to_series().sort()
        places = [values.len() * number // group.parts for number in range(1, group.parts)]
        cuts = values.gather(places).drop_nulls().unique(maintain_order=True).to_list()
    for low, high in itertools.pairwise([None, *cuts, None]):
        part = rows
        if low is not None:
            part = part.filter(keys[0] >= low)
        if high is not None:
            below = keys[0] < high
            part = part.filter(below if low is not None else below | keys[0].is_null())
        yield part.sort(keys, maintain_order=True)


def _clean_up(storage: Storage, added: Sequence[AddFile]) -> None:
    """Takes away what was written in vain; what stays is an orphan for vacuum."""
    with suppress(LakehouseError):
        storage.delete([path for add in added if (path := add.relative_path(storage.url)) is not None])


def _commit(
    storage: Storage, snapshot: Snapshot, written: list[Rewritten], *, clock: Callable[[], datetime]
) -> tuple[int, list[Landing]] | None:
    """Commits the new files for the old ones.

    Returns:
        The version, and what is in it: groups that had to be given up are left out. None where that is all of
        them, or where the table itself was changed.
    """
    base = snapshot
    while True:
        landings = _land(storage, written, base) if _same_table(base, snapshot) else []
        landed = [each.rewritten for each in landings]
        _clean_up(storage, [file.add for each in written if each not in landed for file in each.files])
        if not landings:
            return None
        written = landed
        old = [add for each in landings for add in each.removed]
        added = [add for each in landings for add in each.added]
        now_ms = int(clock().timestamp() * 1000)
        outcome = commit(
            storage,
            version=base.version + 1,
            actions=[*(add.remove(at_ms=now_ms, data_change=False) for add in old), *added],
            commit_info=CommitInfo(
                operation="OPTIMIZE",
                operation_metrics={"numAddedFiles": len(added), "numRemovedFiles": len(old)},
                read_version=snapshot.version,
                is_blind_append=False,
            ),
            base=base,
            now_ms=lambda moment=now_ms: moment,  # type: ignore[misc]
        )
        if isinstance(outcome, Committed):
            # Of a new file whose rows have all gone nobody speaks.
            spoken = {add.path for add in added}
            new = [file.add for each in landed for file in each.files]
            _clean_up(storage, [add for add in new if add.path not in spoken])
            look_after(storage, base=base, done=outcome)
            return outcome.version, landings
        with suppress(LakehouseError):
            storage.delete([path for each in landings for path in each.vectors])
        base = load_snapshot(storage, base=base)


def _land(storage: Storage, written: Sequence[Rewritten], base: Snapshot) -> list[Landing]:
    found = (land(storage, each, base) for each in written)
    return [landing for landing in found if landing is not None]


def _same_table(now: Snapshot, then: Snapshot) -> bool:
    return now.metadata == then.metadata and now.protocol == then.protocol
