"""What a model takes a few values for, each by itself."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final

import polars as pl

from lakehouse.pii.spans import SpanFinder

MOST_VALUES: Final = 32
"""So many values of a column are given to the model."""
ASKED: Final = ("PERSON", "LOCATION")
_COVERED: Final = 0.6


def opinion(texts: pl.Series, *, finder: SpanFinder, seed: int) -> Mapping[str, float]:
    """Asks a model what values are.

    Args:
        texts: Distinct values.
        finder: The model.
        seed: Chooses the values.

    Returns:
        By entity the share of the values that it takes for that, at least for the most part.
    """
    chosen: Sequence[str] = texts.to_list()
    if len(chosen) > MOST_VALUES:
        chosen = random.Random(seed).sample(chosen, MOST_VALUES)  # noqa: S311 - no secret
    found: Counter[str] = Counter()
    for text, spans in zip(chosen, finder.find(chosen, entities=ASKED), strict=True):
        found.update({span.entity for span in spans if span.end - span.start >= _COVERED * len(text.strip())})
    return {entity: found[entity] / len(chosen) for entity in ASKED} if chosen else {}
