"""Refuses to tell one person of another, where what is known of a person can be of several."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from lakehouse.config import Config
from lakehouse.delta.exact import column
from lakehouse.errors import RefusedError
from lakehouse.requests.access.belongs import belongs_of
from lakehouse.requests.access.sources import Source
from lakehouse.requests.identity import Person, normal_form
from lakehouse.requests.people import People


def ensure_one(people: People, person: Person, *, config: Config, request: str) -> None:
    """Refuses to go on where what is known can be of several people, as with an e-mail that two share.

    Where an identifier is the whole key of a table of people, each of its values is a row, and so perhaps a
    person.
    A person may have several, if they were all given in the request.

    Args:
        people: The person, by all that is known.
        person: As the request names the person.
        config: The lake's config.
        request: The request.

    Raises:
        RefusedError: There are several, and the request does not name them all.
    """
    belongs = belongs_of(config, person.subject)
    for name, (table, key) in belongs.identifiers.items():
        if tuple(config.tables[table].key) != (key,) or not belongs.is_home(table):
            continue
        mine = people.known.filter((pl.col("request") == request) & (pl.col("identifier") == name))
        # What stands for a value in masked columns is no further one.
        mine = mine.join(people.masks, on=people.masks.columns, how="anti")
        values = {normal_form(value) for value in mine["value"]}
        given = {normal_form(value) for value in person.values(name)}
        if len(values) > 1 and not values <= given:
            raise _several(request, len(values), table, name)


def ensure_one_row(sources: Sequence[Source], person: Person, *, config: Config, request: str) -> None:
    """The same for keys of several columns that are identifiers only together, as tenant and number.

    Args:
        sources: The rows.
        person: As the request names the person.
        config: The lake's config.
        request: The request.

    Raises:
        RefusedError: There are several, and the request does not name them all.
    """
    belongs = belongs_of(config, person.subject)
    for source in sources:
        key = tuple(config.tables[source.table].key)
        names = {place: name for name, place in belongs.identifiers.items()}
        together = [names.get((source.table, each)) for each in key]
        if source.kind == "rejected" or not belongs.is_home(source.table) or len(key) < 2 or None in together:
            continue
        keys = [
            part.rows.select(column(name).cast(pl.String) for name in key).unique()
            for part in source.parts(key)
            if any(map(belongs.is_about, part.rules))
        ]
        found = pl.concat(keys).unique() if keys else pl.DataFrame()
        given = [{normal_form(value) for value in person.values(str(name))} for name in together]
        values = [{normal_form(value) for value in each.drop_nulls()} for each in found]
        if found.height > 1 and not all(there <= known for there, known in zip(values, given, strict=True)):
            raise _several(request, found.height, source.table, " and ".join(map(str, together)))


def _several(request: str, number: int, table: str, name: str) -> RefusedError:
    return RefusedError(
        f"request {request} leads to {number} rows of {table} by {name}, perhaps of several people: one "
        "would be told of the others",
        advice=f"if they are one person, submit a request with every {name}, or answer with "
        "identified=all; to use only what the request names: identified=given",
    )
