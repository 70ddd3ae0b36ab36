"""The parts of a pipeline in quicker arithmetic, as far as they prove to say what its own parts say.

They are made for certain models and build on how spaCy works inside, which another version can do otherwise.
So they are tried when a model is loaded, and what fails or differs is left out: its texts go spaCy's own way.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Self, TypeVar

import numpy as np
from spacy.attrs import DEP, HEAD, SENT_START, TAG

from lakehouse.pii.detect.presidio.entities import Piece, QuickEntities, model_of
from lakehouse.pii.detect.presidio.parsing import QuickParser, parser_of
from lakehouse.pii.detect.presidio.parts import Parts
from lakehouse.pii.detect.presidio.tags import QuickTagger, tagger_of
from lakehouse.pii.detect.presidio.vectors import WordVectors

_LOG: Final = logging.getLogger(__name__)
_SAMPLE: Final = (
    "Dr. Anna Smith, who moved from Berlin to 12 Long Street in May 2021, has called twice. Is it true? She",
    "wants her 49.90 euros back by next Monday",
    "However: see https://www.example.com/a?b=1 and write to (John) Miller-Jones\nThanks!",
    "No",
)
_Part = TypeVar("_Part")


@dataclass(frozen=True, slots=True)
class Quick:
    """What there is; None for what is left to spaCy.

    Args:
        recognizer: Finds entities where nothing is known of sentences.
        vectors: What parser and tagger look at.
        parser: Says where sentences begin.
        tagger: Tags words.
    """

    recognizer: QuickEntities | None
    vectors: WordVectors
    parser: QuickParser | None
    tagger: QuickTagger | None

    @classmethod
    def of(cls, parts: Parts) -> Self:
        """Makes them for a pipeline.

        Args:
            parts: Its own.
        """
        vectors = WordVectors(parts.vectors.model)
        quick = _proved(
            lambda: WordVectors(parts.vectors.model, quick=True), lambda made: _near(made, vectors, parts)
        )
        given = quick or vectors
        return cls(
            recognizer=_proved(lambda: model_of(parts.recognizer), lambda made: _recognizes(made, parts)),
            vectors=given,
            parser=_proved(lambda: parser_of(parts.parser), lambda made: _parses(made, given, parts)),
            tagger=_proved(lambda: tagger_of(parts.rest), lambda made: _tags(made, given, parts)),
        )


def _proved(make: Callable[[], _Part | None], agrees: Callable[[_Part], bool]) -> _Part | None:
    try:
        made = make()
        if made is None or agrees(made):
            return made
        problem = "it says something else"
    except Exception as error:  # noqa: BLE001 - whatever it is that another version does otherwise
        problem = type(error).__name__
    _LOG.warning("a part of the language model is used as it is, which takes longer: %s", problem)
    return None


def _near(quick: WordVectors, right: WordVectors, parts: Parts) -> bool:
    docs = [parts.nlp.make_doc(text) for text in _SAMPLE]
    return bool(np.abs(quick.of(docs) - right.of(docs)).max() < 1e-4)


def _recognizes(quick: QuickEntities, parts: Parts) -> bool:
    found = quick.find([parts.nlp.make_doc(text) for text in _SAMPLE])
    right = [
        [Piece(each.start, each.end, each.label_) for each in parts.recognizer(parts.nlp.make_doc(text)).ents]
        for text in _SAMPLE
    ]
    return all(pieces is None or pieces == own for pieces, own in zip(found, right, strict=True))


def _parses(quick: QuickParser, vectors: WordVectors, parts: Parts) -> bool:
    docs = [parts.nlp.make_doc(text) for text in _SAMPLE]
    sure = quick.parse(docs, vectors.of(docs))
    said = [HEAD, DEP, SENT_START]
    return all(
        not is_sure or np.array_equal(doc.to_array(said), parts.nlp(doc.text).to_array(said))
        for doc, is_sure in zip(docs, sure, strict=True)
    )


def _tags(quick: QuickTagger, vectors: WordVectors, parts: Parts) -> bool:
    for text in _SAMPLE:
        doc = parts.nlp.make_doc(text)
        own = [parts.nlp.vocab.strings[tag] for tag in parts.nlp(text).to_array([TAG]).ravel().tolist()]
        if any(
            tag not in (None, right) for tag, right in zip(quick.tags(vectors.of([doc])), own, strict=True)
        ):
            return False
    return True
