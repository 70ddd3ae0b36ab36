"""How identifiers of a kind of person lead to each other, as the config says it: pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from lakehouse.config.models import SubjectConfig


@dataclass(frozen=True, slots=True, order=True)
class Home:
    """Where an identifier comes from.

    Args:
        table: The table.
        column: Its column, or a path into one.
    """

    table: str
    column: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Hop:
    """From known identifiers to what stands beside them in rows of one table.

    Args:
        table: The table.
        match: Pairs of column and identifier: rows in which all of them hold known values.
        learn: Pairs of column and identifier: what such a row tells.
        given_only: Whether only values count that the request gives itself.
    """

    table: str
    match: tuple[tuple[str, str], ...]
    learn: tuple[tuple[str, str], ...]
    given_only: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Graph:
    """The identifiers of a kind of person.

    Args:
        hops: How they lead to each other; those from one identifier of a person to another come first.
        owned: Identifiers of things that a person has many of, as orders: they are found through another
            table's identifier, and do not lead back to people.
        parts: Identifiers that mean somebody only together with others.
    """

    hops: tuple[Hop, ...]
    owned: frozenset[str]
    parts: frozenset[str]


def home_of(place: str) -> Home:
    """Reads ``table.column``; what follows the table can be a path into a column."""
    table, _, column = place.partition(".")
    return Home(table, column)


def graph_of(subject: SubjectConfig) -> Graph:
    """Works out how identifiers lead to each other.

    Rows of a table from which identifiers come lead from each of these to the others. Where a rule finds rows
    of a table by identifiers of other tables (`orders` by `customer_id`), these rows lead to the table's own
    identifiers (`orders.id`), of which a person may have any number.

    A rule that finds rows by an identifier of the same table, in whatever column, leads to nothing: the rows
    that name a person as who recruited them are other people's.

    Args:
        subject: What the config says of it.
    """
    homes = {name: home_of(place) for name, place in subject.identifiers.items()}
    teaching = {
        (rows.table, tuple(rows.where.items())): None
        for rows in subject.rows
        if rows.where
        and all(homes[each].table != rows.table for each in rows.where.values() if each in homes)
    }
    tables = {table for table, _ in teaching}
    owned = frozenset(name for name, home in homes.items() if home.table in tables)
    alone = {name for rows in subject.rows if len(rows.where) == 1 for name in rows.where.values()}
    joint = {frozenset(rows.where.values()) for rows in subject.rows if len(rows.where) > 1}
    parts = frozenset(name for names in joint for name in names) - alone
    hops = [
        *_beside(homes, owned=owned, parts=parts, joint=joint, teaching=teaching),
        *_through(homes, teaching),
    ]
    return Graph(hops=tuple(hops), owned=owned, parts=parts)


def _beside(
    homes: Mapping[str, Home],
    *,
    owned: frozenset[str],
    parts: frozenset[str],
    joint: set[frozenset[str]],
    teaching: Mapping[tuple[str, tuple[tuple[str, str], ...]], None],
) -> Iterator[Hop]:
    for table in dict.fromkeys(home.table for home in homes.values()):
        columns = {name: home.column for name, home in homes.items() if home.table == table}
        known: list[tuple[str, ...]] = [(name,) for name in columns if name not in parts]
        known += [tuple(sorted(names)) for names in sorted(joint, key=sorted) if names <= columns.keys()]
        foreign = [pair for rule, where in teaching if rule == table for pair in where]
        for names in known:
            given_only = not owned.isdisjoint(names)
            others = [(column, name) for name, column in columns.items() if name not in names]
            learn = tuple(dict.fromkeys([*others, *(foreign if given_only else ())]))
            if learn:
                match = tuple((columns[name], name) for name in names)
                yield Hop(table=table, match=match, learn=learn, given_only=given_only)


def _through(
    homes: Mapping[str, Home], teaching: Mapping[tuple[str, tuple[tuple[str, str], ...]], None]
) -> Iterator[Hop]:
    for table, where in teaching:
        learn = tuple((home.column, name) for name, home in homes.items() if home.table == table)
        if learn:
            yield Hop(table=table, match=where, learn=learn)
