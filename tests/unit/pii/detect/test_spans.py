"""The same spans as Presidio's ``AnalyzerEngine``, text by text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import pytest

from benchmarks.texts import Texts
from lakehouse.config.models import PiiConfig
from lakehouse.errors import UsageError
from lakehouse.pii.detect.finder import TextFinder
from lakehouse.pii.spans import Span
from tests.fixtures.presidio import Stock, spans_of

if TYPE_CHECKING:
    from lakehouse.pii.detect.presidio.engine import Engine

pytestmark = [pytest.mark.xdist_group("presidio"), pytest.mark.slow]

ODD = [
    "", " ", "\n", "\t \r\n", ".", "@", "a@b", "a@b.co", "0", "00000000000", "1" * 500, "(" * 40,
    "x" * 2000, "call me at +1 425 882 8080 x12", "+49 30 901820 / 030 901820", "phones: 212-555-5555",
    "2125555555 phone", "my number is: 212-555-5555.", "Number:212-555-5555",
    "numbers and calls 212 555 5555", "😀 John Smith 😀", "הטלפון 03-5551234 של דוד כהן",
    "اتصل على 212-555-5555 الآن", "Jose\u0301 Garci\u0301a in Me\u0301xico",
    "٠١٢٣٤٥٦٧٨٩ phone ٢١٢٥٥٥٥٥٥٥", "bad \ufffd\ufffd bytes john@example.com", "\x00\x01 John Smith \x7f",
    "<b>John</b><i>Smith</i>", '{"name": "John Smith", "tel": "212-555-5555"}',
    "a:b:c phone:1 212-555-5555", "-PRON- phone be 212-555-5555",
    "See www.example.com/a?b='c' and 'http://example.org'", "::1 and 10.0.0.1/24",
    "He was born in May. June Carter sang. March Smith left", "Dr. No. 5 Smith. John",
    "John\nSmith\n\nParis", "At 12:30 the phone rang: 212-555-5555", "a:the phone:of the 212-555-5555",
    "https://x.y:80 calls 212-555-5555", "Phoning began, 212-555-5555", "PHONE 212-555-5555",
    "The number 212-555-5555 is cooler than a number", "Their identities: social securities 078-05-1120",
    "mobil\u0130 2125555555", "\u212aall 2125555555", "driving A1234567", "A1234567 dls", "permits A1234567",
]  # fmt: skip


def differences(
    finder: TextFinder, stock: Stock, texts: Sequence[str], entities: Sequence[str]
) -> list[tuple[str, tuple[Span, ...], tuple[Span, ...]]]:
    found = finder.find(texts, entities=entities)
    expected = [stock(text, entities) for text in texts]
    return [each for each in zip(texts, found, expected, strict=True) if each[1] != each[2]]


@pytest.mark.parametrize("kind", ["plain", "messy"])
def test_spans_are_those_of_presidio(text_finder: TextFinder, stock: Stock, kind: str) -> None:
    texts = getattr(Texts(20), kind)(250)
    assert differences(text_finder, stock, texts, text_finder.usual()) == []


def test_odd_texts_too(text_finder: TextFinder, stock: Stock) -> None:
    assert differences(text_finder, stock, ODD, text_finder.usual()) == []


@pytest.mark.parametrize(
    "entities",
    [
        ("PERSON",),
        ("EMAIL_ADDRESS",),
        ("PHONE_NUMBER", "US_SSN", "DATE_TIME"),
        ("LOCATION", "URL", "IP_ADDRESS"),
        ("CREDIT_CARD", "IBAN_CODE", "US_DRIVER_LICENSE", "US_PASSPORT", "UK_NHS", "CRYPTO"),
    ],
)
def test_so_they_are_for_any_choice_of_entities(
    text_finder: TextFinder, stock: Stock, entities: tuple[str, ...]
) -> None:
    texts = [*Texts(21).messy(120), *ODD]
    assert differences(text_finder, stock, texts, entities) == []


def test_recognizers_that_presidio_leaves_out_find_what_they_find_there(
    text_finder: TextFinder, text_engine: Engine
) -> None:
    """Every entity that there is, and a score from which on nearly everything counts."""
    from lakehouse.pii.detect.presidio.patterns import searcher  # noqa: PLC0415 - seconds

    patterns = [each for each in text_engine.analyzer.registry.recognizers if each.name != "SpacyRecognizer"]
    assert all(searcher(each, counts=lambda _, context: context) for each in patterns), (
        "one of them is not looked for in the quick way"
    )
    finder = TextFinder(PiiConfig(min_score=0.05))
    texts = [
        *Texts(22).plain(60),
        *Texts(22).messy(60),
        "Steuer-ID 65929970489, NINO AB123456C, plate B-AB 1234",
    ]
    entities = text_finder.entities()
    found = finder.find(texts, entities=entities)
    analyze = text_engine.analyzer.analyze
    for text, spans in zip(texts, found, strict=True):
        assert spans == spans_of(analyze(text, "en", entities=list(entities), score_threshold=0.05)), text
    assert len({span.entity for spans in found for span in spans}) > 30


def test_positions_count_code_points(text_finder: TextFinder) -> None:
    text = "😀👩‍👩‍👧 e\u0301 john@example.com"
    ((span,),) = text_finder.find([text], entities=["EMAIL_ADDRESS"])
    assert text[span.start : span.end] == "john@example.com"


def test_equal_texts_have_equal_spans_in_the_order_of_the_texts(text_finder: TextFinder) -> None:
    texts = ["b@example.com", "nothing", "longer: a@example.com", "b@example.com", ""]
    found = text_finder.find(texts, entities=["EMAIL_ADDRESS"])
    assert [[text[s.start : s.end] for s in spans] for text, spans in zip(texts, found, strict=True)] == [
        ["b@example.com"], [], ["a@example.com"], ["b@example.com"], []
    ]  # fmt: skip


def test_only_what_is_asked_for_is_told(text_finder: TextFinder) -> None:
    text = "John Smith, john@example.com"
    assert {span.entity for (span,) in text_finder.find([text], entities=["PERSON"])} == {"PERSON"}
    assert text_finder.find([text], entities=[]) == [()]


def test_a_text_longer_than_presidio_takes_is_searched_to_its_end(text_finder: TextFinder) -> None:
    filler = "The kettle is broken and the lamp makes a strange noise. " * 18_000
    text = f"{filler}John Smith lives here. {'0' * 3_000} Write to mary@example.com"
    assert len(text) > 1_000_000
    ((*spans,),) = text_finder.find([text], entities=["EMAIL_ADDRESS"])
    assert [text[span.start : span.end] for span in spans] == ["mary@example.com"]


def test_a_text_that_a_recognizer_can_not_read_in_time_does_not_pass_for_clean(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("lakehouse.pii.detect.presidio.patterns.OWN_SECONDS", 0.2)
    section = {"recognizers": [{"name": "CODE", "regex": "(a|a)+b"}], "nlp": {"engine": "none"}}
    finder = TextFinder(PiiConfig.model_validate(section))
    with pytest.raises(UsageError, match=r"recognizer CODE takes longer than 0\.2 s for a text of 61"):
        finder.find([f"{'a' * 60}!"], entities=["CODE"])
    ((span,),) = finder.find([f"{'a' * 60}b"], entities=["CODE"])
    assert (span.start, span.end) == (0, 61)


def test_halves_of_pairs_do_no_harm(text_finder: TextFinder) -> None:
    text = "\ud83d John Smith \udc00 john@example.com"
    (spans,) = text_finder.find([text], entities=["PERSON", "EMAIL_ADDRESS"])
    assert "john@example.com" in {text[span.start : span.end] for span in spans}


def test_words_that_were_seen_do_not_fill_the_memory(text_engine: Engine) -> None:
    from lakehouse.pii.detect.presidio.analysis import Analysis  # noqa: PLC0415 - seconds

    analysis = Analysis(text_engine, most_words=1)
    texts = ["John Smith phoned", "Mary Jones wrote to m@example.com"]
    first = analysis.spans(texts, entities=["PERSON", "EMAIL_ADDRESS"])
    assert analysis.engine is not text_engine, "the model was loaded anew"
    assert analysis.spans(texts, entities=["PERSON", "EMAIL_ADDRESS"]) == first
    assert [len(spans) for spans in first] == [1, 2]
