"""A language model of spaCy's usual make, part by part and not a step more than is asked for.

Presidio runs the whole pipeline over each text. Of spaCy's usual pipeline only the entity recognizer is
needed for the entities, with one exception: an entity never reaches over the beginning of a sentence, and
where sentences begin the parser says. So the recognizer runs first, as if nothing were known of sentences.
Its moves are the same with them as long as no entity of several tokens reaches over a beginning, as the only
moves that beginnings rule out are those that go on with an entity (``Begin`` and ``In`` in spaCy's
``ner.pyx``). The parser then looks only at texts with such entities, and the recognizer again only at those
where a sentence begins within one.

Recognizer, parser and tagger run in quicker arithmetic, which says where rounding could decide: those texts,
and the whole lemmas where tags are not enough, are left to spaCy's own parts.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

from presidio_analyzer.nlp_engine import NerModelConfiguration
from spacy.tokens import Doc

from lakehouse.pii.detect.context import Tokens
from lakehouse.pii.detect.presidio.entities import Piece
from lakehouse.pii.detect.presidio.parsing import QuickParser
from lakehouse.pii.detect.presidio.parts import Parts
from lakehouse.pii.detect.presidio.quick import Quick
from lakehouse.pii.detect.presidio.reading import Entity, tokens_of
from lakehouse.pii.detect.presidio.vectors import Floats, WordVectors

_BATCH: Final = 128
_TOKENS_AT_ONCE: Final = 2_000
_TOKENS_PARSED_AT_ONCE: Final = 6_000


class PartsReader:
    """A pipeline of spaCy's usual make, part by part."""

    def __init__(self, parts: Parts, *, settings: NerModelConfiguration) -> None:
        self._parts = parts
        self._names = _Names(settings)
        self._quick = Quick.of(parts)
        self._vectors = WordVectors(parts.vectors.model)
        self.possible = parts.possible
        self.limit: int | None = parts.nlp.max_length

    def split(self, texts: Sequence[str]) -> list[Doc]:
        """Splits texts into tokens."""
        return [self._parts.nlp.make_doc(text) for text in texts]

    def entities(self, split: Sequence[Doc]) -> list[list[Entity]]:
        """What the model finds in each."""
        found = self._pieces(split)
        doubtful = [
            (place, doc)
            for place, (doc, pieces) in enumerate(zip(split, found, strict=True))
            if any(piece.end - piece.start > 1 for piece in pieces)
        ]
        self._parse([doc for _, doc in doubtful])
        for place, doc in doubtful:
            if _reaches_over(doc, found[place]):
                # Now it knows of sentences, and looks again, unless it has looked at this one already.
                seen = doc.has_annotation("ENT_IOB")
                found[place] = _of(self._parts.nlp(doc.text) if seen else self._parts.recognizer(doc))
        return [self._names.of_all(doc, pieces) for doc, pieces in zip(split, found, strict=True)]

    def _pieces(self, docs: Sequence[Doc]) -> list[list[Piece]]:
        """What the recognizer finds where it knows of no sentences."""
        if self._quick.recognizer is None:
            _run(self._parts.recognizer, docs)
            return [_of(doc) for doc in docs]
        find = self._quick.recognizer.find
        found = [pieces for batch in _batches(docs, tokens=_TOKENS_AT_ONCE) for pieces in find(batch)]
        # Near ties are decided alone, as Presidio's engine has its texts: not even a library that rounds
        # otherwise for larger matrices then decides otherwise.
        return [
            _of(self._parts.recognizer(doc)) if seen is None else seen
            for doc, seen in zip(docs, found, strict=True)
        ]

    def tags(self, split: Sequence[Doc]) -> list[list[str | None]] | None:
        """The model's tags of the tokens of each, where that is sure."""
        if self._quick.tagger is None:
            return None
        for batch in _batches([doc for doc in split if len(doc.tensor) < len(doc)], tokens=_TOKENS_AT_ONCE):
            _give(batch, self._quick.vectors.of(batch))
        return [self._quick.tagger.tags(doc.tensor) if len(doc) else [] for doc in split]

    def lemmas(self, split: Sequence[Doc]) -> list[list[str]]:
        """The lemmas of the tokens of each."""
        docs = [doc for doc in split if len(doc)]
        self._parse([doc for doc in docs if not doc.has_annotation("DEP")])
        for batch in _batches(docs, tokens=_TOKENS_AT_ONCE):
            self._look_at(batch)
        for part in self._parts.rest:
            _run(part, split)
        return [[token.lemma_ for token in doc] for doc in split]

    def traces(self, parts: Sequence[str]) -> tuple[str, ...] | None:
        """What shows in a text with a lemma that has one of some parts in it, where that is known."""
        return None if self.possible is None else self.possible.traces(parts)

    def tokens(self, split: Doc) -> Tokens:
        """The tokens of one."""
        return tokens_of(split)

    def known_words(self) -> int:
        """How many words are kept in memory."""
        return len(self._parts.nlp.vocab)

    def _parse(self, docs: Sequence[Doc]) -> None:
        left = docs if self._quick.parser is None else self._left_by(self._quick.parser, docs)
        for batch in _batches(left, tokens=_TOKENS_AT_ONCE):
            self._look_at(batch)
        if left:
            _run(self._parts.parser, left)

    def _left_by(self, quick: QuickParser, docs: Sequence[Doc]) -> list[Doc]:
        """Parses texts; returns those in which a choice is too close."""
        left: list[Doc] = []
        for batch in _batches(docs, tokens=_TOKENS_PARSED_AT_ONCE):
            vectors = self._quick.vectors.of(batch)
            _give(batch, vectors)
            sure = quick.parse(batch, vectors)
            left.extend(doc for doc, is_sure in zip(batch, sure, strict=True) if not is_sure)
        return left

    def _look_at(self, docs: list[Doc]) -> None:
        """Gives texts the vectors that parser and tagger look at."""
        _give(docs, self._vectors.of(docs))


class _Names:
    """Presidio's names for a model's labels."""

    def __init__(self, settings: NerModelConfiguration) -> None:
        self._settings = settings
        self._known: dict[str, tuple[str, float] | None] = {}

    def of_all(self, doc: Doc, pieces: Iterable[Piece]) -> list[Entity]:
        found = []
        for piece in pieces:
            if piece.label not in self._known:
                self._known[piece.label] = self._look_up(piece.label)
            known = self._known[piece.label]
            if known is not None:
                last = doc[piece.end - 1]
                found.append(Entity(doc[piece.start].idx, last.idx + len(last), *known))
        return found

    def _look_up(self, label: str) -> tuple[str, float] | None:
        settings = self._settings
        name = settings.model_to_presidio_entity_mapping.get(label, label)
        if label in settings.labels_to_ignore or name in settings.labels_to_ignore:
            return None
        low = name in settings.low_score_entity_names
        return name, settings.default_score * (settings.low_confidence_score_multiplier if low else 1)


def _give(docs: Sequence[Doc], vectors: Floats) -> None:
    """Gives texts the vectors of their tokens, where spaCy's parts look for them."""
    first = 0
    for doc in docs:
        doc.tensor = vectors[first : first + len(doc)]
        first += len(doc)


def _run(part: Any, docs: Sequence[Doc]) -> None:
    for _ in part.pipe(docs, batch_size=_BATCH):
        pass


def _batches(docs: Sequence[Doc], *, tokens: int) -> Iterator[list[Doc]]:
    """As many texts at once as a processor keeps close to itself."""
    batch: list[Doc] = []
    size = 0
    for doc in docs:
        if batch and size + len(doc) > tokens:
            yield batch
            batch, size = [], 0
        batch.append(doc)
        size += len(doc)
    if batch:
        yield batch


def _of(doc: Doc) -> list[Piece]:
    return [Piece(each.start, each.end, each.label_) for each in doc.ents]


def _reaches_over(doc: Doc, pieces: Iterable[Piece]) -> bool:
    """Whether a sentence begins within an entity."""
    return any(doc[place].is_sent_start for piece in pieces for place in range(piece.start + 1, piece.end))
