"""Which rows of a table are a person's, and what happens to those that come again: from the config. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import or_
from typing import Literal

import polars as pl

from lakehouse.config import Config
from lakehouse.requests.rules import RowRule, rules_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """Rows of a kind of person.

    Args:
        subject: The kind of person.
        where: Pairs of column and identifier. All of the values must have gone by the same erasure.
        do: Whether such a row is left out (``delete``), loses cells (``anonymize``), or stays on a ground
            whatever else says that it is left out (``keep``).
        columns: Which cells.
    """

    subject: str
    where: tuple[tuple[str, str], ...]
    do: Literal["delete", "anonymize", "keep"]
    columns: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """The columns that are compared."""
        return tuple(name for name, _ in self.where)


def conditions_of(config: Config, table: str) -> tuple[Condition, ...]:
    """The conditions of a table.

    Beside what its rules say, the columns that its identifiers come from count: who has an erased e-mail is
    found by it and erased, so who comes with it again is that person too. An identifier that the config only
    uses together with others, as that of a company, says nothing alone.

    Args:
        config: The lake's config.
        table: The table.

    Returns:
        Those of rules that keep rows only where another one would take some of these.
    """
    every = rules_of(config).get(table, ())
    rules = [rule for rule in every if rule.do != "keep"]
    deleting = {rule.subject for rule in rules if rule.do == "delete"}
    found = [_condition(rule, rule.where) for rule in rules]
    for rule in rules:
        found += [
            _condition(rule, ((name, identifier),))
            for identifier, name in _alone(config, rule.subject, table)
        ]
    found += [
        _condition(rule, rule.where)
        for rule in every
        if rule.do == "keep" and rule.subject in deleting and rule.where
    ]
    return tuple(dict.fromkeys(found))


def left_out(conditions: Sequence[Condition], hits: Sequence[pl.Series], *, height: int) -> pl.Series:
    """Which rows are left out: those that are to go, without those of the same kind of person that stay.

    Args:
        conditions: Conditions.
        hits: For each, for each row whether it is one (Boolean).
        height: How many rows there are.
    """
    gone = pl.repeat(value=False, n=height, eager=True)
    for subject in dict.fromkeys(each.subject for each in conditions if each.do == "delete"):
        going, staying = (
            reduce(
                or_,
                [
                    hit
                    for each, hit in zip(conditions, hits, strict=True)
                    if (each.subject, each.do) == (subject, do)
                ],
                pl.repeat(value=False, n=height, eager=True),
            )
            for do in ("delete", "keep")
        )
        gone |= going & ~staying
    return gone


def _condition(rule: RowRule, where: tuple[tuple[str, str], ...]) -> Condition:
    return Condition(subject=rule.subject, where=where, do=rule.do, columns=rule.columns)


def _alone(config: Config, subject: str, table: str) -> Iterator[tuple[str, str]]:
    """Identifier and column: what comes from a table and is a person by itself."""
    section = config.subjects[subject]
    wheres = [set(rows.where.values()) for rows in section.rows]
    for identifier, place in section.identifiers.items():
        owner, _, name = place.partition(".")
        if owner == table and not _only_together(identifier, wheres):
            yield identifier, name


def _only_together(identifier: str, wheres: Iterable[set[str]]) -> bool:
    uses = [where for where in wheres if identifier in where]
    return bool(uses) and all(len(where) > 1 for where in uses)
