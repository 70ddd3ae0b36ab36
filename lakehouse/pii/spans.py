"""Where personal data is in a text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, Self


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """Personal data in a text.

    Args:
        start: Where it begins, in characters (code points).
        end: Where it ends; exclusive.
        entity: What it is.
        score: How sure that is, from 0 to 1.
    """

    start: int
    end: int
    entity: str
    score: float

    def __reduce__(self) -> tuple[type[Self], tuple[int, int, str, float]]:
        # Many come back from other processes, and the usual way of frozen classes takes four times as long.
        return type(self), (self.start, self.end, self.entity, self.score)


class SpanFinder(Protocol):
    """Finds personal data in free text."""

    def find(self, texts: Sequence[str], *, entities: Sequence[str]) -> list[tuple[Span, ...]]:
        """Finds it in texts.

        Args:
            texts: The texts; equal ones are looked at once.
            entities: What to look for; what else is there is not told.

        Returns:
            For each text what is in it, as Presidio's ``AnalyzerEngine.analyze`` gives it: sorted by start;
            spans of different entities can overlap.
        """
