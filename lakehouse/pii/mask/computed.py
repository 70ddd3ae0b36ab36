"""Columns that a table computes from others which are masked: they would tell what these are."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass

import polars as pl

from lakehouse.delta.schema import StructField, StructType
from lakehouse.errors import UnsupportedFeatureError
from lakehouse.merge.generated import Generated, generated_of


@dataclass(frozen=True, slots=True)
class Computed:
    """Computes them anew, from masks.

    Args:
        known: Those that can be computed here.
        unknown: Those that can't.
    """

    known: tuple[Generated, ...] = ()
    unknown: tuple[str, ...] = ()

    @property
    def columns(self) -> tuple[str, ...]:
        """Their names."""
        return (*(one.name for one in self.known), *self.unknown)

    @property
    def needs(self) -> tuple[str, ...]:
        """The columns that they are computed from."""
        return tuple(dict.fromkeys(name for one in self.known for name in one.formula.columns))

    def apply(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Computes those that a frame has.

        Args:
            frame: Masked rows, with `needs`.

        Returns:
            The same rows; those that can't be computed here are null.
        """
        anew = [one.values(frame) for one in self.known if one.name in frame.columns]
        nothing = [
            pl.lit(None, dtype=frame.schema[name]).alias(name)
            for name in self.unknown
            if name in frame.columns
        ]
        return frame.with_columns(*anew, *nothing)


def computed_from(masked: Collection[str], schema: StructType) -> Computed:
    """The columns of a table that are computed from masked ones, and are not masked themselves.

    Args:
        masked: The masked columns.
        schema: The table's columns.
    """
    plain = tuple(field for field in schema.fields if field.generation_expression is None)
    if len(plain) == len(schema.fields):
        return Computed()
    known: list[Generated] = []
    unknown: list[str] = []
    for field in schema.fields:
        if field.name in masked or not _mentions(field, masked):
            continue
        try:
            known += generated_of(StructType((*plain, field)))
        except UnsupportedFeatureError:
            unknown.append(field.name)
    return Computed(tuple(known), tuple(unknown))


def _mentions(field: StructField, names: Collection[str]) -> bool:
    text = field.generation_expression
    return text is not None and any(
        re.search(rf"(?<!\w){re.escape(name)}(?!\w)", text, re.IGNORECASE) for name in names
    )
