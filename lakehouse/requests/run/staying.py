"""Which finds are in what stays: rows that are kept on a ground, and columns that are not emptied.

A ground keeps rows, not tables: what others' rows say of a person is no part of it. So files with finds, of
tables in which something may stay, are read once more, row by row.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeAlias

import polars as pl

from lakehouse.delta.scan import scan_files
from lakehouse.merge.result import QUARANTINE
from lakehouse.requests.find import RULE, Found
from lakehouse.requests.identity import Person
from lakehouse.requests.known import REQUEST
from lakehouse.requests.locate import FILE, POSITION
from lakehouse.requests.needles import Hit, Needle
from lakehouse.requests.rules import rules_of
from lakehouse.requests.run.lookup import look_up
from lakehouse.requests.run.target import RunTarget
from lakehouse.requests.search.cells import leaves, look_at
from lakehouse.requests.search.names import shown
from lakehouse.requests.search.places import below
from lakehouse.requests.search.sought import Sought
from lakehouse.requests.search.tally import Tally
from lakehouse.storage import Storage

_Mine: TypeAlias = tuple[str, str]
"""A request and an identifier of its person."""

_MOST_ROWS: Final = 50_000
_PARTS: Final = 8
_VERSION: Final = re.compile(r" \(version [^()]*\)$")


@dataclass(slots=True)
class _Seen:
    """What the rows of a file told: who is where they may be, and who is elsewhere too."""

    allowed: set[_Mine] = field(default_factory=set)
    wrong: set[_Mine] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class _DataFile:
    storage: Storage = field(repr=False)
    found: Found = field(repr=False)
    number: int


class Staying:
    """Tells of finds whether they are in what stays.

    Args:
        target: The lake.
        needles: What was looked for.
        persons: By request who it was about.
    """

    def __init__(self, target: RunTarget, needles: Sequence[Needle], persons: Mapping[str, Person]) -> None:
        self._target = target
        self._needles = needles
        self._persons = persons
        self._sought = Sought(needles)
        tables = target.config.tables
        self._sources = {copy: source for copy, source in target.copies.items() if copy not in tables}
        self._keeping = {
            (subject, table)
            for subject in {person.subject for person in persons.values()}
            for table, rules in rules_of(target.config, subjects=frozenset({subject})).items()
            if any(rule.do == "keep" for rule in rules)
        }
        self._stays: dict[_Mine, set[tuple[str, str]]] = {}
        for each in needles:
            places = {(table, f"column {_plainly(column)}") for table, column in each.stays}
            self._stays.setdefault((each.request, each.identifier), set()).update(places)

    def wrong(self, hits: Sequence[Hit]) -> tuple[Hit, ...]:
        """The finds that are in nothing that stays.

        Args:
            hits: All finds.

        Raises:
            RefusedError: A table was there, and is not any more.
            CorruptTableError: A file can't be read.
        """
        asked = [hit for hit in hits if self._may_stay(hit)]
        if not asked:
            return tuple(hits)
        files = self._data_files({self._source(hit) for hit in asked})
        paths = dict.fromkeys(path for hit in asked if (path := _path(hit)) in files)
        seen = {path: self._look(files[path]) for path in paths}
        somewhere: dict[str, set[_Mine]] = {}
        for path, each in seen.items():
            somewhere.setdefault(files[path].found.table, set()).update(each.allowed)

        def stays(hit: Hit) -> bool:
            mine = (hit.request, hit.identifier)
            if (here := seen.get(_path(hit))) is not None:
                return mine in here.allowed - here.wrong
            # What the log says of such files, or a copy of them. What a log says of itself is no row.
            table = self._sources.get(hit.table, hit.table)
            return mine in somewhere.get(table, ()) and "commitInfo" not in hit.place

        allowed = {id(hit) for hit in asked if stays(hit)}
        return tuple(hit for hit in hits if id(hit) not in allowed)

    def _source(self, hit: Hit) -> str:
        """The table whose rules say what stays: a quarantine's, or that of which it is a copy."""
        return self._sources.get(hit.table, hit.table.removesuffix(QUARANTINE))

    def _may_stay(self, hit: Hit) -> bool:
        table = self._source(hit)
        return (self._persons[hit.request].subject, table) in self._keeping or any(
            table == each for each, _ in self._stays.get((hit.request, hit.identifier), ())
        )

    def _data_files(self, tables: set[str]) -> dict[str, _DataFile]:
        """By path, as the search shows it, the files of tables, their quarantines and archives."""
        lookup = look_up(self._target, self._persons)
        places = [
            (spot.table.storage, spot.found)
            for spot in lookup.spots.values()
            if spot.table.name.removesuffix(QUARANTINE) in tables
        ]
        places += [(here.folder, here.found) for _, here in lookup.archives if here.found.table in tables]
        return {
            shown(f"{below(self._target.lake, storage)}/{file.path}", self._sought): _DataFile(
                storage, found, number
            )
            for storage, found in places
            for number, file in enumerate(found.past.files)
        }

    def _look(self, file: _DataFile) -> _Seen:
        """Looks at each row of a file."""
        seen = _Seen()
        kept = _kept(file)
        for part in _parts(file):
            self._within(part, file.found.table, kept, seen)
        return seen

    def _within(self, part: pl.DataFrame, table: str, kept: pl.DataFrame, seen: _Seen) -> None:
        left = set()
        for hit in self._hits(part.drop(POSITION), table):
            mine = (hit.request, hit.identifier)
            if (table, hit.place) in self._stays.get(mine, ()):
                seen.allowed.add(mine)
            else:
                left.add(mine)
        if part.height > 1 and left:
            size = -(-part.height // _PARTS)
            for start in range(0, part.height, size):
                self._within(part.slice(start, size), table, kept, seen)
        elif left:
            theirs = set(kept.join(part.select(POSITION), on=POSITION, how="semi")[REQUEST])
            for mine in left:
                (seen.allowed if mine[0] in theirs else seen.wrong).add(mine)

    def _hits(self, rows: pl.DataFrame, table: str) -> tuple[Hit, ...]:
        """What the search would find in rows."""
        columns = self._sought.columns((table, table.removesuffix(QUARANTINE)))
        tally = Tally(
            sought=self._sought,
            table=table,
            path="",
            columns=columns,
            json_cells=table.endswith(QUARANTINE) and bool(columns),
        )
        for name, column in zip(rows.columns, rows.to_arrow().columns, strict=True):
            for chunk in column.chunks:
                for path, array in leaves(chunk, name):
                    look_at(array, path, tally)
        return tally.result(kind="parquet", size=0).hits


def _path(hit: Hit) -> str:
    """The object; an older version of it counts as what it is now."""
    return _VERSION.sub("", hit.path)


def _plainly(column: str) -> str:
    """A column as the search calls it: without what leads into lists and JSON."""
    return re.sub(r"\[\]|\{(key)?\}|\$|`", "", column)


def _kept(file: _DataFile) -> pl.DataFrame:
    """The rows of a file that stay on a ground: positions and requests."""
    keeping = [number for number, rule in enumerate(file.found.rules) if rule.do == "keep"]
    rows = file.found.rows.filter((pl.col(FILE) == file.number) & pl.col(RULE).is_in(keeping))
    return rows.select(POSITION, REQUEST).unique()


def _parts(file: _DataFile) -> Iterator[pl.DataFrame]:
    """All rows of a file, those that a vector hides too, some at a time."""
    newest = file.found.past.newest
    scan = scan_files(
        file.storage,
        newest,
        [file.found.past.files[file.number].add],
        columns=newest.schema.names,
        position=POSITION,
        apply_vectors=False,
    ).with_columns(pl.col(POSITION).cast(pl.UInt32))
    start = 0
    while (part := scan.slice(start, _MOST_ROWS).collect()).height:
        yield part
        start += part.height
