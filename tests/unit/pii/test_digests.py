"""Digests of many values at once are those that the library's CMAC and AES make one by one."""

from __future__ import annotations

from hashlib import sha256

import hypothesis.strategies as st
import polars as pl
import pytest
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import ECB
from cryptography.hazmat.primitives.cmac import CMAC
from hypothesis import given, settings

from lakehouse.pii.operators.digests import digests, one_digest

FIRST, SECOND = sha256(b"a").digest(), sha256(b"b").digest()
KEY = FIRST + SECOND


def written_out(value: bytes, kind: str) -> bytes:
    """As docs/decisions/0016 has it."""
    head = len(kind.encode()).to_bytes(8) + kind.encode()
    head += b"\0" * (-len(head) % 16)
    mac = CMAC(AES(FIRST))
    mac.update(head + value)
    code = mac.finalize()
    encryptor = Cipher(AES(SECOND), ECB()).encryptor()
    permuted = encryptor.update(code)
    return bytes(one ^ other for one, other in zip(permuted, code, strict=True))


def many(values: pl.Series, kind: str) -> list[bytes]:
    return [row.tobytes() for row in digests(values, key=KEY, kind=kind)]


@pytest.mark.parametrize("kind", ["", "PERSON", "x" * 8, "x" * 24, "é" * 30])
def test_every_length(kind: str) -> None:
    values = [bytes([length % 256]) * length for length in range(100)] + [
        b"z" * 1024,
        b"y" * 1025,
        b"x" * 5000,
    ]
    column = pl.Series(values, dtype=pl.Binary)
    assert many(column, kind) == [written_out(value, kind) for value in values]
    assert [one_digest(value, key=KEY, kind=kind) for value in values[:40]] == many(column[:40], kind)
    # A part of a column, and of several chunks.
    parts = pl.concat([column, column[5:50]], rechunk=False).slice(3, 120)
    assert many(parts, kind) == [written_out(value, kind) for value in parts.to_list()]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text(max_size=50), max_size=30))
def test_any_texts(texts: list[str]) -> None:
    found = many(pl.Series(texts, dtype=pl.String), "PERSON")
    assert found == [written_out(text.encode(), "PERSON") for text in texts]


def test_more_values_than_go_together() -> None:
    values = [f"{number}" * (number % 9) for number in range(40_000)]
    found = many(pl.Series(values), "PERSON")
    assert len(found) == len(values)
    for at in (0, 1, 16_383, 16_384, 32_767, 32_768, 39_999):
        assert found[at] == written_out(values[at].encode(), "PERSON")


def test_a_value_of_another_kind_has_another_digest() -> None:
    assert one_digest(b"bc", key=KEY, kind="a") != one_digest(b"c", key=KEY, kind="ab")
