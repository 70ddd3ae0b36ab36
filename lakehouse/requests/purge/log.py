"""Taking people out of a log: its beginning goes, or values are taken out of it.

A commit that goes leaves its number free, and a writer that began long before it could still take that: its
commit would seem to have worked, and be part of nothing. So commits of the last day stay, without values of
people; where the names of files tell of people, they stay emptied (`lakehouse.delta.closed`). No version can
be worked out from them, since there is neither the first commit nor a checkpoint before them.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final
from uuid import uuid4

from lakehouse.delta.actions import CommitInfo
from lakehouse.delta.checkpoint import forget_removed, write_checkpoint
from lakehouse.delta.checkpoints_check import check_checkpoints
from lakehouse.delta.checkpoints_read import has_sidecars, sidecar_paths
from lakehouse.delta.closed import closed_commit
from lakehouse.delta.kept_times import rewrite_commit
from lakehouse.delta.log_reading import list_log
from lakehouse.delta.parquet_edit.problems import CantEditError
from lakehouse.delta.snapshot import load_snapshot
from lakehouse.delta.stripping.log import drop_hadoop_checksum, strip_log
from lakehouse.delta.transaction import commit
from lakehouse.errors import CorruptTableError, NotFoundError
from lakehouse.maintenance.vacuum.names import LogName, log_name
from lakehouse.storage import ObjectInfo, Storage

_WRITERS_TAKE: Final = timedelta(days=1)
_A_PART: Final = 500
_ROUNDS: Final = 6


@dataclass(slots=True)
class LogDone:
    """What became of a log.

    Args:
        removed: How many files went.
        stripped: How many were written anew.
        retimed: Versions whose commits have lost their time.
        fallbacks: Why it was not cut, though nothing of people is left in it.
        problems: Why something of people may be left in it.
    """

    removed: int = 0
    stripped: int = 0
    retimed: set[int] = field(default_factory=set)
    fallbacks: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def cut(
    storage: Storage,
    before: int,
    *,
    named: Collection[str],
    now: datetime,
    still: Callable[[], None],
    done: LogDone,
) -> bool:
    """Lets the log begin with a version.

    Args:
        storage: The table's folder.
        before: The version.
        named: Files whose paths must not be in the log any more.
        now: The time.
        still: Called before each part; raises where it must not go on.
        done: Counts.

    Returns:
        Whether it begins with it now; the counts say why not.
    """
    _make(storage, before)
    # Without a cut values can be taken out of a log, but not names of folders.
    told = done.problems if named else done.fallbacks
    made = write_checkpoint(storage, before)
    if not made.made:
        told.append(f"the log could not be cut: the checkpoint of version {before} {made.reason}")
        return False
    done.removed += _forget(storage, before, named)
    if check_checkpoints(storage, before):
        told.append(f"the log could not be cut: the checkpoint of version {before} is not what it should be")
        return False
    files = [(log_name(item.path), item) for item in storage.list("_delta_log")]
    old = sorted(
        ((name, item) for name, item in files if name.version is not None and name.version < before),
        key=lambda pair: (pair[0].version or 0, pair[1].path),
    )
    young = [item for name, item in old if _must_stay(name, item, now)]
    going = [item.path for _, item in old if item not in young]
    # The oldest first: whatever is left of a log must be its end.
    for at in range(0, len(going), _A_PART):
        still()
        storage.delete(going[at : at + _A_PART])
    done.removed += len(going)
    still()
    for item in young if named else ():
        done.stripped += _emptied(storage, item.path)
    unused = _unused_sidecars(storage)
    storage.delete(unused)
    done.removed += len(unused)
    return True


def _forget(storage: Storage, first: int, named: Collection[str]) -> int:
    """Takes what is gone out of the checkpoints that stay; gives how many of them went as a whole."""
    listing = list_log(storage)
    going: list[str] = []
    for version, checkpoints in listing.checkpoints.items():
        if version >= first:
            forget_removed(storage, version, files=named)
            # Names can be taken out of the classic kind alone. The others are made again when they are due.
            others = [file.path for each in checkpoints for file in each.files if named]
            going += [path for path in others if not path.endswith(f"{version:020}.checkpoint.parquet")]
    storage.delete(going)
    return len(going)


def strip(storage: Storage, columns: Sequence[Sequence[str]] | None, done: LogDone) -> None:
    """Takes values of rows out of what the log says of files that the newest version does not have.

    A checkpoint that others make meanwhile can bring some back, so it is done until nothing changes.

    Args:
        storage: The table's folder.
        columns: Whose; None means all columns.
        done: Counts.
    """
    for _ in range(_ROUNDS):
        newest = load_snapshot(storage)
        try:
            result = strip_log(storage, columns, but=frozenset(newest.files), until=newest.version)
        except CantEditError as error:
            done.problems.append(f"a checkpoint keeps statistics, since {error.reason}")
            return
        done.stripped += sum(each.after > 0 for each in result.files)
        done.removed += sum(each.after == 0 for each in result.files)
        done.retimed.update(result.retimed)
        if not result.changed:
            return
    done.problems.append("others kept writing checkpoints, so that the log may still hold statistics")


def _make(storage: Storage, version: int) -> None:
    """Makes sure that there is a version, by an empty commit where there is none."""
    while (newest := load_snapshot(storage)).version < version:
        info = CommitInfo(operation="PURGE", txn_id=str(uuid4()), is_blind_append=False)
        commit(storage, version=newest.version + 1, actions=[], commit_info=info, base=newest)


def _must_stay(name: LogName, item: ObjectInfo, now: datetime) -> bool:
    return name.kind == "commit" and bool(name.version) and now - item.modified <= _WRITERS_TAKE


def _emptied(storage: Storage, path: str) -> bool:
    """Empties a commit; whether anything had to go."""
    try:
        data = storage.get(path)
    except NotFoundError:
        return False
    new = closed_commit(data)
    if new == data:
        return False
    drop_hadoop_checksum(storage, path)
    rewrite_commit(storage, path, new)
    return True


def _unused_sidecars(storage: Storage) -> list[str]:
    listing = list_log(storage)
    there = [item.path for item in storage.list("_delta_log/_sidecars")]
    used: set[str] = set()
    for checkpoints in listing.checkpoints.values() if there else ():
        for checkpoint in checkpoints:
            if has_sidecars(checkpoint.files[0].path):
                try:
                    used.update(sidecar_paths(storage, checkpoint))
                except CorruptTableError:
                    return []
    return [path for path in there if path not in used]
