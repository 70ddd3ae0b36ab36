"""Keys and sequences of every type, of several columns, and partitions."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from lakehouse.table import Table
from tests.properties.tables import by_delta_rs, by_polars, everywhere, open_table, ours

LONG = "Straße 日本 " * 20
MOMENT = datetime(2024, 2, 29, 23, 59, 59, 999_999, tzinfo=UTC)
KEYS: dict[str, tuple[pl.DataType, list[Any]]] = {
    "string": (
        pl.String(),
        ["", " ", "a", "A", "é", LONG + "1", LONG + "2", "\U0010ffff", "a\x00b", "%2F/x=1"],
    ),
    "byte": (pl.Int8(), [-128, 0, 127]),
    "integer": (pl.Int32(), [-(2**31), 0, 2**31 - 1]),
    "long": (pl.Int64(), [-(2**63), 0, 2**53, 2**53 + 1, 2**63 - 1]),
    "decimal": (
        pl.Decimal(38, 18),
        [Decimal("0.000000000000000001"), Decimal(-1), Decimal("12345678901234567890.123456789012345678")],
    ),
    "double": (pl.Float64(), [-1e300, 0.0, 5e-324, 1.5, float("inf")]),
    "boolean": (pl.Boolean(), [True, False]),
    "date": (pl.Date(), [date(1, 1, 1), date(1970, 1, 1), date(9999, 12, 31)]),
    "timestamp": (
        pl.Datetime("us", "UTC"),
        [MOMENT, MOMENT - timedelta(microseconds=1), datetime(1, 1, 1, tzinfo=UTC)],
    ),
    "timestamp_ntz": (
        pl.Datetime("us"),
        [MOMENT.replace(tzinfo=None), datetime(1969, 12, 31, 23, 59, 59, 999_999)],
    ),
    "binary": (pl.Binary(), [b"", b"\x00", b"\xff\xfe", b"a" * 100]),
}


def _values(frame: pl.DataFrame) -> dict[Any, int]:
    return dict(frame.select("id", "v").rows())


def _agree(table: Table, root: Path) -> dict[Any, int]:
    found = _values(ours(table))
    assert _values(by_polars(root)) == found
    assert _values(by_delta_rs(root)) == found
    return found


@pytest.mark.parametrize("name", KEYS)
def test_keys_of_every_type(tmp_path: Path, mode: str, name: str) -> None:
    dtype, values = KEYS[name]
    table = open_table(tmp_path, merge=mode)
    every = pl.DataFrame({"id": pl.Series(values, dtype=dtype), "v": [0] * len(values)})
    assert table.merge(every).inserted == len(values)
    assert _agree(table, tmp_path) == dict.fromkeys(values, 0)
    for number, value in enumerate(values, start=1):
        one = pl.DataFrame({"id": pl.Series([value], dtype=dtype), "v": [number]})
        result = table.merge(one)
        assert (result.updated, result.total) == (1, 1), value
    assert _agree(table, tmp_path) == {value: number for number, value in enumerate(values, start=1)}
    gone = every.select("id", pl.lit("delete").alias("_op"))
    assert table.merge(gone.head(1)).deleted == 1
    assert len(_agree(table, tmp_path)) == len(values) - 1
    assert table.merge(gone).deleted == len(values) - 1
    assert _agree(table, tmp_path) == {}
    assert table.snapshot().files == {}


@pytest.mark.parametrize("name", [name for name in KEYS if name not in {"boolean", "binary"}])
def test_sequences_of_every_type(tmp_path: Path, name: str) -> None:
    dtype, values = KEYS[name]
    values = sorted(values, key=lambda value: value.encode() if isinstance(value, str) else value)
    table = open_table(tmp_path, changes={"sequence": "seq"})
    for number in (1, 0, *range(2, len(values)), *range(len(values))):
        one = pl.DataFrame({"id": [1], "seq": pl.Series([values[number]], dtype=dtype), "v": [number]})
        table.merge(one)
    assert table.read()["v"].to_list() == [len(values) - 1]
    for number in range(len(values) - 1):
        grave = pl.DataFrame({"id": [1], "seq": pl.Series([values[number]], dtype=dtype), "_op": ["delete"]})
        assert table.merge(grave).stale == 1


def test_keys_of_several_columns(tmp_path: Path, mode: str) -> None:
    table = open_table(tmp_path, merge=mode, key=["a", "b", "c"])
    rows = [{"a": a, "b": b, "c": c, "v": 0} for a in (1, 2) for b in ("x", "y") for c in (True, False)]
    assert table.merge(rows).inserted == 8
    result = table.merge(
        [
            {"a": 1, "b": "x", "c": True, "v": 1},
            {"a": 2, "b": "x", "c": True, "_op": "delete"},
            {"a": 1, "b": "z", "c": True, "v": 2},
            {"a": 1, "b": None, "c": True, "v": 3},
        ]
    )
    assert (result.updated, result.deleted, result.inserted, result.rejected) == (1, 1, 1, 1)
    changed = [row for row in everywhere(table, tmp_path) if row["v"]]
    assert changed == [{"a": 1, "b": "x", "c": True, "v": 1}, {"a": 1, "b": "z", "c": True, "v": 2}]
    assert len(table.read()) == 8


def test_a_sequence_that_is_part_of_the_key(tmp_path: Path, mode: str) -> None:
    table = open_table(tmp_path, merge=mode, key=["id", "day"], changes={"sequence": ["day", "seq"]})
    table.merge([{"id": 1, "day": 1, "seq": 1, "v": "a"}, {"id": 1, "day": 2, "seq": 1, "v": "b"}])
    table.merge([{"id": 1, "day": 1, "seq": 3, "_op": "delete"}, {"id": 1, "day": 2, "seq": 0, "v": "late"}])
    assert table.merge([{"id": 1, "day": 1, "seq": 2, "v": "late"}]).stale == 1
    assert [row["v"] for row in everywhere(table, tmp_path)] == ["b"]
    assert table.merge([{"id": 1, "day": 1, "seq": 4, "v": "c"}]).inserted == 1


def test_an_empty_batch_where_the_sequence_is_part_of_the_key(tmp_path: Path) -> None:
    table = open_table(tmp_path, key=["id", "day"], changes={"sequence": ["day", "seq"]})
    table.merge([{"id": 1, "day": 1, "seq": 1}])
    assert table.merge([]).total == 0
    assert table.read().height == 1


class TestPartitions:
    def test_a_row_moves_to_another_partition(self, tmp_path: Path, mode: str) -> None:
        table = open_table(tmp_path, merge=mode, partition_by=["country"])
        table.merge([{"id": key, "country": "DE" if key % 2 else "FR", "v": 0} for key in range(10)])
        result = table.merge([{"id": 1, "country": "FR", "v": 1}, {"id": 2, "country": "a b/c=%ü", "v": 1}])
        assert (result.updated, result.total) == (2, 2)
        rows = {row["id"]: row["country"] for row in everywhere(table, tmp_path)}
        assert len(rows) == 10
        assert (rows[1], rows[2], rows[3], rows[4]) == ("FR", "a b/c=%ü", "DE", "FR")
        assert table.verify().ok

    def test_a_key_that_is_the_partition(self, tmp_path: Path, mode: str) -> None:
        table = open_table(tmp_path, merge=mode, key=["day", "id"], partition_by=["day"])
        days = [date(2024, 1, day) for day in range(1, 5)]
        table.merge([{"day": day, "id": key, "v": 0} for day in days for key in (1, 2)])
        result = table.merge([{"day": days[0], "id": 1, "v": 1}, {"day": days[1], "id": 1, "_op": "delete"}])
        assert (result.updated, result.deleted) == (1, 1)
        assert result.rows_removed == 2
        assert len(everywhere(table, tmp_path)) == 7

    def test_null_and_empty_partitions(self, tmp_path: Path, mode: str) -> None:
        table = open_table(tmp_path, merge=mode, schema={"id": "long", "p": "integer"}, partition_by=["p"])
        table.merge([{"id": 1, "p": None}, {"id": 2, "p": 1}])
        table.merge([{"id": 1, "p": 2}, {"id": 2, "p": None}])
        assert everywhere(table, tmp_path) == [{"id": 1, "p": 2}, {"id": 2, "p": None}]

    @pytest.mark.parametrize(
        ("kind", "values"),
        [
            ("decimal(10,2)", [Decimal("1.50"), Decimal("-3.25")]),
            ("timestamp", [MOMENT, datetime(1999, 1, 1, tzinfo=UTC)]),
            ("boolean", [True, False]),
            ("double", [1.5, -2.0]),
        ],
    )
    def test_partitions_of_other_types(self, tmp_path: Path, mode: str, kind: str, values: list[Any]) -> None:
        schema = {"id": "long", "p": kind, "v": "long"}
        table = open_table(tmp_path, merge=mode, schema=schema, partition_by=["p"])
        table.merge([{"id": 1, "p": values[0], "v": 0}, {"id": 2, "p": values[1], "v": 0}])
        table.merge([{"id": 1, "p": values[1], "v": 1}])
        assert everywhere(table, tmp_path) == [
            {"id": 1, "p": values[1], "v": 1},
            {"id": 2, "p": values[1], "v": 0},
        ]
