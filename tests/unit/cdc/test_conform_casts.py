"""Which values fit which types, value by value."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import polars as pl
import pytest

from lakehouse.cdc.casts import cast_exactly
from lakehouse.delta.schema import DecimalType, PrimitiveType, parse_type, type_to_polars

D = Decimal


def cast(
    values: list[Any], target: str, dtype: pl.DataType | None = None, *, textual: bool = False
) -> list[Any] | None:
    parsed = parse_type(target)
    assert isinstance(parsed, PrimitiveType | DecimalType)
    found = cast_exactly(pl.Series(values, dtype=dtype), parsed, textual=textual)
    if found is None:
        return None
    assert found.dtype == type_to_polars(parsed)
    return found.to_list()


NUMBERS: list[tuple[list[Any], pl.DataType | None, str, list[Any]]] = [
    ([1, -(2**31), 2**31, None], None, "integer", [1, -(2**31), None, None]),
    ([127, 128, -129], None, "byte", [127, None, None]),
    ([2**63 - 1, 2**63], pl.UInt64(), "long", [2**63 - 1, None]),
    ([2**100, 5], pl.Int128(), "long", [None, 5]),
    ([3.0, 3.5, float("nan"), float("inf"), 1e20, -0.0], None, "long", [3, None, None, None, None, 0]),
    ([2.0**53, 2.0**53 + 2], None, "long", [2**53, None]),
    ([D("3.00"), D("3.10"), D("99999999999.00")], pl.Decimal(20, 2), "integer", [3, None, None]),
    ([1, 2**53 + 1, 2**63 - 1], None, "double", [1.0, None, None]),
    ([2**24, 2**24 + 1], None, "float", [2.0**24, None]),
    ([0.5, 1e300, float("inf")], None, "float", [0.5, None, float("inf")]),
    ([D("0.10"), D("12345678901234567.89")], pl.Decimal(20, 2), "double", [0.1, None]),
    ([12, 123, -12], None, "decimal(4,2)", [D("12.00"), None, D("-12.00")]),
    (
        [12.5, 12.505, 19.99, 100.0, float("nan")],
        None,
        "decimal(4,2)",
        [D("12.50"), None, D("19.99"), None, None],
    ),
    ([0.1 + 0.2, 1e-3], None, "decimal(10,2)", [None, None]),
    ([1e10, 123456789.25], None, "decimal(38,10)", [D("10000000000"), D("123456789.25")]),
    ([D("1.500"), D("1.505")], pl.Decimal(10, 3), "decimal(4,2)", [D("1.50"), None]),
    ([D("1")], pl.Decimal(38, 0), "decimal(38,38)", [None]),
    ([True], None, "boolean", [True]),
]


@pytest.mark.parametrize(("values", "dtype", "target", "expected"), NUMBERS)
def test_numbers(values: list[Any], dtype: pl.DataType | None, target: str, expected: list[Any]) -> None:
    assert cast(values, target, dtype) == expected


def test_a_number_of_json_fits_a_float_if_its_digits_do() -> None:
    assert cast([0.1, 0.12345678901], "float") == [pl.Series([0.1], dtype=pl.Float32)[0], None]


@pytest.mark.parametrize(
    ("values", "target"),
    [
        ([1], "string"),
        ([1], "boolean"),
        ([1], "timestamp"),
        ([1], "date"),
        ([True], "integer"),
        ([True], "decimal(1,0)"),
        (["1"], "long"),
        (["1.5"], "double"),
        (["true"], "boolean"),
        (["x"], "binary"),
        ([b"x"], "string"),
        ([date(2026, 1, 1)], "timestamp"),
        ([date(2026, 1, 1)], "string"),
        ([datetime(2026, 1, 1)], "timestamp"),
        ([datetime(2026, 1, 1, tzinfo=UTC)], "timestamp_ntz"),
        ([datetime(2026, 1, 1, tzinfo=UTC)], "date"),
    ],
)
def test_kinds_that_are_never_mixed(values: list[Any], target: str) -> None:
    assert cast(values, target) is None


def test_text_as_decimal_is_read_digit_by_digit() -> None:
    text = [
        "12.5",
        "12.50000",
        "12.505",
        "+1",
        "-.5",
        "1.",
        "1E+2",
        "125e-1",
        "1e99",
        "NaN",
        "1,5",
        " 1",
        "",
        "0x1",
    ]
    expected = ["12.50", "12.50", None, "1.00", "-0.50", "1.00", "100.00", "12.50"] + [None] * 6
    assert cast(text, "decimal(5,2)") == [None if item is None else D(item) for item in expected]


def test_text_of_a_textual_source_is_read_as_a_number_or_boolean() -> None:
    assert (
        cast(["12", "-3", "12.0", " 1", "1_0", "99999999999"], "integer", textual=True)
        == [12, -3] + [None] * 4
    )
    assert cast(["1.5", "1e5", "1e999", "inf", "x"], "double", textual=True) == [
        1.5,
        1e5,
        None,
        float("inf"),
        None,
    ]
    assert cast(["true", "FALSE", "1", ""], "boolean", textual=True) == [True, False, None, None]


def test_text_as_a_date() -> None:
    text = ["2026-02-28", "2026-02-30", "2026-2-3", "2026-02-28T00:00:00", "yesterday"]
    assert cast(text, "date") == [date(2026, 2, 28), None, None, None, None]


def test_text_as_an_instant_needs_its_offset() -> None:
    noon = datetime(2026, 2, 28, 12, tzinfo=UTC)
    text = [
        "2026-02-28T12:00:00Z",
        "2026-02-28 12:00:00.000000+00",
        "2026-02-28T14:00:00+02:00",
        "2026-02-28T11:00:00.5-0100",
        "2026-02-28T12:00:00.000000000Z",
        "2026-02-28T12:00:00",
        "2026-02-28T12:00:00.0000001Z",
        "2026-02-28T25:00:00Z",
        "2026-02-30T12:00:00Z",
        "2026-02-28",
    ]
    half = noon + timedelta(seconds=0.5)
    assert cast(text, "timestamp") == [noon, noon, noon, half, noon, None, None, None, None, None]


def test_text_as_a_wall_clock_time_has_no_offset() -> None:
    noon = datetime(2026, 2, 28, 12)
    text = ["2026-02-28T12:00:00", "2026-02-28 12:00:00.000", "2026-02-28T12:00:00Z", "2026-02-28"]
    assert cast(text, "timestamp_ntz") == [noon, noon, None, None]


def test_instants_of_any_zone_and_unit_become_utc_microseconds() -> None:
    berlin = datetime(2026, 2, 28, 13, tzinfo=timezone(timedelta(hours=1)))
    assert cast([berlin], "timestamp", pl.Datetime("ms", "Europe/Berlin")) == [
        datetime(2026, 2, 28, 12, tzinfo=UTC)
    ]
    assert cast([1_000, 1_001, -1_000], "timestamp_ntz", None) is None
    nanos = pl.Series([1_000, 1_001, -1_000], dtype=pl.Int64).cast(pl.Datetime("ns"))
    found = cast_exactly(nanos, PrimitiveType("timestamp_ntz"))
    assert found is not None
    assert found.cast(pl.Int64).to_list() == [1, None, -1]


def test_dates_and_midnights_are_the_same() -> None:
    midnight, noon = datetime(2026, 2, 28), datetime(2026, 2, 28, 12)
    assert cast([midnight, noon], "date") == [midnight.date(), None]
    assert cast([midnight.date()], "timestamp_ntz") == [midnight]


def test_nothing_but_nulls_fits_everything() -> None:
    for target in ("long", "string", "timestamp", "decimal(5,2)", "binary"):
        assert cast([None, None], target) == [None, None]
