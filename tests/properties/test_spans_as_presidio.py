"""Whatever the text: the same spans as Presidio's ``AnalyzerEngine``."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lakehouse.pii.detect.finder import TextFinder
from tests.fixtures.presidio import Stock

PIECES = (
    "John Smith", "Mary Jones-Miller", "Paris", "Berlin", "in March 2024", "12/03/2024",
    "2024-03-12T10:11:12Z", "john@example.com", "http://www.example.com/x?y=1", "example.org",
    "212-555-5555", "+44 20 7946 0958", "4111 1111 1111 1111", "DE89370400440532013000", "10.0.0.1",
    "::1", "078-05-1120", "A1234567", "phone", "calls", "mobile:", "dated", "birthday", "website",
    "licenses", "is", "The", "said.", "however,", "?", "\n", "\n\n", "😀", "e\u0301", "שלום", "\u200b",
    "(", ")", "-", "'", '"', "<b>", "{", "1BoatSLRHtKNngkdXEeobR76b53LETtpyT",
)  # fmt: skip


@pytest.mark.xdist_group("presidio")
@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    texts=st.lists(
        st.lists(st.one_of(st.sampled_from(PIECES), st.text(max_size=6)), max_size=12).flatmap(
            lambda pieces: st.sampled_from(["", " ", "  "]).map(lambda between: between.join(pieces))
        ),
        min_size=1,
        max_size=4,
    )
)
def test_any_text_has_the_spans_of_presidio(text_finder: TextFinder, stock: Stock, texts: list[str]) -> None:
    entities = text_finder.usual()
    assert text_finder.find(texts, entities=entities) == [stock(text, entities) for text in texts]
