"""Looking for the people of several requests at once, in all tables and versions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial

import polars as pl

from lakehouse.errors import ConflictError, CorruptTableError, NotFoundError
from lakehouse.requests.elsewhere.archives import FoundInArchive, find_in_archives, places_in_archives
from lakehouse.requests.elsewhere.places import OtherTable
from lakehouse.requests.everyone import all_known
from lakehouse.requests.find import Found, find, find_on
from lakehouse.requests.identity import Person
from lakehouse.requests.known import REQUEST
from lakehouse.requests.locate import FILE
from lakehouse.requests.masked import behind_masks
from lakehouse.requests.past import past_of
from lakehouse.requests.people import People, Place, people_of, persons_of
from lakehouse.requests.places import Places
from lakehouse.requests.rules import RowRule, rules_of
from lakehouse.requests.run.missing import ensure_there
from lakehouse.requests.run.results import TablePlan
from lakehouse.requests.run.steady import steadily
from lakehouse.requests.run.target import RunTarget
from lakehouse.verbs.opened import OpenTable


@dataclass(frozen=True, slots=True, kw_only=True)
class Spot:
    """A table in which people are looked for: one of the config, the quarantine or the copy of one.

    Args:
        table: The table.
        found: Their rows.
        anew: Finds people again, on the version that is newest then, given what was found last.
        exact: Whether these are their rows alone: only then old files can be emptied where they lie.
    """

    table: OpenTable
    found: Found
    anew: Callable[[Found], Found]
    exact: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Lookup:
    """Where the people of some requests are.

    Args:
        people: Who was looked for, with all by which they are known.
        spots: By name the tables that there are.
        archives: Archives, with their tables.
        hidden: By request why its person can't be found where masks are.
    """

    people: People = field(repr=False)
    spots: Mapping[str, Spot]
    archives: tuple[tuple[OpenTable, FoundInArchive], ...] = ()
    hidden: Mapping[str, str] = field(default_factory=dict)

    @property
    def founds(self) -> dict[str, Found]:
        """By name of the table or archive what was found there."""
        found = {name: spot.found for name, spot in self.spots.items()}
        return found | {here.name: here.found for _, here in self.archives}

    @property
    def bytes(self) -> int:
        """The size of all files in which people were looked for."""
        return sum(each.size for found in self.founds.values() for each in found.past.files)

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
        return Lookup(
            people=self.people.without(left_out),
            spots={
                name: replace(spot, found=spot.found.without(left_out)) for name, spot in self.spots.items()
            },
            archives=tuple((table, here.without(left_out)) for table, here in self.archives),
            hidden={request: why for request, why in self.hidden.items() if request not in left_out},
        )

    def with_spot(self, spot: Spot) -> Lookup:
        """The same with another table, or with something else found in one."""
        return replace(self, spots={**self.spots, spot.table.name: spot})

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


def look_up(target: RunTarget, persons: Mapping[str, Person], *, allow_many: bool = False) -> Lookup:
    """Finds people: first all by which they are known, then their rows.

    Args:
        target: The lake.
        persons: By request who it is about.
        allow_many: Whether to follow identifiers too that lead to more people than one.

    Raises:
        ConflictError: Files came and went all the time.
        CorruptTableError: A table can't be read.
        RefusedError: A table is not there.
    """
    return steadily(lambda: _look_up(target, persons, allow_many=allow_many), what="the lake")


def _look_up(target: RunTarget, persons: Mapping[str, Person], *, allow_many: bool) -> Lookup:
    places = Places(target.table)
    subjects = frozenset(each.subject for each in persons.values())
    ensure_there(target, subjects=subjects, there=lambda name: places(name) is not None)
    people = all_known(
        people_of(persons),
        target.config,
        place=places,
        ring=target.ring,
        more=lambda name: places_in_archives(target.table(name), target.archives(name)),
        clear=target.keys.clear,
        allow_many=allow_many,
    )
    hidden = behind_masks(people, target.config, snapshot=places.newest, ring=target.ring)
    rules = rules_of(target.config, subjects=subjects)
    for name in rules:
        _ensure_whole(name, places(name))
    spots: dict[str, Spot] = {}
    archives: list[tuple[OpenTable, FoundInArchive]] = []
    for at, (name, mine) in enumerate(rules.items()):
        target.step(f"looking for people in {name}", at, len(rules))
        opened = places.opened(name)
        if opened is not None:
            table, place = opened
            spots[name] = Spot(
                table=table, found=_found(table, place, mine, people), anew=partial(_anew, table, mine)
            )
            archives += [
                (table, here)
                for here in find_in_archives(table, target.archives(name), rules=mine, people=people)
            ]
    spots |= _rejects(target, people)
    return Lookup(people=people, spots=spots, archives=tuple(archives), hidden=hidden)


def _ensure_whole(name: str, place: Place | None) -> None:
    """Refuses to say of a table that nobody is in it where a part of it is not there."""
    if place is None:
        return
    there = {each.path for each in place.past.files}
    for add in place.past.newest.files.values():
        path = add.relative_path(place.storage.url)
        if path is not None and path not in there:
            raise CorruptTableError(
                f"a data file of table {name} is missing, so nobody can say who is in it",
                advice=f"`lakehouse verify {name}` names it: restore it from a backup",
            ) from NotFoundError("it is not listed")


def caught_up(target: RunTarget, lookup: Lookup) -> Lookup:
    """Brings the masked copies up to date with their sources, and finds in them what is left of people.

    Args:
        target: The lake.
        lookup: Where people were, after they were erased from the sources, and before old files go, which
            tell what to look for.

    Returns:
        The same with the copies.
    """
    for name, spot in tuple(lookup.spots.items()):
        for other in target.others(name) if name in target.config.tables else ():
            if other.kind == "copy" and other.table.find() is not None:
                target.step(f"bringing the copy {other.table.name} up to date", 0, 0)
                other.catch_up()
                here = steadily(
                    partial(_elsewhere, other, spot.found, lookup.people), what=f"table {other.table.name}"
                )
                lookup = lookup if here is None else lookup.with_spot(here)
    return lookup


def _rejects(target: RunTarget, people: People) -> dict[str, Spot]:
    """All quarantines: a record can be anybody's, also where no rule speaks of the table."""
    found = {}
    for name in target.config.tables:
        # The copies behind it are not asked for: that would list them once for each table.
        other = next((each for each in target.others(name) if each.kind == "quarantine"), None)
        here = None if other is None else _elsewhere(other, None, people)
        if other is not None and here is not None:
            found[other.table.name] = here
    return found


def _elsewhere(other: OtherTable, source: Found | None, people: People) -> Spot | None:
    def anew(known: Found) -> Found:
        found = steadily(lambda: other.find(known.people, source), what=f"table {other.table.name}")
        if found is None:
            raise ConflictError(f"table {other.table.name} is gone", advice="run it again")
        return found.found

    here = other.find(people, source)
    return None if here is None else Spot(table=other.table, found=here.found, anew=anew, exact=here.exact)


def _anew(table: OpenTable, rules: tuple[RowRule, ...], known: Found) -> Found:
    """Looks only at files that have come since: while others write all the time there is no time for all."""

    def look() -> Found:
        place = Place(table.storage, past_of(table.storage, table.snapshot()))
        return find_on(known, place, rules=rules, protection=table.protection())

    return steadily(look, what=f"table {table.name}")


def _found(table: OpenTable, place: Place, rules: tuple[RowRule, ...], people: People) -> Found:
    return find(table.name, place, rules=rules, people=people, protection=table.protection())


def _plans(table: str, found: Found) -> dict[str, TablePlan]:
    counts = found.counts
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
