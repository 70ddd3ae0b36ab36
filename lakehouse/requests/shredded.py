"""People by identifiers that are stored under keys of people: what stands for a value is a cell of its own.

A request gives the value, and the column has cells. Nothing leads from the one to the other but to open the
cells, in one streaming pass over the column: no hash of a value is kept anywhere that would have to go with
the key, and no list that could lack somebody. Each cell that holds a value counts as a further value of the
identifier, as masks do: rows are found by it, and what is left is searched for it. And what is learned from a
row is a cell, whose clear value leads on to other tables.

Where a key was destroyed there is nobody to be found.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final, TypeAlias

import polars as pl

from lakehouse.config import Config
from lakehouse.delta.exact import column as column_of
from lakehouse.delta.scan import scan_files
from lakehouse.errors import DataError
from lakehouse.merge.shredded import shredded_in
from lakehouse.pii.shred.cells import HEAD
from lakehouse.requests.elsewhere.wanted import columns_of
from lakehouse.requests.identity import normal_form
from lakehouse.requests.known import People, Place
from lakehouse.requests.values import has_form

Clear: TypeAlias = Callable[[str, pl.Series], pl.Series]
"""Opens the cells of a column, which gives them its name, of a table; null where a key was destroyed."""

_CELL: Final = "__cell"
_CLEAR: Final = "__clear"
_NORMAL: Final = "__normal"


def is_cell(values: pl.Expr) -> pl.Expr:
    """Which values of identifiers are cells, and stand for others.

    Args:
        values: Values as text.
    """
    return values.str.starts_with(HEAD)


def looked_for(value: str) -> str:
    """What is looked for of a value where it was: of a cell what it holds, without the name of its key.

    Whoever has that key has other cells that begin alike, and statistics that are cut tell no more.

    Args:
        value: A value of an identifier, or a cell.
    """
    return value.rpartition(":")[2] if value.startswith(HEAD) else value


@dataclass(slots=True)
class ShreddedIdentifiers:
    """Looks for the cells of values, and for the values of cells; each once in each column.

    Args:
        config: The lake's config.
        place: Gives a table; None for one that has not been made.
        more: Gives further places with a table's columns: its archives.
        clear: Opens cells.
        everywhere: Whether to look in all columns of all tables that have cells, and not only where the
            config says that there are identifiers.
    """

    config: Config
    place: Callable[[str], Place | None]
    more: Callable[[str], Iterable[Place]]
    clear: Clear
    everywhere: bool = False
    _asked: dict[tuple[str, str, str, str], set[str]] = field(default_factory=dict, repr=False)

    def of(self, people: People) -> People:
        """The same people, known by the cells of what they are known by, and by what their cells hold.

        Args:
            people: The people.

        Raises:
            KeysError: A key is not there that nobody destroyed.
            DataError: A column can't be read as the table's type.
            CorruptTableError: A file can't be read.
        """
        parts, stand_ins = [people.known], [people.masks]
        for subject in dict.fromkeys(people.known["subject"]):
            mine = people.known.filter(pl.col("subject") == subject)
            for identifier, columns in columns_of(self.config, subject).items():
                known = mine.filter(pl.col("identifier") == identifier)
                pairs = list(self._pairs(known, subject, identifier, columns)) if known.height else []
                if pairs:
                    cells, further = _joined(known, pl.concat(pairs).unique(maintain_order=True))
                    parts += [cells, further]
                    stand_ins.append(cells.select(people.masks.columns))
        if len(parts) == 1:
            return people
        return People(
            pl.concat(parts).unique(maintain_order=True),
            people.crowds,
            masks=pl.concat(stand_ins).unique(maintain_order=True),
        )

    def _pairs(
        self, known: pl.DataFrame, subject: str, identifier: str, columns: Iterable[tuple[str, str]]
    ) -> Iterator[pl.DataFrame]:
        """Cells of columns with what they hold: those of the values, and those that are known already."""
        cells = set(known.filter(is_cell(pl.col("value")))["value"])
        forms = {normal_form(value) for value in set(known["value"]) - cells} - {""}
        for table, column in self._with_cells(columns):
            there = self.place(table)
            if there is None:
                continue
            asked = self._asked.setdefault((subject, identifier, table, column), set())
            wanted = _Wanted(table, column, frozenset(forms - asked), frozenset(cells - asked), self.clear)
            if not wanted.forms and not wanted.cells:
                continue
            asked |= wanted.forms | wanted.cells
            for place in (there, *self.more(table)):
                yield from _found(place, wanted)

    def _with_cells(self, columns: Iterable[tuple[str, str]]) -> Iterator[tuple[str, str]]:
        """Those of columns that have cells; or all there are."""
        asked = set(columns)
        for table in self.config.tables if self.everywhere else dict.fromkeys(name for name, _ in asked):
            there = self.place(table)
            for column in {} if there is None else shredded_in(there.past.newest.configuration):
                if self.everywhere or (table, column) in asked:
                    yield table, column


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What is looked for in a column.

    Args:
        table: The table.
        column: Its column.
        forms: Normal forms of values.
        cells: Cells of which the value is asked for.
        clear: Opens cells.
    """

    table: str
    column: str
    forms: frozenset[str] = field(repr=False)
    cells: frozenset[str] = field(repr=False)
    clear: Clear = field(repr=False)

    def among(self, cells: pl.Series) -> pl.Series:
        """Which cells are looked for."""
        known = _among(cells, self.cells)
        if not self.forms:
            # Nothing has to be opened to know a cell.
            return known
        each = cells.filter(~known).unique()
        forms = pl.Series(sorted(self.forms), dtype=pl.String).implode()
        return known | _among(cells, each.filter(has_form(self.opened(each), self.forms, forms)))

    def opened(self, cells: pl.Series) -> pl.Series:
        """What cells hold."""
        return self.clear(self.table, cells.alias(self.column)).alias(_CLEAR)


def _among(cells: pl.Series, some: Iterable[str]) -> pl.Series:
    return cells.is_in(pl.Series(list(some), dtype=pl.String).implode())


def _found(place: Place, wanted: _Wanted) -> Iterator[pl.DataFrame]:
    newest, adds = place.past.newest, place.past.adds
    if not adds or wanted.column not in newest.schema.names:
        return
    scan = scan_files(place.storage, newest, adds, columns=[wanted.column], apply_vectors=False)
    marked = pl.col(_CELL).map_batches(wanted.among, return_dtype=pl.Boolean, is_elementwise=True)
    rows = scan.select(column_of(wanted.column).alias(_CELL)).filter(is_cell(pl.col(_CELL)))
    try:
        cells = rows.filter(marked).unique().collect(engine="streaming")
    except pl.exceptions.PolarsError:
        # The cause is not kept: its message can show values.
        raise DataError(
            f"the column {wanted.column} of {place.storage.url} can't be read as the table's type",
            advice="`lakehouse verify` says which files are wrong",
        ) from None
    yield cells.with_columns(wanted.opened(cells[_CELL])).drop_nulls()


def _joined(known: pl.DataFrame, pairs: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Further values: the cells of those that are known, and what known cells hold."""
    forms = [normal_form(value) for value in pairs[_CLEAR].to_list()]
    pairs = pairs.with_columns(pl.Series(_NORMAL, forms, dtype=pl.String))
    mine = [normal_form(value) for value in known["value"].to_list()]
    known = known.with_columns(pl.Series(_NORMAL, mine, dtype=pl.String))
    cells = known.join(pairs, on=_NORMAL, how="inner", maintain_order="left_right")
    held = known.join(pairs, left_on="value", right_on=_CELL, how="inner", maintain_order="left_right")
    plain = [name for name in known.columns if name != _NORMAL]
    return (
        pl.concat([cells.with_columns(pl.col(_CELL).alias("value")).select(plain), held.select(plain)]),
        held.with_columns(pl.col(_CLEAR).alias("value")).select(plain),
    )
