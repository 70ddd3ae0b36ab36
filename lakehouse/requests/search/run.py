"""A whole search: what there is, who looks at what, and what came meanwhile."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Final, get_args

from lakehouse.errors import LakehouseError
from lakehouse.pii.executor import Executor
from lakehouse.requests.needles import Needle
from lakehouse.requests.search.databases import look_at_database
from lakehouse.requests.search.places import Folder, Place, StateDatabase
from lakehouse.requests.search.report import (
    Kind,
    NotSearched,
    ObjectResult,
    Searched,
    SearchReport,
    add_up,
)
from lakehouse.requests.search.sought import Sought
from lakehouse.requests.search.work import Item, Task, Work, failed
from lakehouse.storage.object_versions import NoBotoError, object_versions

_TASK_BYTES: Final = 32 << 20
_TASK_OBJECTS: Final = 200
_ROUNDS: Final = 10

Mark = tuple[int, str]
"""What tells that an object is still the same: its size, and the store's mark or time."""

_Key = tuple[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a search is.

    Args:
        done: Objects that were searched.
        objects: Those that are known of.
        bytes: Bytes that were searched.
    """

    done: int
    objects: int
    bytes: int


@dataclass(slots=True)
class _Sum:
    results: list[ObjectResult] = field(default_factory=list)
    done: int = 0
    bytes: int = 0


def search(
    places: Sequence[Place],
    needles: Sequence[Needle],
    *,
    executor: Executor,
    progress: Callable[[Progress], None] | None = None,
) -> SearchReport:
    """Opens every object and searches it for all needles at once.

    What comes or changes meanwhile is searched in another round, up to ten; what still changes then is told
    as not searched.

    Args:
        places: Where; a folder in another one is searched once if the outer one leaves it out.
        needles: What for.
        executor: Does the work, some objects at a time.
        progress: Is told how far it is.

    Returns:
        What was opened, found, and not searched.
    """
    started = time.monotonic()
    sought = Sought(needles)
    folders = [place for place in places if isinstance(place, Folder)]
    total = _Sum()
    total.results += _unseen(folders)
    databases = [place for place in places if isinstance(place, StateDatabase)]
    # While others look at objects.
    with ThreadPoolExecutor(1, thread_name_prefix="lakehouse-search") as beside:
        told = [
            beside.submit(lambda place: list(look_at_database(place, sought)), each) for each in databases
        ]
        again = _objects(folders, sought, total, executor=executor, progress=progress)
        for each in told:
            total.results += each.result()
    return _report(total.results, sought, again=again, seconds=time.monotonic() - started)


def weight(task: Task) -> int:
    """How much there is to search in a task, in bytes."""
    return sum(item.size for item in task.items)


def _objects(
    folders: Sequence[Folder],
    sought: Sought,
    total: _Sum,
    *,
    executor: Executor,
    progress: Callable[[Progress], None] | None,
) -> int:
    """Searches all objects, round by round; how many came or changed meanwhile."""
    seen, again = dict[_Key, Mark](), 0
    for turn in range(_ROUNDS + 1):
        tasks, marks = _tasks(folders, seen, sought, total, last=turn == _ROUNDS)
        if turn:
            again += sum(len(task.items) for task in tasks)
        seen |= marks
        if not tasks:
            break
        known = total.done + sum(len(task.items) for task in tasks)
        for results in executor.map(Work(sought), tasks):
            total.results += results
            total.done += len(results)
            total.bytes += sum(each.searched.bytes for each in results)
            if progress is not None:
                progress(Progress(done=total.done, objects=known, bytes=total.bytes))
    return again


def _tasks(
    folders: Sequence[Folder], seen: Mapping[_Key, Mark], sought: Sought, total: _Sum, *, last: bool
) -> tuple[list[Task], dict[_Key, Mark]]:
    """What is to be searched, that was not seen as it is now."""
    tasks: list[Task] = []
    marks: dict[_Key, Mark] = {}
    for folder in folders:
        items = []
        try:
            for item, mark in _listed(folder):
                key = (folder.storage.url, f"{item.path}#{item.version.id if item.version else ''}")
                if seen.get(key) != mark and key not in marks:
                    marks[key] = mark
                    items.append(item)
        except NoBotoError as error:
            if not last:
                total.results.append(failed(folder, sought, error.message))
                items = []
        except LakehouseError as error:
            total.results.append(failed(folder, sought, f"it can't be listed ({type(error).__name__})"))
        if last and items:
            total.results.append(failed(folder, sought, f"{len(items)} objects came or changed all the time"))
        else:
            tasks += _grouped(folder, items)
    return ([] if last else tasks), marks


def _listed(folder: Folder) -> Iterator[tuple[Item, Mark]]:
    for info in folder.storage.list():
        if not _left_out(info.path, folder):
            yield Item(info.path, info.size), (info.size, info.etag or info.modified.isoformat())
    versions = object_versions(folder.storage) if folder.older else None
    if versions is not None and versions.versioned():
        for each in versions.list():
            if not each.latest and not each.mark and not _left_out(each.path, folder):
                yield Item(each.path, each.size, each), (each.size, each.id)


def _unseen(folders: Sequence[Folder]) -> Iterator[ObjectResult]:
    """Stores of which nobody can tell whether they keep older versions of objects."""
    stores = {"/".join(each.storage.url.split("/")[:3]): None for each in folders if each.older}
    for store in stores:
        if "://" in store and not store.startswith(("s3://", "file://", "memory://")):
            reason = "the store is not asked for them: whether it keeps any is for its owner to say"
            missing = NotSearched(table="", path=f"older versions in {store}", reason=reason, limit=True)
            yield ObjectResult(searched=Searched(kind="other"), not_searched=(missing,))


def _left_out(path: str, folder: Folder) -> bool:
    return any(path.startswith(f"{each}/") for each in folder.leave_out)


def _grouped(folder: Folder, items: Sequence[Item]) -> Iterator[Task]:
    """Large objects first and alone, small ones together."""
    group: list[Item] = []
    size = 0
    for item in sorted(items, key=lambda each: each.size, reverse=True):
        if group and (size + item.size > _TASK_BYTES or len(group) == _TASK_OBJECTS):
            yield Task(folder, tuple(group))
            group, size = [], 0
        group.append(item)
        size += item.size
    if group:
        yield Task(folder, tuple(group))


def _report(results: Sequence[ObjectResult], sought: Sought, *, again: int, seconds: float) -> SearchReport:
    kinds: tuple[Kind, ...] = get_args(Kind)
    by_kind = {kind: [each.searched for each in results if each.searched.kind == kind] for kind in kinds}
    searched = (add_up(parts, kind=kind) for kind, parts in by_kind.items())
    return SearchReport(
        searched=tuple(each for each in searched if each.objects),
        hits=tuple(hit for each in results for hit in each.hits),
        inside=sum(each.inside for each in results),
        not_searched=tuple(dict.fromkeys(missing for each in results for missing in each.not_searched)),
        needles=len(sought.needles),
        anywhere=sum(each.anywhere for each in sought.needles),
        vanished=sum(each.vanished for each in results),
        again=again,
        seconds=seconds,
    )
