"""How well people are hidden in a table: k-anonymity, uniqueness and l-diversity over its quasi-identifiers.

A quasi-identifier is a column that names nobody by itself and does together with others: postcode, date of
birth, sex. Rows that agree in all of them make a group, in which a person can hide.

Sources: L. Sweeney, "k-anonymity: a model for protecting privacy" (2002); A. Machanavajjhala and others,
"l-diversity: privacy beyond k-anonymity" (2007), the distinct form.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import polars as pl

from lakehouse.errors import UsageError
from lakehouse.table import Table

SIZES: Final = ((1, 1), (2, 4), (5, 9), (10, 49), (50, None))
"""Classes of group sizes that are told apart: from, to (inclusive); no end for the last."""

_SIZE: Final = "__size"


@dataclass(frozen=True, slots=True, kw_only=True)
class SizeClass:
    """Groups of about one size.

    Args:
        smallest: The smallest size of the class.
        largest: The largest; None for the last class.
        groups: How many groups.
        rows: How many rows are in them.
    """

    smallest: int
    largest: int | None
    groups: int
    rows: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Without:
    """What it would be like without one of the quasi-identifiers.

    Args:
        column: The one left out.
        k: The size of the smallest group then.
        unique: Rows that are alone in their group then.
    """

    column: str
    k: int | None
    unique: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Diversity:
    """How much a group gives away of a sensitive column, though nobody in it is told apart.

    Args:
        column: The sensitive column.
        smallest: The fewest different values that a group has (the ``l`` of l-diversity).
        certain_rows: Rows in groups of more than one that all have the same value: whoever knows the group
            knows the value.
    """

    column: str
    smallest: int | None
    certain_rows: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RiskReport:
    """What `risk_of` found. It has numbers alone: no group is shown.

    Args:
        table: The table.
        version: Its version.
        role: The role in which it was read; None for the rows as they are stored.
        quasi: The quasi-identifiers.
        rows: Rows.
        groups: Different combinations of the quasi-identifiers' values; null is a value like any other.
        k: The size of the smallest group; None for a table without rows.
        unique: Rows that are alone in their group.
        average_risk: The chance to pick the right row for a person who is in the table, on average over all
            rows: groups through rows.
        sizes: Groups by size.
        without: The same without each of the quasi-identifiers, the best gain first.
        diversity: For each sensitive column.
    """

    table: str
    version: int
    role: str | None
    quasi: tuple[str, ...]
    rows: int
    groups: int
    k: int | None
    unique: int
    average_risk: float
    sizes: tuple[SizeClass, ...]
    without: tuple[Without, ...]
    diversity: tuple[Diversity, ...]

    @property
    def uniqueness(self) -> float:
        """The share of rows that are alone in their group, from 0 to 1."""
        return self.unique / self.rows if self.rows else 0.0


def risk_of(
    table: Table,
    *,
    quasi: Sequence[str],
    sensitive: Sequence[str] = (),
    role: str | None = None,
    version: int | None = None,
    timestamp: datetime | str | None = None,
    tag: str | None = None,
) -> RiskReport:
    """Weighs how well people are hidden in a table, or in what a role sees of it.

    Args:
        table: The table; for a masked copy the copy.
        quasi: The quasi-identifiers, at least one.
        sensitive: Columns that nobody should learn of a person.
        role: Reads in this role, so that its masks and rows are weighed.
        version: A version's number; None means the newest.
        timestamp: The version as of a time with a timezone.
        tag: The version that has this name.

    Returns:
        Numbers.

    Raises:
        UsageError: No quasi-identifier is given, one is given twice or is sensitive as well, or there is no
            such column.
        NotFoundError: There is no such table, version, tag or role.
        RefusedError: The role may not read the table.
    """
    _check(quasi, sensitive)
    if role is not None:
        # Refused before anything is told of the table, also whether it is there.
        table.opened.views(role)
    picked = table.opened.pick(version=version, timestamp=timestamp, tag=tag)
    rows = table.scan(columns=[*quasi, *sensitive], role=role, version=picked.version)
    groups = _groups(rows, quasi, sensitive)
    sizes = groups[_SIZE]
    number, total = groups.height, int(sizes.sum())
    without = [
        _without(groups, name, [other for other in quasi if other != name])
        for name in quasi
        if len(quasi) > 1
    ]
    return RiskReport(
        table=table.name,
        version=picked.version,
        role=role,
        quasi=tuple(quasi),
        rows=total,
        groups=number,
        k=_smallest(sizes),
        unique=int((sizes == 1).sum()),
        average_risk=number / total if total else 0.0,
        sizes=tuple(_class(sizes, smallest, largest) for smallest, largest in SIZES),
        without=tuple(sorted(without, key=lambda each: (each.unique, -(each.k or 0)))),
        diversity=tuple(_diversity(groups, name) for name in sensitive),
    )


def _check(quasi: Sequence[str], sensitive: Sequence[str]) -> None:
    if isinstance(quasi, str) or isinstance(sensitive, str):
        raise UsageError("columns are given as a list of names", advice='as quasi=["postcode", "born"]')
    if not quasi:
        raise UsageError(
            "the quasi-identifiers are missing",
            advice="name the columns by which a person could be known together, as postcode,born,sex",
        )
    twice = sorted({name for name in (*quasi, *sensitive) if [*quasi, *sensitive].count(name) > 1})
    if twice:
        raise UsageError(f"{', '.join(twice)}: named twice", advice="name each column once")


def _groups(rows: pl.LazyFrame, quasi: Sequence[str], sensitive: Sequence[str]) -> pl.DataFrame:
    """One row a group, with its size and how many different values it has of each sensitive column."""
    kinds = [pl.col(name).n_unique().alias(f"__of_{name}") for name in sensitive]
    return (
        rows.group_by(list(quasi))
        .agg(pl.len().cast(pl.Int64).alias(_SIZE), *kinds)
        .collect(engine="streaming")
    )


def _smallest(sizes: pl.Series) -> int | None:
    return int(sizes.min()) if sizes.len() else None  # type: ignore[arg-type]


def _class(sizes: pl.Series, smallest: int, largest: int | None) -> SizeClass:
    inside = sizes.filter(
        (sizes >= smallest) & (sizes <= (largest if largest is not None else sizes.max() or 0))
    )
    return SizeClass(smallest=smallest, largest=largest, groups=inside.len(), rows=int(inside.sum()))


def _without(groups: pl.DataFrame, column: str, left: Sequence[str]) -> Without:
    sizes = groups.group_by(list(left)).agg(pl.col(_SIZE).sum())[_SIZE]
    return Without(column=column, k=_smallest(sizes), unique=int((sizes == 1).sum()))


def _diversity(groups: pl.DataFrame, column: str) -> Diversity:
    kinds = groups[f"__of_{column}"]
    certain = groups.filter((pl.col(f"__of_{column}") == 1) & (pl.col(_SIZE) > 1))
    return Diversity(
        column=column,
        smallest=_smallest(kinds),
        certain_rows=int(certain[_SIZE].sum()),
    )
