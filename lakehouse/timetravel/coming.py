"""What comes back with an older version, without the people who were erased since.

A file that holds rows of theirs does not come back as it lies there: what may come back of it is written
anew, so that nothing of them is below the newest version, not even hidden by a vector.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final, Protocol

import polars as pl

from lakehouse.delta.actions import AddFile
from lakehouse.delta.data import scan_file, write_files
from lakehouse.delta.schema import StructType
from lakehouse.delta.snapshot import Snapshot
from lakehouse.errors import LakehouseError
from lakehouse.storage import Storage

_MOST_ROWS: Final = 500_000


class Keeping(Protocol):
    """Keeps erased people out of rows that come back."""

    def look(self) -> bool:
        """Takes note of who was erased; whether anybody ever was."""

    def changed(self) -> bool:
        """Whether somebody was erased, or let back in, since the last look."""

    def columns(self, schema: StructType) -> tuple[str, ...]:
        """The columns by which their rows are recognised, and those that would be emptied."""

    def gone(self, rows: pl.DataFrame, schema: StructType) -> pl.Series:
        """Which rows stay away."""

    def touched(self, rows: pl.DataFrame, schema: StructType) -> pl.Series:
        """Which rows stay away or lose cells."""

    def kept(self, rows: pl.DataFrame, schema: StructType) -> pl.DataFrame:
        """Rows as they may come back."""


@dataclass(slots=True)
class Coming:
    """Files of an older version as they may come back.

    Args:
        adds: The files.
        anybody: Whether anybody was ever erased.
        suppressed: Rows that stay away.
        written: Paths of files that were written anew.
    """

    adds: list[AddFile] = field(default_factory=list)
    anybody: bool = False
    suppressed: int = 0
    written: list[str] = field(default_factory=list)

    def clean_up(self, storage: Storage) -> None:
        """Takes away what was written for a commit that did not happen."""
        with suppress(LakehouseError):
            storage.delete(self.written)


def coming_back(
    storage: Storage,
    files: Sequence[AddFile],
    *,
    target: Snapshot,
    restored: Snapshot,
    keeping: Keeping | None,
    write: bool,
) -> Coming:
    """Finds what may come back of files.

    Args:
        storage: The table's folder.
        files: Files of the older version that the newest one does not have.
        target: The older version.
        restored: Protocol, metadata and schema as they will be.
        keeping: Keeps erased people out; None where nobody can be erased.
        write: Whether what has to be is written; else rows are only counted.

    Raises:
        CorruptTableError: A file can't be read.
        KeysError: People were erased, and the key is not there.
    """
    found = Coming()
    if keeping is None or not keeping.look():
        found.adds = list(files)
        return found
    found.anybody = True
    try:
        for add in files:
            if not _count(storage, add, target, keeping, found):
                found.adds.append(add)
            elif write:
                rows = _kept(storage, add, target, keeping)
                _write(storage, rows, restored, found)
    except BaseException:
        found.clean_up(storage)
        raise
    return found


def _count(storage: Storage, add: AddFile, target: Snapshot, keeping: Keeping, found: Coming) -> bool:
    """Whether a file holds rows of erased people; counts those that stay away."""
    columns = keeping.columns(target.schema)
    touched = False
    for part in _parts(storage, add, target, columns) if columns else ():
        if keeping.touched(part, target.schema).any():
            touched = True
            found.suppressed += int(keeping.gone(part, target.schema).sum())
    return touched


def _kept(storage: Storage, add: AddFile, target: Snapshot, keeping: Keeping) -> Iterator[pl.DataFrame]:
    for part in _parts(storage, add, target, tuple(target.schema.names)):
        yield keeping.kept(part, target.schema)


def _write(storage: Storage, parts: Iterator[pl.DataFrame], restored: Snapshot, found: Coming) -> None:
    for part in parts:
        for new in write_files(storage, part, schema=restored.schema, metadata=restored.metadata):
            found.adds.append(new)
            path = new.relative_path(storage.url)
            found.written += [path] if path is not None else []


def _parts(
    storage: Storage, add: AddFile, target: Snapshot, columns: Sequence[str]
) -> Iterator[pl.DataFrame]:
    scan = scan_file(storage, target, add, columns=list(columns))
    start = 0
    while True:
        part = scan.slice(start, _MOST_ROWS).collect()
        if part.height:
            yield part
        if part.height < _MOST_ROWS:
            return
        start += part.height
