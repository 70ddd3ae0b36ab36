"""Finds the rows of people in a table, in every data file of whatever version, for all requests at once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import polars as pl

from lakehouse.delta.scan import drop_hidden, scan_files
from lakehouse.delta.schema import to_polars
from lakehouse.protection import Protection
from lakehouse.protection.conditions import marked
from lakehouse.protection.gate import judge
from lakehouse.requests.free_text import rows_with, words_of
from lakehouse.requests.known import REQUEST, People, Place
from lakehouse.requests.locate import CONDITION, FILE, LIVE, POSITION, VALUE, Condition, rows_of
from lakehouse.requests.past import Past, PastFile
from lakehouse.requests.reading import plain_types
from lakehouse.requests.rules import RowRule

__all__ = ["HELD", "REQUEST", "RULE", "SCHEMA", "Found", "HeldRows", "find", "find_on", "held_rows"]

RULE: Final = "__rule"
HELD: Final = "__held"
_INDEX: Final = "__index"

SCHEMA: Final = {
    FILE: pl.UInt32(),
    POSITION: pl.UInt32(),
    REQUEST: pl.String(),
    RULE: pl.Int32(),
    LIVE: pl.Boolean(),
}
"""The columns of `Found.rows`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """The rows of people in one table. It holds places, and no value.

    Args:
        table: The table.
        past: Its data files.
        rules: What the config says of it.
        rows: One row for each pair of row and request: ``__file`` (number in ``past.files``), ``__position``,
            ``__request``, ``__rule`` (number in ``rules``), ``__live`` (whether the newest version has it).
        people: Who was looked for.
        held: By request the holds that keep some of these rows.
        held_files: Numbers of files with held rows in them, whoever's they are: such a file is not removed.
        protection: What was held when they were found.
    """

    table: str
    past: Past = field(repr=False)
    rules: tuple[RowRule, ...]
    rows: pl.DataFrame = field(repr=False)
    people: People = field(repr=False)
    held: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    held_files: frozenset[int] = frozenset()
    protection: Protection | None = None

    def without(self, requests: frozenset[str]) -> Found:
        """The same without some requests."""
        return replace(
            self,
            rows=self.rows.filter(~pl.col(REQUEST).is_in(list(requests))),
            people=self.people.without(requests),
            held={request: holds for request, holds in self.held.items() if request not in requests},
        )

    @property
    def going(self) -> pl.DataFrame:
        """The rows that an erasure touches: those of rules that keep stay as they are."""
        kept = [number for number, rule in enumerate(self.rules) if rule.do == "keep"]
        return self.rows.filter(~pl.col(RULE).is_in(kept)) if kept else self.rows

    @property
    def touched(self) -> tuple[PastFile, ...]:
        """The files that hold such rows."""
        return tuple(self.past.files[number] for number in sorted(set(self.going[FILE])))

    @property
    def counts(self) -> dict[str, dict[str, int]]:
        """By request how many rows of the newest version go, are emptied, and stay on a ground.

        A row that several rules find stays if one of them keeps it; else it goes if one of them says so.
        Whether it stays or not, cells of it are emptied if one says so: such a row counts for both.
        """
        does = pl.Series([_DOES.index(rule.do) for rule in self.rules], dtype=pl.Int32)
        rows = self.rows.filter(pl.col(LIVE))
        rows = rows.select(REQUEST, FILE, POSITION, does.gather(rows[RULE]).alias("what")).unique()
        # What goes is not emptied before.
        gone = rows.filter(pl.col("what") == _DOES.index("delete"))
        rows = pl.concat([gone, rows.join(gone, on=[REQUEST, FILE, POSITION], how="anti")])
        found: dict[str, dict[str, int]] = {}
        for request, what, count in rows.group_by(REQUEST, "what").len().sort(REQUEST, "what").iter_rows():
            found.setdefault(request, {})[_DOES[what]] = count
        return found


_DOES: Final = ("delete", "anonymize", "keep")


def find(
    table: str,
    place: Place,
    *,
    rules: Sequence[RowRule],
    people: People,
    protection: Protection,
) -> Found:
    """Finds rows.

    Args:
        table: The table's name.
        place: Where it is.
        rules: What the config says of it.
        people: Who is looked for.
        protection: What is held of it.

    Raises:
        CorruptTableError: A file can't be read.
    """
    found = _rows(place, rules, people)
    held = held_rows(place, found, rules, protection)
    return Found(
        table=table,
        past=place.past,
        rules=tuple(rules),
        rows=found,
        people=people,
        held=held.requests,
        held_files=held.files,
        protection=protection,
    )


def find_on(known: Found, place: Place, *, rules: Sequence[RowRule], protection: Protection) -> Found:
    """Finds rows of the same people again, after others wrote: only in files that have come since.

    Args:
        known: What was found last.
        place: The table as it is now.
        rules: What the config says of it.
        protection: What is held of it now.

    Raises:
        CorruptTableError: A file can't be read.
    """
    before, now = known.past.newest, place.past.newest
    if before.metadata != now.metadata or known.rules != tuple(rules):
        return find(known.table, place, rules=rules, people=known.people, protection=protection)
    seen = {_same(each): number for number, each in enumerate(known.past.files)}
    files = place.past.files
    fresh = [at for at, each in enumerate(files) if _same(each) not in seen]
    part = Place(place.storage, replace(place.past, files=tuple(files[at] for at in fresh)))
    new = _rows(part, rules, known.people)
    new = new.with_columns(pl.Series(fresh, dtype=pl.UInt32).gather(new[FILE]).alias(FILE))
    moved = {seen[_same(each)]: at for at, each in enumerate(files) if _same(each) in seen}
    there = known.rows.filter(pl.col(FILE).is_in(list(moved)))
    there = there.with_columns(pl.col(FILE).replace_strict(moved, return_dtype=pl.UInt32))
    found = pl.concat([_alive(place, there).select(*SCHEMA), new.select(*SCHEMA)])
    held = held_rows(place, found, rules, protection)
    return replace(
        known,
        past=place.past,
        rows=found,
        held=held.requests,
        held_files=held.files,
        protection=protection,
    )


def _same(file: PastFile) -> tuple[object, ...]:
    """What tells that a file is the same. What the log did not name yet can be of another partition."""
    return file.path, file.size, tuple(sorted(file.add.partition_values.items()))


def _alive(place: Place, rows: pl.DataFrame) -> pl.DataFrame:
    """Rows that were found before, and whether the newest version has them."""
    current = [at for at, each in enumerate(place.past.files) if each.add.path in place.past.newest.files]
    here = rows.with_row_index(_INDEX)
    alive = drop_hidden(place.storage, here, place.past.adds, file=FILE, position=POSITION)
    return rows.with_columns(
        here[_INDEX].is_in(alive[_INDEX].implode()).alias(LIVE) & pl.col(FILE).is_in(current)
    )


def _rows(place: Place, rules: Sequence[RowRule], people: People) -> pl.DataFrame:
    newest = place.past.newest
    asked: list[tuple[int, pl.DataFrame]] = []
    for number, rule in enumerate(rules):
        types = plain_types(newest.schema, rule.key)
        # Nobody can be found by a column that the table does not have (yet).
        if rule.where and all(name in types for name in rule.key):
            keys = people.keys(subject=rule.subject, where=rule.where, types=types)
            asked += [(number, keys)] if keys.height else []
    conditions = [Condition(rules[number].key, keys.select(rules[number].key)) for number, keys in asked]
    located = rows_of(place.storage, newest, place.past.adds, conditions).frame
    parts = [
        rows.select(
            FILE,
            POSITION,
            keys[REQUEST].gather(rows[VALUE]).alias(REQUEST),
            pl.lit(number, dtype=pl.Int32).alias(RULE),
            LIVE,
        )
        for at, (number, keys) in enumerate(asked)
        if (rows := located.filter(pl.col(CONDITION) == at)).height
    ]
    parts += _in_texts(place, rules, people)
    found = pl.concat(parts).unique() if parts else pl.DataFrame(schema=SCHEMA)
    found = _without_kept(found, rules)
    current = [number for number, each in enumerate(place.past.files) if each.add.path in newest.files]
    return found.with_columns(pl.col(LIVE) & pl.col(FILE).is_in(current))


def _without_kept(found: pl.DataFrame, rules: Sequence[RowRule]) -> pl.DataFrame:
    """A ground keeps a row of a person, whatever else would delete it; cells of it can still be emptied."""
    keeping, deleting = (
        [number for number, rule in enumerate(rules) if rule.do == do] for do in ("keep", "delete")
    )
    if not keeping or not deleting:
        return found
    kept = found.filter(pl.col(RULE).is_in(keeping)).select(FILE, POSITION, REQUEST)
    going = found.filter(pl.col(RULE).is_in(deleting)).join(kept, on=kept.columns, how="anti")
    return pl.concat([found.filter(~pl.col(RULE).is_in(deleting)), going])


def _in_texts(place: Place, rules: Sequence[RowRule], people: People) -> Iterator[pl.DataFrame]:
    """Rows in whose texts people stand: one pass over the columns for each kind of person."""
    for subject in dict.fromkeys(rule.subject for rule in rules if rule.text):
        words = words_of(people, subject=subject)
        if words is None:
            continue
        numbered = [
            (number, rule.text) for number, rule in enumerate(rules) if rule.text and rule.subject == subject
        ]
        for number, rows in rows_with(place, words, numbered):
            yield rows.select(FILE, POSITION, REQUEST, pl.lit(number, dtype=pl.Int32).alias(RULE), LIVE)


@dataclass(frozen=True, slots=True)
class HeldRows:
    """What holds keep from an erasure.

    Args:
        requests: By request the holds that keep rows of its person.
        files: Numbers of the files, of those with people in them, that hold any held row, whoever's it is.
    """

    requests: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    files: frozenset[int] = frozenset()


def held_rows(
    place: Place, found: pl.DataFrame, rules: Sequence[RowRule], protection: Protection
) -> HeldRows:
    """What holds keep from an erasure: whoever's rows are held waits, and files with held rows stay.

    Args:
        place: The table.
        found: Rows, as in `Found.rows`.
        rules: What is done to them.
        protection: What is held of it.
    """
    going = [number for number, rule in enumerate(rules) if rule.do != "keep"]
    rows = found.filter(pl.col(RULE).is_in(going))
    if rows.is_empty() or not protection.holds:
        return HeldRows()
    newest = place.past.newest
    schema = pl.Schema(to_polars(newest.schema))
    verdict = judge("erase", protection, schema=schema)
    numbers = sorted(set(rows[FILE]))
    if not verdict.allowed:
        holds = tuple(map(str, verdict.refused_by))
        return HeldRows(dict.fromkeys(rows[REQUEST].unique(), holds), frozenset(numbers))
    if verdict.keep is None:
        return HeldRows()
    adds = [place.past.files[number].add for number in numbers]
    scan = scan_files(
        place.storage,
        newest,
        adds,
        columns=list(schema),
        file=FILE,
        position=POSITION,
        apply_vectors=False,
    )
    try:
        hit = marked(scan, verdict.keep, HELD).filter(pl.col(HELD)).select(FILE, POSITION).collect()
    except pl.exceptions.PolarsError:
        # What can't be asked of these rows counts as held.
        hit = rows.select(pl.col(FILE).replace_strict(numbers, range(len(numbers))), POSITION)
    files = pl.Series(FILE, numbers, dtype=pl.UInt32)
    hit = hit.select(files.gather(hit[FILE]).alias(FILE), pl.col(POSITION).cast(pl.UInt32))
    waiting = rows.join(hit, on=[FILE, POSITION], how="semi")[REQUEST].unique()
    return HeldRows(dict.fromkeys(waiting, tuple(map(str, verdict.kept_by))), frozenset(hit[FILE]))
