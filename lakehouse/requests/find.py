"""Finds the rows of people in a table, in every data file of whatever version, for all requests at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

from lakehouse.delta.deletion_vectors import positions_of
from lakehouse.delta.scan import read_vectors, scan_files
from lakehouse.delta.schema import to_polars
from lakehouse.protection import Protection
from lakehouse.protection.conditions import fitting, marked
from lakehouse.requests.past import Past, PastFile
from lakehouse.requests.people import People, Place
from lakehouse.requests.rules import RowRule

FILE: Final = "__file"
POSITION: Final = "__position"
REQUEST: Final = "__request"
RULE: Final = "__rule"
LIVE: Final = "__live"
HELD: Final = "__held"

Positions = npt.NDArray[np.uint64]


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
    """

    table: str
    past: Past = field(repr=False)
    rules: tuple[RowRule, ...]
    rows: pl.DataFrame = field(repr=False)
    people: People = field(repr=False)
    held: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

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

    def count(self, request: str) -> dict[str, int]:
        """What there is of a request in the newest version, by what an erasure does to it."""
        mine = self.rows.filter((pl.col(REQUEST) == request) & pl.col(LIVE))
        counts: dict[str, int] = {}
        for number, rule in enumerate(self.rules):
            rows = mine.filter(pl.col(RULE) == number).height
            if rows:
                counts[rule.do] = counts.get(rule.do, 0) + rows
        return counts


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
    newest = place.past.newest
    parts: list[pl.DataFrame] = []
    types = to_polars(newest.schema)
    for number, rule in enumerate(rules):
        if any(name not in types for name in rule.key):
            # Nobody can be found by a column that the table does not have (yet).
            continue
        keys = people.keys(subject=rule.subject, where=rule.where, types=types)
        if keys.is_empty():
            continue
        rows = _look(place, keys, rule.key)
        parts.append(rows.with_columns(pl.lit(number, dtype=pl.Int32).alias(RULE)))
    found = pl.concat(parts) if parts else _nothing()
    found = _with_live(place, found)
    return Found(
        table=table,
        past=place.past,
        rules=tuple(rules),
        rows=found,
        people=people,
        held=_held(place, found, rules, protection),
    )


def _nothing() -> pl.DataFrame:
    return pl.DataFrame(
        schema={FILE: pl.UInt32(), POSITION: pl.UInt32(), REQUEST: pl.String(), RULE: pl.Int32()}
    )


def _look(place: Place, keys: pl.DataFrame, names: Sequence[str]) -> pl.DataFrame:
    rows = scan_files(
        place.storage,
        place.past.newest,
        place.past.adds,
        columns=list(names),
        file=FILE,
        position=POSITION,
        apply_vectors=False,
        keys=keys.select(names).unique(),
    ).collect(engine="streaming")
    joined = rows.join(keys, on=list(names), how="inner").select(FILE, POSITION, REQUEST)
    return joined.cast({FILE: pl.UInt32(), POSITION: pl.UInt32()}).unique()


def _with_live(place: Place, found: pl.DataFrame) -> pl.DataFrame:
    """Says of each row whether the newest version has it."""
    current = place.past.newest.files
    flags = np.zeros(found.height, dtype=bool)
    files, positions = found[FILE].to_numpy(), found[POSITION].to_numpy()
    for number in np.unique(files):
        add = current.get(place.past.files[int(number)].add.path)
        if add is None:
            continue
        here = files == number
        dead = positions_of(read_vectors(place.storage, [add])[0]) if add.deletion_vector else None
        flags[here] = True if dead is None else ~np.isin(positions[here], dead)
    return found.with_columns(pl.Series(LIVE, flags, dtype=pl.Boolean))


def _held(
    place: Place, found: pl.DataFrame, rules: Sequence[RowRule], protection: Protection
) -> dict[str, tuple[str, ...]]:
    """By request the holds that forbid what is to be done to its rows, or to files that they share."""
    going = [number for number, rule in enumerate(rules) if rule.do != "keep"]
    rows = found.filter(pl.col(RULE).is_in(going))
    if rows.is_empty() or not protection.holds:
        return {}
    newest = place.past.newest
    schema = pl.Schema(to_polars(newest.schema))
    bound = fitting(protection, schema)
    held: dict[str, dict[str, None]] = {}
    for hold in bound.whole:
        for request in rows[REQUEST].unique():
            held.setdefault(request, {})[str(hold)] = None
    for hold, condition in bound.conditions:
        numbers = sorted(set(rows[FILE]))
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
        hit = marked(scan, condition, HELD).filter(pl.col(HELD)).select(FILE).unique().collect()
        # A file with a held row stays, in any version; so whoever is in it waits.
        kept = [numbers[number] for number in hit[FILE]]
        for request in rows.filter(pl.col(FILE).is_in(kept))[REQUEST].unique():
            held.setdefault(request, {})[str(hold)] = None
    return {request: tuple(holds) for request, holds in held.items()}
