"""Other ways in which tables write identifiers that are texts: in capitals, with blanks around, decomposed.

Rows are found by exact values, so that statistics leave files out. So each way in which a table writes a
value is looked for first, by the normal form that suppression knows too, and counts as a further value: one
streaming pass over the columns of text that identify, without the files that can hold none of them.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

import polars as pl

from lakehouse.config import Config
from lakehouse.delta.actions import AddFile
from lakehouse.delta.bounds import bounds_frame
from lakehouse.delta.exact import column as column_of
from lakehouse.delta.scan import scan_files
from lakehouse.errors import DataError
from lakehouse.merge.shredded import shredded_in
from lakehouse.pii.paths import ColumnPath, parse_path
from lakehouse.requests.elsewhere.wanted import columns_of
from lakehouse.requests.identity import normal_form
from lakehouse.requests.known import People, Place
from lakehouse.requests.reading import plain_types, spread
from lakehouse.requests.shredded import is_cell
from lakehouse.requests.values import has_form

_VALUE: Final = "__spelling"
_NORMAL: Final = "__normal"
_MOST_RANGES: Final = 200
_BEYOND: Final = "\x80"
"""The first character that is none of ASCII's."""


@dataclass(slots=True)
class Spellings:
    """Looks for other ways to write values; each value is looked for once in each column.

    Args:
        config: The lake's config.
        place: Gives a table; None for one that has not been made.
        more: Gives further places with a table's columns: its archives.
    """

    config: Config
    place: Callable[[str], Place | None]
    more: Callable[[str], Iterable[Place]]
    _asked: dict[tuple[str, str, str, str], set[str]] = field(default_factory=dict, repr=False)
    _places: dict[str, tuple[Place, ...]] = field(default_factory=dict, repr=False)

    def of(self, people: People) -> People:
        """The same people, known by all that tables have for their identifiers.

        Args:
            people: The people.

        Raises:
            DataError: A column can't be read as the table's type.
            CorruptTableError: A file can't be read.
        """
        parts, spelled = [people.known], [people.masks]
        for subject in dict.fromkeys(people.known["subject"]):
            mine = people.known.filter(pl.col("subject") == subject)
            for identifier, columns in columns_of(self.config, subject).items():
                known = mine.filter((pl.col("identifier") == identifier) & ~is_cell(pl.col("value")))
                made = self._spelled(known, subject, identifier, columns) if known.height else None
                if made is not None:
                    parts.append(made)
                    spelled.append(made.select(people.masks.columns))
        if len(parts) == 1:
            return people
        known = pl.concat(parts).unique(maintain_order=True)
        return People(known, people.crowds, masks=pl.concat(spelled).unique(maintain_order=True))

    def _spelled(
        self, known: pl.DataFrame, subject: str, identifier: str, columns: Iterable[tuple[str, str]]
    ) -> pl.DataFrame | None:
        normal = {value: normal_form(value) for value in known["value"].unique()}
        found: set[str] = set()
        for table, column in columns:
            asked = self._asked.setdefault((subject, identifier, table, column), set())
            wanted = frozenset(normal.values()) - asked - {""}
            asked |= wanted
            there = self.place(table) if wanted else None
            if there is not None and column in shredded_in(there.past.newest.configuration):
                continue  # it holds nothing but cells
            for place in self._all_places(table) if wanted else ():
                found.update(_stored(place, column, wanted))
        fresh = {value: normal_form(value) for value in found - normal.keys()}
        if not fresh:
            return None
        ways = pl.DataFrame({_NORMAL: list(fresh.values()), _VALUE: list(fresh)})
        forms = known.with_columns(pl.col("value").replace_strict(normal).alias(_NORMAL))
        made = forms.join(ways, on=_NORMAL, how="inner", maintain_order="left_right")
        return made.with_columns(pl.col(_VALUE).alias("value")).select(known.columns)

    def _all_places(self, table: str) -> tuple[Place, ...]:
        if table not in self._places:
            there = self.place(table)
            self._places[table] = (*(() if there is None else (there,)), *self.more(table))
        return self._places[table]


def _stored(place: Place, column: str, wanted: frozenset[str]) -> Iterator[str]:
    """How a column writes values of these normal forms; nothing where it is no text."""
    newest = place.past.newest
    if not isinstance(plain_types(newest.schema, [column]).get(column), pl.String):
        return
    path = parse_path(column, columns=newest.schema.names)
    adds = _candidates(place, path, wanted)
    if not adds:
        return
    scan = scan_files(place.storage, newest, adds, columns=[path.column], apply_vectors=False)
    values = spread(scan.select(column_of(path.column).alias(_VALUE)), {_VALUE: path}).select(_VALUE)

    forms = pl.Series(sorted(wanted), dtype=pl.String).implode()

    def same(part: pl.Series) -> pl.Series:
        return has_form(part, wanted, forms)

    marked = pl.col(_VALUE).map_batches(same, return_dtype=pl.Boolean, is_elementwise=True)
    try:
        found = values.filter(marked).unique().collect(engine="streaming")
    except pl.exceptions.PolarsError:
        # The cause is not kept: its message can show values.
        raise DataError(
            f"the column {column} of {place.storage.url} can't be read as the table's type",
            advice="`lakehouse verify` says which files are wrong",
        ) from None
    yield from found[_VALUE].to_list()


def _candidates(place: Place, path: ColumnPath, wanted: Collection[str]) -> list[AddFile]:
    """The files that can hold such values, by the first two characters of what they hold."""
    adds = list(place.past.adds)
    ranges = _ranges(wanted)
    if path.steps or not adds or ranges is None:
        return adds
    bounds = bounds_frame(adds, [path.column], snapshot=place.past.newest)
    low, high = bounds[f"min.{path.column}"], bounds[f"max.{path.column}"]
    if low.dtype != pl.String:
        return adds
    keep = low.is_null() | high.is_null()
    for first, end in ranges:
        keep |= ((high >= first) & (low < end)).fill_null(value=True)
    return [add for add, hit in zip(adds, keep, strict=True) if hit]


def _ranges(wanted: Collection[str]) -> list[tuple[str, str]] | None:
    """In which ranges lies all that has one of these normal forms; None where nearly everything can."""
    # What begins with a blank, or with a character beyond ASCII that stands for one of ASCII's.
    found = {("", "!"): None, (_BEYOND, "\U0010ffff" * 2): None}
    for value in wanted:
        if len(value) < 2 or not (value[:2].isascii() and value[:2].isprintable()):
            return None
        for one in {value[0], value[0].upper()}:
            found[one + _BEYOND, one + "\U0010ffff" * 2] = None
            for two in {value[1], value[1].upper()}:
                found[one + two, one + chr(ord(two) + 1)] = None
        if len(found) > _MOST_RANGES:
            return None
    return list(found)
