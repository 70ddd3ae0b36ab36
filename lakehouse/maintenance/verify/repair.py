"""Mends what can be mended without losing anything.

Checkpoints first, since a snapshot that was read from a wrong one is wrong too; then the hint at them; then
what the log says of files, in a commit of its own. At every moment in between the table reads as before: a
checkpoint is only removed where the commits (or an older checkpoint and the commits since) stand for it, and
the hint points away from it by then.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from datetime import datetime

from lakehouse.delta.checkpoint import write_checkpoint
from lakehouse.delta.checkpoints_check import check_checkpoints
from lakehouse.delta.checkpoints_read import count_actions
from lakehouse.delta.log_files import LAST_CHECKPOINT, Checkpoint, LogListing
from lakehouse.delta.log_reading import list_log
from lakehouse.delta.snapshot import build_without
from lakehouse.errors import CorruptTableError
from lakehouse.maintenance.verify.log import check_hint, hint_for
from lakehouse.maintenance.verify.readd import readd
from lakehouse.maintenance.verify.report import Repair
from lakehouse.storage import Storage


def repair(
    storage: Storage, plan: Sequence[Repair], *, table: str, clock: Callable[[], datetime]
) -> list[Repair]:
    """Carry out the plan of a check.

    Args:
        storage: The table's folder.
        plan: What the check said can be mended. What is not as it was then is left alone.
        table: The table's name.
        clock: Gives the time.

    Returns:
        What was done.

    Raises:
        UnsupportedFeatureError: The table needs a feature that is not known here; checkpoints are mended.
        ConflictError: Another writer changed the table meanwhile; checkpoints are mended.
        StorageError: The store failed.
    """
    done = _mend_checkpoints(storage, [item for item in plan if item.kind == "checkpoint"])
    done += [one for item in plan if item.kind == "last_checkpoint" for one in _mend_hint(storage, item)]
    return done + readd(storage, [item for item in plan if item.kind == "add"], table=table, clock=clock)


def _mend_checkpoints(storage: Storage, plan: Sequence[Repair]) -> list[Repair]:
    if not plan:
        return []
    objects = {path for item in plan for path in item.objects}
    listing = list_log(storage)
    bad = [each for items in listing.checkpoints.values() for each in items if _files(each) & objects]
    safe = [
        item for item in plan if item.version is not None and _stands(storage, listing, item.version, bad)
    ]
    if not safe:
        return []
    gone = {path for item in safe for path in item.objects}
    _point_at(storage, _newest(listing, without=gone))
    storage.delete(sorted(gone))
    newest = max(item.version or 0 for item in safe)
    made = _write_anew(storage, newest, listing, without=gone)
    return [
        replace(
            item,
            detail=f"written anew for version {newest}"
            if made and item.version == newest
            else "removed: the log can be read without it",
        )
        for item in safe
    ]


def _write_anew(storage: Storage, version: int, listing: LogListing, *, without: Collection[str]) -> bool:
    """Write a checkpoint where none as new is left; what can't be read again goes once more."""
    left = _newest(listing, without=without)
    if left is not None and left.version >= version:
        return False
    if not write_checkpoint(storage, version).made:
        return False
    problems = [item for item in check_checkpoints(storage, version) if item.version == version]
    if problems:
        _point_at(storage, left)
        storage.delete(sorted({path for item in problems for path in item.objects}))
    return not problems


def _stands(storage: Storage, listing: LogListing, version: int, bad: Collection[Checkpoint]) -> bool:
    try:
        build_without(storage, listing, version, bad)
    except CorruptTableError:
        return False
    return True


def _files(checkpoint: Checkpoint) -> set[str]:
    return {info.path for info in checkpoint.files}


def _newest(listing: LogListing, *, without: Collection[str] = ()) -> Checkpoint | None:
    for version in sorted(listing.checkpoints, reverse=True):
        for item in listing.checkpoints[version]:
            if not _files(item) & set(without):
                return item
    return None


def _point_at(storage: Storage, checkpoint: Checkpoint | None) -> None:
    """Make ``_last_checkpoint`` name a checkpoint; without one there is no hint."""
    if checkpoint is None:
        storage.delete([LAST_CHECKPOINT])
        return
    storage.put(LAST_CHECKPOINT, hint_for(checkpoint, size=count_actions(storage, checkpoint)))


def _mend_hint(storage: Storage, item: Repair) -> list[Repair]:
    listing = list_log(storage)
    newest = _newest(listing)
    _, mend = check_hint(storage, listing)
    # A checkpoint that was written anew has brought it along.
    if mend is not None:
        try:
            _point_at(storage, newest)
        except CorruptTableError:
            return []
    what = "removed: there is no checkpoint" if newest is None else f"points at version {newest.version}"
    return [replace(item, detail=what)]
