"""What the config says about whose rows and columns are: pure.

Rows are found by rules. Most of them find what is about the person: the customer's own row, the orders. Some
find rows of others in which the person is named, as those of customers that the person has recruited: of
these only what names the person is the person's.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from lakehouse.config import Config
from lakehouse.pii.paths import column_of
from lakehouse.requests.rules import RowRule


@dataclass(frozen=True, slots=True, kw_only=True)
class Belongs:
    """What the config says of a kind of person.

    Args:
        subject: Which.
        identifiers: Identifier to the table and column that holds it.
        told: The kinds of personal data of which the identifiers tell all values.
        owned: Tables of things that a person has many of, as orders.
    """

    subject: str
    identifiers: Mapping[str, tuple[str, str]]
    told: frozenset[str] = frozenset()
    owned: frozenset[str] = frozenset()

    def is_home(self, table: str) -> bool:
        """Whether identifiers come from a table, so that each row of it is a person."""
        return table not in self.owned and any(home == table for home, _ in self.identifiers.values())

    def is_about(self, rule: RowRule) -> bool:
        """Whether the rows that a rule finds are about the person, and not only name the person.

        In a table from which an identifier comes, another column with it names somebody else than the row is
        about; identifiers of other tables say whose the row is.

        Args:
            rule: The rule.
        """
        places = [(column, self.identifiers.get(name)) for column, name in rule.where]
        return bool(places) and all(
            place is not None and (place[0] != rule.table or place[1] == column) for column, place in places
        )

    def shown(self, table: str, rules: Sequence[RowRule]) -> tuple[str, ...] | None:
        """The columns that are shown of rows; None for all.

        Args:
            table: The table.
            rules: The rules that found them.
        """
        if not self.is_home(table) or any(map(self.is_about, rules)):
            return None
        paths = (path for rule in rules for path in (*rule.key, *rule.columns, *rule.text))
        return tuple(dict.fromkeys(column_of(path) for path in paths))

    def owns(self, table: str, path: str, entities: Iterable[str], *, rules: Sequence[RowRule]) -> bool:
        """Whether whatever is in a column of rows is the person's; else each value is compared.

        Args:
            table: The table.
            path: The column, or the path into one.
            entities: What it holds.
            rules: The rules that found the rows.
        """
        about = self.is_home(table) and any(map(self.is_about, rules))
        if about and (table, path) in self.identifiers.values():
            return True
        # There is an e-mail that is known to be the person's: another one may be somebody else's.
        if not self.told.isdisjoint(entities):
            return False
        # What an erasure empties tells who the person is.
        return about or any(path in rule.columns for rule in rules)


def belongs_of(config: Config, subject: str) -> Belongs:
    """Reads it.

    Args:
        config: The lake's config.
        subject: The kind of person.
    """
    identifiers: dict[str, tuple[str, str]] = {}
    told: set[str] = set()
    for name, place in config.subjects[subject].identifiers.items():
        table, _, column = place.partition(".")
        identifiers[name] = (table, column)
        about = config.tables[table].pii.get(column)
        told |= set(about.entities) if about is not None and not about.is_text else set()
    return Belongs(
        subject=subject,
        identifiers=identifiers,
        told=frozenset(told),
        owned=_owned(config, subject, identifiers),
    )


def _owned(config: Config, subject: str, identifiers: Mapping[str, tuple[str, str]]) -> frozenset[str]:
    """Tables whose rows are found by the key of another table: what is in them belongs to a person.

    The table of the first identifier that is a key is that of the people, whatever leads to it.
    """
    keys = {
        name: table
        for name, (table, column) in identifiers.items()
        if tuple(config.tables[table].key) == (column,)
    }
    people = next(iter(keys.values()), None)
    return frozenset(
        rows.table
        for rows in config.subjects[subject].rows
        if rows.table != people
        and any(keys.get(name, rows.table) != rows.table for name in rows.where.values())
    )
