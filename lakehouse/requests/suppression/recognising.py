"""Recognises rows of erased people by the keyed hashes of their identifiers; every value is hashed once."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeAlias

import polars as pl

from lakehouse.pii.keys.ring import Key
from lakehouse.requests.identity import hasher
from lakehouse.requests.suppression.conditions import Condition
from lakehouse.requests.suppression.listed import Listed
from lakehouse.requests.values import as_text

Ask: TypeAlias = tuple[str, str]
"""A kind of person, and an identifier of theirs."""

Known: TypeAlias = Mapping[Ask, Mapping[str, frozenset[str]]]
"""By identifier the values that must not come back, each with the requests by which it went."""

Column: TypeAlias = Callable[[str], pl.Series | None]
"""Gives the values of a column; None where nothing is said of it."""

_ZEROS: Final = r"\.0+$"
_MOST: Final = 1_000_000
"""Hashes of so many values are remembered for the next time."""


@dataclass(slots=True)
class Recogniser:
    """Recognises, for one verb on one table.

    Args:
        listed: Who must not come back.
    """

    listed: Listed
    _mark: int = 0
    _digests: dict[tuple[Ask, int], dict[str, str]] = field(default_factory=dict)

    def look(self) -> bool:
        """Takes note of the list as it is now; whether there can be anybody on it."""
        self._mark = self.listed.mark()
        return self._mark > 0

    def changed(self) -> bool:
        """Whether the list has changed since the last look."""
        return self.listed.mark() != self._mark

    def known(self, wanted: Mapping[Ask, Collection[str]]) -> Known:
        """Which values are on the list.

        Args:
            wanted: By identifier the values that are asked for.

        Raises:
            KeysError: The key is not there.
        """
        if not any(wanted.values()):
            return {}
        if sum(map(len, self._digests.values())) > _MOST:
            self._digests.clear()
        keys = self.listed.versions()
        hashed = {ask: [self._hashed(ask, values, key) for key in keys] for ask, values in wanted.items()}
        erased = self.listed.erased(
            [
                digest
                for ask, values in wanted.items()
                for table in hashed[ask]
                for digest in map(table.__getitem__, values)
            ]
        )
        found: dict[Ask, dict[str, frozenset[str]]] = {}
        for ask, values in wanted.items() if erased else ():
            for table in hashed[ask]:
                for value in values:
                    if table[value] in erased:
                        mine = found.setdefault(ask, {})
                        mine[value] = mine.get(value, frozenset()) | erased[table[value]]
        return found

    def rows(self, column: Column, conditions: Sequence[Condition], *, height: int) -> list[pl.Series]:
        """Which rows are of an erased person.

        Args:
            column: Gives the values of a column, in the table's type or as text.
            conditions: Which rows are a person's.
            height: How many rows there are.

        Returns:
            For each condition, for each row whether it is one (Boolean).
        """
        texts: dict[str, list[pl.Series]] = {}
        for name in dict.fromkeys(name for each in conditions for name in each.names):
            values = column(name)
            texts[name] = [] if values is None else texts_of(values)
        wanted: dict[Ask, dict[str, None]] = {}
        for each in conditions:
            if all(texts[name] for name in each.names):
                for name, identifier in each.where:
                    values_of = wanted.setdefault((each.subject, identifier), {})
                    for text in texts[name]:
                        values_of.update(dict.fromkeys(text.drop_nulls().unique().to_list()))
        known = self.known(wanted) if height else {}
        return [_matching(each, texts, known, height) for each in conditions]

    def _hashed(self, ask: Ask, values: Collection[str], key: Key) -> Mapping[str, str]:
        """By value its hash; also of values that were asked for before."""
        known = self._digests.setdefault((ask, key.version), {})
        fresh = [value for value in values if value not in known]
        subject, identifier = ask
        known.update(zip(fresh, map(hasher(key, subject=subject, identifier=identifier), fresh), strict=True))
        return known


def texts_of(values: pl.Series) -> list[pl.Series]:
    """The texts by which values are compared, as a request would give them.

    Args:
        values: A column.

    Returns:
        One way to write them, or two: 7.0 is 7 too. None for types that no identifier has.
    """
    kind = values.dtype
    if kind.is_nested() or kind == pl.Binary:
        return []
    if kind == pl.Null:
        return []
    text = values.to_frame("value").select(as_text(pl.col("value"), kind)).to_series()
    if kind.is_float() or kind.is_decimal():
        return [text, text.str.replace(_ZEROS, "")]
    return [text]


def _matching(
    condition: Condition, texts: Mapping[str, Sequence[pl.Series]], known: Known, height: int
) -> pl.Series:
    found = pl.repeat(value=True, n=height, eager=True)
    for name, identifier in condition.where:
        hit = known.get((condition.subject, identifier), {})
        if not hit or not texts[name]:
            return pl.repeat(value=False, n=height, eager=True)
        values = pl.Series(list(hit), dtype=pl.String)
        mine = pl.repeat(value=False, n=height, eager=True)
        for text in texts[name]:
            mine |= text.is_in(values.implode()).fill_null(value=False)
        found &= mine
    if len(condition.where) == 1 or not found.any():
        return found
    return _of_one_erasure(condition, texts, known, found)


def _of_one_erasure(
    condition: Condition, texts: Mapping[str, Sequence[pl.Series]], known: Known, found: pl.Series
) -> pl.Series:
    """Leaves out rows whose identifiers went by different erasures: each is of another person."""
    places = found.arg_true()
    common: list[frozenset[str]] | None = None
    for name, identifier in condition.where:
        hit = known[condition.subject, identifier]
        none: frozenset[str] = frozenset()
        ways = [text.gather(places).to_list() for text in texts[name]]
        mine = [none.union(*(hit.get(way, none) for way in row)) for row in zip(*ways, strict=True)]
        common = mine if common is None else [a & b for a, b in zip(common, mine, strict=True)]
    different = [not each for each in common or ()]
    return found.scatter(places.filter(pl.Series(different, dtype=pl.Boolean)), values=False)
