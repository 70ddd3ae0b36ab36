"""All by which people are known: what leads from table to table, and what stands for it behind masks."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

import polars as pl

from lakehouse.config import Config
from lakehouse.errors import RefusedError
from lakehouse.pii.keys.ring import KeyRing
from lakehouse.requests.masked import with_masks
from lakehouse.requests.people import People, Place, resolve
from lakehouse.requests.shredded import Clear, ShreddedIdentifiers
from lakehouse.requests.spellings import Spellings

_ROUNDS: Final = 20


def unopened(_table: str, cells: pl.Series) -> pl.Series:
    """Cells as they are stored: where nobody has keys of people."""
    return cells


def nowhere(_table: str) -> tuple[Place, ...]:
    """No further places."""
    return ()


def all_known(
    people: People,
    config: Config,
    *,
    place: Callable[[str], Place | None],
    ring: KeyRing,
    more: Callable[[str], Iterable[Place]] = nowhere,
    clear: Clear = unopened,
    allow_many: bool = False,
    follow: bool = True,
) -> People:
    """Finds the other identifiers of people, how they are written, and their masks, until nothing is new.

    A mask leads to the row that it stands in; what is beside it may be masked somewhere else, and so on.

    Args:
        people: The people, as the requests name them.
        config: The lake's config.
        place: Gives a table; None for one that has not been made.
        ring: The keys of the lake; asked only where there are masks.
        more: Gives further places with a table's columns: its archives.
        clear: Opens cells that are stored under keys of people.
        allow_many: Whether to follow identifiers too that lead to more people than one.
        follow: Whether identifiers lead to others; if not, only what stands for those that are given is
            found.

    Raises:
        RefusedError: Rows are to be found by a column whose masks tell nobody apart.
        KeysError: A key that masks is not there.
        CorruptTableError: A table can't be read.
    """

    def masks(people: People) -> People:
        return with_masks(
            people,
            config,
            snapshot=lambda name: None if (there := place(name)) is None else there.past.newest,
            ring=ring,
        )

    spellings = Spellings(config, place, more)
    shredded = ShreddedIdentifiers(config, place, more, clear)
    people = masks(people)
    for _ in range(_ROUNDS):
        if follow:
            people = resolve(people, config, place=place, allow_many=allow_many)
        now = masks(shredded.of(spellings.of(people)))
        if now.known.height == people.known.height:
            return now
        people = now
    raise RefusedError(
        f"identifiers and their masks lead on and on: after {_ROUNDS} rounds there are still new ones",
        advice="look at `subjects`: one of its columns is masked in a way that makes new values of masks",
    )
