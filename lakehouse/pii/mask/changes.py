"""What changed in a source since the version that its copy has: rows that went and rows that came, by key.

Commits that only move rows (compaction) are passed over, so that what they rewrote is not read: a stretch of
versions between two of them is compared as `lakehouse.timetravel.diff` does, and the stretches are folded,
the first state of a key against its last.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import polars as pl

from lakehouse.copies import application
from lakehouse.delta.actions import AddFile, CommitInfo, RemoveFile, SetTransaction
from lakehouse.delta.exact import column
from lakehouse.delta.log import Commit, read_commit
from lakehouse.delta.snapshot import Snapshot, load_snapshot
from lakehouse.errors import VersionNotFoundError
from lakehouse.merge.company import winners
from lakehouse.pii.mask.copy_shape import CopyShape
from lakehouse.storage import Storage
from lakehouse.timetravel.diff import CHANGE, diff

MOST_ROWS: Final = 2_000_000
"""So many rows are compared at most; where more would have to be read, copying all of them is simpler."""

ERASE: Final = "ERASE"
"""What the log calls an erasure."""

_MOVES: Final = frozenset({"OPTIMIZE", "REORG"})
"""What engines call commits that put files together."""

_AT: Final = "__at"
_MARK: Final = "__mark_gone"
_GONE: Final = ("delete", "update_before")


class NotFollowableError(Exception):
    """A source can't be followed from one version to another.

    Args:
        why: For people.
    """

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


@dataclass(frozen=True, slots=True)
class Changes:
    """What changed between two versions.

    Args:
        gone: Rows of the older version whose key has another row or none in the younger one.
        come: Rows of the younger version whose key had another row or none in the older one.
    """

    gone: pl.DataFrame
    come: pl.DataFrame

    def updated(self, key: Sequence[str]) -> int:
        """How many rows are another version of one that was there.

        Args:
            key: The key columns.
        """
        return self.come.join(self.gone.select(key), on=list(key), how="semi").height


def changes_between(
    storage: Storage, before: Snapshot, after: Snapshot, *, key: Sequence[str], columns: Sequence[str]
) -> Changes:
    """Works out what changed.

    Args:
        storage: The source's folder.
        before: The version that the copy has.
        after: The newest one.
        key: The columns that tell rows apart; at least one.
        columns: The columns to compare, key included.

    Raises:
        NotFollowableError: Too much would have to be read, or keys do not tell the rows apart.
    """
    stretches = _stretches(storage, before, after)
    if sum(_to_read(old, new) for old, new in stretches) > MOST_ROWS:
        raise NotFollowableError(f"more than {MOST_ROWS:,} rows were written since version {before.version}")
    nothing = diff(storage, before=after, after=after, key=key, columns=columns)
    found = [
        diff(storage, before=old, after=new, key=key, columns=columns).with_columns(pl.lit(at).alias(_AT))
        for at, (old, new) in enumerate(stretches)
    ]
    for each in found:
        _ensure_keys(each, key)
    if not found:
        return Changes(nothing.drop(CHANGE), nothing.drop(CHANGE))
    types = {name: kind for name, kind in nothing.schema.items() if name != CHANGE}
    every = pl.concat(found, how="diagonal_relaxed").select(
        CHANGE, _AT, *(column(name).cast(kind) for name, kind in types.items())
    )
    return _folded(every, key=key)


def others_wrote(target: Storage, copy: Snapshot, shape: CopyShape) -> bool:
    """Whether somebody else wrote rows to a copy since it was brought up to date, as far as its log tells.

    Args:
        target: The copy's folder.
        copy: Its newest version.
        shape: What it looks like.
    """
    mine = application(shape.about.source)
    for version in range(copy.version, -1, -1):
        try:
            actions = read_commit(target, version).actions
        except VersionNotFoundError:
            # The log does not go back so far.
            return False
        if any(isinstance(each, SetTransaction) and each.app_id == mine for each in actions):
            return False
        # An erasure takes people out of copies too: what it leaves is masked.
        if any(isinstance(each, CommitInfo) and each.operation == ERASE for each in actions):
            continue
        if any(isinstance(each, AddFile | RemoveFile) and each.data_change for each in actions):
            return True
    return False


def _folded(every: pl.DataFrame, *, key: Sequence[str]) -> Changes:
    """Of each key the first row that went, if it was there, and the last that came, if it still is."""
    is_gone = pl.col(CHANGE).is_in(_GONE)
    ordered = every.with_columns(is_gone.alias(_MARK)).sort(
        [_AT, _MARK], descending=[False, True], maintain_order=True
    )
    first = ordered.unique(subset=list(key), keep="first", maintain_order=True).filter(_MARK)
    last = ordered.unique(subset=list(key), keep="last", maintain_order=True).filter(~pl.col(_MARK))
    drop = [CHANGE, _AT, _MARK]
    return Changes(first.drop(drop), last.drop(drop))


def _ensure_keys(found: pl.DataFrame, key: Sequence[str]) -> None:
    keys = found.select(key)
    if any(keys[name].null_count() for name in key):
        raise NotFollowableError(f"rows without a key changed ({', '.join(key)})")
    side = found.select(*key, pl.col(CHANGE).is_in(_GONE).alias(_MARK))
    if side.is_duplicated().any():
        raise NotFollowableError(f"several rows have one key ({', '.join(key)})")


def _stretches(storage: Storage, before: Snapshot, after: Snapshot) -> list[tuple[Snapshot, Snapshot]]:
    """The stretches of versions in which rows can have changed."""
    found = winners(storage, since=before, until=after)
    if found is None:
        return [(before, after)] if after.version > before.version else []
    bounds: list[tuple[int, int]] = []
    start = before.version
    for each in found:
        if _only_moves(each):
            bounds.append((start, each.version - 1))
            start = each.version
    bounds.append((start, after.version))
    known = before
    pairs: list[tuple[Snapshot, Snapshot]] = []
    for low, high in bounds:
        if low == high:
            continue
        old = known = load_snapshot(storage, version=low, base=known)
        new = known = after if high == after.version else load_snapshot(storage, version=high, base=known)
        pairs.append((old, new))
    return pairs


def _only_moves(commit: Commit) -> bool:
    """Whether a commit only moves rows; an erasure says to readers of the change feed that it does, too."""
    files = [action for action in commit.actions if isinstance(action, AddFile | RemoveFile)]
    info = next((action for action in commit.actions if isinstance(action, CommitInfo)), None)
    if info is None or info.operation not in _MOVES:
        return False
    return bool(files) and not any(action.data_change for action in files)


def _to_read(before: Snapshot, after: Snapshot) -> int:
    """About how many rows have to be read to compare two versions."""
    return _left_behind(before, after) + _left_behind(after, before)


def _left_behind(mine: Snapshot, theirs: Snapshot) -> int:
    rows = 0
    for path, add in mine.files.items():
        other = theirs.files.get(path)
        if other is None:
            rows += add.live_records or 0
        elif other.deletion_vector != add.deletion_vector:
            hidden = other.deletion_vector.cardinality if other.deletion_vector else 0
            here = add.deletion_vector.cardinality if add.deletion_vector else 0
            rows += max(hidden - here, 0)
    return rows
