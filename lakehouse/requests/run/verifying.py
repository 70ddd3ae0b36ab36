"""The third part of a run: all that is left is searched for the people who should be gone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TypeAlias, TypeVar

from lakehouse.config import Config
from lakehouse.delta import column_mapping
from lakehouse.delta.snapshot import Snapshot
from lakehouse.merge.result import QUARANTINE
from lakehouse.pii.executor import Executor
from lakehouse.requests.elsewhere.archives import places_in_archives
from lakehouse.requests.identity import Person
from lakehouse.requests.needles import Hit, Needle
from lakehouse.requests.people import People, people_of, persons_of
from lakehouse.requests.places import Places
from lakehouse.requests.rules import RowRule, rules_of
from lakehouse.requests.run.staying import Staying
from lakehouse.requests.run.steady import steadily
from lakehouse.requests.run.target import RunTarget
from lakehouse.requests.search import Place, Progress, SearchReport, StateDatabase, lake_places, search
from lakehouse.requests.shredded import ShreddedIdentifiers, looked_for


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """What a search for several people told.

    Args:
        report: What was searched; of the finds only those that should not be there.
        needles: By request what was looked for.
        hits: By request the finds that should not be there.
        stayed: By request the finds in what the config lets stay: rows on a ground, columns not emptied.
    """

    report: SearchReport
    needles: Mapping[str, tuple[Needle, ...]]
    hits: Mapping[str, tuple[Hit, ...]]
    stayed: Mapping[str, tuple[Hit, ...]]


_Each = TypeVar("_Each", Hit, Needle)
_Columns: TypeAlias = tuple[tuple[str, str], ...]


def verify_people(target: RunTarget, persons: Mapping[str, Person], *, executor: Executor) -> Verified:
    """Opens every object that is left, and looks for people.

    Args:
        target: The lake.
        persons: By request who it was about.
        executor: Does the searching.

    Raises:
        RefusedError: A table was there, and is not any more.
        CorruptTableError: A file in which something may stay can't be read.
    """
    persons = _with_cells(target, persons)
    needles = tuple(needles_of(target.config, persons))

    def told(progress: Progress) -> None:
        target.step("searching what is left", progress.done, progress.objects)

    target.step("searching what is left", 0, 0)
    report = search(_places(target), needles, executor=executor, progress=told)
    wrong = Staying(target, needles, persons).wrong(report.hits)
    fine = set(report.hits) - set(wrong)
    return Verified(
        report=replace(report, hits=wrong),
        needles=_by_request(needles),
        hits=_by_request(wrong),
        stayed=_by_request([hit for hit in report.hits if hit in fine]),
    )


def _with_cells(target: RunTarget, persons: Mapping[str, Person]) -> Mapping[str, Person]:
    """The same people, known by the cells too in which another's key hides them, where no search sees.

    Their own can't be opened any more. What else there is of them can be, in any column, and is to be found.
    """
    if not any(map(target.config.shreds, target.config.tables)):
        return persons
    target.step("opening what is stored under keys of people", 0, 0)

    def look() -> People:
        cells = ShreddedIdentifiers(
            target.config,
            Places(target.table),
            lambda name: places_in_archives(target.table(name), target.archives(name)),
            target.keys.clear,
            everywhere=True,
        )
        return cells.of(people_of(persons))

    return persons_of(steadily(look, what="the lake"))


def _by_request(every: Iterable[_Each]) -> dict[str, tuple[_Each, ...]]:
    found: dict[str, list[_Each]] = {}
    for each in every:
        found.setdefault(each.request, []).append(each)
    return {request: tuple(mine) for request, mine in found.items()}


def needles_of(config: Config, persons: Mapping[str, Person]) -> Iterator[Needle]:
    """What is looked for: each identifier, with the columns from which it has to be gone.

    Args:
        config: The lake's config.
        persons: By request who it was about.
    """
    known: dict[tuple[str, str], tuple[_Columns, _Columns]] = {}
    for request, person in persons.items():
        for name, value in person.identifiers:
            if (person.subject, name) not in known:
                known[person.subject, name] = _columns(config, person.subject, name)
            gone, stays = known[person.subject, name]
            yield Needle(request, name, looked_for(value), columns=gone, stays=stays)


def _columns(config: Config, subject: str, identifier: str) -> tuple[_Columns, _Columns]:
    """Table and column from which an identifier has to be gone, and where it may stay."""
    rules = rules_of(config, subjects=frozenset({subject}))
    table, _, column = config.subjects[subject].identifiers[identifier].partition(".")
    places = {(table, column): None} | {
        (rule.table, name): None
        for mine in rules.values()
        for rule in mine
        for name, each in rule.where
        if each == identifier
    }

    def goes(table: str, column: str) -> bool:
        # What goes out of texts says nothing of a column.
        mine = [rule for rule in rules.get(table, ()) if not rule.text]
        return bool(mine) and all(_goes(rule, column) for rule in mine)

    gone = tuple(each for each in places if goes(*each))
    return gone, tuple(each for each in places if each not in gone)


def _goes(rule: RowRule, column: str) -> bool:
    return rule.do == "delete" or (
        rule.do == "anonymize" and any(_is_within(column, each) for each in rule.columns)
    )


def _is_within(path: str, other: str) -> bool:
    """Whether a path leads into another, or is the same; the keys of a map go with its values."""
    path, other = path.replace("{key}", "{}"), other.replace("{key}", "{}")
    return path == other or (path.startswith(other) and path[len(other)] in ".[{$")


def _places(target: RunTarget) -> tuple[Place, ...]:
    tables = {}
    archives = {name: tuple(target.archives(name)) for name in target.config.tables}
    for name in target.config.tables:
        newest = target.table(name).find()
        tables[name] = {} if newest is None else _display(newest)
    return (
        *lake_places(
            target.lake, tables=tables, copies=target.copies, archives=archives, quarantine=QUARANTINE
        ),
        StateDatabase(url=target.config.state.get_secret_value()),
    )


def _display(snapshot: Snapshot) -> dict[str, str]:
    mapping = column_mapping.mode(snapshot.metadata, protocol=snapshot.protocol)
    return column_mapping.display_names(snapshot.schema, mapping)
