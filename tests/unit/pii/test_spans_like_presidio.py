"""Overlapping spans are masked as Presidio's own engine does."""

from __future__ import annotations

from typing import Any

import hypothesis.strategies as st
import polars as pl
import pytest
from hypothesis import given, settings
from presidio_anonymizer import AnonymizerEngine
from presidio_anonymizer.entities import OperatorConfig, RecognizerResult

from lakehouse.pii.mask.leaves import Context, InText
from lakehouse.pii.mask.spans import pieces_of, spliced
from lakehouse.pii.spans import Span
from tests.unit.pii.finders import Told
from tests.unit.pii.operators import operator

pytestmark = pytest.mark.xdist_group("presidio")

ENTITIES = ("A", "B", "C")
# As a config has it: as Presidio has it.
OPERATORS: dict[str, tuple[str, dict[str, Any]]] = {
    "redact": ("redact", {}),
    "replace": ("replace", {}),
    "mask": ("mask", {"masking_char": "*", "chars_to_mask": 10_000, "from_end": False}),
}


@st.composite
def texts_with_spans(draw: st.DrawFn) -> tuple[str, list[Span]]:
    text = draw(st.text(alphabet="ab  é😀ש", min_size=1, max_size=24))
    spans = []
    for _ in range(draw(st.integers(0, 6))):
        start = draw(st.integers(0, len(text) - 1))
        end = draw(st.integers(start + 1, len(text)))
        spans.append(
            Span(start, end, draw(st.sampled_from(ENTITIES)), draw(st.sampled_from((0.4, 0.85, 1.0))))
        )
    return text, spans


@settings(max_examples=400, deadline=None)
@given(texts_with_spans(), st.tuples(*[st.sampled_from(tuple(OPERATORS))] * 3))
def test_the_same_text_comes_out(case: tuple[str, list[Span]], names: tuple[str, str, str]) -> None:
    text, spans = case
    theirs = AnonymizerEngine().anonymize(
        text,
        [RecognizerResult(each.entity, each.start, each.end, each.score) for each in spans],
        operators={
            entity: OperatorConfig(*OPERATORS[name]) for entity, name in zip(ENTITIES, names, strict=True)
        },
    )
    masks = InText({entity: operator(name) for entity, name in zip(ENTITIES, names, strict=True)})
    context = Context(person=None, row=None, finder=lambda: Told({text: tuple(spans)}))
    assert masks.mask(pl.Series([text, None, text]), context).to_list() == [theirs.text, None, theirs.text]


def test_what_overlaps_in_part_is_masked_twice() -> None:
    text = "call Ann Lee 123"
    spans = [Span(5, 12, "PERSON", 0.8), Span(9, 16, "ID", 0.8)]
    pieces = pieces_of(text, spans)
    assert spliced(text, pieces, ["<PERSON>", "<ID>"]) == "call <PERSON><ID>"


def test_neighbours_with_blanks_between_become_one() -> None:
    text = "Ann  Lee, Bo"
    spans = [Span(0, 3, "PERSON", 0.8), Span(5, 8, "PERSON", 0.8), Span(10, 12, "PERSON", 0.8)]
    assert [(each.start, each.end) for each in pieces_of(text, spans)] == [(0, 8), (10, 12)]
