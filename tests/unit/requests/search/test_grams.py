"""The search for many strings finds what a search one by one finds, and is quick."""

from __future__ import annotations

import pickle

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from lakehouse.requests.search.grams import SHORTEST, Grams, folded


def slowly(strings: list[bytes], data: bytes) -> set[tuple[int, int]]:
    text = folded(data)
    return {
        (at, number)
        for number, string in enumerate(strings)
        for at in range(len(text) - len(string) + 1)
        if text.startswith(folded(string), at)
    }


def found(strings: list[bytes], data: bytes) -> list[tuple[int, int]]:
    return Grams(strings).find(np.frombuffer(data, dtype=np.uint8))


few = st.sampled_from(list(b"abAB@.1\xc3\x00"))
string = st.lists(few, min_size=SHORTEST, max_size=14).map(bytes)


@settings(max_examples=300, deadline=None)
@given(
    strings=st.lists(string, min_size=1, max_size=8),
    parts=st.lists(st.one_of(string, st.binary(max_size=9))),
    data=st.data(),
)
def test_it_finds_what_a_slow_search_finds(
    strings: list[bytes], parts: list[bytes], data: st.DataObject
) -> None:
    chosen = data.draw(st.lists(st.sampled_from(strings), max_size=3))
    text = b"".join(data.draw(st.permutations(parts + chosen)))
    result = found(strings, text)
    assert set(result) == slowly(strings, text)
    assert len(set(result)) == len(result)
    again = pickle.loads(pickle.dumps(Grams(strings)))
    assert set(again.find(np.frombuffer(text, dtype=np.uint8))) == set(result)


def test_it_finds_at_every_position_of_a_large_buffer() -> None:
    needle = b"needle-%d"
    text = bytearray(b"." * 3_000_000)
    places = [*range(0, 200, 20), 262_140, 524_283, 1_048_569, 2_999_991]
    for place in places:
        text[place : place + 9] = needle % 1 + b"."
    assert sorted(at for at, _ in found([needle % 1], bytes(text))) == places


def test_nothing_is_found_in_nothing() -> None:
    assert found([b"needle"], b"") == []
    assert found([b"needle"], b"needl") == []
    assert found([], b"needle") == []
    assert found([b"needle"], b"needle") == [(0, 0)]
