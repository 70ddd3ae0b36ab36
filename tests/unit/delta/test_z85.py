from __future__ import annotations

import os
import struct

import pytest

from lakehouse.delta import z85
from lakehouse.errors import CorruptTableError


def test_the_example_of_the_rfc() -> None:
    data = bytes([0x86, 0x4F, 0xD2, 0x6F, 0xB5, 0x59, 0xF7, 0x5B])
    assert z85.encode(data) == "HelloWorld"
    assert z85.decode("HelloWorld") == data


@pytest.mark.parametrize("length", [0, 4, 16, 400])
def test_what_is_encoded_comes_back(length: int) -> None:
    data = os.urandom(length)
    text = z85.encode(data)
    assert len(text) == length // 4 * 5
    assert z85.decode(text) == data


def test_the_largest_word_comes_back() -> None:
    assert z85.decode(z85.encode(struct.pack(">I", 2**32 - 1))) == b"\xff" * 4


@pytest.mark.parametrize("text", ["abc", "abcd;", "abcd\x00", "#####", "abcdé"])
def test_other_text_is_refused(text: str) -> None:
    with pytest.raises(CorruptTableError):
        z85.decode(text)
