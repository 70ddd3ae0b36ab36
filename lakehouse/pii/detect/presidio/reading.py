"""What a language model says of texts: entities, tags and lemmas."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from presidio_analyzer.nlp_engine import NlpEngine
from spacy.language import Language
from spacy.tokens import Doc

from lakehouse.pii.detect.context import Tokens
from lakehouse.pii.detect.lemmas import NO_RULES, Lemmas

_BATCH: Final = 128


@dataclass(frozen=True, slots=True)
class Entity:
    """What the model found.

    Args:
        start: Where it begins, in characters.
        end: Where it ends; exclusive.
        name: Presidio's name for it.
        score: How sure it is.
    """

    start: int
    end: int
    name: str
    score: float


class Reader(Protocol):
    """Reads texts with one language model.

    Attributes:
        possible: The lemmas that words can have whatever the model says; None where that is not known.
        limit: The longest text, in characters; None for any.
    """

    possible: Lemmas | None
    limit: int | None

    def split(self, texts: Sequence[str]) -> list[Any]:
        """Splits texts into tokens."""

    def entities(self, split: Sequence[Any]) -> list[list[Entity]]:
        """What the model finds in each."""

    def tags(self, split: Sequence[Any]) -> list[list[str | None]] | None:
        """The model's tags of the tokens of each, where that is sure; None where it can't be told quickly."""

    def lemmas(self, split: Sequence[Any]) -> list[list[str]]:
        """The lemmas of the tokens of each."""

    def traces(self, parts: Sequence[str]) -> tuple[str, ...] | None:
        """What shows in a text with a lemma that has one of some parts in it: see ``Lemmas.traces``."""

    def tokens(self, split: Any) -> Tokens:
        """The tokens of one."""

    def known_words(self) -> int:
        """How many words are kept in memory."""


class TokenReader:
    """No model: the words stand for their lemmas."""

    def __init__(self, nlp: Language) -> None:
        self._nlp = nlp
        self.possible: Lemmas | None = None
        self.limit: int | None = None

    def split(self, texts: Sequence[str]) -> list[Doc]:
        """Splits texts into tokens."""
        return [self._nlp.make_doc(text) for text in texts]

    def entities(self, split: Sequence[Doc]) -> list[list[Entity]]:
        """None."""
        return [[] for _ in split]

    def tags(self, split: Sequence[Doc]) -> None:
        """None."""

    def lemmas(self, split: Sequence[Doc]) -> list[list[str]]:
        """The words, in small letters."""
        return [[token.lower_ for token in doc] for doc in split]

    def traces(self, parts: Sequence[str]) -> tuple[str, ...] | None:
        """The parts themselves: the words stand for their lemmas."""
        return NO_RULES.traces(parts)

    def tokens(self, split: Doc) -> Tokens:
        """The tokens of one."""
        return tokens_of(split)

    def known_words(self) -> int:
        """How many words are kept in memory."""
        return len(self._nlp.vocab)


class WholeReader:
    """Any engine of Presidio's, as it is."""

    def __init__(self, engine: NlpEngine, *, language: str) -> None:
        self._engine = engine
        self._language = language
        self.possible: Lemmas | None = None
        self.limit: int | None = engine.get_nlp(language).max_length

    def split(self, texts: Sequence[str]) -> list[Any]:
        """Runs the engine over texts: it does all at once."""
        found = self._engine.process_batch(texts, self._language, batch_size=_BATCH)
        return [artifacts for _, artifacts in found]

    def entities(self, split: Sequence[Any]) -> list[list[Entity]]:
        """What the model found in each."""
        return [
            [
                Entity(each.start_char, each.end_char, each.label_, float(score))
                for each, score in zip(artifacts.entities, artifacts.scores, strict=True)
            ]
            for artifacts in split
        ]

    def tags(self, split: Sequence[Any]) -> None:
        """None."""

    def lemmas(self, split: Sequence[Any]) -> list[list[str]]:
        """The lemmas of the tokens of each."""
        return [list(artifacts.lemmas) for artifacts in split]

    def traces(self, parts: Sequence[str]) -> None:
        """Not known: the engine gives lemmas in some way of its own."""

    def tokens(self, split: Any) -> Tokens:
        """The tokens of one."""
        return tokens_of(split.tokens)

    def known_words(self) -> int:
        """How many words are kept in memory."""
        return len(self._engine.get_nlp(self._language).vocab)


def tokens_of(doc: Doc) -> Tokens:
    """The tokens of a split text."""
    words = [token.text for token in doc]
    return Tokens(words=words, ends=[token.idx + len(word) for token, word in zip(doc, words, strict=True)])
