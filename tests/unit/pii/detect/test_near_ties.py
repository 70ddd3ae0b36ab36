"""Texts where the model can hardly decide: its own arithmetic decides, not the quick one."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from lakehouse.pii.detect.finder import TextFinder
from tests.fixtures.presidio import Stock

if TYPE_CHECKING:
    from spacy.tokens import Doc

    from lakehouse.pii.detect.presidio.engine import Engine

pytestmark = [pytest.mark.xdist_group("presidio"), pytest.mark.slow]

# Made up, by Faker: those of 40,000 texts in which some decision is closest.
DATA = Path(__file__).parents[3] / "data" / "pii"
TEXTS: list[str] = json.loads((DATA / "near_ties.json").read_text())
# The same of 28,000 others for the parser, which says where sentences begin.
PARSED: list[str] = json.loads((DATA / "near_ties_of_parsing.json").read_text())
ROUNDING = 1e-5
"""What vectors are disturbed by here: a hundred times what a library's rounding does to them."""


def test_they_have_the_spans_of_presidio_together_and_alone(text_finder: TextFinder, stock: Stock) -> None:
    entities = text_finder.usual()
    texts = [*TEXTS, *PARSED]
    expected = [stock(text, entities) for text in texts]
    assert text_finder.find(texts, entities=entities) == expected
    assert [text_finder.find([text], entities=entities)[0] for text in texts] == expected


def test_rounding_decides_nothing(text_engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    from lakehouse.pii.detect.presidio.entities import Piece, model_of  # noqa: PLC0415 - seconds
    from lakehouse.pii.detect.presidio.vectors import WordVectors  # noqa: PLC0415 - seconds

    nlp = text_engine.nlp.get_nlp("en")
    recognizer = nlp.get_pipe("ner")
    docs = [nlp.make_doc(text) for text in TEXTS]
    right = [[Piece(each.start, each.end, each.label_) for each in recognizer(doc).ents] for doc in docs]
    quick, exact = model_of(recognizer), WordVectors.of
    assert quick is not None
    rng = np.random.default_rng(7)

    def disturbed(vectors: WordVectors, docs: Sequence[Doc]) -> np.ndarray:
        right = exact(vectors, docs)
        return np.asarray(right + rng.uniform(-ROUNDING, ROUNDING, right.shape).astype("f"))

    monkeypatch.setattr(WordVectors, "of", disturbed)
    left = 0
    for _ in range(20):
        found = quick.find([nlp.make_doc(text) for text in TEXTS])
        assert [pieces for pieces in found if pieces is not None] == [
            own for own, pieces in zip(right, found, strict=True) if pieces is not None
        ]
        left += sum(pieces is None for pieces in found)
    assert left > 20 * len(TEXTS) / 2, "they are left to the model's own arithmetic"


def test_rounding_decides_nothing_of_sentences(text_engine: Engine) -> None:
    from lakehouse.pii.detect.presidio.parsing import parser_of  # noqa: PLC0415 - seconds
    from lakehouse.pii.detect.presidio.vectors import WordVectors  # noqa: PLC0415 - seconds

    nlp = text_engine.nlp.get_nlp("en")
    parser, vectors = (
        parser_of(nlp.get_pipe("parser")),
        WordVectors(nlp.get_pipe("tok2vec").model, quick=True),
    )
    assert parser is not None
    docs = [nlp.make_doc(text) for text in PARSED]
    assert not any(parser.parse(docs, vectors.of(docs))), "they are left to the model's own arithmetic"
