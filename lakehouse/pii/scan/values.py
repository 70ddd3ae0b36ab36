"""Values of one path, as they were sampled."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

import polars as pl

from lakehouse.pii.paths import ColumnPath

Kind: TypeAlias = Literal["text", "number", "date", "boolean", "other"]

MOST_CHARS: Final = 4_000
"""Longer texts are cut here before they are looked at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PathValues:
    """What was sampled at one path: distinct values and how often each was there.

    Args:
        path: Where.
        kind: What they are.
        values: Distinct, neither null nor blank, ascending, in their own type.
        counts: How often each was there.
        rows: Values that were looked at, nulls included.
        cut: How many were longer than `MOST_CHARS` characters and were cut.
        note: What a reader has to know, as that JSON could not be read; without values.
        sampled: Rows of the table that these are from.
    """

    path: ColumnPath
    kind: Kind
    values: pl.Series
    counts: pl.Series
    rows: int
    cut: int = 0
    note: str = ""
    sampled: int = 0

    @property
    def filled(self) -> int:
        """How many values there were, repeats included."""
        return int(self.counts.sum())

    @property
    def texts(self) -> pl.Series:
        """The distinct values as texts, without blanks around them."""
        if self.kind == "text":
            return self.values.str.strip_chars()
        return self.values.cast(pl.String, strict=False).fill_null("")


def kind_of(dtype: pl.DataType) -> Kind:
    """What values of a type are.

    Args:
        dtype: A type without parts.
    """
    if dtype == pl.String:
        return "text"
    if dtype.is_numeric():
        return "number"
    if dtype in (pl.Date, pl.Datetime):
        return "date"
    return "boolean" if dtype == pl.Boolean else "other"


def gathered(path: ColumnPath, values: pl.Series, *, cut: int = 0, note: str = "") -> PathValues:
    """Counts values of one path.

    Args:
        path: Where they are from.
        values: With repeats and nulls, of a type without parts.
        cut: How many were cut.
        note: See `PathValues`.

    Returns:
        The distinct ones.
    """
    kind = kind_of(values.dtype)
    if kind == "text":
        long = int((values.str.len_chars() > MOST_CHARS).sum())
        if long:
            values, cut = values.str.slice(0, MOST_CHARS), cut + long
        there = values.filter(values.str.strip_chars() != "")
    else:
        there = values.drop_nulls()
        if values.dtype.is_float():
            there = there.filter(there.is_finite())
    table = there.rename("value").value_counts(name="count")
    if kind != "other":
        table = table.sort("value")
    return PathValues(
        path=path,
        kind=kind,
        values=table["value"],
        counts=table["count"],
        rows=values.len(),
        cut=cut,
        note=note,
    )
