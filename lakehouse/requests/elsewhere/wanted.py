"""What people are looked for by where there are no columns to compare: in records, by all that tells them."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field

from lakehouse.config import Config
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
    known = people.known.select("request", "subject", "identifier", "value")
    rows = known.unique(maintain_order=True).rows()
    columns = {subject: _columns(config, subject) for subject in {row[1] for row in rows}}
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
        frozenset((subject, name) for subject in columns for name in _alone(config, subject)),
        together,
    )


def _columns(config: Config, subject: str) -> dict[str, tuple[tuple[str, str], ...]]:
    """Identifier to the columns that hold it."""
    found: dict[str, dict[tuple[str, str], None]] = {}
    section = config.subjects[subject]
    for name, place in section.identifiers.items():
        table, _, column = place.partition(".")
        found.setdefault(name, {})[table, column] = None
    for rows in section.rows:
        for column, name in rows.where.items():
            found.setdefault(name, {})[rows.table, column] = None
    return {name: tuple(columns) for name, columns in found.items()}


def _alone(config: Config, subject: str) -> set[str]:
    """Identifiers that tell a person alone: all but those that are only ever asked for with others."""
    wheres = [set(rows.where.values()) for rows in config.subjects[subject].rows]
    single = {name for names in wheres if len(names) == 1 for name in names}
    partial = {name for names in wheres if len(names) > 1 for name in names}
    return (set(config.subjects[subject].identifiers) - partial) | single
