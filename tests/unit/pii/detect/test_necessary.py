"""What a text must have for an expression to match, read from the expression."""

from __future__ import annotations

import functools
import re

import pytest
import regex
from hypothesis import given, settings
from hypothesis import strategies as st

from lakehouse.pii.detect.necessary import Necessary, necessary

FLAGS = re.IGNORECASE | re.MULTILINE | re.DOTALL


def test_digits_and_marks_that_every_match_has_are_told() -> None:
    found = necessary(r"\b\d{3}-?\d{2}[-. ]\d{4}@(?:a|b)(?!:)x?", flags=FLAGS)
    assert (found.digits, found.length) == (9, 12)
    assert set(found.marks) == {frozenset("-. "), frozenset("@")}


def test_of_alternatives_only_what_they_share_is_told() -> None:
    found = necessary(r"(?:\d\d/\d|\d:\d\d\d)(?:x|-)?", flags=FLAGS)
    assert (found.digits, found.marks) == (3, (frozenset("/:"),))


def test_a_mark_before_a_letter_is_told() -> None:
    found = necessary(r"[a-z]+[.](?:com|org)", flags=FLAGS)
    assert found.before_letter == ((".", frozenset("co")),)


@pytest.mark.parametrize(
    "pattern",
    [r"(?:@)?", r"@*", r"(?=@)a", r"(?<!@)", r"[^@]", r"(?:@|a)", r"\p{Nd}", r"(?:a@){e<=1}", r"(", r""],
)
def test_nothing_is_told_of_what_need_not_be_there(pattern: str) -> None:
    found = necessary(pattern, flags=FLAGS)
    assert (found.digits, found.marks, found.before_letter) == (0, (), ())


def test_an_expression_that_is_not_understood_needs_nothing() -> None:
    assert necessary(r"\p{Lu}\d{4}@", flags=FLAGS) == Necessary()


@pytest.mark.xdist_group("presidio")
@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_what_an_expression_of_presidio_matches_has_all_that_it_needs(data: st.DataObject) -> None:
    pattern = data.draw(st.sampled_from(_expressions()))
    try:
        text = data.draw(st.from_regex(re.compile(pattern, FLAGS)))
    except re.error:
        return  # it looks back further than the standard library can
    match = regex.compile(pattern, flags=FLAGS).search(text)
    if match is not None:
        needs = necessary(pattern, flags=FLAGS)
        assert needs.allows(text, digits=len(re.findall(r"\d", text)))
        for mark, letters in needs.before_letter:
            assert regex.search(f"{regex.escape(mark)}[{''.join(letters)}]", text, flags=FLAGS)


@functools.cache
def _expressions() -> list[str]:
    from presidio_analyzer import PatternRecognizer, predefined_recognizers  # noqa: PLC0415 - seconds

    kinds = (getattr(predefined_recognizers, name) for name in predefined_recognizers.__all__)
    found = [
        pattern.regex
        for kind in kinds
        if isinstance(kind, type) and issubclass(kind, PatternRecognizer)
        for pattern in getattr(kind, "PATTERNS", ())
        if necessary(pattern.regex, flags=FLAGS) != Necessary()
    ]
    assert len(found) > 120, "most of them are understood"
    return found
