"""People in the rejected records of a table, ``<table>__quarantine``: a Delta table whose rows are records.

A record is as it came: JSON of any shape, or bytes that are none, sealed where the table masks at merge. It
is a person's if an identifier is in it, as a value of a column that identifies or anywhere in its text. It
goes as a whole; what was found is a `Found` as of any table, for erasing and purging.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import polars as pl

from lakehouse.config import Config
from lakehouse.delta.scan import drop_hidden, scan_files
from lakehouse.merge.quarantine import SCHEMA, Seal
from lakehouse.requests.elsewhere.records import Records
from lakehouse.requests.elsewhere.wanted import Wanted, wanted_of
from lakehouse.requests.find import SCHEMA as FOUND
from lakehouse.requests.find import Found, held_rows
from lakehouse.requests.locate import FILE, LIVE, POSITION
from lakehouse.requests.past import past_of
from lakehouse.requests.people import People, Place
from lakehouse.requests.rules import RowRule, rules_of
from lakehouse.requests.search.sought import Sought
from lakehouse.verbs.opened import OpenTable

_LOOKED_AT: Final = tuple(
    name for name, kind in SCHEMA.items() if kind in {pl.String(), pl.Binary()} and name != "id"
)
_MOST_ROWS: Final = 50_000
_AT_ONCE: Final = 64 << 20
_INDEX: Final = "__index"


def find_in_quarantine(quarantine: OpenTable, *, seal: Seal, people: People, config: Config) -> Found | None:
    """Finds the rejected records of people, in every data file of whatever version.

    Args:
        quarantine: The quarantine.
        seal: Opens its records: that of the table's `QuarantineStore`.
        people: Who is looked for, by all that is known of them.
        config: The lake's config.

    Returns:
        The records, each with a rule that deletes it; one that keeps it where the config keeps all rows of
        the table for such a person. None where nothing was ever rejected.

    Raises:
        KeysError: A record is sealed, and the key is not there.
        CorruptTableError: A file can't be read.
    """
    newest = quarantine.find()
    if newest is None:
        return None
    past = past_of(quarantine.storage, newest)
    wanted = wanted_of(people, config)
    rules = _rules(quarantine, wanted, config)
    place = Place(quarantine.storage, past)
    rows = _rows(place, wanted, rules, seal=seal, tables=(quarantine.name, str(quarantine.quarantine_of)))
    protection = quarantine.protection()
    held = held_rows(place, rows, rules, protection)
    return Found(
        table=quarantine.name,
        past=past,
        rules=rules,
        rows=rows,
        people=people,
        held=held.requests,
        held_files=held.files,
        protection=protection,
    )


def _rules(quarantine: OpenTable, wanted: Wanted, config: Config) -> tuple[RowRule, ...]:
    """What becomes of records, by kind of person: no cell of theirs can be emptied, so they go."""
    of = rules_of(config).get(str(quarantine.quarantine_of), ())
    found = []
    for subject in dict.fromkeys(wanted.subjects):
        mine = [rule for rule in of if rule.subject == subject]
        keeps = bool(mine) and all(rule.do == "keep" for rule in mine)
        found.append(
            RowRule(
                subject=subject,
                table=quarantine.name,
                where=(),
                do="keep" if keeps else "delete",
                ground=mine[0].ground if keeps else "",
            )
        )
    return tuple(found)


def _rows(
    place: Place, wanted: Wanted, rules: tuple[RowRule, ...], *, seal: Seal, tables: tuple[str, ...]
) -> pl.DataFrame:
    records = Records(Sought(wanted.needles), tables=tables)
    numbers = {rule.subject: number for number, rule in enumerate(rules)}
    found: list[tuple[int, int, str, int, bool]] = []
    for part in _parts(place) if wanted.needles else ():
        files, positions = part[FILE].to_list(), part[POSITION].to_list()
        for at, needles in records.finds(_opened(part.select(_LOOKED_AT), seal)):
            found += [
                (files[at], positions[at], request, numbers[subject], False)
                for request, subject in wanted.requests(needles).items()
            ]
    rows = pl.DataFrame(found, schema=FOUND, orient="row")
    return rows.with_columns(_living(place, rows))


def _parts(place: Place) -> Iterator[pl.DataFrame]:
    """All rows that any file has, dead ones too, some at a time, with the numbers of their files."""
    adds = place.past.adds
    for first, end in _groups([each.size for each in place.past.files]):
        scan = scan_files(
            place.storage,
            place.past.newest,
            adds[first:end],
            columns=_LOOKED_AT,
            file=FILE,
            position=POSITION,
            apply_vectors=False,
        ).with_columns(pl.col(FILE) + pl.lit(first, dtype=pl.UInt32))
        start = 0
        while (part := scan.slice(start, _MOST_ROWS).collect()).height:
            yield part
            start += part.height


def _groups(sizes: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Files that are read together, from the first to before the last."""
    first, size = 0, 0
    for number, each in enumerate(sizes):
        if number > first and size + each > _AT_ONCE:
            yield first, number
            first, size = number, 0
        size += each
    if first < len(sizes):
        yield first, len(sizes)


def _living(place: Place, rows: pl.DataFrame) -> pl.Series:
    """Whether rows are part of the newest version."""
    indexed = rows.select(FILE, POSITION).with_row_index(_INDEX)
    alive = drop_hidden(place.storage, indexed, place.past.adds, file=FILE, position=POSITION)
    files = place.past.newest.files
    current = [number for number, each in enumerate(place.past.files) if each.add.path in files]
    living = alive.filter(pl.col(FILE).is_in(current))[_INDEX]
    return pl.Series(LIVE, indexed[_INDEX].is_in(living.implode()))


def _opened(rows: pl.DataFrame, seal: Seal) -> pl.DataFrame:
    """The records as they came."""
    raw = [None if each is None else seal.open(each) for each in rows["raw"]]
    return rows.with_columns(pl.Series("raw", raw, dtype=pl.Binary))
