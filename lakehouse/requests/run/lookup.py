"""Looking for the people of several requests at once, in all tables and versions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

import polars as pl

from lakehouse.requests.find import RULE, Found, find
from lakehouse.requests.identity import Person
from lakehouse.requests.known import REQUEST
from lakehouse.requests.locate import FILE, LIVE
from lakehouse.requests.past import past_of
from lakehouse.requests.people import People, Place, people_of, persons_of, resolve
from lakehouse.requests.rules import RowRule, rules_of
from lakehouse.requests.run.results import TablePlan
from lakehouse.requests.run.target import RunTarget
from lakehouse.verbs.opened import OpenTable


@dataclass(frozen=True, slots=True, kw_only=True)
class Lookup:
    """Where the people of some requests are.

    Args:
        people: Who was looked for, with all by which they are known.
        tables: The tables in which rows are looked for; those that are not made yet are not among them.
        founds: By table the rows.
    """

    people: People = field(repr=False)
    tables: Mapping[str, OpenTable]
    founds: Mapping[str, Found]

    @property
    def held(self) -> dict[str, tuple[str, ...]]:
        """By request the holds that it has to wait for."""
        found: dict[str, dict[str, None]] = {}
        for each in self.founds.values():
            for request, holds in each.held.items():
                found.setdefault(request, {}).update(dict.fromkeys(holds))
        return {request: tuple(holds) for request, holds in found.items()}

    def without(self, requests: Iterable[str]) -> Lookup:
        """The same without some requests."""
        left_out = frozenset(requests)
        if not left_out:
            return self
        founds = {table: found.without(left_out) for table, found in self.founds.items()}
        return replace(self, people=self.people.without(left_out), founds=founds)

    def persons(self) -> dict[str, Person]:
        """By request the person, with all identifiers that are known now."""
        return persons_of(self.people)

    def plans(self) -> dict[str, tuple[TablePlan, ...]]:
        """By request what there is of it in each table."""
        found: dict[str, list[TablePlan]] = {}
        for table, each in self.founds.items():
            for request, plan in _plans(table, each).items():
                found.setdefault(request, []).append(plan)
        return {request: tuple(plans) for request, plans in found.items()}


class Places:
    """The tables of a lake as places to look into; what was read of a table once is read once."""

    def __init__(self, target: RunTarget) -> None:
        self._target = target
        self._known: dict[str, tuple[OpenTable, Place] | None] = {}

    def __call__(self, name: str) -> Place | None:
        """A table's place; None for one that has not been made."""
        found = self.opened(name)
        return None if found is None else found[1]

    def opened(self, name: str) -> tuple[OpenTable, Place] | None:
        """A table and its place; None for one that has not been made."""
        if name not in self._known:
            table = self._target.table(name)
            newest = table.find()
            place = None if newest is None else Place(table.storage, past_of(table.storage, newest))
            self._known[name] = None if place is None else (table, place)
        return self._known[name]


def look_up(target: RunTarget, persons: Mapping[str, Person], *, allow_many: bool = False) -> Lookup:
    """Finds people: first all by which they are known, then their rows.

    Args:
        target: The lake.
        persons: By request who it is about.
        allow_many: Whether to follow identifiers too that lead to more people than one.

    Raises:
        CorruptTableError: A table can't be read.
    """
    places = Places(target)
    people = resolve(people_of(persons), target.config, place=places, allow_many=allow_many)
    rules = rules_of(target.config, subjects=frozenset(each.subject for each in persons.values()))
    tables: dict[str, OpenTable] = {}
    founds: dict[str, Found] = {}
    for at, (name, mine) in enumerate(rules.items()):
        target.step(f"looking for people in {name}", at, len(rules))
        opened = places.opened(name)
        if opened is not None:
            tables[name], founds[name] = opened[0], _found(opened[0], opened[1], mine, people)
    return Lookup(people=people, tables=tables, founds=founds)


def again(table: OpenTable, found: Found) -> Found:
    """Finds the same people in a table anew, on the version that is newest now."""
    place = Place(table.storage, past_of(table.storage, table.snapshot()))
    return _found(table, place, found.rules, found.people)


def _found(table: OpenTable, place: Place, rules: tuple[RowRule, ...], people: People) -> Found:
    return find(table.name, place, rules=rules, people=people, protection=table.protection())


def _plans(table: str, found: Found) -> dict[str, TablePlan]:
    counts: dict[str, dict[str, int]] = {}
    live = found.rows.filter(pl.col(LIVE)).group_by(REQUEST, RULE).len().sort(REQUEST, RULE)
    for request, rule, rows in live.iter_rows():
        mine = counts.setdefault(request, {})
        what = found.rules[rule].do
        mine[what] = mine.get(what, 0) + rows
    sizes = pl.DataFrame({"bytes": [each.size for each in found.past.files]}, schema={"bytes": pl.Int64})
    files = (
        found.going.select(REQUEST, FILE)
        .unique()
        .join(sizes.with_row_index(FILE), on=FILE)
        .group_by(REQUEST)
        .agg(files=pl.len(), bytes=pl.col("bytes").sum())
    )
    amounts = {request: (count, size) for request, count, size in files.iter_rows()}
    return {
        request: TablePlan(
            table=table,
            rows=counts.get(request, {}),
            files=amounts.get(request, (0, 0))[0],
            bytes=amounts.get(request, (0, 0))[1],
        )
        for request in {**counts, **amounts}
    }
