"""The narrowest wider type that holds all values of a batch."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

import polars as pl
import pytest

from lakehouse.cdc.fitting import Rules
from lakehouse.cdc.widening import widen
from lakehouse.delta.schema import parse_type, type_string


def widened(values: list[Any], known: str, dtype: pl.DataType | None = None) -> str | None:
    found = widen(pl.Series(values, dtype=dtype), parse_type(known), rules=Rules())
    return None if found is None else type_string(found)


@pytest.mark.parametrize(
    ("values", "known", "expected"),
    [
        ([1, 2], "byte", None),
        ([1, 200], "byte", "short"),
        ([1, 2**20], "byte", "integer"),
        ([1, 2**40], "short", "long"),
        ([1, 2**40], "integer", "long"),
        ([0.5, 0.1], "float", None),
        ([0.5, 0.123456789012], "float", "double"),
        ([123.4, 1.25], "decimal(4,2)", "decimal(5,2)"),
        ([1.125], "decimal(4,2)", "decimal(5,3)"),
        ([1000], "decimal(4,2)", "decimal(6,2)"),
        (["1000.125"], "decimal(4,2)", "decimal(7,3)"),
        ([Decimal("1" * 38)], "decimal(4,2)", None),
        ([datetime(2026, 1, 1)], "date", None),
        ([datetime(2026, 1, 1, 12), None], "date", "timestamp_ntz"),
        (["x"], "long", None),
        ([1.5], "integer", None),
        ([2**40, None], "string", None),
        ([None], "integer", None),
    ],
)
def test_widens_only_as_far_as_needed(values: list[Any], known: str, expected: str | None) -> None:
    dtype = pl.Datetime("us") if known == "date" else None
    assert widened(values, known, dtype) == expected


def test_values_that_fit_nowhere_do_not_hinder() -> None:
    assert widened([2**40, 2**70], "integer", pl.Int128()) == "long"
