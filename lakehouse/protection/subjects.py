"""Where a data subject is: from identifiers to conditions on tables, by the config's ``subjects``."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Final, TypeAlias

import polars as pl

from lakehouse.config.models import SubjectConfig
from lakehouse.config.nearest import nearest
from lakehouse.config.references.lookup import column_of
from lakehouse.errors import NotFoundError, UsageError
from lakehouse.protection.conditions import equality

Columns: TypeAlias = Callable[[str], pl.Schema | None]
"""Gives the columns of a table; None where they are not known yet."""

CLOSED: Final = pl.Object()
"""The type of a column whose values no condition can be compared with: a table is held whole for it."""

Pairs: TypeAlias = Sequence[tuple[str, str]]
Resolved: TypeAlias = tuple[tuple[str, str | None], ...]


def resolve_strictly(subject: SubjectConfig, identifiers: Pairs, *, name: str, columns: Columns) -> Resolved:
    """Finds the rows of a person for a hold that is being placed; what can't be found is refused.

    Args:
        subject: The kind of person.
        identifiers: Name and value; a name can come several times.
        name: What the config calls the kind of person.
        columns: Gives the columns of a table.

    Returns:
        Table and condition; a table is held whole where its columns are not known yet, or people are in
        nested columns, free text or columns under keys of people.

    Raises:
        NotFoundError: An identifier that the config does not know.
        UsageError: A table needs an identifier that was not given, or a value does not fit its column.
    """
    ensure_known(subject, identifiers, name=name)
    lacking = {
        identifier: table
        for table, where in _rules(subject, identifiers)
        for identifier in where.values()
        if not _values(identifiers, identifier)
    }
    if lacking:
        needed = ", ".join(f"{identifier} (for table {table})" for identifier, table in lacking.items())
        raise UsageError(
            f"a hold on this {name} needs more to find all rows: {needed}",
            advice="give these identifiers too, or hold the tables",
        )
    found: list[tuple[str, str | None]] = []
    for table, where in _rules(subject, identifiers):
        schema = columns(table)
        condition = None if schema is None else _condition(where, identifiers, schema)
        if schema is not None and condition is None and _is_plain(where, schema):
            raise UsageError(
                f"an identifier of the {name} does not fit the columns of table {table}",
                advice=f"it is compared with: {', '.join(where)}",
            )
        found.append((table, condition))
    return tuple(dict.fromkeys(found))


def ensure_known(subject: SubjectConfig, identifiers: Pairs, *, name: str) -> None:
    """Refuses identifiers by which nobody of a kind is known.

    Args:
        subject: The kind of person.
        identifiers: Name and value.
        name: What the config calls the kind of person.

    Raises:
        NotFoundError: An identifier that the config does not know; the advice names the nearest.
    """
    for given, _ in identifiers:
        if given not in subject.identifiers:
            near = nearest(given, subject.identifiers)
            known = ", ".join(subject.identifiers)
            raise NotFoundError(
                f"the subject {name} has no identifier {given}",
                advice=f"did you mean {near}?" if near else f"it is known by: {known}",
            )


def resolve_now(
    subject: SubjectConfig | None, identifiers: Pairs, *, columns: Columns, only: str | None = None
) -> Resolved:
    """Finds the rows of a person for a hold that stands, by the config of now: never less than that asks.

    Args:
        subject: The kind of person; None where the config does not have it any more.
        identifiers: Name and value.
        columns: Gives the columns of a table.
        only: The one table to look at; None means all.

    Returns:
        Table and condition; a table for which there is none is held whole.
    """
    if subject is None:
        return ()
    found: list[tuple[str, str | None]] = []
    for table, where in _rules(subject, identifiers):
        if only not in (None, table):
            continue
        schema = columns(table)
        given = all(_values(identifiers, each) for each in where.values())
        found.append(
            (table, _condition(where, identifiers, schema) if given and schema is not None else None)
        )
    return tuple(dict.fromkeys(found))


def _rules(subject: SubjectConfig, identifiers: Pairs) -> Iterator[tuple[str, Mapping[str, str]]]:
    """Table, and column to identifier: the tables that identifiers come from, and those of the rules."""
    for name, place in subject.identifiers.items():
        if _values(identifiers, name):
            table, _, column = place.partition(".")
            yield table, {column: name}
    for rows in subject.rows:
        yield rows.table, rows.where


def _condition(where: Mapping[str, str], identifiers: Pairs, schema: pl.Schema) -> str | None:
    parts: list[str | None] = [
        equality(column, _values(identifiers, identifier), schema[column]) if column in schema else None
        for column, identifier in where.items()
    ]
    known: Iterable[str] = [part for part in parts if part is not None]
    return None if None in parts or not parts else " AND ".join(known)


def _is_plain(where: Mapping[str, str], schema: pl.Schema) -> bool:
    """Whether rows are found by columns as they are, and not in nested ones or in free text."""
    return bool(where) and all(
        schema[column] != CLOSED if column in schema else column_of(column) not in schema for column in where
    )


def _values(identifiers: Pairs, name: str) -> list[str]:
    return [value for given, value in identifiers if given == name]
