"""Masks of text columns are the same, whatever lies around a value, and are columns as good as any other."""

from __future__ import annotations

import pickle
from typing import Any, Final

import hypothesis.strategies as st
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings

from lakehouse.pii.operators.base import Operator
from tests.unit.pii.operators import ENTITY, operator

OPERATORS: Final[dict[str, dict[str, Any]]] = {
    "hash": {},
    "tokenize": {},
    "mask": {"keep_first": 1, "keep_last": 4},
}
# Around the borders of blocks, of what a view of Arrow holds, and of what is left to the library.
LENGTHS: Final = (0, 1, 5, 6, 11, 12, 13, 15, 16, 17, 31, 32, 33, 48, 255, 256, 257, 1023, 1024, 1025, 3000)

texts = st.lists(
    st.one_of(
        st.none(),
        st.text(max_size=40),
        st.text(alphabet="abc", max_size=40),
        st.sampled_from(LENGTHS).map("x".__mul__),
        st.sampled_from(LENGTHS).map("é".__mul__),
        st.sampled_from(["👩‍👩‍👧", "שלום", "a\0b", "\0" * 16]),
    ),
    max_size=40,
)


def alone(mask: Operator, value: str | None) -> str | None:
    """The mask of a value that nothing is around."""
    found: str | None = mask.mask(pl.Series([value], dtype=pl.String), entity=ENTITY)[0]
    return found


@pytest.mark.parametrize("name", OPERATORS)
@settings(max_examples=40, deadline=None)
@given(values=texts, start=st.integers(0, 5), split=st.integers(0, 40), shuffle=st.randoms())
def test_whatever_is_around(
    name: str, values: list[str | None], start: int, split: int, shuffle: Any
) -> None:
    mask = operator(name, **OPERATORS[name])
    expected = [alone(mask, value) for value in values]
    whole = pl.Series("v", values, dtype=pl.String)
    assert mask.mask(whole, entity=ENTITY).to_list() == expected
    # In another order, in several chunks, and as a part of a larger array.
    order = list(range(len(values)))
    shuffle.shuffle(order)
    mixed = mask.mask(whole.gather(order), entity=ENTITY)
    assert mixed.to_list() == [expected[at] for at in order]
    chunks = pl.concat([whole[:split], whole[split:], whole[:3]], rechunk=False)
    assert mask.mask(chunks, entity=ENTITY).to_list() == expected + expected[:3]
    for kind in (pa.string(), pa.large_string(), pa.string_view()):
        part = pl.Series(pa.array(["before", None, *values, "after"], kind)[2 + start : -1])
        assert mask.mask(part, entity=ENTITY).to_list() == expected[start:]


@pytest.mark.parametrize("name", OPERATORS)
@settings(max_examples=15, deadline=None)
@given(values=texts)
def test_masks_are_columns_as_any_other(name: str, values: list[str | None]) -> None:
    mask = operator(name, **OPERATORS[name])
    done = mask.mask(pl.Series("v", values * 2, dtype=pl.String), entity=ENTITY)
    plain = pl.Series("v", done.to_list(), dtype=pl.String)
    # Equal texts must be equal where they are compared as bytes, too.
    assert done.equals(plain, null_equal=True)
    assert done.n_unique() == plain.n_unique()
    assert (done == plain).all()
    assert done.is_in(plain.implode(), nulls_equal=True).all()
    assert done.sort().equals(plain.sort(), null_equal=True)
    assert done.to_arrow().cast(pa.large_string()).equals(plain.to_arrow().cast(pa.large_string()))
    done.to_arrow().validate(full=True)
    assert pickle.loads(pickle.dumps(done)).equals(plain, null_equal=True)


@pytest.mark.parametrize("name", OPERATORS)
def test_more_than_is_written_together(name: str) -> None:
    mask = operator(name, **OPERATORS[name])
    # Short and long ones, some beyond ASCII, far more than one piece; each again in another place.
    some = [None, "", "ü", *("v" * length for length in LENGTHS)]
    values = pl.Series(
        "v", [some[at * at % 23] if at % 7 else f"{at % 5000:0{at % 17}}" for at in range(150_000)]
    )
    done = mask.mask(values, entity=ENTITY)
    assert done.dtype == pl.String
    assert len(done) == len(values)
    pairs = pl.DataFrame({"value": values, "mask": done}).unique()
    assert pairs.height == values.n_unique()
    for value, found in [*pairs.sort("value").gather_every(101).rows(), (None, None), ("", "")]:
        assert alone(mask, value) == found
    assert mask.mask(values[::-1], entity=ENTITY)[::-1].equals(done, null_equal=True)


def test_binary_values_are_hashed_as_their_texts_are() -> None:
    mask = operator("hash")
    values = pl.Series("v", [None, "", *("é" * (length // 2) for length in LENGTHS)])
    texts = mask.mask(values, entity=ENTITY)
    done = mask.mask(values.cast(pl.Binary), entity=ENTITY)
    assert done.dtype == pl.Binary
    assert done.bin.encode("hex").to_list() == texts.to_list()
