from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakehouse.config.variables import UNDEFINED, Expanded, escape, expand, plain, written


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("plain", "plain"),
        ("${A}", "1"),
        ("x${A}y${B}z", "x1y2z"),
        ("${A:-other}", "1"),
        ("${NONE:-other}", "other"),
        ("${NONE:-}", ""),
        ("${EMPTY:-other}", "other"),
        ("${EMPTY}", ""),
        ("${NONE:-a:-b}", "a:-b"),
        ("$A $ {A} $$ {", "$A $ {A} $$ {"),
        ("$${A}", "${A}"),
        ("$${A} ${A}", "${A} 1"),
        ("^\\d+$", "^\\d+$"),
    ],
)
def test_expansion(text: str, result: str) -> None:
    expanded, problems = expand(text, {"A": "1", "B": "2", "EMPTY": ""})
    assert (expanded, problems) == (result, [])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("${NONE}", "the environment variable `NONE` is not set; set it, or write ${NONE:-default}"),
        ("${}", "not understood"),
        ("${1A}", "not understood"),
        ("${A-b}", "not understood"),
        ("${A b}", "not understood"),
        ("${A", "not understood"),
        ("${A:-${B}}", "can't name a variable itself"),
    ],
)
def test_what_is_wrong_with_a_variable(text: str, message: str) -> None:
    _, problems = expand(text, {"A": "1", "B": "2"} if "NONE" not in text and text != "${A:-${B}}" else {})
    assert len(problems) == 1
    assert message in problems[0]


def test_each_missing_variable_is_told() -> None:
    _, problems = expand("${X} ${Y}", {})
    assert ["`X`" in problems[0], "`Y`" in problems[1]] == [True, True]


def test_an_expanded_text_knows_how_it_was_written() -> None:
    expanded, _ = expand("a${A}", {"A": "1"})
    assert isinstance(expanded, Expanded)
    assert expanded.template == "a${A}"
    assert type(plain({"x": [expanded]})["x"][0]) is str


@given(st.text())
def test_escaping_is_undone_by_expansion(text: str) -> None:
    assert expand(escape(text), {}) == (text, [])


@given(st.text())
def test_a_value_is_never_expanded_again(value: str) -> None:
    assert expand("${A}", {"A": value})[0] == value


@pytest.mark.parametrize(
    ("template", "result"),
    [
        ("abc", "abc"),
        ("${A}", UNDEFINED),
        ("${A:-x}", "x"),
        ("a${B}c${D:-e}", f"a{UNDEFINED}ce"),
        ("$${A}", "${A}"),
    ],
)
def test_what_a_file_itself_says(template: str, result: str) -> None:
    assert written(template) == result
