"""What an erasure leaves of files, written anew: by the next try again only where others changed a file."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Final, Self

import numpy as np
import polars as pl

from lakehouse.delta.actions import AddFile
from lakehouse.delta.data import scan_file, write_files
from lakehouse.delta.snapshot import Snapshot
from lakehouse.errors import LakehouseError
from lakehouse.requests.find import Found
from lakehouse.requests.locate import FILE, POSITION
from lakehouse.requests.rewriting import Changes
from lakehouse.verbs.opened import OpenTable

_MOST_ROWS: Final = 500_000
_MOST_THREADS: Final = 4
_WORTH_THREADS: Final = 32 << 20
"""Bytes of files from which on several are written at once."""


@dataclass(slots=True)
class Written:
    """Files that were written.

    Args:
        adds: As the log will say.
        paths: Below the table's folder.
        deleted: Rows that went.
        anonymized: Rows that were emptied.
    """

    adds: list[AddFile] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    deleted: int = 0
    anonymized: int = 0

    def add(self, other: Written) -> None:
        """Takes others along."""
        self.adds += other.adds
        self.paths += other.paths
        self.deleted += other.deleted
        self.anonymized += other.anonymized


@dataclass(frozen=True, slots=True)
class _Draft:
    """What was written of one file, and of what it was made."""

    found: Found
    add: AddFile
    changes: Changes
    written: Written

    def fits(self, found: Found, add: AddFile, changes: Changes) -> bool:
        """Whether the same would be written now."""
        before = self.found
        if self.add != add or before.past.newest.metadata != found.past.newest.metadata:
            return False
        if not np.array_equal(self.changes.gone, changes.gone):
            return False
        if not self.changes.cells and not changes.cells:
            return True
        # What becomes of cells follows from the rules, the people and their rows.
        same = before.rules == found.rules and before.people is found.people
        return same and _places(self.changes) == _places(changes)


def _places(changes: Changes) -> list[tuple[str, list[int]]]:
    return [(cells.column, cells.positions.tolist()) for cells in changes.cells]


class Drafts:
    """Files of a commit that is still to be made.

    Args:
        table: The table.
    """

    def __init__(self, table: OpenTable) -> None:
        self._table = table
        self._made: dict[str, _Draft] = {}
        self._ever: set[str] = set()

    def write(self, found: Found, files: Sequence[tuple[AddFile, Changes]]) -> Written:
        """Writes what stays of files. What an earlier try wrote, and would be the same, is not written again.

        Args:
            found: The rows of people.
            files: The files, as the newest version has them, and what is done to them.
        """
        fitting = {
            add.path
            for add, changes in files
            if add.path in self._made and self._made[add.path].fits(found, add, changes)
        }
        self._drop([path for path in self._made if path not in fitting])
        fresh = [_Draft(found, add, changes, Written()) for add, changes in files if add.path not in fitting]
        self._made |= {draft.add.path: draft for draft in fresh}
        try:
            _rewrite_all(self._table, fresh)
        finally:
            self._ever.update(path for draft in fresh for path in draft.written.paths)
        every = Written()
        for add, _ in files:
            every.add(self._made[add.path].written)
        return every

    def unseen(self, found: Found) -> Found:
        """The same without rows in these files: they are in no version, or in that which was made of them.

        Args:
            found: Rows of people.
        """
        own = [number for number, each in enumerate(found.past.files) if each.path in self._ever]
        return replace(found, rows=found.rows.filter(~pl.col(FILE).is_in(own))) if own else found

    def keep(self) -> None:
        """Lets the files be: they are in a version, or nobody knows whether they are."""
        self._made.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._drop(list(self._made))

    def _drop(self, which: Sequence[str]) -> None:
        clean_up(self._table, [path for each in which for path in self._made.pop(each).written.paths])


def rewrite_file(table: OpenTable, found: Found, add: AddFile, changes: Changes, written: Written) -> None:
    """Writes what stays of a file.

    Args:
        table: The table.
        found: The rows of people.
        add: The file.
        changes: What is done to it.
        written: Where it is noted, also where it fails.
    """
    snapshot = found.past.newest
    for part in _parts(table, snapshot, add):
        done = changes.applied(part)
        written.deleted += done.deleted
        written.anonymized += done.anonymized
        if done.left.is_empty():
            continue
        left = done.left.drop(POSITION)
        for new in write_files(table.storage, left, schema=snapshot.schema, metadata=snapshot.metadata):
            written.adds.append(new)
            path = new.relative_path(table.storage.url)
            written.paths += [path] if path is not None else []


def clean_up(table: OpenTable, paths: Sequence[str]) -> None:
    """Takes files away that are in no version; what can't be deleted is left to a vacuum.

    Args:
        table: The table.
        paths: Below its folder.
    """
    if paths:
        with suppress(LakehouseError):
            table.storage.delete(paths)


def _rewrite_all(table: OpenTable, drafts: Sequence[_Draft]) -> None:
    """Several at once where they are large."""

    def go(draft: _Draft) -> None:
        rewrite_file(table, draft.found, draft.add, draft.changes, draft.written)

    threads = min(len(drafts), len(os.sched_getaffinity(0)), _MOST_THREADS)
    if threads > 1 and sum(draft.add.size for draft in drafts) > _WORTH_THREADS:
        with ThreadPoolExecutor(threads, thread_name_prefix="lakehouse-erase") as pool:
            list(pool.map(go, drafts))
    else:
        for draft in drafts:
            go(draft)


def _parts(table: OpenTable, snapshot: Snapshot, add: AddFile) -> Iterator[pl.DataFrame]:
    scan = scan_file(table.storage, snapshot, add, row_index=POSITION)
    start = 0
    while True:
        part = scan.slice(start, _MOST_ROWS).collect()
        if part.is_empty():
            return
        yield part
        start += part.height
