"""The spans of texts, exactly as ``AnalyzerEngine.analyze`` gives them."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Self

from presidio_analyzer.context_aware_enhancers import LemmaContextAwareEnhancer
from presidio_analyzer.predefined_recognizers import SpacyRecognizer

from lakehouse.pii.detect.context import Context, KeyWords, Rise
from lakehouse.pii.detect.duplicates import Hit, without_contained
from lakehouse.pii.detect.lemmas import Lemmas
from lakehouse.pii.detect.presidio.engine import Engine, make
from lakehouse.pii.detect.presidio.patterns import Searcher, digits_of, searcher
from lakehouse.pii.detect.presidio.readers import reader
from lakehouse.pii.detect.presidio.reading import Entity, Reader
from lakehouse.pii.detect.recipe import Recipe
from lakehouse.pii.detect.windows import windows
from lakehouse.pii.spans import Span

_DECIMALS: Final = 6
_WINDOW: Final = 100_000
_OVERLAP: Final = 2_000
# Halves of pairs can't be written as UTF-8, which spaCy does.
_LONE: Final = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Search:
    """How one recognizer's entity is looked for.

    Args:
        searcher: Finds it.
        entity: The entity.
        context: Words that support a find, in small letters.
        traces: What a text with such a word has one of, in small letters; None where that is not known.
    """

    searcher: Searcher
    entity: str
    context: tuple[str, ...]
    traces: tuple[str, ...] | None


@dataclass(frozen=True, slots=True)
class Plan:
    """How some entities are looked for.

    Args:
        entities: What is looked for.
        searches: By patterns.
        of_model: The entities that the language model is asked for.
        stock: Whether a recognizer is among them that only Presidio's own engine knows how to use.
    """

    entities: tuple[str, ...]
    searches: tuple[Search, ...]
    of_model: frozenset[str]
    stock: bool


@dataclass(slots=True)
class _Found:
    """What is known of one text so far.

    Args:
        sure: Finds by entity whose score is final.
        open: Finds whose score can rise with a word nearby: entity, find, context words.
    """

    sure: list[tuple[str, Hit]] = field(default_factory=list)
    open: list[tuple[str, Hit, tuple[str, ...]]] = field(default_factory=list)


class Analysis:
    """Looks at texts, those of one caller at a time.

    spaCy keeps every word that it has ever seen. So that memory does not grow with the texts, the model is
    loaded anew when the words are too many, which takes less than a second.

    Args:
        engine: Presidio, set up.
        most_words: How many words the model may know.
    """

    def __init__(self, engine: Engine, *, most_words: int = 150_000) -> None:
        self._lock = threading.Lock()
        self._most_words = most_words
        self._set_up(engine)

    def _set_up(self, engine: Engine) -> None:
        self.engine = engine
        enhancer = engine.analyzer.context_aware_enhancer
        self._rise = Rise(
            by=enhancer.context_similarity_factor,
            least=enhancer.min_score_with_context_similarity,
            before=enhancer.context_prefix_count,
            after=enhancer.context_suffix_count,
        )
        # Anything else counts context in a way that is not known here.
        self._usual = (
            type(enhancer) is LemmaContextAwareEnhancer and enhancer.context_matching_mode == "substring"
        )
        language = engine.recipe.language
        self._reader: Reader = reader(engine.nlp, language=language)
        self._key_words = KeyWords(
            lambda lemma: bool(
                engine.nlp.is_stopword(lemma, language) or engine.nlp.is_punct(lemma, language)
            )
        )
        self._plans: dict[tuple[str, ...], Plan] = {}
        self._searchers: dict[str, Searcher | None] = {}

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
        with self._lock:
            if self._reader.known_words() > self._most_words:
                self._set_up(make(self.engine.recipe))
            plan = self._plan(tuple(entities))
            return self._of_any_length([_LONE.sub("\ufffd", text) for text in texts], plan)

    def _of_any_length(self, texts: Sequence[str], plan: Plan) -> list[tuple[Span, ...]]:
        limit = self._reader.limit
        if limit is None or all(len(text) <= limit for text in texts):
            return self._spans(texts, plan)
        short = [text if len(text) <= limit else "" for text in texts]
        found = self._spans(short, plan)
        for place, text in enumerate(texts):
            if len(text) > limit:
                found[place] = self._of_long(text, plan)
        return found

    def _of_long(self, text: str, plan: Plan) -> tuple[Span, ...]:
        """What is in a text that Presidio itself refuses, piece by piece."""
        found: list[tuple[str, Hit]] = []
        for offset, piece in windows(text, size=_WINDOW, overlap=_OVERLAP):
            (spans,) = self._spans([piece], plan)
            found.extend(
                (span.entity, Hit(span.start + offset, span.end + offset, span.score)) for span in spans
            )
        return self._final(found)

    def _spans(self, texts: Sequence[str], plan: Plan) -> list[tuple[Span, ...]]:
        if plan.stock:
            return [self._stock(text, plan) for text in texts]
        found = [self._patterns(text, plan) for text in texts]
        read: dict[int, Any] = {}
        needed = (
            range(len(texts)) if plan.of_model else [place for place, each in enumerate(found) if each.open]
        )
        read.update(zip(needed, self._reader.split([texts[place] for place in needed]), strict=True))
        if plan.of_model:
            for each, of_model in zip(found, self._reader.entities(list(read.values())), strict=True):
                each.sure.extend(_asked(of_model, plan))
        self._count_context([(each, read[place]) for place, each in enumerate(found) if each.open])
        return [self._final(each.sure) for each in found]

    def _plan(self, entities: tuple[str, ...]) -> Plan:
        if entities not in self._plans:
            self.engine.check(entities)
            self._plans[entities] = self._made(entities)
        return self._plans[entities]

    def _made(self, entities: tuple[str, ...]) -> Plan:
        recognizers = {each.id: each for entity in entities for each in self.engine.recognizers[entity]}
        searches: list[Search] = []
        of_model: set[str] = set()
        stock = not self._usual
        for name, recognizer in recognizers.items():
            if isinstance(recognizer, SpacyRecognizer):
                of_model.update(set(entities) & set(recognizer.supported_entities))
                stock = stock or bool(recognizer.context)
                continue
            if name not in self._searchers:
                self._searchers[name] = searcher(recognizer, counts=self._counts)
            quick = self._searchers[name]
            if quick is None:
                stock = True
            else:
                context = tuple(word.lower() for word in recognizer.context or ())
                traces = self._reader.traces(context) if context else ()
                searches.append(Search(quick, recognizer.supported_entities[0], context, traces))
        return Plan(entities, tuple(searches), frozenset(of_model), stock)

    def _stock(self, text: str, plan: Plan) -> tuple[Span, ...]:
        recipe = self.engine.recipe
        results = self.engine.analyzer.analyze(
            text, recipe.language, entities=list(plan.entities), score_threshold=recipe.min_score
        )
        return self._final([(each.entity_type, Hit(each.start, each.end, each.score)) for each in results])

    def _patterns(self, text: str, plan: Plan) -> _Found:
        found = _Found()
        if not text:
            return found
        digits = digits_of(text)
        small = text.lower()
        for search in plan.searches:
            near = search.traces is None or any(trace in small for trace in search.traces)
            for hit in search.searcher.hits(text, digits=digits, context=near):
                if near and hit.score < 1 and self._counts(hit.score, context=True):
                    found.open.append((search.entity, hit, search.context))
                else:
                    found.sure.append((search.entity, hit))
        return found

    def _count_context(self, texts: Sequence[tuple[_Found, Any]]) -> None:
        """Settles the open finds: from the words where they are enough, then from tags, else from lemmas."""
        left = [
            (found, split, Context(self._reader.tokens(split), key_words=self._key_words, rise=self._rise))
            for found, split in texts
        ]
        if self._reader.possible is not None:
            for found, _, context in left:
                self._guess(found, context, self._reader.possible, tags=None)
            left = [each for each in left if each[0].open]
            tags = self._reader.tags([split for _, split, _ in left]) if left else None
            for (found, _, context), of_text in zip(left, tags or (), strict=bool(tags)):
                self._guess(found, context, self._reader.possible, tags=of_text)
            left = [each for each in left if each[0].open]
        if not left:
            return
        lemmas = self._reader.lemmas([split for _, split, _ in left])
        for (found, _, context), forms in zip(left, lemmas, strict=True):
            near = context.with_lemmas(forms)
            for entity, hit, words in found.open:
                found.sure.append((entity, self._risen(hit) if near.supports(hit.start, words) else hit))

    def _guess(
        self, found: _Found, context: Context, possible: Lemmas, *, tags: Sequence[str | None] | None
    ) -> None:
        unknown = []
        for entity, hit, words in found.open:
            answer = context.guess(hit.start, words, lemmas=possible, tags=tags)
            if answer == "unknown":
                unknown.append((entity, hit, words))
            else:
                found.sure.append((entity, self._risen(hit) if answer == "yes" else hit))
        found.open = unknown

    def _counts(self, score: float, *, context: bool) -> bool:
        least = self.engine.recipe.min_score
        return score >= least or (context and self._rise.of(score) >= least)

    def _risen(self, hit: Hit) -> Hit:
        return hit._replace(score=self._rise.of(hit.score))

    def _final(self, found: Sequence[tuple[str, Hit]]) -> tuple[Span, ...]:
        by_entity: dict[str, list[Hit]] = {}
        for entity, hit in found:
            if hit.score >= self.engine.recipe.min_score:
                by_entity.setdefault(entity, []).append(hit)
        spans = [
            Span(hit.start, hit.end, entity, round(hit.score, _DECIMALS))
            for entity, hits in by_entity.items()
            for hit in without_contained(hits)
        ]
        return tuple(sorted(spans))


def _asked(entities: Sequence[Entity], plan: Plan) -> Iterator[tuple[str, Hit]]:
    for each in entities:
        if each.name in plan.of_model:
            yield each.name, Hit(each.start, each.end, each.score)
