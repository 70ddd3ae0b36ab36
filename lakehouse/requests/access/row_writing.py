"""The rows of one source in the three forms of a bundle, in one pass and in bounded memory."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import IO, Any, Final, Self

import polars as pl

from lakehouse.config.moments import iso
from lakehouse.requests.access.forms import BOM, csv_line, documents, json_line, unused
from lakehouse.requests.access.page import PAGE_ROWS, rows_page, rows_part
from lakehouse.requests.access.records import RecordShowing
from lakehouse.requests.access.result import Bundled
from lakehouse.requests.access.showing import Showing
from lakehouse.requests.access.sources import Part, Source
from lakehouse.requests.access.writing import Archive

_META: Final = ("_state", "_version", "_stored")
_DIGEST: Final = 16


@dataclass(frozen=True, slots=True)
class Written:
    """What became of the rows of one source.

    Args:
        bundled: Counts.
        shown: The rows as HTML, where they fit on one page.
        problems: What could not be shown.
    """

    bundled: Bundled
    shown: str = field(repr=False)
    problems: tuple[str, ...]


class RowWriter:
    """Writes the rows of one source. What is written last waits in files without names."""

    def __init__(self, archive: Archive, source: Source, showing: Showing | RecordShowing) -> None:
        self._archive = archive
        self._source = source
        self._showing = showing
        self._lines: IO[bytes] = archive.spool()
        self._cells: IO[bytes] = archive.spool()
        self._seen: set[bytes] = set()
        self._columns = source.columns
        self._meta = unused(_META, self._columns)
        self._waiting: list[Mapping[str, Any]] = []
        self._pages = self._rows = self._earlier = self._guarded = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._lines.close()
        self._cells.close()

    def write(self) -> Written:
        """Writes all rows."""
        line, self._guarded = csv_line(self._all)
        self._cells.write(BOM + line)
        for part in self._source.parts(None):
            self._write(part)
        shown = ""
        if self._pages:
            self._page(is_last=True)
        elif self._waiting:
            shown = rows_part(self._for_people, self._waiting)
        if self._rows + self._earlier:
            self._archive.add_file(f"data/{self._source.name}.jsonl", self._lines)
            self._archive.add_file(f"data/{self._source.name}.csv", self._cells)
        bundled = Bundled(
            name=self._source.name,
            table=self._source.table,
            kind=self._source.kind,
            version=self._source.version,
            columns=self._columns,
            rows=self._rows,
            earlier=self._earlier,
            masked=_some(self._showing.masked),
            revealed=_some(self._showing.revealed),
            guarded=self._guarded,
            declared=bool(self._showing.places),
            pages=self._pages,
        )
        return Written(bundled, shown, tuple(self._showing.problems))

    @property
    def _all(self) -> tuple[str, ...]:
        return (*self._meta, *self._columns)

    @property
    def _for_people(self) -> tuple[str, ...]:
        state, _, stored = self._meta
        return (state, stored, *self._columns)

    def _write(self, part: Part) -> None:
        fresh = self._fresh(part)
        if not fresh.height:
            return
        stored = None if part.stored is None else iso(part.stored, timespec="seconds")
        meta = dict(zip(self._meta, (part.state, part.version, stored), strict=True))
        for document in documents(self._showing.show(replace(part, rows=fresh))):
            # Of rows about others a part has only the columns that name the person.
            whole = {**meta, **{name: document.get(name) for name in self._columns}}
            self._lines.write(json_line(whole))
            line, guarded = csv_line(whole.values())
            self._cells.write(line)
            self._guarded += guarded
            self._waiting.append(whole)
            if len(self._waiting) > PAGE_ROWS:
                self._page(is_last=False)
        if part.state == "earlier":
            self._earlier += fresh.height
        else:
            self._rows += fresh.height

    def _fresh(self, part: Part) -> pl.DataFrame:
        """The rows that are no copy of one that is written: files are written anew all the time.

        Rows of the newest version are all written, however alike.
        """
        marks = [
            hashlib.blake2b(json_line(each), digest_size=_DIGEST).digest() for each in documents(part.rows)
        ]
        if part.state != "earlier":
            self._seen.update(marks)
            return part.rows
        keep = []
        for mark in marks:
            keep.append(mark not in self._seen)
            self._seen.add(mark)
        return part.rows.filter(pl.Series(keep, dtype=pl.Boolean))

    def _page(self, *, is_last: bool) -> None:
        """Writes a full page, or what is left on the last one."""
        number = self._pages + 1
        rows, self._waiting = self._waiting[:PAGE_ROWS], self._waiting[PAGE_ROWS:]
        self._archive.add(
            f"pages/{self._source.name}-{number}.html",
            rows_page(
                self._source.name,
                number=number,
                first=self._pages * PAGE_ROWS + 1,
                body=rows_part(self._for_people, rows),
                is_last=is_last,
                name=self._source.name,
            ),
        )
        self._pages = number


def _some(counts: Mapping[str, int]) -> dict[str, int]:
    return {name: number for name, number in counts.items() if number}
