"""Takes the points of a run or a table. Of tables only the log is read: one snapshot, and what came since.

Of a version that was told of before, only how old the data is now is worth a point.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any, Final

import orjson

from lakehouse.cdc.control import CONTROL_COLUMNS
from lakehouse.delta.actions import AddFile, RemoveFile
from lakehouse.delta.log import Commit, moment_of, read_commit
from lakehouse.delta.snapshot import Snapshot
from lakehouse.delta.stat_columns import indexed_leaves
from lakehouse.errors import VersionNotFoundError
from lakehouse.jobs.status import RunView
from lakehouse.maintenance.freshness import newest_data
from lakehouse.state.chart_rows import Batch, NewPoint, Series
from lakehouse.storage import Storage
from lakehouse.timetravel.history import entry
from lakehouse.timetravel.restore import live_rows
from lakehouse.verbs.opened import OpenTable

MOST_COMMITS: Final = 50
"""So many of the newest commits are read at most, where a table was not looked at for long."""
_ROWS: Final = frozenset({"inserted", "updated", "deleted"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """The points of a run or a table.

    Args:
        batch: The points.
        commits: Of a table, the commits since the last point.
        run: The run that they come from; None where they come from none.
    """

    batch: Batch
    commits: tuple[Commit, ...] = field(default=(), repr=False)
    run: RunView | None = None


def points_of_run(run: RunView) -> Taken | None:
    """Takes the points of a run.

    Args:
        run: A run that is over.

    Returns:
        None where it says nothing of what is usual: it did not succeed, or no file was there to merge.
    """
    if run.status != "succeeded" or run.ended is None or run.seconds is None:
        return None
    if run.kind == "merge" and not run.counts.get("files"):
        return None
    found = [NewPoint(measure="seconds", at=run.ended, value=run.seconds)]
    rows = [number for name, number in run.counts.items() if name in _ROWS or name.startswith("rows")]
    size = [number for name, number in run.counts.items() if name.startswith("bytes")]
    for measure, numbers in (("rows", rows), ("bytes", size)):
        if numbers:
            found.append(NewPoint(measure=measure, at=run.ended, value=float(sum(numbers))))
    return Taken(batch=Batch(scope="job", subject=run.job, points=tuple(found), run=run.id), run=run)


def points_of_table(
    table: OpenTable, heads: Sequence[Series], *, now: datetime, run: RunView | None = None
) -> Taken | None:
    """Takes the points of a table.

    Args:
        table: The table.
        heads: Its series with their newest points.
        now: The time.
        run: The run that made its newest version; None where that is not known.

    Returns:
        None where the table has not been made.

    Raises:
        LakehouseError: Its log can't be read.
    """
    snapshot = table.find()
    if snapshot is None:
        return None
    known = max((each.newest.version for each in heads if each.newest.version is not None), default=None)
    fresh = next((each for each in heads if each.key.measure == "freshness"), None)
    if known == snapshot.version and fresh is not None:
        return Taken(batch=_batch(table, snapshot, [_grown(fresh, now)], run))
    if known is not None and known > snapshot.version:
        # It was made anew.
        known, fresh = None, None
    since = snapshot.version if known is None else known + 1
    commits = tuple(
        _commits(table.storage, max(since, snapshot.version - MOST_COMMITS + 1), snapshot.version)
    )
    changed = [each for each in commits if _changes_data(each)]
    found = [*_levels(snapshot, judged=bool(changed)), *_of_changes(snapshot, changed)]
    found.append(_freshness(table.storage, snapshot, changed, fresh, now))
    return Taken(batch=_batch(table, snapshot, found, run), commits=commits, run=run)


def _batch(table: OpenTable, snapshot: Snapshot, found: Sequence[NewPoint], run: RunView | None) -> Batch:
    usable = tuple(each for each in found if math.isfinite(each.value))
    run_id = "" if run is None else run.id
    return Batch(
        scope="table",
        subject=table.name,
        points=usable,
        version=snapshot.version,
        made=moment_of(snapshot.timestamp_ms),
        run=run_id,
    )


def _commits(storage: Storage, first: int, last: int) -> Iterator[Commit]:
    for version in range(first, last + 1):
        try:
            yield read_commit(storage, version)
        except VersionNotFoundError:
            # The log before it was cleaned up.
            continue


def _changes_data(commit: Commit) -> bool:
    return any(isinstance(each, AddFile | RemoveFile) and each.data_change for each in commit.actions)


def _levels(snapshot: Snapshot, *, judged: bool) -> Iterator[NewPoint]:
    """How large the table is. What compaction does to that is no matter of the data."""
    at = moment_of(snapshot.timestamp_ms)
    files = snapshot.files.values()
    sizes = {"rows": live_rows(snapshot), "bytes": sum(each.size for each in files), "files": len(files)}
    for measure, value in sizes.items():
        if value is not None:
            yield NewPoint(measure=measure, at=at, value=float(value), role="point" if judged else "level")


def _of_changes(snapshot: Snapshot, changed: Sequence[Commit]) -> Iterator[NewPoint]:
    """What the commits brought: rows changed by each, and the share of nulls in the files that came."""
    if not changed:
        return
    at = moment_of(changed[-1].timestamp_ms)
    new = [_new_files(each) for each in changed]
    numbers = [_rows_changed(commit, files) for commit, files in zip(changed, new, strict=True)]
    known = [each for each in numbers if each is not None]
    if known:
        yield NewPoint(measure="change_rate", at=at, value=sum(known) / len(known))
    stats = [_stats(each) for files in new for each in files]
    rows = [_whole(each.get("numRecords")) for each in stats]
    total = sum(each or 0 for each in rows)
    if not total or None in rows:
        return
    for leaf in indexed_leaves(snapshot.schema, metadata=snapshot.metadata):
        if leaf.path[0] in CONTROL_COLUMNS:
            continue
        nulls = [_whole(_inside(each.get("nullCount"), leaf.physical)) for each in stats]
        if None not in nulls:
            share = sum(each or 0 for each in nulls) / total
            yield NewPoint(measure="null_share", column=".".join(leaf.path), at=at, value=min(share, 1.0))


def _freshness(
    storage: Storage, snapshot: Snapshot, changed: Sequence[Commit], last: Series | None, now: datetime
) -> NewPoint:
    """The age that the data reached before it changed; where it did not, the age so far."""
    if changed and last is not None:
        # Its time is the newest commit's, so that the age of the data can be told from it at any time.
        moments = [_data_moment(last), *(moment_of(each.timestamp_ms) for each in changed)]
        ages = [(after - before).total_seconds() for before, after in pairwise(moments)]
        return NewPoint(measure="freshness", at=moments[-1], value=max(0.0, *ages))
    if last is not None:
        return _grown(last, now)
    data = moment_of(changed[-1].timestamp_ms) if changed else newest_data(storage, snapshot)
    return NewPoint(measure="freshness", at=now, value=max(0.0, (now - data).total_seconds()), role="open")


def _grown(last: Series, now: datetime) -> NewPoint:
    return NewPoint(measure="freshness", at=now, value=last.age(now).total_seconds(), role="open")


def _data_moment(last: Series) -> datetime:
    """When the data was newest that a point of freshness speaks of."""
    point = last.newest
    return (point.at - timedelta(seconds=point.value) if point.role == "open" else point.at).astimezone(UTC)


def _new_files(commit: Commit) -> list[AddFile]:
    """The files that a commit brought; those that only got another vector are none."""
    before = {each.path for each in commit.actions if isinstance(each, RemoveFile)}
    return [
        each
        for each in commit.actions
        if isinstance(each, AddFile) and each.data_change and each.path not in before
    ]


def _rows_changed(commit: Commit, new: Sequence[AddFile]) -> int | None:
    counts = entry(commit, made_ms=commit.timestamp_ms).counts
    told = [counts[name] for name in _ROWS if name in counts]
    if told:
        return sum(told)
    rows = [each.physical_records for each in new]
    return None if not rows or None in rows else sum(each or 0 for each in rows)


def _stats(file: AddFile) -> Mapping[str, Any]:
    try:
        found = orjson.loads(file.stats or "{}")
    except orjson.JSONDecodeError:
        # NaN and Infinity are no JSON, yet some writers put them among the bounds.
        read = file.statistics
        return {"numRecords": read.num_records, "nullCount": read.null_count}
    return found if isinstance(found, dict) else {}


def _inside(tree: object, path: Sequence[str]) -> object:
    for name in path:
        tree = tree.get(name) if isinstance(tree, dict) else None
    return tree


def _whole(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None
