"""A sample of a table's values: spread over its files, the same for the same seed, of bounded size.

Only stretches of rows are read, and of these a group of columns at a time. Each file can contribute; of more
files than are opened, each of as many neighbourhoods gives one.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import polars as pl

from lakehouse.cdc.control import CONTROL_COLUMNS
from lakehouse.delta.data import row_counts, scan_file
from lakehouse.delta.exact import column
from lakehouse.delta.scan import drop_hidden
from lakehouse.delta.scan_query import unused_name
from lakehouse.delta.schema import BINARY, STRING, OpaqueType, StructField, to_polars, walk
from lakehouse.delta.snapshot import Snapshot
from lakehouse.pii.paths import ColumnPath
from lakehouse.pii.scan.flatten import flatten
from lakehouse.pii.scan.values import MOST_CHARS, PathValues, gathered
from lakehouse.storage import Storage
from lakehouse.timetravel.reading import collect

DEFAULT_VALUES: Final = 5_000
MOST_FILES: Final = 64
"""So many files are opened."""
MOST_STRETCHES: Final = 64
"""So many stretches of rows are read in all, where there are fewer files than that."""
_COLUMNS_AT_ONCE: Final = 32
_MOST_READ: Final = 4 * MOST_CHARS
"""Of longer texts so much is read: JSON that is cut is none any more."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """Neighbouring rows of one file.

    Args:
        file: The file's number.
        start: Position of the first.
        rows: How many.
    """

    file: int
    start: int
    rows: int


def plan_stretches(counts: Sequence[int], *, wanted: int, seed: int) -> list[Stretch]:
    """Chooses rows: pure.

    Args:
        counts: Rows of each file.
        wanted: How many rows; fewer where there are not as many.
        seed: The same one chooses the same rows.

    Returns:
        Stretches that do not overlap, by file and position.
    """
    chance = random.Random(seed)  # noqa: S311 - no secret
    files = _pick_files(counts, chance=chance)
    quotas = _shares([counts[file] for file in files], wanted=wanted)
    found: list[Stretch] = []
    for file, quota in zip(files, quotas, strict=True):
        if quota == 0:
            continue
        pieces = max(1, min(quota, MOST_STRETCHES // len(files)))
        for piece in range(pieces):
            low, high = (counts[file] * at // pieces for at in (piece, piece + 1))
            size = quota * (piece + 1) // pieces - quota * piece // pieces
            size = min(size, high - low)
            if size:
                found.append(Stretch(file, low + chance.randint(0, high - low - size), size))
    return found


def _pick_files(counts: Sequence[int], *, chance: random.Random) -> list[int]:
    having = [file for file, rows in enumerate(counts) if rows > 0]
    if len(having) <= MOST_FILES:
        return having
    groups = [
        having[len(having) * at // MOST_FILES : len(having) * (at + 1) // MOST_FILES]
        for at in range(MOST_FILES)
    ]
    return [chance.choices(group, weights=[counts[file] for file in group])[0] for group in groups]


def _shares(counts: Sequence[int], *, wanted: int) -> list[int]:
    """How many rows each file gives: by its size, and at least one."""
    total = sum(counts)
    if total <= wanted:
        return list(counts)
    done = before = 0
    shares = []
    for rows in counts:
        done += rows
        upto = wanted * done // total
        shares.append(min(rows, max(1, upto - before)))
        before = upto
    return shares


def sample_columns(
    storage: Storage, snapshot: Snapshot, *, table: str, wanted: int = DEFAULT_VALUES, seed: int = 0
) -> Iterator[list[PathValues]]:
    """Samples the values of all columns, a few columns at a time.

    Args:
        storage: The table's folder.
        snapshot: The version.
        table: The table's name, for errors.
        wanted: How many rows.
        seed: The same one gives the same sample.

    Yields:
        For each column its paths, in the order of the schema.

    Raises:
        CorruptTableError: A file is gone or damaged.
        StorageError: The store failed.
    """
    adds = list(snapshot.files.values())
    adds.sort(key=lambda add: (add.modification_time, add.path))
    counts = [add.physical_records for add in adds]
    if any(rows is None for rows in counts):
        counts = list(row_counts(storage, adds))
    stretches = plan_stretches([rows or 0 for rows in counts], wanted=wanted, seed=seed)
    fields = [item for item in snapshot.schema.fields if item.name not in CONTROL_COLUMNS]
    readable = [item for item in fields if _is_readable(item)]
    file, position = (unused_name(name, snapshot.schema.names) for name in ("file", "position"))
    for at in range(0, len(readable), _COLUMNS_AT_ONCE):
        chosen = readable[at : at + _COLUMNS_AT_ONCE]
        names = [item.name for item in chosen]
        if stretches:
            parts = [
                scan_file(
                    storage, snapshot, adds[each.file], columns=names, row_index=position, apply_vector=False
                )
                .slice(each.start, each.rows)
                .with_columns(_shortened(item) for item in chosen)
                .with_columns(pl.lit(each.file, dtype=pl.UInt32).alias(file))
                for each in stretches
            ]
            found = collect(pl.concat(parts), storage=storage, snapshot=snapshot, table=table)
            rows = drop_hidden(storage, found, adds, file=file, position=position)
        else:
            rows = _no_rows(snapshot, names)
        for item in chosen:
            yield flatten(item.name, rows[item.name], item.type)
    for item in fields:
        if not _is_readable(item):
            nothing = pl.Series([], dtype=pl.Boolean)
            yield [gathered(ColumnPath(item.name), nothing, note="of a type that is not known here")]


def _no_rows(snapshot: Snapshot, names: Sequence[str]) -> pl.DataFrame:
    """No rows of some columns."""
    return pl.DataFrame(schema=dict(to_polars(snapshot.schema.select(list(names)))))


def _is_readable(item: StructField) -> bool:
    return not any(isinstance(kind, OpaqueType) for kind in walk(item.type))


def _shortened(item: StructField) -> pl.Expr:
    """A text of any length comes in cut, but longer than what is looked at, so that cutting shows."""
    if item.type == STRING:
        return column(item.name).str.slice(0, _MOST_READ)
    if item.type == BINARY:
        return column(item.name).bin.head(_MOST_READ)
    return column(item.name)
