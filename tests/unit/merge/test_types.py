"""Every type of Delta, through merges of both kinds, as others read it; and structs that grow."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from lakehouse.delta.schema import type_string
from lakehouse.errors import DataError
from lakehouse.table import Table
from tests.properties.tables import (
    Row,
    by_delta_rs,
    by_polars,
    everywhere,
    open_table,
    ours,
    records,
)
from tests.unit.merge.test_widening import read_alike

TYPES: dict[str, tuple[str, Any, Any]] = {
    "b": ("byte", -128, 127),
    "s": ("short", -(2**15), 2**15 - 1),
    "i": ("integer", -(2**31), 2**31 - 1),
    "l": ("long", -(2**63), 2**63 - 1),
    "f": ("float", 0.5, -1.25 * 2**33),
    "d": ("double", 0.1, -1.7976931348623157e308),
    "t": ("string", "", "ä€😀\n"),
    "y": ("binary", b"", b"\x00\xff\x80"),
    "o": ("boolean", True, False),
    "day": ("date", date(1, 1, 1), date(9999, 12, 31)),
    "at": ("timestamp", datetime(1, 1, 2, tzinfo=UTC), datetime(2024, 2, 29, 23, 59, 59, 999999, tzinfo=UTC)),
    "wall": ("timestamp_ntz", datetime(1970, 1, 1), datetime(2024, 2, 29, 23, 59, 59, 1)),
    "dec": ("decimal(38,10)", Decimal("1234567890123456789012345678.0123456789"), Decimal("-0.0000000001")),
    "small": ("decimal(4,2)", Decimal("99.99"), Decimal("-99.99")),
    "list": ("array<integer>", [1, None, 3], []),
    "deep": (
        "array<struct<a:decimal(10,2),b:array<timestamp>>>",
        [{"a": Decimal("1.50"), "b": [datetime(2024, 1, 1, tzinfo=UTC), None]}],
        [None, {"a": None, "b": []}],
    ),
    "struct": (
        "struct<x:long,y:struct<z:binary,w:date>>",
        {"x": 1, "y": {"z": b"\x01", "w": date(2024, 1, 1)}},
        {"x": None, "y": None},
    ),
    "map": (
        "map<string,array<long>>",
        [{"key": "a", "value": [1, None]}, {"key": "b", "value": None}],
        [{"key": "c", "value": []}],
    ),
}
KEYS = range(100, 100 + len(TYPES))
SCHEMA = {"id": "long", "n": "long", **{name: kind for name, (kind, _, _) in TYPES.items()}}


def row(key: int, n: int, which: int) -> Row:
    """A row with the first or second value of every type, or null."""
    values = {name: entry[which] if which else None for name, entry in TYPES.items()}
    return {"id": key, "n": n, **values}


def shown(found: Row) -> Row:
    """As Python has it, without the lake's own columns."""
    return {name: found[name] for name in SCHEMA}


@pytest.mark.parametrize("rewriting", ["merge", "compact"])
def test_values_of_every_type_survive(tmp_path: Path, mode: str, rewriting: str) -> None:
    table = open_table(tmp_path, merge=mode, schema=SCHEMA, changes={"sequence": "n"}, change_feed=True)
    table.merge([row(key, 1, key % 3) for key in range(9)])
    result = table.merge([row(key, 2, (key + 1) % 3) for key in range(6)])
    assert (result.updated, result.rejected) == (6, 0)
    if rewriting == "compact":
        table.compact()
    expected = [row(key, 2, (key + 1) % 3) for key in range(6)] + [
        row(key, 1, key % 3) for key in range(6, 9)
    ]
    assert [shown(found) for found in read_alike(table, tmp_path)] == expected
    types = {field.name: type_string(field.type) for field in table.snapshot().schema.fields}
    assert types == SCHEMA


def test_partial_changes_keep_values_of_every_type(tmp_path: Path, mode: str) -> None:
    table = open_table(tmp_path, merge=mode, schema=SCHEMA, changes={"sequence": "n"})
    table.merge([row(key, 1, 1) for key in KEYS])
    changes = [
        {"id": key, "n": 2, name: entry[2]} for key, (name, entry) in zip(KEYS, TYPES.items(), strict=True)
    ]
    assert table.merge(changes).updated == len(TYPES)
    expected = [
        {**row(key, 2, 1), name: entry[2]} for key, (name, entry) in zip(KEYS, TYPES.items(), strict=True)
    ]
    assert [shown(found) for found in records(ours(table))] == expected


def test_arrow_brings_every_type_too(tmp_path: Path, mode: str) -> None:
    first = open_table(tmp_path / "first", schema=SCHEMA)
    first.merge([row(key, 1, key % 3) for key in range(9)])
    table = open_table(tmp_path, merge=mode)
    table.merge(ours(first))
    table.merge(ours(first).with_columns(n=pl.lit(2, dtype=pl.Int64)))
    assert [shown(found) for found in records(ours(table))] == [row(key, 2, key % 3) for key in range(9)]


def grown(root: Path, mode: str, **section: Any) -> Table:
    table = open_table(root, merge=mode, **section)
    table.merge([{"id": key, "n": 1, "a": {"zip": "1", "in": {"x": 1}}, "l": [{"p": 1}]} for key in range(3)])
    return table


@pytest.mark.parametrize("sequence", [None, "n"])
def test_structs_grow_where_changes_have_more_fields(tmp_path: Path, mode: str, sequence: str | None) -> None:
    table = grown(tmp_path, mode, changes={"sequence": sequence} if sequence else {})
    new = {
        "id": 1,
        "n": 2,
        "a": {"zip": "2", "in": {"x": 2, "y": "new"}, "city": "c"},
        "l": [{"p": 2, "q": 3}],
    }
    result = table.merge([new, {"id": 7, "n": 2, "a": None, "l": []}])
    assert set(result.new_columns) == {"a.in.y", "a.city", "l.element.q"}
    rows = {found["id"]: found for found in everywhere(table, tmp_path)}
    assert rows[1] == new
    assert rows[0]["a"] == {"zip": "1", "in": {"x": 1, "y": None}, "city": None}
    assert rows[0]["l"] == [{"p": 1, "q": None}]
    # A partial change afterwards keeps the rows from before the growth whole, and those after it.
    table.merge([{"id": 0, "n": 3, "a": {"zip": "3", "in": None, "city": "d"}}, {"id": 1, "n": 3, "l": None}])
    rows = {found["id"]: found for found in everywhere(table, tmp_path)}
    assert (rows[0]["l"], rows[1]["a"]["city"], rows[1]["l"]) == ([{"p": 1, "q": None}], "c", None)
    table.compact()
    assert {found["id"]: found for found in everywhere(table, tmp_path)} == rows


def test_a_partial_change_that_makes_a_struct_grow(tmp_path: Path, mode: str) -> None:
    table = grown(tmp_path, mode, changes={"sequence": "n"})
    table.merge([{"id": 0, "n": 2, "a": {"zip": "9", "country": "DE"}}])
    rows = {found["id"]: found for found in everywhere(table, tmp_path)}
    assert rows[0]["a"] == {"zip": "9", "in": None, "country": "DE"}
    assert rows[0]["l"] == [{"p": 1}]


def test_a_struct_grows_and_widens_at_once(tmp_path: Path, mode: str) -> None:
    table = open_table(tmp_path, merge=mode, schema={"id": "long", "a": "struct<x:integer>"})
    table.merge([{"id": 1, "a": {"x": 1}}, {"id": 2, "a": {"x": 1}}])
    result = table.merge([{"id": 1, "a": {"x": 2**40, "y": "new"}}])
    assert (result.widened, result.new_columns) == (("a",), ("a.y",))
    rows = [found["a"] for found in everywhere(table, tmp_path)]
    assert rows == [{"x": 2**40, "y": "new"}, {"x": 1, "y": None}]


@pytest.mark.parametrize(
    "change",
    [{"id": 1, "A": {"zip": "1"}}, {"id": 1, "a": {"ZIP": "1"}}, {"id": 1, "l": [{"P": 1}]}, {"ID": 1}],
)
def test_names_that_differ_by_case_only_are_refused(tmp_path: Path, change: Row) -> None:
    table = grown(tmp_path, "auto")
    with pytest.raises(DataError):
        table.merge([change])
    with pytest.raises(DataError, match="case"):
        open_table(tmp_path / "new").merge([{"id": 1, "s": {"a": 1, "A": 2}}])
    assert table.snapshot().version == 1
    assert len(by_polars(tmp_path)) == len(by_delta_rs(tmp_path)) == 3


def test_maps_of_structs_and_histories_grow_too(tmp_path: Path, mode: str) -> None:
    table = open_table(tmp_path, merge=mode, schema={"id": "long", "m": "map<string,struct<p:long>>"})
    table.merge([{"id": key, "m": [{"key": "k", "value": {"p": 1}}]} for key in range(2)])
    table.merge([{"id": 1, "m": [{"key": "k", "value": {"p": 2, "q": 3}}]}])
    assert [found["m"][0]["value"] for found in read_alike(table, tmp_path)] == [
        {"p": 1, "q": None},
        {"p": 2, "q": 3},
    ]
    root = tmp_path / "history"
    kept = open_table(root, merge=mode, history="full", changes={"sequence": "n"})
    days = [datetime(2024, 1, day, tzinfo=UTC) for day in range(1, 6)]
    kept.merge([{"id": 1, "n": days[0], "v": "a"}, {"id": 1, "n": days[4], "v": "e"}])
    kept.merge([{"id": 1, "n": days[2], "w": "new"}])
    assert len(read_alike(kept, root)) == 3
