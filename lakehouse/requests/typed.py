"""Identifiers of requests as the columns that they come from write them: 007 is 7 where numbers are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import polars as pl

from lakehouse.config.models import SubjectConfig
from lakehouse.requests.checks import Shapes
from lakehouse.requests.graph import home_of
from lakehouse.requests.identity import Person
from lakehouse.requests.reading import plain_types
from lakehouse.requests.values import as_text, as_value


@dataclass(frozen=True, slots=True)
class Typed:
    """Writes identifiers by the types of their columns, so that two ways to write one are the same person.

    Args:
        subject: Gives what the config says of a kind of person.
        shape: Gives what a table looks like; asked once for each.
    """

    subject: Callable[[str], SubjectConfig]
    shape: Shapes

    def __call__(self, person: Person) -> Person:
        """The same person; what is no value of a column's type, or of a column not known yet, stays as it is.

        Args:
            person: As the request names the person.
        """
        homes = self.subject(person.subject).identifiers
        pairs = [(name, self._written(value, homes[name])) for name, value in person.identifiers]
        return Person(person.subject, tuple(dict.fromkeys(pairs)))

    def _written(self, value: str, place: str) -> str:
        home = home_of(place)
        shape = self.shape(home.table)
        kind = None if shape is None else plain_types(shape.schema, [home.column]).get(home.column)
        if kind is None or isinstance(kind, pl.String):
            return value
        frame = pl.DataFrame({"value": [value]}, schema={"value": pl.String()})
        try:
            written = frame.select(as_text(as_value(pl.col("value"), kind), kind)).item()
        except pl.exceptions.PolarsError:
            return value
        return value if written is None else str(written)
