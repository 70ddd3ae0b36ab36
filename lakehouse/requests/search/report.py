"""What a search tells: how much was opened, what was found, what was not searched and why."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from lakehouse.requests.needles import Hit

Kind = Literal["parquet", "log", "checkpoint", "vector", "document", "other", "database"]
"""``parquet``: data, change data, archives, memories; ``log``: commits and all else beside them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Searched:
    """How much was opened.

    Args:
        kind: What.
        objects: Objects; of the state database, its tables.
        bytes: Their bytes as they are stored.
        rows: Rows of Parquet files and of databases, lines of others.
        cells: Values that were compared.
    """

    kind: Kind
    objects: int = 0
    bytes: int = 0
    rows: int = 0
    cells: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class NotSearched:
    """Something that was not searched.

    Args:
        table: As for `Hit`.
        path: As for `Hit`.
        reason: Why.
        limit: Whether it is of a kind that can't be searched at all, as Bloom filters; nothing went wrong.
    """

    table: str
    path: str
    reason: str
    limit: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectResult:
    """What one object told.

    Args:
        searched: How much of it was opened.
        hits: What was found in it.
        inside: How often a needle was part of a longer word.
        not_searched: What could not be read.
        vanished: Whether it was gone when it was to be opened.
    """

    searched: Searched
    hits: tuple[Hit, ...] = ()
    inside: int = 0
    not_searched: tuple[NotSearched, ...] = ()
    vanished: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchReport:
    """What a search told. Holds no personal value: paths show neither partition values nor needles.

    Args:
        searched: How much was opened, for each kind that there was.
        hits: Where needles were found.
        inside: How often a needle was part of a longer word, number or address, and so somebody else's.
        not_searched: What was not searched, and why.
        needles: How many were looked for.
        anywhere: How many of them in every text; the others only as values of their columns.
        vanished: Objects that were gone before they could be opened.
        again: Objects that came or changed meanwhile, and were searched in another round.
        seconds: How long it took.
    """

    searched: tuple[Searched, ...]
    hits: tuple[Hit, ...]
    inside: int
    not_searched: tuple[NotSearched, ...]
    needles: int
    anywhere: int
    vanished: int
    again: int
    seconds: float

    @property
    def clean(self) -> bool:
        """Whether nothing was found and everything that can be searched was."""
        return not self.hits and all(each.limit for each in self.not_searched)

    @property
    def total(self) -> Searched:
        """All kinds together; its kind says nothing."""
        return add_up(self.searched, kind="other")


def add_up(parts: Iterable[Searched], *, kind: Kind) -> Searched:
    """Several counts as one.

    Args:
        parts: The counts.
        kind: What they are called together.
    """
    all_of_them = list(parts)
    return Searched(
        kind=kind,
        objects=sum(each.objects for each in all_of_them),
        bytes=sum(each.bytes for each in all_of_them),
        rows=sum(each.rows for each in all_of_them),
        cells=sum(each.cells for each in all_of_them),
    )
