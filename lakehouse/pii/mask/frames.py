"""The masks of a table, and how they are put on frames."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import polars as pl

from lakehouse.delta.exact import column
from lakehouse.errors import DataError, RefusedError, UsageError
from lakehouse.pii.mask.leaves import Context, InText, Leaf
from lakehouse.pii.mask.nested import change_inside, kind_at
from lakehouse.pii.paths import ColumnPath
from lakehouse.pii.spans import SpanFinder


@dataclass(frozen=True, slots=True)
class Place:
    """Where in a row personal data is, and what masks it.

    Args:
        written: The path as the config writes it.
        path: The same, read.
        leaf: What masks the values there.
        person: The columns that say whose a row is; none where no operator asks.
        per_row: Whether an operator asks which row a value is in.
    """

    written: str
    path: ColumnPath
    leaf: Leaf
    person: tuple[str, ...] = ()
    per_row: bool = False


@dataclass(frozen=True, slots=True)
class TableMasks:
    """All masks of a table. They can be pickled, and used in threads; nothing in them is ever shown.

    Args:
        table: The table.
        places: What is masked.
        row: The columns that tell rows apart.
        kinds: The types of the table's columns.
        finder: Gives what finds personal data in texts.
    """

    table: str
    places: tuple[Place, ...]
    row: tuple[str, ...]
    kinds: Mapping[str, pl.DataType] = field(repr=False)
    finder: Callable[[], SpanFinder] = field(repr=False)

    @property
    def columns(self) -> tuple[str, ...]:
        """The top-level columns that are touched, also those that the table does not have yet."""
        return tuple(dict.fromkeys(place.path.column for place in self.places))

    @property
    def needs(self) -> tuple[str, ...]:
        """The columns that a frame needs besides, so that these can be masked."""
        named = (*self._persons(), *(self.row if any(place.per_row for place in self.places) else ()))
        return tuple(name for name in dict.fromkeys(named) if name not in self.columns)

    def apply(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Masks a frame.

        Args:
            frame: Rows of the table, or changes of it; columns may be missing, except `needs`.

        Returns:
            The same rows in the same order, with the same columns of the same types. Where a column had
            another type than the table, such as a narrower integer, it has the table's.

        Raises:
            UsageError: A column is missing that says whose a row is.
            DataError: Values are not of the table's type.
            RefusedError: A column that the table does not have yet comes with a type that can't be masked.
        """
        changed: dict[str, pl.Series] = {}
        for place in self.places:
            name = place.path.column
            if name not in frame.columns:
                continue
            values = changed.get(name)
            if values is None:
                values = self._typed(frame[name])
            if values.dtype != pl.Null:
                changed[name] = self._masked(values, place, frame)
        done = [_as_it_came(values, frame[name].dtype) for name, values in changed.items()]
        return frame.with_columns(done)

    def _persons(self) -> tuple[str, ...]:
        return tuple(name for place in self.places for name in place.person)

    def _typed(self, values: pl.Series) -> pl.Series:
        """Values in the type of the table."""
        kind = self.kinds.get(values.name)
        if isinstance(values.dtype, pl.Categorical | pl.Enum):
            values = values.cast(pl.String)
        if kind is None or values.dtype in {kind, pl.Null}:
            return values
        try:
            return values.cast(kind)
        except pl.exceptions.PolarsError:
            # Without its cause, which shows values.
            raise DataError(
                f"table {self.table}, column {values.name}: values of the type {values.dtype} are not of the "
                f"table's type {kind}, so that they can't be masked",
                advice="bring them into the table's type first",
            ) from None

    def _masked(self, values: pl.Series, place: Place, frame: pl.DataFrame) -> pl.Series:
        if values.name not in self.kinds:
            self._check_new(values, place)
        context = Context(person=self._person(place, frame), row=self._row(place, frame), finder=self.finder)
        if not place.path.steps:
            return place.leaf.mask(values, context)
        return change_inside(
            values, place.path.steps, lambda inner, rows: place.leaf.mask(inner, context.gather(rows))
        )

    def _check_new(self, values: pl.Series, place: Place) -> None:
        kind = kind_at(values.dtype, place.path.steps, path=place.written)
        leaf = place.leaf
        operators = leaf.operators.values() if isinstance(leaf, InText) else (leaf.operator,)
        if (isinstance(leaf, InText) and kind != pl.String) or not all(
            each.takes(kind) for each in operators
        ):
            raise RefusedError(
                f"table {self.table}: the new column {place.written} comes with the type {kind}, which its "
                "operators can't mask",
                advice="give its entity another operator in `pii.operators`",
            )

    def _person(self, place: Place, frame: pl.DataFrame) -> pl.Series | None:
        if not place.person:
            return None
        missing = [name for name in place.person if name not in frame.columns]
        if missing:
            raise UsageError(
                f"table {self.table}: to mask {place.written}, the column {missing[0]} is needed too: it "
                "says whose a row is",
                advice="read or bring it as well",
            )
        return identity(frame, place.person)

    def _row(self, place: Place, frame: pl.DataFrame) -> pl.Series | None:
        if not place.per_row or not self.row or any(name not in frame.columns for name in self.row):
            return None
        # Two equal values in one row, in different columns, must not be seen to be equal.
        return identity(frame, self.row, prefix=f"{self.table}\n{place.written}\n")


def identity(frame: pl.DataFrame, names: tuple[str, ...], *, prefix: str = "") -> pl.Series:
    """One text for each row that says which it is.

    Args:
        frame: The rows.
        names: Columns; a single one is taken as it reads, so that ``7`` is the same as text and as number,
            in any table.
        prefix: Begins every text.

    Returns:
        Different texts for different values; null where a single column is null.
    """
    if len(names) == 1:
        parts = [_as_text(frame, names[0])]
    else:
        texts = [_as_text(frame, name) for name in names]
        parts = [pl.format("{}:{};", text.str.len_bytes(), text).fill_null("-;") for text in texts]
    return frame.select(pl.concat_str([pl.lit(prefix), *parts]).alias("identity")).to_series()


def _as_text(frame: pl.DataFrame, name: str) -> pl.Expr:
    # Bytes need not be UTF-8.
    return column(name).bin.encode("hex") if frame[name].dtype == pl.Binary else column(name).cast(pl.String)


def _as_it_came(values: pl.Series, kind: pl.DataType) -> pl.Series:
    if isinstance(kind, pl.Categorical):
        return values.cast(pl.Categorical)
    return values
