"""The people of some requests: what they are known by, and the values by which their rows are found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import polars as pl

from lakehouse.requests.identity import Person
from lakehouse.requests.past import Past
from lakehouse.requests.values import as_value
from lakehouse.storage import Storage

REQUEST: Final = "__request"
TIE: Final = "__tie"

SCHEMA: Final = {
    "request": pl.String(),
    "subject": pl.String(),
    "identifier": pl.String(),
    "value": pl.String(),
    "tie": pl.UInt64(),
}


def _no_masks() -> pl.DataFrame:
    return pl.DataFrame(schema={name: SCHEMA[name] for name in ("subject", "identifier", "value")})


@dataclass(frozen=True, slots=True)
class Place:
    """A table in which people are looked for.

    Args:
        storage: Its folder.
        past: All of its data files.
    """

    storage: Storage
    past: Past


@dataclass(frozen=True, slots=True)
class People:
    """The people of some requests. Never shown.

    Args:
        known: Columns ``request``, ``subject``, ``identifier``, ``value`` (text) and ``tie``: values of the
            same tie stood in one row together, those with 0 in the request. Where no identifier needs
            another one, 1 is for all rows.
        crowds: By request why its identifiers do not mean one person; of these not all is known.
        masks: Columns ``subject``, ``identifier`` and ``value``: which of the values stand for others in
            masked columns, or write them otherwise. They are no further people, however many there are.
    """

    known: pl.DataFrame = field(repr=False)
    crowds: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    memo: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)
    """What others have made ready of them, to be made once."""
    masks: pl.DataFrame = field(default_factory=_no_masks, repr=False)

    def without(self, requests: frozenset[str]) -> People:
        """The same without those of some requests."""
        left = self.known.filter(~pl.col("request").is_in(list(requests)))
        crowds = {each: why for each, why in self.crowds.items() if each not in requests}
        return People(left, crowds, masks=self.masks)

    def values(self) -> pl.DataFrame:
        """Columns ``request``, ``subject``, ``identifier`` and ``value``, each row once."""
        return self.known.drop("tie").unique(maintain_order=True)

    def keys(
        self, *, subject: str, where: Sequence[tuple[str, str]], types: Mapping[str, pl.DataType]
    ) -> pl.DataFrame:
        """The values by which rows are found.

        Args:
            subject: The kind of person.
            where: Pairs of column (or path) and identifier.
            types: Their types; values that are none of it find nothing.

        Returns:
            The columns and ``__request``; a person with several values has several rows. Values of several
            identifiers go together as they stood in one row; freely, where none of them ever did.
        """
        mine = self.known.filter(pl.col("subject") == subject)
        parts = [
            _spellings(mine.filter(pl.col("identifier") == identifier), types[name])
            .select(
                pl.col("request").alias(REQUEST),
                pl.col("tie").alias(TIE),
                as_value(pl.col("value"), types[name]).alias(name),
            )
            .drop_nulls(name)
            for name, identifier in where
        ]
        if not parts:
            return pl.DataFrame(schema={REQUEST: pl.String()})
        tied, free = parts[0], parts[0].drop(TIE).unique()
        for part in parts[1:]:
            tied = tied.join(part, on=[REQUEST, TIE], how="inner")
        tied = tied.drop(TIE).unique()
        if len(parts) == 1:
            return tied
        free = free.join(tied, on=REQUEST, how="anti")
        for part in parts[1:]:
            free = free.join(part.drop(TIE).unique(), on=REQUEST, how="inner")
        return pl.concat([tied, free])


def _spellings(known: pl.DataFrame, kind: pl.DataType) -> pl.DataFrame:
    """The same with other ways to write a text: no blanks around, composed or not, addresses in small."""
    if kind != pl.String or known.is_empty():
        return known
    value = pl.col("value")
    bare = value.str.strip_chars()
    small = pl.when(bare.str.contains("@", literal=True)).then(bare.str.to_lowercase()).otherwise(bare)
    ways = [value, *(each.str.normalize(form) for each in (bare, small) for form in ("NFC", "NFD"))]
    return pl.concat([known.with_columns(way.alias("value")) for way in ways]).unique(maintain_order=True)


def people_of(persons: Mapping[str, Person]) -> People:
    """The people as the requests name them, or as `persons_of` gave them.

    Args:
        persons: By request.
    """
    rows = [
        (request, person.subject, *person.identifiers[at], tie)
        for request, person in persons.items()
        for at, tie in person.ties or ((at, 0) for at in range(len(person.identifiers)))
    ]
    return People(pl.DataFrame(rows, schema=SCHEMA, orient="row").unique(maintain_order=True))


def persons_of(people: People) -> dict[str, Person]:
    """The people one by one, with all that is known of them.

    Args:
        people: The people.

    Returns:
        By request; `people_of` makes the same people of them again.
    """
    pairs: dict[str, dict[tuple[str, str], int]] = {}
    ties: dict[str, list[tuple[int, int]]] = {}
    subjects: dict[str, str] = {}
    for request, subject, identifier, value, tie in people.known.select(*SCHEMA).iter_rows():
        subjects[request] = subject
        mine = pairs.setdefault(request, {})
        at = mine.setdefault((identifier, value), len(mine))
        ties.setdefault(request, []).append((at, tie))
    return {
        request: Person(subject, tuple(pairs[request]), tuple(ties[request]))
        for request, subject in subjects.items()
    }
