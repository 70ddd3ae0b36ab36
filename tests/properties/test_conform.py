"""No cast changes a value: what comes through is equal, and what would be equal comes through."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from lakehouse.cdc.casts import cast_exactly
from lakehouse.cdc.fitting import Rules, fit
from lakehouse.delta.schema import DecimalType, PrimitiveType, parse_type

WIDTHS = {"byte": 8, "short": 16, "integer": 32, "long": 64}
LISTS = st.lists(st.none() | st.lists(st.none() | st.integers(-300, 300), max_size=3), max_size=6)
DECIMALS = st.builds(lambda p, s: DecimalType(p, min(p, s)), st.integers(1, 38), st.integers(0, 38))


def _cast(values: list[Any], dtype: pl.DataType, target: PrimitiveType | DecimalType) -> list[Any]:
    found = cast_exactly(pl.Series(values, dtype=dtype, strict=True), target)
    assert found is not None
    return found.to_list()


def _fits(value: Decimal, target: DecimalType) -> bool:
    """Whether a number has few enough digits on both sides of the dot."""
    if not value.is_finite():
        return False
    _, digits, exponent = value.as_tuple()
    assert isinstance(exponent, int)
    number = int("".join(map(str, digits)) or "0")
    while number and number % 10 == 0:
        number, exponent = number // 10, exponent + 1
    if number == 0:
        return True
    return -exponent <= target.scale and len(str(number)) + exponent <= target.precision - target.scale


@settings(deadline=None)
@given(values=st.lists(st.integers(-(2**63), 2**63 - 1)), name=st.sampled_from(sorted(WIDTHS)))
def test_integers_fit_integers_by_their_range(values: list[int], name: str) -> None:
    bound = 2 ** (WIDTHS[name] - 1)
    expected = [value if -bound <= value < bound else None for value in values]
    assert _cast(values, pl.Int64(), PrimitiveType(name)) == expected


@settings(deadline=None)
@given(values=st.lists(st.floats()), name=st.sampled_from(sorted(WIDTHS)))
def test_a_double_that_becomes_an_integer_is_that_integer(values: list[float], name: str) -> None:
    for before, after in zip(values, _cast(values, pl.Float64(), PrimitiveType(name)), strict=True):
        bound = 2 ** (WIDTHS[name] - 1)
        fits = before.is_integer() and -bound <= before < bound and abs(before) <= 2**53
        assert after == before if fits else after is None


@settings(deadline=None)
@given(values=st.lists(st.integers(-(2**63), 2**63 - 1)))
def test_an_integer_that_becomes_a_double_is_that_number(values: list[int]) -> None:
    for before, after in zip(values, _cast(values, pl.Int64(), PrimitiveType("double")), strict=True):
        assert after is None or int(after) == before
        assert after is not None or abs(before) > 2**53


@settings(deadline=None)
@given(values=st.lists(st.integers(-(2**63), 2**63 - 1)), target=DECIMALS)
def test_integers_fit_decimals_by_their_digits(values: list[int], target: DecimalType) -> None:
    for before, after in zip(values, _cast(values, pl.Int64(), target), strict=True):
        assert after == (before if _fits(Decimal(before), target) else None)


@settings(deadline=None)
@given(
    values=st.lists(st.decimals(-(10**20), 10**20, places=8, allow_nan=False, allow_infinity=False)),
    target=DECIMALS,
)
def test_decimals_fit_decimals_by_their_digits(values: list[Decimal], target: DecimalType) -> None:
    for before, after in zip(values, _cast(values, pl.Decimal(38, 8), target), strict=True):
        assert after == (before if _fits(before, target) else None)


@settings(deadline=None)
@given(values=st.lists(st.floats(allow_subnormal=False)), target=DECIMALS)
def test_a_double_that_becomes_a_decimal_has_the_digits_it_is_written_with(
    values: list[float], target: DecimalType
) -> None:
    for before, after in zip(values, _cast(values, pl.Float64(), target), strict=True):
        written = Decimal(repr(before))
        assert after is None or after == written
        assert after is not None or not _fits(written, target)


@settings(deadline=None)
@given(values=st.lists(st.decimals(allow_nan=False, allow_infinity=False)), target=DECIMALS)
def test_text_that_becomes_a_decimal_is_that_number(values: list[Decimal], target: DecimalType) -> None:
    for before, after in zip(
        values, _cast([str(value) for value in values], pl.String(), target), strict=True
    ):
        assert after == (before if _fits(before, target) else None)


@settings(deadline=None)
@given(values=st.lists(st.integers(-(2**62), 2**62)))
def test_nanoseconds_fit_where_they_are_whole_microseconds(values: list[int]) -> None:
    nanos = pl.Series(values, dtype=pl.Int64).cast(pl.Datetime("ns"))
    found = cast_exactly(nanos, PrimitiveType("timestamp_ntz"))
    assert found is not None
    expected = [value // 1000 if value % 1000 == 0 else None for value in values]
    assert found.cast(pl.Int64).to_list() == expected


@settings(deadline=None)
@given(values=LISTS)
def test_lists_come_through_whole_or_are_named(values: list[list[int | None] | None]) -> None:
    column = pl.Series("x", values, dtype=pl.List(pl.Int64))
    found = fit(column, parse_type("array<byte>"), column="x", rules=Rules())
    lost = [any(misfit[0][row] for misfit in found.misfits) for row in range(len(values))]
    for row, value in enumerate(values):
        assert lost[row] == any(item is not None and not -128 <= item < 128 for item in value or [])
        assert lost[row] or found.values.to_list()[row] == value
