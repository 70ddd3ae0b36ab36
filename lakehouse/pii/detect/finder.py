"""Finding personal data in free text, each distinct text once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from lakehouse.config.models import PiiConfig
from lakehouse.errors import MissingPackageError
from lakehouse.pii.detect.recipe import Recipe
from lakehouse.pii.executor import Executor, Here
from lakehouse.pii.spans import Span

if TYPE_CHECKING:
    from lakehouse.pii.detect.presidio.analysis import Analysis

_CHUNK_TEXTS: Final = range(64, 257)
_CHUNK_CHARACTERS: Final = 50_000


class TextFinder:
    """Finds what Presidio's ``AnalyzerEngine`` finds. Safe in threads where its executor is.

    Presidio and the language model are loaded by the first call.

    Args:
        config: The ``pii`` section.
        executor: Where texts are looked at; `Processes` for several cores. Whoever made it closes it.
    """

    def __init__(self, config: PiiConfig, *, executor: Executor | None = None) -> None:
        self._recipe = Recipe.of(config)
        self._executor: Executor = executor or Here()

    def find(self, texts: Sequence[str], *, entities: Sequence[str]) -> list[tuple[Span, ...]]:
        """Finds personal data in texts.

        Args:
            texts: The texts; equal ones are looked at once. Positions count code points.
            entities: What to look for.

        Returns:
            For each text its spans, by start; those of different entities can overlap.

        Raises:
            UsageError: An entity is unknown.
            MissingPackageError: A library or the language model is not installed.
        """
        wanted = tuple(dict.fromkeys(entities))
        if not wanted:
            return [() for _ in texts]
        # Texts of like lengths lie together, as a batch costs as much as its longest; the long ones first, so
        # that no core has the last of them for itself while the others wait.
        distinct = sorted(dict.fromkeys(texts), key=len, reverse=True)
        look = Look(self._recipe, wanted)
        found: dict[str, tuple[Span, ...]] = {}
        chunks = list(_chunks(distinct))
        for chunk, spans in zip(chunks, self._executor.map(look, chunks), strict=True):
            found.update(zip(chunk, spans, strict=True))
        if not chunks:
            # Mistakes are told even where there is nothing to look at.
            next(iter(self._executor.map(look, [()])))
        return [found[text] for text in texts]

    def entities(self) -> tuple[str, ...]:
        """All that can be asked for."""
        return next(iter(self._executor.map(_known, [self._recipe])))

    def usual(self) -> tuple[str, ...]:
        """What is looked for where nobody says what: Presidio's choice, the countries', the config's own."""
        return next(iter(self._executor.map(_usual, [self._recipe])))


@dataclass(frozen=True, slots=True)
class Look:
    """The work on one chunk of texts; pickles.

    Args:
        recipe: What the engine is made from.
        entities: What to look for.
    """

    recipe: Recipe
    entities: tuple[str, ...]

    def __call__(self, texts: Sequence[str]) -> list[tuple[Span, ...]]:
        """Looks at texts with the engine of this process, which is made on first use."""
        return analysis_of(self.recipe).spans(texts, entities=self.entities)


@lru_cache(maxsize=4)
def analysis_of(recipe: Recipe) -> Analysis:
    """The engine of this process for a recipe: loading one takes a second, so it is kept.

    Args:
        recipe: What it is made from.

    Returns:
        The engine.
    """
    try:
        from lakehouse.pii.detect.presidio.analysis import Analysis  # noqa: PLC0415 - seconds, on use only
    except ModuleNotFoundError as error:
        raise MissingPackageError(
            f"finding personal data needs `{error.name}`, which is not installed",
            advice="`pip install 'lakehouse[pii]'`",
        ) from error
    return Analysis.of(recipe)


def _known(recipe: Recipe) -> tuple[str, ...]:
    return analysis_of(recipe).engine.entities


def _usual(recipe: Recipe) -> tuple[str, ...]:
    return analysis_of(recipe).engine.usual


def _chunks(texts: Sequence[str]) -> Iterator[tuple[str, ...]]:
    # Few texts are shared out among all cores, many go in pieces that are worth the way.
    most = min(max(_CHUNK_TEXTS[0], len(texts) // 16), _CHUNK_TEXTS[-1])
    chunk: list[str] = []
    size = 0
    for text in texts:
        if chunk and (len(chunk) == most or size + len(text) > _CHUNK_CHARACTERS):
            yield tuple(chunk)
            chunk, size = [], 0
        chunk.append(text)
        size += len(text)
    if chunk:
        yield tuple(chunk)
