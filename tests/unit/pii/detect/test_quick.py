"""What is done in quicker arithmetic says what spaCy says, and is left out where it does not."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import numpy as np
import pytest

from benchmarks.texts import Texts
from tests.fixtures.presidio import Stock

if TYPE_CHECKING:
    from lakehouse.pii.detect.presidio.engine import Engine
    from lakehouse.pii.detect.presidio.parts import Parts

pytestmark = [pytest.mark.xdist_group("presidio"), pytest.mark.slow]

TEXTS = [text for text in Texts(41).messy(120) if text.strip()]


@pytest.fixture
def parts(text_engine: Engine) -> Parts:
    from lakehouse.pii.detect.presidio.parts import Parts  # noqa: PLC0415 - seconds

    parts = Parts.of(text_engine.nlp.get_nlp("en"))
    assert parts is not None
    return parts


def test_heads_sentences_and_tags_are_those_of_the_model(parts: Parts) -> None:
    from spacy.attrs import DEP, HEAD, SENT_START  # noqa: PLC0415 - seconds

    from lakehouse.pii.detect.presidio.quick import Quick  # noqa: PLC0415 - seconds

    quick = Quick.of(parts)
    assert quick.parser is not None
    assert quick.tagger is not None
    every = [parts.nlp(text) for text in TEXTS]
    vectors = quick.vectors.of([parts.nlp.make_doc(text) for text in TEXTS])
    rounding = np.random.default_rng(7).uniform(-1e-5, 1e-5, vectors.shape).astype("f")
    for some in (vectors, vectors + rounding):
        docs = [parts.nlp.make_doc(text) for text in TEXTS]
        sure = quick.parser.parse(docs, some)
        assert sum(sure) > 0.9 * len(docs)
        tags = iter(quick.tagger.tags(some))
        for doc, is_sure, right in zip(docs, sure, every, strict=True):
            said = [HEAD, DEP, SENT_START]
            if is_sure:
                assert np.array_equal(doc.to_array(said), right.to_array(said)), doc.text
            else:
                assert not doc.has_annotation("DEP"), "it is left to the model's own parser"
            assert all(next(tags) in {None, token.tag_} for token in right), doc.text


@pytest.mark.parametrize("name", ["parser_of", "model_of", "tagger_of", "_near"])
def test_what_another_version_does_otherwise_is_left_to_the_model(
    name: str,
    text_engine: Engine,
    stock: Stock,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    from lakehouse.pii.detect.presidio import quick  # noqa: PLC0415 - seconds
    from lakehouse.pii.detect.presidio.analysis import Analysis  # noqa: PLC0415 - seconds

    # A part that has none of the methods that are called, and vectors that are not near to the model's.
    monkeypatch.setattr(quick, name, lambda *_: None if name == "_near" else object())
    with caplog.at_level(logging.WARNING):
        analysis = Analysis(text_engine)
    assert "is used as it is" in caplog.text
    texts = TEXTS[:40]
    entities = text_engine.usual
    assert analysis.spans(texts, entities=entities) == [stock(text, entities) for text in texts]
