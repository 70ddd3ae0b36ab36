"""Holds on rows: which files have such rows, and which versions must stay readable for them.

A row that somebody must keep can be in a file that no kept version needs any more, since it was changed or
deleted meanwhile. All files that are about to lose a version are asked for such rows; Parquet's own
statistics spare reading most of them. Of every such row some version stays in which it can be read: the
newest. What can't be asked (a damaged file, a condition on a column that is not there) stays.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

from lakehouse.delta import deletion_vectors
from lakehouse.delta.actions import AddFile
from lakehouse.delta.data import scan_files
from lakehouse.delta.scan_query import unused_name
from lakehouse.delta.snapshot import Snapshot
from lakehouse.errors import LakehouseError
from lakehouse.maintenance.vacuum.references import Lifetime, References
from lakehouse.protection import Protection
from lakehouse.protection.conditions import matching
from lakehouse.storage import Storage

_AT_ONCE: Final = 64
_FAILURES: Final = (LakehouseError, pl.exceptions.PolarsError, OSError, ValueError)

Rows = npt.NDArray[np.uint64]
Load = Callable[[int], Snapshot]


@dataclass(frozen=True, slots=True)
class Held:
    """What holds on rows keep.

    Args:
        versions: Version to the holds that need it.
        files: Path to the hold that keeps the file by itself.
        unsure: How many files stay only because they could not be asked.
    """

    versions: dict[int, list[str]]
    files: dict[str, str]
    unsure: int = 0


def held_rows(
    storage: Storage,
    references: References,
    *,
    kept: Sequence[int],
    others: Sequence[str],
    protection: Protection,
    newest: Snapshot,
    load: Load,
) -> Held:
    """Looks for rows that must stay.

    Args:
        storage: The table's folder.
        references: What each version needs.
        kept: The versions that stay anyway, ascending.
        others: Parquet files of no version, and of changed rows, that would go.
        protection: The holds on the table.
        newest: The newest version, whose columns conditions speak of.
        load: Loads another version.

    Returns:
        The versions and files that stay for it.
    """
    found = Held(defaultdict(list), {})
    unsure = 0
    lives: defaultdict[str, list[Lifetime]] = defaultdict(list)
    for life in references.lifetimes:
        if life.path is not None:
            lives[life.path].append(life)
    asked = [each for each in lives.values() if any(life.needed(kept) is None for life in each)]
    for hold, where in protection.conditions:
        for at in range(0, len(asked), _AT_ONCE):
            part = asked[at : at + _AT_ONCE]
            answers = _ask(storage, newest, [each[-1].add for each in part], where)
            for each, rows in zip(part, answers, strict=True):
                answer = rows if rows is not None else _ask_then(storage, each[-1], where, references, load)
                unsure += answer is None
                if answer is None or answer.size:
                    found.files.update(dict.fromkeys(_paths(each), hold.id))
                for version in _versions_for(storage, each, answer, kept):
                    found.versions[version].append(hold.id)
        answered = [(path, _has_rows(storage, path, where)) for path in others]
        unsure += sum(has is None for _, has in answered)
        found.files.update({path: hold.id for path, has in answered if has is not False})
    versions = {version: list(dict.fromkeys(ids)) for version, ids in found.versions.items()}
    return Held(versions, found.files, unsure)


def _paths(lives: Sequence[Lifetime]) -> list[str]:
    """A file and all vectors that it ever had."""
    return [path for life in lives for path in (life.path, life.vector) if path is not None]


def _ask(storage: Storage, snapshot: Snapshot, adds: Sequence[AddFile], where: str) -> list[Rows | None]:
    """The rows of each file that meet a condition, hidden ones too; None for files that can't be asked."""
    try:
        return _matching(storage, snapshot, adds, where)
    except _FAILURES:
        if len(adds) == 1:
            return [None]
        return [_ask(storage, snapshot, [add], where)[0] for add in adds]


def _matching(storage: Storage, snapshot: Snapshot, adds: Sequence[AddFile], where: str) -> list[Rows | None]:
    names = snapshot.schema.names
    file, position = unused_name("file", names), unused_name("position", names)
    scan = scan_files(storage, snapshot, adds, file=file, position=position, apply_vectors=False)
    rows = _where(scan, where, columns=(file, position)).collect(engine="streaming")
    numbers, places = rows[file].to_numpy(), rows[position].to_numpy()
    return [places[numbers == number].astype(np.uint64) for number in range(len(adds))]


def _where(scan: pl.LazyFrame, where: str, *, columns: Sequence[str]) -> pl.LazyFrame:
    pl.sql_expr(where)  # one expression, and nothing behind it
    return matching(scan, where).select(columns)


def _ask_then(
    storage: Storage, life: Lifetime, where: str, references: References, load: Load
) -> Rows | None:
    """Asks with the columns that the table had when it had the file: some may be gone or renamed since."""
    try:
        snapshot = load(references.version if life.last is None else life.last)
    except LakehouseError:
        return None
    return _ask(storage, snapshot, [life.add], where)[0]


def _versions_for(
    storage: Storage, lives: Sequence[Lifetime], rows: Rows | None, kept: Sequence[int]
) -> list[int]:
    """The newest versions that together show all of the rows that no kept one shows.

    Args:
        storage: The table's folder.
        lives: Of one file, in order.
        rows: Its rows that must stay; None where that is not known, which means all of it must.
        kept: The versions that stay anyway.
    """
    gone = [life for life in lives if life.needed(kept) is None and life.last is not None]
    if rows is None:
        return [life.last for life in gone if life.last is not None]
    if not rows.size:
        return []
    try:
        shown = [rows[:0]] + [_alive(storage, life, rows) for life in lives if life not in gone]
        covered = np.concatenate(shown)
        found: list[int] = []
        for life in gone[::-1]:
            alive = _alive(storage, life, rows)
            if life.last is not None and np.setdiff1d(alive, covered).size:
                found.append(life.last)
                covered = np.union1d(covered, alive)
    except _FAILURES:
        return [life.last for life in gone if life.last is not None]
    if not found and len(gone) == len(lives) and gone[-1].last is not None:
        # Hidden in all versions that the log knows of, and still in the file.
        return [gone[-1].last]
    return found


def _alive(storage: Storage, life: Lifetime, rows: Rows) -> Rows:
    vector = life.add.deletion_vector
    if vector is None:
        return rows
    hidden = deletion_vectors.positions_of(deletion_vectors.read(storage, vector))
    return np.setdiff1d(rows, hidden)


def _has_rows(storage: Storage, path: str, where: str) -> bool | None:
    """Whether a Parquet file that belongs to no version has such rows; None where it can't be asked."""
    try:
        scan = pl.scan_parquet(
            storage.uri(path), storage_options=storage.library_options() or None, glob=False
        )
        return not _where(scan, where, columns=scan.collect_schema().names()[:1]).head(1).collect().is_empty()
    except _FAILURES:
        return None
