"""Corrects what the log says of files: a commit names them again, with their true size and statistics.

The rows stay the same, so the commit says ``dataChange: false``; deletion vectors, partition values and tags
stay too. A file that another writer took or marked meanwhile is left out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

import orjson

from lakehouse.delta import stats
from lakehouse.delta.actions import AddFile, CommitInfo
from lakehouse.delta.aftercare import look_after
from lakehouse.delta.conflicts import ReadSet, check
from lakehouse.delta.data import scan_file
from lakehouse.delta.features import ensure_writable
from lakehouse.delta.footers import read_footer
from lakehouse.delta.locations import locate
from lakehouse.delta.log import commits
from lakehouse.delta.snapshot import Snapshot, load_snapshot
from lakehouse.delta.transaction import Committed, commit
from lakehouse.errors import ConflictError, CorruptTableError
from lakehouse.maintenance.verify.files import FileChecker
from lakehouse.maintenance.verify.report import Repair
from lakehouse.storage import Storage

_TRIES: Final = 5
# What another writer can do to some of the files; the others still stand.
_OF_FILES: Final = frozenset({"concurrent_delete_read", "concurrent_delete_delete", "concurrent_append"})


@dataclass(frozen=True, slots=True)
class _Corrected:
    """A file as the log should name it."""

    repair: Repair
    old: AddFile
    new: AddFile


def readd(
    storage: Storage, plan: Sequence[Repair], *, table: str, clock: Callable[[], datetime]
) -> list[Repair]:
    """Correct files.

    Args:
        storage: The table's folder.
        plan: Which; one that the newest version does not have as it was found is left alone.
        table: The table's name.
        clock: Gives the time.

    Returns:
        What was corrected.

    Raises:
        UnsupportedFeatureError: The table needs a feature that is not known here.
        ConflictError: Another writer changed the table itself, or was faster time and again.
        StorageError: The store failed.
    """
    if not plan:
        return []
    snapshot = load_snapshot(storage)
    ensure_writable(snapshot)
    made = [_correct(storage, snapshot, item) for item in plan]
    standing = [item for item in made if item is not None]
    base = snapshot
    for _ in range(_TRIES):
        if not standing:
            return []
        done = _commit(storage, base, standing, read=snapshot.version, clock=clock)
        if done is not None:
            look_after(storage, base=base, done=done)
            detail = f"named again in version {done.version}, as it is"
            return [replace(item.repair, detail=detail) for item in standing]
        base = load_snapshot(storage, base=base)
        standing = _still_standing(storage, standing, snapshot, base, table=table)
    raise ConflictError(
        f"the statistics of table {table} could not be corrected: other writers were faster {_TRIES} times",
        advice="try again when fewer writers work on the table",
    )


def _correct(storage: Storage, snapshot: Snapshot, item: Repair) -> _Corrected | None:
    """The file as it really is; None where it is another one by now, or does not let itself be read whole."""
    old = item.add
    if old is None or item.size is None or snapshot.files.get(old.path) != old:
        return None
    there = replace(old, size=item.size, data_change=False)
    try:
        rows = int(read_footer(storage, there).num_rows)
    except CorruptTableError:
        return None
    home, inside = locate(storage, old.path)
    sizes = {inside: item.size} if home is storage else {}
    bare = replace(there, stats=orjson.dumps({"numRecords": rows}).decode())
    checker = FileChecker(storage, snapshot, sizes, (), full=True, seed=0)
    if checker.check(bare, read=True).findings:
        return None
    if old.size != item.size:
        # Only the size is wrong: the statistics were found to be true.
        return _Corrected(item, old, there)
    found = stats.collect(
        scan_file(storage, snapshot, bare, apply_vector=False), snapshot.schema, metadata=snapshot.metadata
    )
    true = found if old.deletion_vector is None else stats.loosen(found)
    return _Corrected(item, old, replace(there, stats=true))


def _commit(
    storage: Storage,
    base: Snapshot,
    corrected: Sequence[_Corrected],
    *,
    read: int,
    clock: Callable[[], datetime],
) -> Committed | None:
    now_ms = int(clock().timestamp() * 1000)
    outcome = commit(
        storage,
        version=base.version + 1,
        actions=[item.new for item in corrected],
        commit_info=CommitInfo(
            operation="COMPUTE STATS",
            operation_metrics={"numFiles": len(corrected)},
            read_version=read,
            is_blind_append=False,
        ),
        base=base,
        now_ms=lambda: now_ms,
    )
    return outcome if isinstance(outcome, Committed) else None


def _still_standing(
    storage: Storage, corrected: Sequence[_Corrected], snapshot: Snapshot, base: Snapshot, *, table: str
) -> list[_Corrected]:
    """Those that no winner touched; the whole is given up where one changed the table itself."""
    reads = ReadSet(files={item.old.path for item in corrected}, metadata_id=snapshot.metadata.id)
    winners = list(commits(storage, start=snapshot.version + 1, end=base.version))
    for item in check([each.new for each in corrected], winners, reads=reads):
        if item.name not in _OF_FILES:
            raise ConflictError(
                f"table {table} was not corrected: {item.message} in version {item.version}",
                advice="check the table again",
            )
    return [item for item in corrected if base.files.get(item.old.path) == item.old]
