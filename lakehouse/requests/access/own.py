"""Which values are a person's own, so that they are shown, and everybody else's are masked."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import polars as pl

from lakehouse.pii.spans import Span, SpanFinder
from lakehouse.requests.identity import normal_form

_SHORTEST_IN_TEXT: Final = 4
"""Shorter values stand in any text by chance."""

_MOST_IN_TEXT: Final = 2_000
_DIGITS: Final = re.compile(r"\d")
_SEPARATORS: Final = re.compile(r"[^\w]+")
_FEWEST_DIGITS: Final = 6


@dataclass(frozen=True, slots=True)
class Own:
    """The values of one person. Never shown but to that person.

    Args:
        kinds: By kind of personal data (entity) the values.
        known: The values of identifiers, of whatever kind.
    """

    kinds: Mapping[str, frozenset[str]] = field(default_factory=dict, repr=False)
    known: frozenset[str] = field(default=frozenset(), repr=False)

    def has(self, value: str, entities: Iterable[str]) -> bool:
        """Whether a value of some kind is the person's: however it is written, and numbers with any signs.

        Args:
            value: The value.
            entities: What it can be.
        """
        forms = _forms(value)
        return any(
            form in self.known or any(form in self.kinds.get(e, ()) for e in entities) for form in forms
        )

    def among(self, values: pl.Series, entities: Sequence[str]) -> pl.Series:
        """Which of many values are the person's; null is nobody's."""
        if values.dtype.is_nested() or values.dtype == pl.Binary:
            return pl.Series(values.name, [False], dtype=pl.Boolean).new_from_index(0, len(values))
        texts = values.cast(pl.String)
        mine = [each for each in texts.drop_nulls().unique().to_list() if self.has(each, entities)]
        return texts.is_in(pl.Series(mine, dtype=pl.String).implode()).fill_null(False)

    def also(self, entities: Iterable[str], values: Iterable[str]) -> Own:
        """The same with more values.

        Args:
            entities: What they are.
            values: The values.
        """
        forms = frozenset(form for value in values for form in _forms(value))
        kinds = {entity: self.kinds.get(entity, frozenset()) | forms for entity in entities}
        return Own({**self.kinds, **kinds}, self.known)

    def in_texts(self) -> re.Pattern[str] | None:
        """Finds the values in texts, as words; None where there is none that could be found."""
        values = self.known.union(*self.kinds.values())
        wanted = sorted((each for each in values if len(each) >= _SHORTEST_IN_TEXT), key=len, reverse=True)
        if not wanted:
            return None
        either = "|".join(map(re.escape, wanted[:_MOST_IN_TEXT]))
        return re.compile(rf"(?<!\w)(?:{either})(?!\w)", re.IGNORECASE)


def own_of(known: Iterable[str]) -> Own:
    """What is a person's to begin with: the identifiers.

    Args:
        known: Their values.
    """
    return Own(known=frozenset(form for value in known for form in _forms(value)))


@dataclass(frozen=True, slots=True)
class OthersFinder:
    """Finds personal data in texts that is not the person's own.

    Args:
        finder: Finds all of it.
        own: What is the person's.
    """

    finder: Callable[[], SpanFinder]
    own: Own

    def find(self, texts: Sequence[str], *, entities: Sequence[str]) -> list[tuple[Span, ...]]:
        """See `lakehouse.pii.spans.SpanFinder.find`; what is part of one of the own values is left out."""
        mine = self.own.in_texts()
        found = self.finder().find(texts, entities=entities)
        return [self._others(text, spans, mine) for text, spans in zip(texts, found, strict=True)]

    def _others(self, text: str, spans: tuple[Span, ...], mine: re.Pattern[str] | None) -> tuple[Span, ...]:
        if not spans:
            return spans
        places = [match.span() for match in mine.finditer(text)] if mine is not None else []
        return tuple(
            span
            for span in spans
            if not any(start <= span.start and span.end <= end for start, end in places)
            and not self.own.has(text[span.start : span.end], (span.entity,))
        )


def _forms(value: str) -> tuple[str, ...]:
    """How a value is compared: in normal form, and, of long numbers, without what separates their digits."""
    normal = normal_form(value)
    if not normal:
        return ()
    if "@" in normal or len(_DIGITS.findall(normal)) < _FEWEST_DIGITS:
        return (normal,)
    return (normal, _SEPARATORS.sub("", normal))
