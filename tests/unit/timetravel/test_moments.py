"""Versions by time: what the history says is what time travel understands."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake

from lakehouse.delta.create import create_table
from lakehouse.delta.schema import LONG, StructField, StructType
from lakehouse.errors import UsageError, VersionNotFoundError
from lakehouse.table import Table
from tests.unit.timetravel.conftest import OpenTable

START = datetime(2026, 1, 1, tzinfo=UTC)


def table_with_times(open_table: OpenTable, tmp_path: Path, seconds: Sequence[float]) -> Table:
    """A table with one more row in each version, whose commit files have these times."""
    place = tmp_path / "lake" / "t"
    for version, second in enumerate(seconds):
        write_deltalake(place, pa.table({"id": [version]}), mode="append")
        at = (START + timedelta(seconds=second)).timestamp()
        os.utime(place / "_delta_log" / f"{version:020d}.json", (at, at))
    return open_table()


@pytest.mark.parametrize(
    "seconds", [(0, 100, 200), (0, 100, 50, 150), (0, 100, 50, 25, 10, 300), (0, 0, 0), (50, 0)]
)
def test_each_time_of_the_history_leads_to_its_version(
    open_table: OpenTable, tmp_path: Path, seconds: Sequence[float]
) -> None:
    table = table_with_times(open_table, tmp_path, seconds)
    history = table.history()
    assert [item.timestamp for item in history] == sorted({item.timestamp for item in history}, reverse=True)
    assert [item.timestamp for item in table.history(limit=2)] == [item.timestamp for item in history[:2]]
    for item in history[1:]:
        assert table.read(timestamp=item.timestamp).height == item.version + 1
    assert table.read(timestamp=history[0].timestamp).height == len(seconds)


def test_with_in_commit_timestamps(open_table: OpenTable, tmp_path: Path) -> None:
    table = open_table()
    place = tmp_path / "lake" / "t"
    properties = {"delta.enableInCommitTimestamps": "true"}
    schema = StructType((StructField("id", LONG),))
    create_table(table.storage, schema=schema, properties=properties, deletion_vectors=True)
    table.merge([{"id": 1}])
    table.merge([{"id": 2}])
    for version in range(3):
        os.utime(place / "_delta_log" / f"{version:020d}.json", (0, 0))
    history = table.history()
    assert all(item.timestamp.year > 2000 for item in history)
    for item in history:
        assert table.read(timestamp=item.timestamp).height == item.version


@pytest.mark.parametrize("text", ["2026-01-01T00:00:00", "2026-01-01", "yesterday"])
def test_a_time_that_could_mean_several_moments_is_refused(
    open_table: OpenTable, tmp_path: Path, text: str
) -> None:
    table = table_with_times(open_table, tmp_path, [0])
    with pytest.raises(UsageError):
        table.read(timestamp=text)


def test_before_the_first_and_after_the_last(open_table: OpenTable, tmp_path: Path) -> None:
    table = table_with_times(open_table, tmp_path, [0, 10])
    with pytest.raises(VersionNotFoundError, match=r"the oldest is 0 of 2026-01-01T00:00:00"):
        table.read(timestamp=START - timedelta(milliseconds=1))
    assert table.read(timestamp="9999-12-31T23:59:59-05:00").height == 2


def test_a_version_that_is_gone_says_which_remain(open_table: OpenTable, tmp_path: Path) -> None:
    table = table_with_times(open_table, tmp_path, [0, 10, 20])
    table.tag("early", version=1)
    place = tmp_path / "lake" / "t"
    DeltaTable(place).create_checkpoint()
    for version in range(2):
        (place / "_delta_log" / f"{version:020d}.json").unlink()
    for where in ({"version": 1}, {"tag": "early"}):
        with pytest.raises(VersionNotFoundError, match=r"is gone.*version 2 can be read"):
            open_table().read(**where)
    with pytest.raises(VersionNotFoundError, match=r"the oldest is 2.*version 2 can be read"):
        open_table().read(timestamp=START)
