"""What people are looked for by where there are no columns to compare: in records, by all that tells them."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field

from lakehouse.config import Config
from lakehouse.requests.graph import graph_of
from lakehouse.requests.needles import Needle
from lakehouse.requests.people import People


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is looked for, and whose it is. Never shown.

    Args:
        needles: One for each value of an identifier.
        subjects: The kind of person of each needle.
        alone: Kinds of people and identifiers that tell a person by themselves.
        together: By kind of person the identifiers that tell one together, as tenant and number.
    """

    needles: tuple[Needle, ...] = field(repr=False)
    subjects: tuple[str, ...]
    alone: frozenset[tuple[str, str]]
    together: dict[str, tuple[frozenset[str], ...]]

    def requests(self, numbers: Collection[int]) -> dict[str, str]:
        """Whose a record is.

        Args:
            numbers: The needles that were found in it.

        Returns:
            Request to kind of person.
        """
        seen: dict[tuple[str, str], set[str]] = {}
        for number in numbers:
            needle = self.needles[number]
            seen.setdefault((needle.request, self.subjects[number]), set()).add(needle.identifier)
        return {
            request: subject
            for (request, subject), names in seen.items()
            if any((subject, name) in self.alone for name in names)
            or any(each <= names for each in self.together.get(subject, ()))
        }


def wanted_of(people: People, config: Config) -> Wanted:
    """Makes needles of people.

    Args:
        people: Who is looked for, by all that is known of them.
        config: The lake's config.
    """
    rows = people.values().rows()
    columns = {subject: columns_of(config, subject) for subject in {row[1] for row in rows}}
    needles = tuple(
        Needle(request, identifier, value, columns[subject].get(identifier, ()))
        for request, subject, identifier, value in rows
    )
    together = {
        subject: tuple(
            dict.fromkeys(
                frozenset(rows.where.values()) for rows in config.subjects[subject].rows if rows.where
            )
        )
        for subject in columns
    }
    return Wanted(
        needles,
        tuple(row[1] for row in rows),
        frozenset(
            (subject, name)
            for subject in columns
            for name in config.subjects[subject].identifiers
            if name not in graph_of(config.subjects[subject]).parts
        ),
        together,
    )


def columns_of(config: Config, subject: str) -> dict[str, tuple[tuple[str, str], ...]]:
    """Where a kind of person's identifiers are.

    Args:
        config: The lake's config.
        subject: The kind of person.

    Returns:
        Identifier to pairs of table and column (or path) that hold it.
    """
    found: dict[str, dict[tuple[str, str], None]] = {}
    section = config.subjects[subject]
    for name, place in section.identifiers.items():
        table, _, column = place.partition(".")
        found.setdefault(name, {})[table, column] = None
    for rows in section.rows:
        for column, name in rows.where.items():
            found.setdefault(name, {})[rows.table, column] = None
    return {name: tuple(columns) for name, columns in found.items()}
