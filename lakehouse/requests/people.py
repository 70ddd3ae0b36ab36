"""From the identifiers that requests give to all by which these people are known, in all versions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import polars as pl

from lakehouse.config import Config
from lakehouse.delta.exact import column
from lakehouse.delta.scan import scan_files
from lakehouse.delta.schema import type_to_polars
from lakehouse.errors import LakehouseError
from lakehouse.requests.identity import Person
from lakehouse.requests.past import Past
from lakehouse.storage import Storage

MOST_VALUES: Final = 50
"""So many values of one identifier one person may have; more of them are several people."""

_ROUNDS: Final = 5
_SCHEMA: Final = {
    "request": pl.String(),
    "subject": pl.String(),
    "identifier": pl.String(),
    "value": pl.String(),
}


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
        known: Columns ``request``, ``subject``, ``identifier`` and ``value`` (text).
        crowds: Requests whose identifiers lead to more people than one.
    """

    known: pl.DataFrame = field(repr=False)
    crowds: frozenset[str] = frozenset()

    def without(self, requests: frozenset[str]) -> People:
        """The same without those of some requests."""
        left = self.known.filter(~pl.col("request").is_in(list(requests)))
        return People(left, self.crowds - requests)

    def keys(
        self, *, subject: str, where: Sequence[tuple[str, str]], types: Mapping[str, pl.DataType]
    ) -> pl.DataFrame:
        """The values by which rows are found.

        Args:
            subject: The kind of person.
            where: Pairs of column and identifier.
            types: The columns' types; values that are none of it find nothing.

        Returns:
            The columns and ``__request``; a person with several values has several rows.
        """
        mine = self.known.filter(pl.col("subject") == subject)
        found: pl.DataFrame | None = None
        for name, identifier in where:
            values = mine.filter(pl.col("identifier") == identifier).select(
                pl.col("request").alias("__request"), _cast(pl.col("value"), types[name]).alias(name)
            )
            values = values.drop_nulls(name)
            found = values if found is None else found.join(values, on="__request", how="inner")
        return pl.DataFrame() if found is None else found.unique()


def people_of(persons: Mapping[str, Person]) -> People:
    """The people as the requests name them.

    Args:
        persons: By request.
    """
    rows = [
        (request, person.subject, name, value)
        for request, person in persons.items()
        for name, value in person.identifiers
    ]
    return People(pl.DataFrame(rows, schema=_SCHEMA, orient="row").unique(maintain_order=True))


def resolve(people: People, config: Config, *, place: Callable[[str], Place | None]) -> People:
    """Finds the other identifiers of people: in tables that hold several, from one to the others.

    It goes on until nothing new is found: an earlier e-mail of the same id is the person's too.

    Args:
        people: The people.
        config: The lake's config.
        place: Gives a table; None for one that has not been made.
    """
    known = people.known
    for _ in range(_ROUNDS):
        fresh = [
            found
            for subject in sorted(set(known["subject"]))
            for table, columns in _holders(config, subject).items()
            if len(columns) > 1 and (there := place(table)) is not None
            for found in _neighbours(known.filter(pl.col("subject") == subject), columns, there)
        ]
        after = pl.concat([known, *fresh]).unique(maintain_order=True) if fresh else known
        if after.height == known.height:
            break
        known = after
    many = known.group_by("request", "identifier").len().filter(pl.col("len") > MOST_VALUES)
    return People(known, frozenset(many["request"]))


def _holders(config: Config, subject: str) -> dict[str, dict[str, str]]:
    """Table to column to identifier: the tables from which identifiers of a kind of person come."""
    found: dict[str, dict[str, str]] = {}
    for identifier, place in config.subjects[subject].identifiers.items():
        table, _, name = place.partition(".")
        found.setdefault(table, {})[name] = identifier
    return found


def _neighbours(known: pl.DataFrame, columns: Mapping[str, str], place: Place) -> list[pl.DataFrame]:
    """What stands beside known values in rows of a table."""
    newest = place.past.newest
    there = {name: identifier for name, identifier in columns.items() if name in newest.schema}
    found: list[pl.DataFrame] = []
    for name, identifier in there.items():
        kind = type_to_polars(newest.schema.field(name).type)
        values = known.filter(pl.col("identifier") == identifier).select(
            "request", "subject", _cast(pl.col("value"), kind).alias(name)
        )
        values = values.drop_nulls(name).unique()
        others = {other: each for other, each in there.items() if other != name}
        if values.is_empty() or not others:
            continue
        rows = scan_files(
            place.storage,
            newest,
            place.past.adds,
            columns=[name, *others],
            file="__file",
            apply_vectors=False,
            keys=values.select(name).unique(),
        )
        beside = rows.select(name, *others).unique().collect(engine="streaming").join(values, on=name)
        found += [
            beside.select(
                "request",
                "subject",
                pl.lit(each).alias("identifier"),
                column(other).cast(pl.String).alias("value"),
            ).drop_nulls("value")
            for other, each in others.items()
        ]
    return found


def _cast(value: pl.Expr, kind: pl.DataType) -> pl.Expr:
    if kind == pl.String:
        return value
    if kind.is_integer() or kind.is_numeric():
        return value.str.strip_chars().cast(kind, strict=False)
    try:
        return value.cast(kind, strict=False)
    except pl.exceptions.PolarsError:
        raise LakehouseError(f"an identifier can't be of the type {kind}") from None
