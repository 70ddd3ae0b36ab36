"""What of a person's rows the person may see: own values in clear, other people's masked.

A column of `pii` holds the person's own data, or other people's, or both, as the recipient of an order. Which
of them, the config tells as far as it can (`lakehouse.requests.access.belongs`); where it can't, each
value is compared with what is known to be the person's, and masked unless it is.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

import polars as pl

from lakehouse.errors import LakehouseError
from lakehouse.pii.mask.frames import Place, identity
from lakehouse.pii.mask.leaves import Context, InText, Leaf
from lakehouse.pii.mask.nested import change_inside
from lakehouse.pii.operators.common import Basic
from lakehouse.pii.spans import SpanFinder
from lakehouse.pii.turning_back import Mask, turn_back
from lakehouse.requests.access.belongs import Belongs
from lakehouse.requests.access.own import OthersFinder, Own
from lakehouse.requests.access.sources import Part


class Withheld(Basic):
    """Says in place of a value what it was, as ``<PERSON>``; null where the type has no place for that."""

    name = "withheld"

    def mask(
        self,
        values: pl.Series,
        *,
        entity: str,
        person: pl.Series | None = None,  # noqa: ARG002
        row: pl.Series | None = None,  # noqa: ARG002
    ) -> pl.Series:
        """See `Operator.mask`."""
        said = f"<{entity}>" if values.dtype == pl.String else None
        constant = pl.lit(said, dtype=values.dtype)
        return pl.select(pl.when(values.is_not_null()).then(constant).alias(values.name)).to_series()

    def takes(self, kind: pl.DataType) -> bool:  # noqa: ARG002
        """All types."""
        return True


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A place with personal data, and whose it is.

    Args:
        place: Where, and what masks it.
        entities: What it holds.
        is_own: Whether all there is the person's, or each value is compared; None where that depends on how
            rows were found.
        stored: What its masks can be turned back with, where it is stored masked; None where it is not.
    """

    place: Place
    entities: tuple[str, ...]
    is_own: bool | None
    stored: tuple[Mask, ...] | None = None


@dataclass(slots=True)
class Showing:
    """Shows the rows of one source.

    Args:
        places: Where personal data is.
        key: Columns that tell rows apart.
        belongs: What the config says about whose columns are.
        own: What is the person's.
        finder: Finds personal data in texts.
        table: The table.
        masked: By path how many values were masked, or texts in which something was.
        revealed: By path how many masks were turned back.
        problems: Why some could not be.
    """

    places: tuple[Judged, ...]
    key: tuple[str, ...]
    belongs: Belongs
    own: Own = field(repr=False)
    finder: Callable[[], SpanFinder] = field(repr=False)
    table: str
    masked: Counter[str] = field(default_factory=Counter)
    revealed: Counter[str] = field(default_factory=Counter)
    problems: dict[str, None] = field(default_factory=dict)

    def show(self, part: Part) -> pl.DataFrame:
        """Rows as the person may see them.

        Args:
            part: As they are stored.

        Returns:
            The same columns, types and order.
        """
        rows = part.rows
        changed: dict[str, pl.Series] = {}
        for judged in self._judged(part):
            name = judged.place.path.column
            if name not in rows.columns:
                continue
            context = self._context(judged.place, rows)
            change = self._changing(judged, context)
            values = changed.get(name, rows[name])
            changed[name] = change_inside(values, judged.place.path.steps, change)
        return rows.with_columns(changed.values())

    def collect(self, part: Part) -> Iterator[tuple[tuple[str, ...], list[str]]]:
        """What rows tell about the person: kinds, with values, of the columns that are the person's own.

        Args:
            part: Rows as they are stored.
        """
        rows = part.rows
        for judged in self._judged(part):
            name = judged.place.path.column
            if name not in rows.columns or not judged.is_own or isinstance(judged.place.leaf, InText):
                continue
            found: list[str] = []

            def note(
                values: pl.Series, _: pl.Series, *, judged: Judged = judged, found: list[str] = found
            ) -> pl.Series:
                if not values.dtype.is_nested() and values.dtype != pl.Binary:
                    for each in (values, self._clear(values, judged)):
                        found.extend(each.cast(pl.String).drop_nulls().unique().to_list())
                return values

            change_inside(rows[name], judged.place.path.steps, note)
            yield judged.entities, found

    def _judged(self, part: Part) -> Iterator[Judged]:
        for each in self.places:
            if each.is_own is not None:
                yield each
                continue
            path, entities = each.place.written, each.entities
            yield replace(each, is_own=self.belongs.owns(self.table, path, entities, rules=part.rules))

    def _changing(self, judged: Judged, context: Context) -> Callable[[pl.Series, pl.Series], pl.Series]:
        leaf = judged.place.leaf
        if isinstance(leaf, InText):
            return lambda values, rows: self._text(values, judged, leaf, context.gather(rows))
        return lambda values, rows: self._whole(values, judged, leaf, context.gather(rows))

    def _whole(self, values: pl.Series, judged: Judged, leaf: Leaf, context: Context) -> pl.Series:
        clear = self._clear(values, judged)
        if judged.is_own:
            mine = values.is_not_null()
        else:
            mine = self.own.among(clear, judged.entities) | self.own.among(values, judged.entities)
        self.revealed[judged.place.written] += int((mine & clear.ne_missing(values)).sum())
        theirs = ~mine & values.is_not_null()
        if not theirs.any():
            return clear
        self.masked[judged.place.written] += int(theirs.sum())
        # What is masked already stays as it is stored.
        masked = values if judged.stored is not None else leaf.mask(values, context)
        return pl.select(pl.when(mine).then(clear).otherwise(masked).alias(values.name)).to_series()

    def _text(self, values: pl.Series, judged: Judged, leaf: InText, context: Context) -> pl.Series:
        if judged.is_own or judged.stored is not None:
            return values
        masked = leaf.mask(values, context)
        self.masked[judged.place.written] += int(masked.ne_missing(values).sum())
        return masked

    def _clear(self, values: pl.Series, judged: Judged) -> pl.Series:
        """Values with masks turned back, as far as that is possible."""
        if not judged.stored or values.null_count() == len(values):
            return values
        try:
            back = turn_back(values, judged.stored)
        except LakehouseError as error:
            self.problems.setdefault(error.message)
            return values
        self.problems.update(dict.fromkeys(each.message for each in back.errors))
        return pl.select(pl.coalesce(back.values, values).alias(values.name)).to_series()

    def _context(self, place: Place, rows: pl.DataFrame) -> Context:
        row = None
        if place.per_row and self.key and all(name in rows.columns for name in self.key):
            row = identity(rows, self.key, prefix=f"{self.table}\n{place.written}\n")
        return Context(person=None, row=row, finder=lambda: OthersFinder(self.finder, self.own))
