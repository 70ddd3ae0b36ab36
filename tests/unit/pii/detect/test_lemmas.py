"""Which forms words can take, and what shows in a text where one of them has something in it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from benchmarks.texts import Texts
from lakehouse.pii.detect.lemmas import NO_RULES, Assignment, Lemmas, assignment

if TYPE_CHECKING:
    from lakehouse.pii.detect.presidio.engine import Engine

LEMMAS = Lemmas(
    exceptions={"verb": {"slunk": ["slink"], "rang": ["ring"]}, "noun": {"mice": ["mouse"]}},
    rules={"verb": [("ing", "e"), ("ing", ""), ("s", "")], "noun": [("ies", "y"), ("s", "")]},
    assignments=[
        Assignment("be", words=frozenset({"is", "was"})),
        Assignment("old", pattern=re.compile("^ol'$")),
    ],
    speech=[
        Assignment("noun", tags=frozenset({"NN", "NNS"})),
        Assignment(
            "verb", tags=frozenset({"NN", "TO"}), other_tags=True, words=frozenset({"phoning", "rang"})
        ),
    ],
)


def test_a_tag_leaves_the_forms_of_the_parts_of_speech_that_it_can_be() -> None:
    assert LEMMAS.of("phoning") == ("phoning", "phone", "phon")
    assert LEMMAS.of("Phoning", "VBG") == ("phoning", "phone", "phon")
    assert LEMMAS.of("phoning", "NN") == ("phoning",)
    assert LEMMAS.of("cities", "NNS") == ("cities", "city", "citie")
    assert LEMMAS.of("was", "NN") == ("was", "wa", "be")


@pytest.mark.parametrize(
    ("part", "word", "trace"),
    [
        ("phone", "phoning", "phoning"),
        ("phone", "telephones", "phone"),
        ("identity", "identities", "identities"),
        ("link", "slunk", "slunk"),
        ("ous", "mice", "mice"),
        ("be", "was", "was"),
    ],
)
def test_what_can_become_a_word_shows_in_the_text(part: str, word: str, trace: str) -> None:
    traces = LEMMAS.traces([part])
    assert traces is not None
    assert trace in traces
    assert any(each in word for each in traces)


def test_where_any_text_could_have_it_nothing_is_told() -> None:
    assert LEMMAS.traces(["old"]) is None, "the words that it is given to are known by a pattern alone"
    assert LEMMAS.traces(["ὁδός"]) is None, "its last letter is another one in capitals and back"
    assert NO_RULES.traces(["phone", "telephone"]) == ("phone",)


def test_descriptions_that_are_not_understood_are_of_any_word_and_tag() -> None:
    assert assignment("x", {"TAG": {"REGEX": "V.*"}, "LOWER": {"NOT_IN": ["a"]}}).takes("a", "NN")
    assert not assignment("x", {"TAG": {"IN": ["VB"]}}).takes("a", "NN")


@pytest.mark.xdist_group("presidio")
def test_no_word_of_the_model_has_a_lemma_without_a_trace_of_it(text_engine: Engine) -> None:
    from lakehouse.pii.detect.presidio.parts import Parts  # noqa: PLC0415 - seconds

    nlp = text_engine.nlp.get_nlp("en")
    parts = Parts.of(nlp)
    assert parts is not None
    assert parts.possible is not None
    words = {word for table in parts.possible.exceptions.values() for word in table}
    words |= {word for text in Texts(31).messy(200) for word in text.lower().split()}
    contexts = {tuple(each.context) for each in text_engine.analyzer.registry.recognizers if each.context}
    for context in contexts:
        small = [word.lower() for word in context]
        traces = parts.possible.traces(small)
        if traces is None:
            continue
        for word in words:
            if any(part in form for form in parts.possible.of(word) for part in small):
                assert any(trace in word for trace in traces), (word, context)
