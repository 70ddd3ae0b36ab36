"""Values of one path, and a finder that knows what it is told."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import polars as pl

from lakehouse.config.models import PiiConfig
from lakehouse.pii.paths import parse_path
from lakehouse.pii.scan.classify import Classifier
from lakehouse.pii.scan.findings import ColumnFinding
from lakehouse.pii.scan.values import PathValues, gathered
from lakehouse.pii.spans import Span

TODAY = dt.date(2026, 6, 1)


class ToldFinder:
    """Finds the words that it is told, wherever they are in a text.

    Args:
        words: Word and entity.
        every: An entity that it sees in every text as a whole.
    """

    def __init__(self, words: Mapping[str, str] | None = None, *, every: str = "") -> None:
        self.words = words or {}
        self.every = every
        self.asked: list[str] = []

    def find(self, texts: Sequence[str], *, entities: Sequence[str]) -> list[tuple[Span, ...]]:
        self.asked += texts
        return [tuple(sorted(self._in(text, entities))) for text in texts]

    def _in(self, text: str, entities: Sequence[str]) -> Iterable[Span]:
        if self.every in entities:
            yield Span(0, len(text), self.every, 0.85)
        for word, entity in self.words.items():
            at = text.find(word)
            if at >= 0 and entity in entities:
                yield Span(at, at + len(word), entity, 0.85)


def values(path: str, found: Iterable[Any], dtype: Any = None) -> PathValues:
    return gathered(parse_path(path), pl.Series(list(found), dtype=dtype))


def judge(
    path: str,
    found: Iterable[Any],
    *,
    table: str = "stage",
    finder: ToldFinder | None = None,
    dtype: Any = None,
    config: PiiConfig | None = None,
) -> ColumnFinding | None:
    classifier = Classifier(config=config or PiiConfig(), finder=finder, today=TODAY)
    return classifier.judge(values(path, found, dtype), table=table).finding


def entities(path: str, found: Iterable[Any], **more: Any) -> tuple[str, ...]:
    finding = judge(path, found, **more)
    return finding.names if finding is not None else ()
