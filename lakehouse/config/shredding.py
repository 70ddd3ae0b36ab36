"""Which columns are stored under a key of each person, and which column tells whose a row is: pure.

The key of a person belongs to the value of the *first* identifier of the subject: that one is the same in all
tables, so that a person has one key. A table can shred columns where one of its columns holds it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from lakehouse.config.models import Config

_INTO: Final = re.compile(r"[.\[{$]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Shredded:
    """A column that is stored under a key of each person.

    Args:
        column: The column.
        subject: The kind of person.
        identifier: The subject's first identifier.
        holder: The column of the same table that holds it.
    """

    column: str
    subject: str
    identifier: str
    holder: str


def shredded_columns(config: Config, table: str) -> tuple[Shredded, ...]:
    """The columns of a table that are stored under keys of people.

    Args:
        config: The lake's config; checked, so that each of them can be told.
        table: A table.
    """
    section = config.tables.get(table)
    if section is None:
        return ()
    return tuple(
        Shredded(column=column, subject=about.shred, identifier=identifier_of(config, about.shred), holder=of)
        for column, about in section.pii.items()
        if about.shred is not None
        for of in holders(config, table, about.shred)[:1]
    )


def subjects_with_keys(config: Config) -> dict[str, str]:
    """The kinds of people under whose keys columns are stored.

    Args:
        config: The lake's config.

    Returns:
        Each with the identifier that its keys belong to.
    """
    return {
        each.subject: each.identifier for table in config.tables for each in shredded_columns(config, table)
    }


def identifier_of(config: Config, subject: str) -> str:
    """The identifier that the keys of people belong to.

    Args:
        config: The lake's config.
        subject: The kind of person.
    """
    return next(iter(config.subjects[subject].identifiers))


def holders(config: Config, table: str, subject: str) -> tuple[str, ...]:
    """The columns of a table that hold a subject's first identifier.

    Args:
        config: The lake's config.
        table: The table.
        subject: The kind of person.

    Returns:
        One where it can be told whose a row is; none, or several, where it can't.
    """
    wanted = identifier_of(config, subject)
    return tuple(
        dict.fromkeys(
            column
            for found, column, identifier in _places(config, subject)
            if found == table and identifier == wanted and not _is_path(config, table, column)
        )
    )


def searched_for(config: Config, table: str) -> dict[str, str]:
    """The columns of a table in whose texts people are looked for.

    Args:
        config: The lake's config.
        table: The table.

    Returns:
        Column to the kind of person.
    """
    return {
        _INTO.split(column)[0]: subject
        for subject in config.subjects
        for found, column, identifier in _places(config, subject)
        if found == table and not identifier
    }


def _places(config: Config, subject: str) -> Iterator[tuple[str, str, str]]:
    """Table, column and identifier, wherever the config says that an identifier is."""
    section = config.subjects[subject]
    for identifier, place in section.identifiers.items():
        table, _, column = place.partition(".")
        yield table, column, identifier
    for rows in section.rows:
        for column, identifier in rows.where.items():
            yield rows.table, column, identifier
        for column in rows.text or ():
            yield rows.table, column, ""


def _is_path(config: Config, table: str, column: str) -> bool:
    """Whether a name is a way into a column, and none of a column itself."""
    section = config.tables.get(table)
    known = (section.column_schema if section is not None else None) or {}
    return column not in known and _INTO.search(column) is not None
