"""How long a table keeps its files, as its properties say."""

from __future__ import annotations

from datetime import timedelta

import pytest

from lakehouse.delta.actions import Metadata
from lakehouse.delta.intervals import DELETED_FILES, LOG, parse_interval, retention_of
from lakehouse.errors import RefusedError


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("interval 1 week", timedelta(weeks=1)),
        ("INTERVAL 30 DAYS", timedelta(days=30)),
        ("interval 2 weeks 3 days 1 hour", timedelta(days=17, hours=1)),
        ("36 hours", timedelta(hours=36)),
        ("interval 0 seconds", timedelta(0)),
        ("interval 5 minutes 1 millisecond", timedelta(minutes=5, milliseconds=1)),
    ],
)
def test_intervals(text: str, length: timedelta) -> None:
    assert parse_interval(text) == length


@pytest.mark.parametrize(
    "text",
    ["", "interval", "7", "7d", "interval 1 month", "interval -1 days", "1 day or so", "9" * 12 + " weeks"],
)
def test_what_is_none(text: str) -> None:
    with pytest.raises(ValueError, match="no interval"):
        parse_interval(text)


def test_properties_and_what_counts_without_them() -> None:
    plain = Metadata("0", "{}")
    assert retention_of(plain, DELETED_FILES) == timedelta(days=7)
    assert retention_of(plain, LOG) == timedelta(days=30)
    set_ = Metadata("0", "{}", (), {DELETED_FILES: "interval 1 day", LOG: "for ever"})
    assert retention_of(set_, DELETED_FILES) == timedelta(days=1)
    with pytest.raises(RefusedError, match=LOG):
        retention_of(set_, LOG)
