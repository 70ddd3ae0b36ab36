"""The spans of texts, exactly as ``AnalyzerEngine.analyze`` gives them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Self

from lakehouse.pii.detect.presidio.engine import Engine, make
from lakehouse.pii.detect.recipe import Recipe
from lakehouse.pii.spans import Span

_DECIMALS: Final = 6


@dataclass(frozen=True, slots=True)
class Analysis:
    """Looks at texts.

    Args:
        engine: Presidio, set up.
    """

    engine: Engine

    @classmethod
    def of(cls, recipe: Recipe) -> Self:
        """Makes one; see `make` for what it raises."""
        return cls(make(recipe))

    def spans(self, texts: Sequence[str], *, entities: Sequence[str]) -> list[tuple[Span, ...]]:
        """Finds personal data.

        Args:
            texts: The texts.
            entities: What to look for.

        Returns:
            For each text its spans, by start.

        Raises:
            UsageError: An entity is unknown.
        """
        self.engine.check(entities)
        return [self._spans(text, entities) for text in texts]

    def _spans(self, text: str, entities: Sequence[str]) -> tuple[Span, ...]:
        recipe = self.engine.recipe
        results = self.engine.analyzer.analyze(
            text, recipe.language, entities=list(entities), score_threshold=recipe.min_score
        )
        found = (
            Span(each.start, each.end, each.entity_type, round(each.score, _DECIMALS)) for each in results
        )
        return tuple(sorted(found))
