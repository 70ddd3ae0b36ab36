"""What operators promise for any value: deterministic, of the same type, turned back exactly."""

from __future__ import annotations

import os
import string
import subprocess
import sys
from datetime import date, datetime
from typing import Any

import hypothesis.strategies as st
import polars as pl
import pytest
from hypothesis import given, settings
from polars.testing import assert_series_equal

from tests.unit.pii.operators import ENTITY, operator
from tests.unit.pii.rings import Ring

# All of Unicode but surrogates, with what is known to be awkward more often.
TEXTS = st.one_of(
    st.text(max_size=40),
    st.sampled_from(["", "a@b.example", "שלום", "👩\u200d👧", "e\u0301", "\0", "\n", "x" * 100_000]),
    st.sampled_from(["tok_1_abc", "enc_1_", "tok_1_" + "a" * 40, "enc_1_" + "a" * 60]),
    st.text(alphabet=string.ascii_letters + string.digits + "-+ ._", min_size=1, max_size=24),
)  # fmt: skip
LONGS = st.integers(-(2**63), 2**63 - 1)
VALUES: dict[str, tuple[Any, st.SearchStrategy[Any]]] = {
    "string": (pl.String, TEXTS),
    "long": (pl.Int64, st.one_of(LONGS, st.integers(-2_000_000, 2_000_000))),
    "integer": (pl.Int32, st.integers(-(2**31), 2**31 - 1)),
    "binary": (pl.Binary, st.binary(max_size=20)),
    "date": (pl.Date, st.dates(date(2, 1, 1), date(9998, 12, 31))),
    "timestamp": (pl.Datetime("us"), st.datetimes(datetime(2, 1, 1), datetime(9998, 12, 31))),
    "zoned": (pl.Datetime("us", "UTC"), st.datetimes(datetime(1900, 1, 1), datetime(2100, 12, 31))),
    "double": (pl.Float64, st.floats(allow_nan=False)),
    "decimal": (pl.Decimal(12, 2), st.decimals(-(10**9), 10**9, places=2)),
    "boolean": (pl.Boolean, st.booleans()),
}
OPERATORS: list[tuple[str, dict[str, Any]]] = [
    ("redact", {}),
    ("nullify", {}),
    ("keep", {}),
    ("replace", {}),
    ("replace", {"new_value": 7}),
    ("mask", {"keep_first": 1, "keep_last": 2}),
    ("hash", {}),
    ("tokenize", {}),
    ("encrypt", {}),
    ("fpe", {}),
    ("fpe", {"alphabet": "alphanumeric"}),
    ("date_shift", {"days": 30}),
    ("generalize", {"step": 10}),
    ("generalize", {"bins": [0, 10]}),
    ("generalize", {"to": "month"}),
    ("generalize", {"keep_first": 3}),
]
CASES = [(name, more, kind) for name, more in OPERATORS for kind in VALUES]


def _takes(name: str, more: dict[str, Any], kind: str) -> bool:
    return operator(name, **more).takes(pl.Series([], dtype=VALUES[kind][0]).dtype)


@pytest.mark.parametrize(("name", "more", "kind"), [case for case in CASES if _takes(*case)])
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_type_nulls_and_equality_are_kept(
    name: str, more: dict[str, Any], kind: str, data: st.DataObject
) -> None:
    dtype, strategy = VALUES[kind]
    given_values = data.draw(st.lists(st.one_of(st.none(), strategy), min_size=1, max_size=12))
    # Some of them twice, so that equal values are there.
    values = pl.Series("v", [*given_values, *given_values[:3]], dtype=dtype)
    person = pl.Series(["p"]).new_from_index(0, len(values))
    row = pl.Series(range(len(values))).cast(pl.String)
    made = operator(name, **more)
    done = made.mask(values, entity=ENTITY, person=person, row=row)
    assert (done.dtype, len(done), done.name) == (values.dtype, len(values), "v")
    if name not in {"nullify", "redact"}:
        assert done.is_null().to_list() == values.is_null().to_list()
    else:
        assert done.filter(values.is_null()).is_null().all()
    # Another operator of the same config gives the same, also in another order.
    again = operator(name, **more).mask(values[::-1], entity=ENTITY, person=person, row=row[::-1])[::-1]
    assert_series_equal(again, done)
    if made.deterministic:
        pairs = pl.DataFrame({"v": values, "m": done}).unique()
        assert pairs["v"].n_unique() == pairs.height, "one mask for each value"
        if made.injective:
            assert pairs["m"].n_unique() == pairs.height, "another mask for another value"
    if name == "mask":
        assert_series_equal(done.str.len_chars(), values.str.len_chars())


_BOTH_WAYS = {"keep", "tokenize", "encrypt", "fpe", "date_shift"}
# Texts that are no dates are not shifted but replaced.
REVERSIBLE = [
    case
    for case in CASES
    if _takes(*case) and case[0] in _BOTH_WAYS and (case[0], case[2]) != ("date_shift", "string")
]


@pytest.mark.parametrize(("name", "more", "kind"), REVERSIBLE)
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_masks_are_turned_back_exactly(
    name: str, more: dict[str, Any], kind: str, data: st.DataObject
) -> None:
    dtype, strategy = VALUES[kind]
    values = pl.Series(
        "v", data.draw(st.lists(st.one_of(st.none(), strategy), min_size=1, max_size=12)), dtype=dtype
    )
    person = pl.Series([data.draw(st.sampled_from(("p", "q", "ü")))]).new_from_index(0, len(values))
    made = operator(name, **more)
    assert made.reversible
    done = made.mask(values, entity=ENTITY, person=person)
    later = operator(name, ring=Ring().rotated(), **more)
    assert_series_equal(later.reveal(done, entity=ENTITY, person=person), values)


_SCRIPT = """
import polars as pl
from tests.unit.pii.operators import operator
values = pl.Series(["a@b.example", "123456789", "שלום"])
for name in ("hash", "tokenize", "fpe", "fake", "date_shift", "encrypt"):
    print(operator(name).mask(values, entity="PERSON", person=values, row=values).to_list())
"""


def test_other_processes_give_the_same_masks() -> None:
    said = {
        subprocess.run(
            [sys.executable, "-c", _SCRIPT],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(sys.path)},
            capture_output=True,
            check=True,
            text=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(said) == 1
    assert len(said.pop().splitlines()) == 6


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(0, 999_999), unique=True, min_size=2, max_size=200))
def test_small_numbers_stay_small_and_apart(numbers: list[int]) -> None:
    done = operator("fpe").mask(pl.Series(numbers, dtype=pl.Int64), entity=ENTITY)
    assert done.n_unique() == len(numbers)
    assert done.is_between(0, 999_999).all()


@settings(max_examples=60, deadline=None)
@given(st.text(alphabet="aB3 -", min_size=1, max_size=20))
def test_formats_are_kept_or_become_tokens(text: str) -> None:
    (mask,) = operator("fpe").mask(pl.Series([text]), entity=ENTITY).to_list()
    if mask.startswith("tok_1_"):
        return

    def form(each: str) -> str:
        return "".join("x" if char.isalnum() else char for char in each)

    def kinds(each: str) -> set[str]:
        return {"0" if char.isdigit() else "A" if char.isupper() else "a" for char in each if char.isalnum()}

    assert form(mask) == form(text)
    assert kinds(mask) == kinds(text)


@settings(max_examples=20, deadline=None)
@given(
    st.lists(st.one_of(st.none(), st.sampled_from([f"v{i}" for i in range(40)])), min_size=300, max_size=600)
)
def test_many_equal_values_come_out_as_one_by_one(values: list[str | None]) -> None:
    series = pl.Series(values, dtype=pl.String)
    made = operator("tokenize")
    single = [made.mask(series[at : at + 1], entity=ENTITY)[0] for at in range(len(series))]
    assert made.mask(series, entity=ENTITY).to_list() == single


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.floats(-1e12, 1e12), min_size=1, max_size=20),
    st.one_of(st.integers(1, 10_000), st.floats(1e-3, 1e6), st.sampled_from([0.1, 0.3, 2.5, 1 / 3])),
)
def test_a_range_begins_where_it_begins(numbers: list[float], step: float) -> None:
    made = operator("generalize", step=step)
    once = made.mask(pl.Series(numbers, dtype=pl.Float64), entity=ENTITY)
    assert_series_equal(made.mask(once, entity=ENTITY), once)
    assert (once <= pl.Series(numbers)).all()
    assert (once + step * (1 + 1e-9) + 1e-3 > pl.Series(numbers)).all()
