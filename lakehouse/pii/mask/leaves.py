"""How the values at one place are masked: as a whole, or piece by piece inside of texts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import polars as pl

from lakehouse.pii.mask.spans import Piece, pieces_of, spliced
from lakehouse.pii.operators.base import Operator
from lakehouse.pii.spans import SpanFinder


@dataclass(frozen=True, slots=True)
class Context:
    """What masks depend on besides the values.

    Args:
        person: Whose each value is; None where no operator asks.
        row: Which row each value is in; None where no operator asks, or it can't be told.
        finder: Gives the finder of spans.
    """

    person: pl.Series | None
    row: pl.Series | None
    finder: Callable[[], SpanFinder]

    def gather(self, places: pl.Series) -> Context:
        """The same for values taken from places."""
        return Context(
            person=None if self.person is None else self.person.gather(places),
            row=None if self.row is None else self.row.gather(places),
            finder=self.finder,
        )


@dataclass(frozen=True, slots=True)
class Whole:
    """Values that are personal data as a whole.

    Args:
        entity: What they are.
        operator: What masks them.
    """

    entity: str
    operator: Operator

    def mask(self, values: pl.Series, context: Context) -> pl.Series:
        """Masks values: as many of the same type."""
        return self.operator.mask(values, entity=self.entity, person=context.person, row=context.row)


@dataclass(frozen=True, slots=True)
class InText:
    """Texts with personal data in them.

    Args:
        operators: What is looked for: what masks it.
    """

    operators: Mapping[str, Operator]

    def mask(self, values: pl.Series, context: Context) -> pl.Series:
        """Masks what is found in texts; each distinct text is looked at once."""
        if values.null_count() == len(values):
            return values
        frame = values.alias("text").to_frame()
        if any(each.per_person for each in self.operators.values()) and context.person is not None:
            frame = frame.with_columns(person=context.person.cast(pl.String))
        if any(each.per_row for each in self.operators.values()) and context.row is not None:
            frame = frame.with_columns(row=context.row)
        distinct = frame.unique().filter(pl.col("text").is_not_null())
        masked = distinct.with_columns(mask=self._distinct(distinct, context.finder()))
        joined = frame.join(
            masked, on=frame.columns, how="left", maintain_order="left", nulls_equal=True, coalesce=True
        )
        return joined["mask"].alias(values.name)

    def _distinct(self, frame: pl.DataFrame, finder: SpanFinder) -> pl.Series:
        texts: list[str] = frame["text"].to_list()
        found = finder.find(texts, entities=tuple(self.operators))
        pieces = [pieces_of(text, spans) for text, spans in zip(texts, found, strict=True)]
        masks: list[list[str]] = [[""] * len(each) for each in pieces]
        for entity, operator in self.operators.items():
            places = [
                (at, number)
                for at, each in enumerate(pieces)
                for number, piece in enumerate(each)
                if piece.entity == entity
            ]
            if places:
                values = [_inside(texts[at], pieces[at][number]) for at, number in places]
                rows = pl.Series([at for at, _ in places], dtype=pl.UInt32)
                masked = operator.mask(
                    pl.Series(entity, values, dtype=pl.String),
                    entity=entity,
                    person=frame["person"].gather(rows) if "person" in frame.columns else None,
                    row=frame["row"].gather(rows) if "row" in frame.columns else None,
                )
                for (at, number), mask in zip(places, masked.to_list(), strict=True):
                    masks[at][number] = mask or ""
        done = [spliced(*each) for each in zip(texts, pieces, masks, strict=True)]
        return pl.Series("mask", done, dtype=pl.String)


def _inside(text: str, piece: Piece) -> str:
    return text[piece.start : piece.end]


Leaf = Whole | InText
