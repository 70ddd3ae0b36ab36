from __future__ import annotations

import datetime as dt
import math
from decimal import Decimal
from typing import Any

import polars as pl
import pytest

from lakehouse.delta import partitions
from lakehouse.delta.schema import parse_type, type_to_polars
from lakehouse.errors import CorruptTableError, DataError, UnsupportedFeatureError

UTC = dt.UTC


def local(*parts: int) -> dt.datetime:
    """A moment without zone."""
    return dt.datetime(*parts, tzinfo=UTC).replace(tzinfo=None)  # type: ignore[arg-type,misc]


CASES: list[tuple[str, Any, str]] = [
    ("string", "a b/c%=ü", "a b/c%=ü"),
    ("string", "__HIVE_DEFAULT_PARTITION__", "__HIVE_DEFAULT_PARTITION__"),
    ("long", -(2**63), "-9223372036854775808"),
    ("integer", 5, "5"),
    ("short", -1, "-1"),
    ("byte", 0, "0"),
    ("double", 1.5, "1.5"),
    ("double", math.inf, "Infinity"),
    ("float", -math.inf, "-Infinity"),
    ("boolean", True, "true"),
    ("boolean", False, "false"),
    ("date", dt.date(2024, 1, 31), "2024-01-31"),
    ("date", dt.date(1, 1, 1), "0001-01-01"),
    (
        "timestamp",
        dt.datetime(2024, 1, 1, 1, 2, 3, 456789, tzinfo=UTC),
        "2024-01-01T01:02:03.456789Z",
    ),
    ("timestamp", dt.datetime(2024, 1, 1, tzinfo=UTC), "2024-01-01T00:00:00.000000Z"),
    ("timestamp_ntz", local(2024, 1, 1), "2024-01-01 00:00:00"),
    ("timestamp_ntz", local(2024, 1, 1, 0, 0, 0, 1), "2024-01-01 00:00:00.000001"),
    ("decimal(5,2)", Decimal("1.50"), "1.50"),
    ("decimal(38,0)", Decimal(10**37 + 1), str(10**37 + 1)),
    (
        "decimal(38,10)",
        Decimal("1234567890123456789012345678.0123456789"),
        "1234567890123456789012345678.0123456789",
    ),
    ("binary", b"abc", "abc"),
]


@pytest.mark.parametrize(("type_name", "value", "text"), CASES)
def test_values_are_written_and_read(type_name: str, value: Any, text: str) -> None:
    data_type = parse_type(type_name)
    assert partitions.serialize_value(value, data_type) == text
    assert partitions.parse_value(text, data_type) == value
    shown = pl.select(partitions.literal(text, data_type).alias("x"))
    assert shown.schema["x"] == type_to_polars(data_type)
    assert shown["x"].to_list() == [value]


@pytest.mark.parametrize("type_name", sorted({case[0] for case in CASES}))
def test_null_and_the_empty_text_are_null(type_name: str) -> None:
    data_type = parse_type(type_name)
    assert partitions.serialize_value(None, data_type) is None
    assert partitions.parse_value(None, data_type) is None
    assert partitions.parse_value("", data_type) is None
    assert pl.select(partitions.literal(None, data_type)).to_series().dtype == type_to_polars(data_type)


def test_what_reads_as_null_is_written_as_null() -> None:
    assert partitions.serialize_value("", parse_type("string")) is None
    assert partitions.serialize_value(b"", parse_type("binary")) is None


def test_nan() -> None:
    assert partitions.serialize_value(math.nan, parse_type("double")) == "NaN"
    assert math.isnan(partitions.parse_value("NaN", parse_type("double")))


@pytest.mark.parametrize(
    "text",
    [
        "2024-01-01 01:02:03.5",
        "2024-01-01 01:02:03.500000",
        "2024-01-01T01:02:03.500Z",
        "2024-01-01T02:02:03.500+01:00",
    ],
)
def test_both_forms_of_timestamps_are_read(text: str) -> None:
    moment = partitions.parse_value(text, parse_type("timestamp"))
    assert moment == dt.datetime(2024, 1, 1, 1, 2, 3, 500_000, tzinfo=UTC)


def test_other_zones_are_written_in_utc() -> None:
    moment = dt.datetime(2024, 1, 1, tzinfo=dt.timezone(dt.timedelta(hours=2)))
    assert partitions.serialize_value(moment, parse_type("timestamp")) == "2023-12-31T22:00:00.000000Z"


def test_binary_spelled_as_escapes_is_read() -> None:
    assert partitions.parse_value("\\u0001\\u00FF", parse_type("binary")) == b"\x01\xff"


@pytest.mark.parametrize(
    ("type_name", "text"),
    [
        ("long", "x"),
        ("long", "1.5"),
        ("boolean", "yes"),
        ("date", "1.1.2024"),
        ("timestamp", "noon"),
        ("decimal(5,2)", "abc"),
        ("double", "much"),
    ],
)
def test_what_is_no_value_of_the_type_is_refused_without_showing_it(type_name: str, text: str) -> None:
    with pytest.raises(CorruptTableError, match="partition value") as caught:
        partitions.parse_value(text, parse_type(type_name))
    assert repr(text) not in str(caught.value)


def test_binary_that_is_no_text_is_refused() -> None:
    with pytest.raises(DataError, match="UTF-8"):
        partitions.serialize_value(b"\xff", parse_type("binary"))


def test_nested_types_are_refused() -> None:
    with pytest.raises(UnsupportedFeatureError, match="array"):
        partitions.serialize_value([1], parse_type("array<long>"))
    with pytest.raises(UnsupportedFeatureError, match="array"):
        partitions.parse_value("[1]", parse_type("array<long>"))


def test_folders_have_nothing_that_a_url_would_escape() -> None:
    values = {"country": "DE", "a b": "x/y:z%=#[é]\t", "day": None}
    assert (
        partitions.folder(values)
        == "country=DE/a%20b=x%2Fy%3Az%25%3D%23%5B%C3%A9%5D%09/day=__HIVE_DEFAULT_PARTITION__"
    )
    assert partitions.folder({}) == ""
    assert partitions.folder({"a": "."}) == "a=."


def test_a_value_too_long_for_a_folder_has_none() -> None:
    assert partitions.folder({"a": "x" * 300}) == ""
    assert partitions.folder({"a": "é" * 50}) == ""
