"""What a bundle is made of: rows of a person, wherever they lie, in parts of bounded memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final, Literal, TypeAlias

import numpy as np
import polars as pl

from lakehouse.cdc.control import CONTROL_COLUMNS
from lakehouse.delta.actions import AddCdcFile, AddFile
from lakehouse.delta.data import read_rows_at
from lakehouse.delta.log import commits, earliest_commit
from lakehouse.delta.schema import StructType
from lakehouse.errors import CorruptTableError
from lakehouse.merge.quarantine import NoSeal, Seal
from lakehouse.pii.mask.mark import marks_of
from lakehouse.requests.access.belongs import Belongs
from lakehouse.requests.find import RULE, Found
from lakehouse.requests.known import REQUEST
from lakehouse.requests.locate import FILE, LIVE, POSITION
from lakehouse.requests.past import Past, PastFile
from lakehouse.requests.rules import RowRule
from lakehouse.storage import Storage
from lakehouse.verbs.opened import Cells, OpenTable, PlainCells

MOST_ROWS: Final = 10_000
"""Rows that are in memory at once."""

Kind: TypeAlias = Literal["table", "rejected", "archive"]
State: TypeAlias = Literal["current", "earlier", "rejected", "archived"]

Positions: TypeAlias = np.ndarray[tuple[int], np.dtype[np.uint64]]

RAW: Final = "raw"
RECORD: Final = "record"
_OF_REJECTED: Final = ("reason", "detail", "source", "quarantined_at", RAW)


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Some rows of a person, all from one file.

    Args:
        rows: The rows, without control columns; of rows about others only the columns that name the person.
        state: ``current``; ``earlier``: in a file that is there, and not in the newest version; ``rejected``
            and ``archived``.
        rules: The rules by which they were found.
        version: The version of the table that wrote the file; None where nothing tells.
        stored: When it was written (UTC); None where nothing tells.
    """

    rows: pl.DataFrame = field(repr=False)
    state: State
    rules: tuple[RowRule, ...]
    version: int | None = None
    stored: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Rows of a person in one place.

    Args:
        name: What it is called in the bundle.
        table: The table of the config that it belongs to.
        kind: What it is.
        schema: Its columns; also those that are not shown.
        columns: Those that are.
        version: The newest version of the table; None for what is none.
        format: How it is stored, in words.
        rules: What the config says of such rows, for this kind of person.
        masked: Paths that are stored masked.
        parts: Gives the rows, of some columns or of all (None); each call reads them anew.
    """

    name: str
    table: str
    kind: Kind
    schema: StructType = field(repr=False)
    columns: tuple[str, ...]
    version: int | None
    format: str
    rules: tuple[RowRule, ...]
    masked: frozenset[str] = frozenset()
    parts: Callable[[Sequence[str] | None], Iterator[Part]] = field(repr=False)


def table_source(
    table: OpenTable,
    found: Found,
    *,
    request: str,
    belongs: Belongs,
    include_history: bool = True,
    seal: Seal | None = None,
) -> Source:
    """The rows of a person in a table; its rejected records, where the table is a quarantine.

    Args:
        table: The table.
        found: Where the rows are.
        request: The request.
        belongs: What the config says about whose rows are.
        include_history: Whether also those that are only in older files.
        seal: Opens rejected records; None where they are kept as they came.

    Returns:
        The source; those of the newest version come first.

    Raises:
        CorruptTableError: Files of the newest version are not there: who knows what is in them.
    """
    newest = found.past.newest
    ensure_whole(table.name, found.past)
    rejected = table.quarantine_of is not None
    schema = newest.schema
    shown = tuple(
        name for name in schema.names if (name in _OF_REJECTED if rejected else name not in CONTROL_COLUMNS)
    )
    return Source(
        name=table.name,
        table=table.quarantine_of or table.name,
        kind="rejected" if rejected else "table",
        schema=schema,
        columns=tuple(RECORD if rejected and name == RAW else name for name in shown),
        version=newest.version,
        format="Delta Lake table, Parquet files",
        rules=tuple(rule for rule in found.rules if rule.subject == belongs.subject),
        masked=frozenset() if rejected else frozenset(marks_of(newest.configuration)),
        parts=Mine(
            table.storage,
            found,
            request=request,
            belongs=belongs,
            columns=shown,
            state="rejected" if rejected else "current",
            include_history=include_history,
            seal=(seal or NoSeal()) if rejected else None,
            cells=table.cells,
        ),
    )


class Mine:
    """Reads the rows of a person where they were found.

    Args:
        storage: The folder.
        found: Where they are.
        request: The request.
        belongs: What the config says about whose rows are.
        columns: The columns to read.
        state: What rows of the newest version are; the others are ``earlier``.
        include_history: Whether these are read too.
        seal: Opens rejected records; None where the rows are none.
        cells: Opens cells under keys of people.
        versions: Path to the version that wrote a file; None to ask the log.
        stored: When all of it was written; None to ask the log.
    """

    def __init__(
        self,
        storage: Storage,
        found: Found,
        *,
        request: str,
        belongs: Belongs,
        columns: Sequence[str],
        state: State,
        include_history: bool = True,
        seal: Seal | None = None,
        cells: Cells | None = None,
        versions: Mapping[str, int] | None = None,
        stored: datetime | None = None,
    ) -> None:
        self._storage = storage
        self._found = found
        self._belongs = belongs
        self._columns = columns
        self._state = state
        self._seal = seal
        self._cells = cells or PlainCells()
        self._versions = versions
        self._stored = stored
        self._rows = (
            found.rows.filter(pl.col(REQUEST) == request)
            .group_by(FILE, POSITION)
            .agg(pl.col(LIVE).any(), pl.col(RULE).unique().sort())
            .filter(pl.col(LIVE) | include_history)
        )

    def __call__(self, columns: Sequence[str] | None) -> Iterator[Part]:
        """The rows, of some columns or of all."""
        if self._rows.is_empty():
            return
        if self._versions is None:
            self._versions = _versions(self._storage)
        files = self._found.past.files
        for live in (True, False):
            for file, numbers, positions in _by_file(self._rows.filter(pl.col(LIVE) == live), files):
                rules = tuple(self._found.rules[number] for number in numbers)
                names = self._names(columns, rules)
                for start in range(0, positions.size if names else 0, MOST_ROWS):
                    rows = read_rows_at(
                        self._storage,
                        self._found.past.newest,
                        file.add,
                        positions[start : start + MOST_ROWS],
                        columns=names,
                    )
                    rows = self._cells.clear(rows.lazy(), self._found.past.newest).collect()
                    yield Part(
                        rows=rows if self._seal is None else _opened(rows, self._seal),
                        state=self._state if live else "earlier",
                        rules=rules,
                        version=self._versions.get(file.add.path),
                        stored=self._stored or _moment(file.add.modification_time),
                    )

    def _names(self, columns: Sequence[str] | None, rules: Sequence[RowRule]) -> list[str]:
        limited = None if self._seal is not None else self._belongs.shown(self._found.table, rules)
        return [
            name
            for name in self._columns
            if (columns is None or name in columns) and (limited is None or name in limited)
        ]


def ensure_whole(table: str, past: Past) -> None:
    """Refuses to answer from a table that is damaged, or whose files lie elsewhere, as a shallow clone's.

    Args:
        table: The table's name.
        past: Its files.

    Raises:
        CorruptTableError: Files of the newest version are not there.
    """
    gone = len(past.newest.files.keys() - {each.add.path for each in past.files})
    if gone:
        raise CorruptTableError(
            f"table {table}, version {past.newest.version}: {gone:,} of its files are not in its folder, so "
            "that not all that is known can be told",
            advice=f"`lakehouse verify {table}` names them",
        )


def _opened(rows: pl.DataFrame, seal: Seal) -> pl.DataFrame:
    """Rejected records as text."""
    if RAW not in rows.columns:
        return rows
    opened = [None if raw is None else seal.open(raw).decode("utf-8", "replace") for raw in rows[RAW]]
    return rows.drop(RAW).with_columns(pl.Series(RECORD, opened, dtype=pl.String))


def _by_file(
    rows: pl.DataFrame, files: Sequence[PastFile]
) -> Iterator[tuple[PastFile, list[int], Positions]]:
    """Files with the rules that found rows in them, and the positions of these; the older files first."""
    parts = [
        (files[part[FILE][0]], part[RULE][0].to_list(), np.sort(part[POSITION].to_numpy()).astype(np.uint64))
        for part in rows.partition_by(FILE, RULE)
    ]
    yield from sorted(parts, key=lambda each: (each[0].add.modification_time, each[0].path, each[1]))


def _versions(storage: Storage) -> Mapping[str, int]:
    """Path, as in the log, to the version that named it first."""
    found: dict[str, int] = {}
    for commit in commits(storage, start=earliest_commit(storage)):
        for action in commit.actions:
            if isinstance(action, AddFile | AddCdcFile):
                found.setdefault(action.path, commit.version)
    return found


def _moment(milliseconds: int) -> datetime | None:
    return datetime.fromtimestamp(milliseconds / 1000, UTC) if milliseconds > 0 else None
