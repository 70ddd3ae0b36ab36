from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import orjson
import pytest

from lakehouse.cli.documents import duration, encode


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (datetime(2026, 3, 4, 5, 6, 7, 1, tzinfo=UTC), "2026-03-04T05:06:07.000001Z"),
        (date(2026, 3, 4), "2026-03-04"),
        (Decimal("12345678901234567890.10"), "12345678901234567890.10"),
        (Decimal("1E+2"), "100"),
        (b"\x00\xff", "AP8="),
        (float("nan"), "NaN"),
        (float("-inf"), "-Infinity"),
        (2**63, 2**63),
        (2**70, str(2**70)),
        (Path("a/b"), "a/b"),
        (timedelta(days=7), "P7D"),
        ({"b", "a"}, ["a", "b"]),
        ({"nested": [{"x": float("inf")}]}, {"nested": [{"x": "Infinity"}]}),
        ((1, None), [1, None]),
    ],
)
def test_how_values_look(value: object, expected: object) -> None:
    assert orjson.loads(encode(value)) == expected


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (timedelta(), "PT0S"),
        (timedelta(milliseconds=250), "PT0.25S"),
        (timedelta(days=1, seconds=90), "P1DT90S"),
        (timedelta(seconds=-30), "-PT30S"),
        (timedelta(seconds=100), "PT100S"),
    ],
)
def test_durations(value: timedelta, text: str) -> None:
    assert duration(value) == text


def test_what_has_no_form_is_refused_by_type_and_not_by_value() -> None:
    with pytest.raises(TypeError) as caught:
        encode({"x": object()})
    assert "object" in str(caught.value)
    assert "0x" not in str(caught.value)
