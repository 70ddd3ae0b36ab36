"""Where people's rows are in the data files of a table: all people in one pass, rows marked deleted too.

A row that a deletion vector hides still is in its file, with every cell. So vectors leave nothing out here;
what was found says which rows are live.

Statistics and partition values leave out files that can't hold any of the values (`candidates`); of the
others only the columns asked for are read, in one streaming scan for each condition. Memory grows with the
values and with the rows that are found.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import polars as pl
from pyroaring import BitMap64

from lakehouse.delta.actions import AddCdcFile, AddFile
from lakehouse.delta.exact import column
from lakehouse.delta.scan import drop_hidden, scan_files
from lakehouse.delta.scan_query import filters_fast
from lakehouse.delta.snapshot import Snapshot
from lakehouse.errors import DataError
from lakehouse.merge.locate import KeyFilter
from lakehouse.pii.paths import ColumnPath, parse_path
from lakehouse.requests.reading import VALUE, as_keys, columns_of, key_name, only_fields, plain_types, spread
from lakehouse.storage import Storage

__all__ = [
    "CONDITION",
    "FILE",
    "LIVE",
    "POSITION",
    "VALUE",
    "Condition",
    "Located",
    "beside",
    "candidates",
    "rows_of",
]

FILE: Final = "__file"
POSITION: Final = "__position"
CONDITION: Final = "__condition"
LIVE: Final = "__live"

_INDEX: Final = "__index"
_MANY_FILES: Final = 128


@dataclass(frozen=True, slots=True)
class Condition:
    """Rows that hold certain values.

    Args:
        columns: Columns, or paths into them (`lakehouse.pii.paths`) through fields, lists and maps; at most
            one of them goes through a list or map.
        values: As many columns, in order, under any names: each row is one combination that is looked for.
            Values that are no values of a column's type are in no row. Never shown.
    """

    columns: tuple[str, ...]
    values: pl.DataFrame = field(repr=False)


@dataclass(frozen=True, slots=True)
class Located:
    """The rows that were found.

    Args:
        files: The files that were asked about.
        frame: ``__file`` (number among the files), ``__position`` (of the row in its file, from 0),
            ``__condition`` (number of the condition), ``__value`` (number of the row in the condition's
            values) and ``__live`` (whether no deletion vector hides the row). A row that several values
            lead to is there several times.
        read: How many files were read for at least one condition; statistics ruled the others out.
    """

    files: tuple[AddFile | AddCdcFile, ...] = field(repr=False)
    frame: pl.DataFrame = field(repr=False)
    read: int

    def positions(self, *, live: bool | None = None) -> dict[str, BitMap64]:
        """The positions by file.

        Args:
            live: Only rows that are (not) live; None means all.

        Returns:
            Path, as in the log, to positions; files without any are left out.
        """
        frame = self.frame if live is None else self.frame.filter(pl.col(LIVE) == live)
        parts = frame.select(FILE, POSITION).unique().partition_by(FILE, as_dict=True)
        found: dict[str, BitMap64] = {}
        for (number,), part in sorted(parts.items()):
            found[self.files[number].path] = BitMap64(np.sort(part[POSITION].to_numpy()).astype(np.uint64))
        return found


def rows_of(
    storage: Storage,
    snapshot: Snapshot,
    files: Sequence[AddFile | AddCdcFile],
    conditions: Sequence[Condition],
) -> Located:
    """Find the rows that any of the conditions describes.

    Args:
        storage: The table's root.
        snapshot: A version whose schema the files have; it need not have the files.
        files: Data files, and files of change data.
        conditions: What is looked for.

    Returns:
        The rows.

    Raises:
        UsageError: There is no such column, or no value can be compared with it.
        DataError: A file's columns can't be read as the table's types.
        CorruptTableError: A file is missing or can't be read.
    """
    adds = [_as_add(each) for each in files]
    parts = [pl.DataFrame(schema=_SCHEMA)]
    read: set[int] = set()
    for number, condition in enumerate(conditions):
        paths = [parse_path(text, columns=snapshot.schema.names) for text in condition.columns]
        wanted = as_keys(snapshot, condition.values, paths)
        if wanted.is_empty():
            continue
        numbers = _candidates(snapshot, adds, paths, wanted)
        read.update(numbers)
        if not numbers:
            continue
        chosen = [adds[each] for each in numbers]
        found = _scan(storage, snapshot, chosen, paths, wanted)
        alive = drop_hidden(storage, found.with_row_index(_INDEX), chosen, file=FILE, position=POSITION)
        live = np.zeros(found.height, dtype=np.bool_)
        live[alive[_INDEX].to_numpy()] = True
        parts.append(
            found.with_columns(
                pl.Series(numbers, dtype=pl.UInt32).gather(found[FILE]).alias(FILE),
                pl.lit(number, dtype=pl.UInt32).alias(CONDITION),
                pl.Series(LIVE, live),
            ).select(*_SCHEMA)
        )
    return Located(tuple(files), pl.concat(parts), len(read))


def candidates(snapshot: Snapshot, files: Sequence[AddFile], condition: Condition) -> list[int]:
    """Which files can hold what a condition looks for, by statistics and partition values alone.

    Args:
        snapshot: A version whose schema the files have.
        files: Data files.
        condition: What is looked for.

    Returns:
        Numbers of files, ascending.

    Raises:
        UsageError: There is no such column.
    """
    paths = [parse_path(text, columns=snapshot.schema.names) for text in condition.columns]
    wanted = as_keys(snapshot, condition.values, paths)
    return [] if wanted.is_empty() else _candidates(snapshot, files, paths, wanted)


_SCHEMA: Final[Mapping[str, pl.DataType]] = {
    FILE: pl.UInt32(),
    POSITION: pl.UInt32(),
    CONDITION: pl.UInt32(),
    VALUE: pl.UInt32(),
    LIVE: pl.Boolean(),
}


def _as_add(file: AddFile | AddCdcFile) -> AddFile:
    if isinstance(file, AddFile):
        return file
    return AddFile(
        path=file.path,
        partition_values=file.partition_values,
        size=file.size,
        modification_time=0,
        data_change=False,
    )


def _candidates(
    snapshot: Snapshot, files: Sequence[AddFile], paths: Sequence[ColumnPath], wanted: pl.DataFrame
) -> list[int]:
    # Statistics know nothing of what is in lists and maps, and call a field of a struct by its path.
    names = [".".join(path.names) for path in paths]
    told = [
        (key_name(number), name)
        for number, (path, name) in enumerate(zip(paths, names, strict=True))
        if not path.steps
        or (only_fields(path) and name not in snapshot.schema.names and name.count(".") == len(path.steps))
    ]
    if not told:
        return list(range(len(files)))
    chosen = KeyFilter.of(wanted.select(pl.col(key).alias(name) for key, name in dict(told).items()))
    kept = {id(add) for add in chosen.files(files, snapshot=snapshot)}
    return [number for number, add in enumerate(files) if id(add) in kept]


def beside(
    storage: Storage,
    snapshot: Snapshot,
    files: Sequence[AddFile],
    condition: Condition,
    *,
    columns: Sequence[str],
) -> pl.DataFrame:
    """What else stands in the rows that a condition describes, marked deleted or not.

    Args:
        storage: The table's root.
        snapshot: A version whose schema the files have.
        files: Data files.
        condition: What is looked for.
        columns: Columns, or paths into them.

    Returns:
        ``__value`` (number of the row in the condition's values) and a column for each of ``columns``, under
        its name; each combination once.

    Raises:
        UsageError: There is no such column, or no value can be compared with it.
        DataError: A file's columns can't be read as the table's types.
        CorruptTableError: A file is missing or can't be read.
    """
    paths = [parse_path(text, columns=snapshot.schema.names) for text in condition.columns]
    more = {text: parse_path(text, columns=snapshot.schema.names) for text in columns}
    wanted = as_keys(snapshot, condition.values, paths)
    numbers = [] if wanted.is_empty() else _candidates(snapshot, files, paths, wanted)
    if not numbers:
        schema = plain_types(snapshot.schema, columns)
        return pl.DataFrame(schema={VALUE: pl.UInt32(), **{text: schema[text] for text in columns}})
    chosen = [files[each] for each in numbers]
    return _scan(storage, snapshot, chosen, paths, wanted, more=more, placed=False)


def _scan(
    storage: Storage,
    snapshot: Snapshot,
    files: Sequence[AddFile],
    paths: Sequence[ColumnPath],
    wanted: pl.DataFrame,
    *,
    more: Mapping[str, ColumnPath] | None = None,
    placed: bool = True,
) -> pl.DataFrame:
    """The number of the value, and what else is wanted, for every row that is found."""
    keys = [key_name(number) for number in range(len(paths))]
    beyond = {key_name(number): path for number, path in enumerate((more or {}).values(), start=len(paths))}
    named = dict(zip(keys, paths, strict=True))
    columns = columns_of(paths)
    plain = len(columns) == len(paths) and not any(path.steps for path in paths)
    only = wanted.select(pl.col(key).alias(path.column) for key, path in named.items()) if plain else None
    thinned = only is not None and filters_fast(only)
    scan = scan_files(
        storage,
        snapshot,
        files,
        columns=columns_of([*paths, *beyond.values()]),
        file=FILE if placed else None,
        position=POSITION if placed else None,
        apply_vectors=False,
        keys=only if thinned or len(files) > _MANY_FILES else None,
    )
    marks = [FILE, POSITION] if placed else []
    shown = [pl.col(VALUE), *(pl.col(key).alias(text) for key, text in zip(beyond, more or {}, strict=True))]
    try:
        taken = {**named, **beyond}.items()
        rows = spread(scan.select(*marks, *(column(path.column).alias(key) for key, path in taken)), named)
        if thinned:
            rows = rows.collect(engine="streaming").lazy()
        found = rows.join(wanted.lazy(), on=keys, how="inner")
        found = spread(found.drop(keys), beyond).select(*marks, *shown)
        return (found if placed else found.unique()).collect(engine="streaming")
    except pl.exceptions.PolarsError:
        # The cause is not kept: its message can show values.
        raise DataError(
            f"the columns {', '.join(map(str, paths))} of {storage.url} can't be read as the table's types",
            advice="`lakehouse verify` says which files are wrong",
        ) from None
