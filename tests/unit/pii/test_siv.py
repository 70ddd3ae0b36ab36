"""Many texts at once come out as the library makes them one by one."""

from __future__ import annotations

from base64 import urlsafe_b64encode
from hashlib import sha256

import hypothesis.strategies as st
import polars as pl
import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESSIV
from hypothesis import given, settings

from lakehouse.pii.operators.siv import sealed

KEY = sha256(b"a").digest() + sha256(b"b").digest()


def one_by_one(texts: list[str | None], associated: bytes) -> list[str | None]:
    siv = AESSIV(KEY)
    return [
        "x_" + urlsafe_b64encode(siv.encrypt(text.encode(), [associated])).rstrip(b"=").decode()
        if text
        else text
        for text in texts
    ]


@pytest.mark.parametrize("associated", [b"", b"PERSON", b"x" * 16, b"x" * 40])
def test_every_length(associated: bytes) -> None:
    texts: list[str | None] = ["é" * (length // 2) + "a" * (length % 2) for length in range(300)]
    texts += [None, "", *texts[::-7], "z" * 5000]
    done = sealed(pl.Series("v", texts), key=KEY, associated=associated, head="x_")
    assert done.to_list() == one_by_one(texts, associated)
    # A part of a column, and of several chunks.
    column = pl.concat([pl.Series("v", texts), pl.Series("v", texts[5:50])], rechunk=False).slice(3, 320)
    assert sealed(column, key=KEY, associated=associated, head="x_").to_list() == one_by_one(
        column.to_list(), associated
    )


@settings(max_examples=100, deadline=None)
@given(st.lists(st.one_of(st.none(), st.text(max_size=60)), max_size=30), st.binary(max_size=40))
def test_any_texts(texts: list[str | None], associated: bytes) -> None:
    done = sealed(pl.Series("v", texts, dtype=pl.String), key=KEY, associated=associated, head="x_")
    assert done.dtype == pl.String
    assert done.to_list() == one_by_one(texts, associated)
