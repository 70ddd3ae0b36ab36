from __future__ import annotations

import re

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakehouse.pii.scan.examples import examples_of, shape


@pytest.mark.parametrize(
    ("value", "masked"),
    [
        ("ada@example.com", "a***@e***.com"),
        ("+49 170 1234567", "+99 999 9999999"),
        ("Ada Lovelace", "A*** L***"),
        ("Bo Li", "** **"),
        ("X", "*"),
        ("12 Main St", "99 M*** **"),
        ("1990-05-17", "9999-99-99"),
        ("王小明", "***"),
        ("Müller", "***"),
        ("", ""),
    ],
)
def test_a_value_is_shown_by_its_shape(value: str, masked: str) -> None:
    assert shape(value) == masked


@given(st.text(max_size=60))
def test_no_word_and_no_number_is_left(value: str) -> None:
    masked = shape(value)
    assert not re.search(r"[0-8]", masked)
    kept = set(re.findall(r"[^\W\d_]{2,}", masked.removesuffix("…")))
    assert kept <= {"com", "org", "net", "edu", "gov", "info", "biz", "io"} or len(max(kept, key=len)) == 2


def test_examples_are_few_short_and_the_same_for_a_seed() -> None:
    texts = pl.Series([f"person{'x' * at}@example{at}.org" for at in range(500)])
    first = examples_of(texts, seed=3)
    assert 1 <= len(first) <= 3
    assert first == examples_of(texts, seed=3)
    assert len(shape("word " * 400)) <= 41
