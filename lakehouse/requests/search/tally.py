"""What is noted while one object is searched."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field, replace

from lakehouse.requests.needles import Hit
from lakehouse.requests.search.report import Kind, NotSearched, ObjectResult, Searched
from lakehouse.requests.search.sought import Found, Sought
from lakehouse.requests.search.values import Values


@dataclass(slots=True, kw_only=True)
class Tally:
    """The notes of one object.

    Args:
        sought: What is looked for.
        table: Below whose folder the object is.
        path: The object as it may be shown.
        columns: The columns that identify, without what leads into lists, and the values of their needles.
        names: Physical names of columns and the names that people see.
        named: Names of columns that may be shown.
        json_cells: Whether texts in Parquet are read as JSON, for short identifiers in records.
    """

    sought: Sought
    table: str
    path: str
    columns: dict[str, Values] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    named: frozenset[str] = frozenset()
    json_cells: bool = False
    rows: int = 0
    cells: int = 0
    inside: int = 0
    _hits: Counter[tuple[int, str]] = field(default_factory=Counter)
    _failed: list[tuple[str, bool]] = field(default_factory=list)

    def note(self, found: Found, place: str) -> None:
        """Notes what was found.

        Args:
            found: What.
            place: Where in the object.
        """
        for number, count in found.whole.items():
            self._hits[number, place] += count
        self.inside += sum(found.inside.values())

    def hit(self, number: int, place: str, count: int = 1) -> None:
        """Notes one needle."""
        self._hits[number, place] += count

    def fail(self, reason: str) -> None:
        """Notes that something could not be read. Never with a value in it."""
        self._failed.append((reason, False))

    def limit(self, reason: str) -> None:
        """Notes that something is of a kind that can't be searched. Never with a value in it."""
        self._failed.append((reason, True))

    @property
    def hits(self) -> int:
        """How often anything was found so far."""
        return self._hits.total()

    def counts(self) -> Counter[int]:
        """How often each needle was found so far, by its number."""
        result: Counter[int] = Counter()
        for (number, _), count in self._hits.items():
            result[number] += count
        return result

    def apart(self) -> Tally:
        """Empty notes of the same object, for what may have been noted already."""
        return replace(self, rows=0, cells=0, inside=0, _hits=Counter(), _failed=[])

    def take(self, other: Tally, *, unless: Collection[int] = ()) -> None:
        """Takes over what was found.

        Args:
            other: Notes of the same object.
            unless: Needles that are left out.
        """
        for (number, place), count in other._hits.items():
            if number not in unless:
                self._hits[number, place] += count
        self._failed += other._failed

    def column(self, path: str) -> str:
        """The name that people see of a column, nested ones with dots between."""
        return ".".join(self.names.get(part, part) for part in path.split("."))

    def result(self, *, kind: Kind, size: int, objects: int = 1) -> ObjectResult:
        """The notes as they are handed back.

        Args:
            kind: What the object is.
            size: Its bytes.
            objects: How many it counts for.
        """
        needles = self.sought.needles
        hits = tuple(
            Hit(
                request=needles[number].request,
                identifier=needles[number].identifier,
                table=self.table,
                path=self.path,
                place=place,
                count=count,
            )
            for (number, place), count in sorted(self._hits.items())
        )
        failed = tuple(
            NotSearched(table=self.table, path=self.path, reason=reason, limit=limit)
            for reason, limit in dict.fromkeys(self._failed)
        )
        searched = Searched(kind=kind, objects=objects, bytes=size, rows=self.rows, cells=self.cells)
        return ObjectResult(searched=searched, hits=hits, inside=self.inside, not_searched=failed)
