"""New columns, new fields and values of odd types, in the scenarios of Delta Lake's own suites.

See ``test_scenarios_of_delta``.
"""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pytest
from deltalake import DeltaTable, Field, Schema
from deltalake.schema import PrimitiveType

from lakehouse.errors import DataError
from lakehouse.table import Table
from tests.fixtures.foreign import Row, by_key, foreign, told
from tests.properties.tables import NAME, everywhere, open_table, ours

# New columns and fields


def test_new_columns_are_in_the_feed(tmp_path: Path, mode: str) -> None:
    schema = {"id": "long", "n": "long"}
    table = open_table(tmp_path, merge=mode, change_feed=True, schema=schema)
    table.merge([{"id": key, "n": key * 10} for key in (0, 1, 3)])
    table.merge([{"id": 1, "n": 1, "v": "a"}, {"id": 2, "n": 2, "v": "b"}, {"id": 3, "_op": "delete"}])
    assert told(tmp_path, 2) == [
        ("delete", 3, None),
        ("insert", 2, "b"),
        ("update_postimage", 1, "a"),
        ("update_preimage", 1, None),
    ]
    assert by_key(everywhere(table, tmp_path), "v") == {0: None, 1: "a", 2: "b"}


NULLS: list[tuple[str, Any, Any, Any, Any]] = [
    # type of x, stored, as it is shown after a field came; the change, as it is shown
    ("struct<a:long>", None, None, {"a": 1, "b": 2}, {"a": 1, "b": 2}),
    ("struct<a:long>", {"a": None}, {"a": None, "b": None}, {"a": None, "b": 2}, {"a": None, "b": 2}),
    (
        "struct<s:struct<a:long>>",
        {"s": None},
        {"s": None},
        {"s": {"a": 1, "b": 2}},
        {"s": {"a": 1, "b": 2}},
    ),
    (
        "array<struct<a:long>>",
        [None, {"a": 1}],
        [None, {"a": 1, "b": None}],
        [{"a": 1, "b": 2}, None],
        [{"a": 1, "b": 2}, None],
    ),
    ("array<struct<a:long>>", None, None, [{"a": 1, "b": 2}], [{"a": 1, "b": 2}]),
    ("array<struct<a:long>>", [], [], [{"a": 1, "b": 2}], [{"a": 1, "b": 2}]),
    (
        "array<array<struct<a:long>>>",
        [[{"a": 1}], None, []],
        [[{"a": 1, "b": None}], None, []],
        [[{"a": 1, "b": 2}]],
        [[{"a": 1, "b": 2}]],
    ),
    (
        "map<string,struct<a:long>>",
        [("k", {"a": 1}), ("n", None)],
        [("k", {"a": 1, "b": None}), ("n", None)],
        [("k", {"a": 1, "b": 2})],
        [("k", {"a": 1, "b": 2})],
    ),
    (
        "map<struct<a:long>,struct<a:long>>",
        [({"a": 1}, {"a": 1})],
        [({"a": 1, "b": None}, {"a": 1, "b": None})],
        [({"a": 1, "b": 2}, {"a": 1, "b": 2})],
        [({"a": 1, "b": 2}, {"a": 1, "b": 2})],
    ),
]


def arrow(name: str, values: list[Any]) -> pa.Array:
    """Values as Arrow has them; lists of pairs become maps."""
    if not name.startswith("map"):
        return pa.array(values)
    inner = pa.struct([("a", pa.int64()), ("b", pa.int64())])
    key = inner if name.startswith("map<struct") else pa.string()
    return pa.array(values, type=pa.map_(key, inner))


@pytest.mark.parametrize(("kind", "stored", "shown", "change", "after"), NULLS)
def test_nulls_stay_nulls_where_fields_come(
    tmp_path: Path, mode: str, kind: str, stored: Any, shown: Any, change: Any, after: Any
) -> None:
    table = open_table(tmp_path, merge=mode, schema={"id": "long", "x": kind, "v": "long"})
    old = [{"id": key, "x": stored, "v": key} for key in (1, 2, 3)]
    if kind.startswith("map"):
        plain = "a" if kind.startswith("map<string") else None
        keys = pa.string() if plain else pa.struct([("a", pa.int64())])
        maps = pa.array([stored] * 3, type=pa.map_(keys, pa.struct([("a", pa.int64())])))
        table.merge(pa.table({"id": [1, 2, 3], "x": maps, "v": [1, 2, 3]}))
    else:
        table.merge(old)
    # 1 gets the new shape, 2 is updated without a word on it, 3 is left alone, 4 is new.
    table.merge(pa.table({"id": [1, 4], "x": arrow(kind, [change, change])}))
    table.merge([{"id": 2, "v": 20}])
    rows = by_key(pa.table(table.read().to_arrow()).to_pylist(), "x")
    pairs = kind.startswith("map")

    def normal(value: Any) -> Any:
        return [tuple(item.values()) for item in value] if pairs and value else value

    assert {key: normal(value) for key, value in rows.items()} == {1: after, 2: shown, 3: shown, 4: after}
    assert len(everywhere(table, tmp_path)) == 4 if not pairs else table.verify().ok


@pytest.mark.parametrize("kind", ["long", "string", "struct<a:long>", "array<long>"])
def test_a_source_column_without_a_type(tmp_path: Path, mode: str, kind: str) -> None:
    table = open_table(tmp_path, merge=mode, schema={"id": "long", "v": kind})
    value = {"long": 1, "string": "x", "struct<a:long>": {"a": 1}, "array<long>": [1, None]}[kind]
    table.merge([{"id": 1, "v": value}, {"id": 2, "v": value}])
    table.merge(pa.table({"id": [1, 3], "v": pa.nulls(2)}))
    assert by_key(everywhere(table, tmp_path), "v") == {1: None, 2: value, 3: None}


def test_a_new_column_without_a_type_waits_for_one(tmp_path: Path, mode: str) -> None:
    table = open_table(tmp_path, merge=mode, schema={"id": "long", "v": "long"})
    table.merge([{"id": 1, "v": 1}])
    table.merge(pa.table({"id": [1, 2], "v": [5, 6], "w": pa.nulls(2)}))
    assert by_key(everywhere(table, tmp_path), "v") == {1: 5, 2: 6}
    table.merge([{"id": 2, "w": "x"}])
    assert by_key(everywhere(table, tmp_path), "v", "w") == {1: (5, None), 2: (6, "x")}


def test_a_column_that_must_not_be_null_stays_so_and_new_ones_may_be(tmp_path: Path, mode: str) -> None:
    fields = [
        Field("id", PrimitiveType("long"), nullable=False),
        Field("n", PrimitiveType("long"), nullable=False),
    ]
    DeltaTable.create(str(tmp_path / NAME), schema=Schema(fields))
    table = open_table(tmp_path, merge=mode)
    table.merge([{"id": 1, "n": 10}, {"id": 3, "n": 30}])
    strict = pa.schema(
        [
            pa.field("id", pa.int64(), nullable=False),
            pa.field("n", pa.int64()),
            pa.field("t", pa.string(), nullable=False),
        ]
    )
    result = table.merge(pa.table({"id": [1, 2, 3], "n": [1, 2, None], "t": ["a", "b", "c"]}, schema=strict))
    assert (result.updated, result.inserted, result.rejected) == (1, 1, 1)
    assert by_key(everywhere(table, tmp_path), "n", "t") == {1: (1, "a"), 2: (2, "b"), 3: (30, None)}


NO_COLUMNS = r"{\"type\":\"struct\",\"fields\":[]}"


def test_a_table_without_columns(tmp_path: Path, mode: str) -> None:
    table = open_table(tmp_path, merge=mode, schema={"id": "long"})
    table.create()
    log = tmp_path / NAME / "_delta_log" / f"{0:020}.json"
    log.write_text(
        log.read_text().replace(table.snapshot().metadata.schema_string.replace('"', '\\"'), NO_COLUMNS)
    )
    table = open_table(tmp_path, merge=mode)
    assert table.snapshot().schema.names == ()
    with pytest.raises(DataError, match="id"):
        table.merge([{"id": 1, "v": "a"}])


# Values


def test_keys_that_are_decimals(tmp_path: Path, mode: str) -> None:
    table = open_table(tmp_path, merge=mode, schema={"id": "decimal(20,4)", "v": "long"})
    table.merge(
        [{"id": Decimal("1.5000"), "v": 1}, {"id": Decimal(-2), "v": 2}, {"id": Decimal("9e14"), "v": 3}]
    )
    narrow = pa.table({"id": pa.array([Decimal("1.5"), Decimal("7.0")], pa.decimal128(5, 1)), "v": [10, 70]})
    result = table.merge(narrow)
    assert (result.updated, result.inserted) == (1, 1)
    assert by_key(everywhere(table, tmp_path), "v") == {
        Decimal("1.5000"): 10,
        Decimal("-2.0000"): 2,
        Decimal("900000000000000.0000"): 3,
        Decimal("7.0000"): 70,
    }


def test_lists_keep_their_nulls(tmp_path: Path, mode: str) -> None:
    table = open_table(tmp_path, merge=mode, schema={"id": "string", "v": "array<integer>"})
    table.merge([{"id": "a", "v": [1, 2, None]}, {"id": "b", "v": [None]}])
    table.merge([{"id": "a", "v": [-9, None, None]}])
    assert by_key(everywhere(table, tmp_path), "v") == {"a": [-9, None, None], "b": [None]}


def test_a_new_column_of_nanoseconds(tmp_path: Path, mode: str) -> None:
    table = open_table(tmp_path, merge=mode, schema={"id": "long"})
    table.merge([{"id": 1}])
    at = pa.array([1_700_000_000_123_456_000, None], pa.timestamp("ns", "UTC"))
    table.merge(pa.table({"id": [1, 2], "at": at}))
    assert by_key(everywhere(table, tmp_path), "at") == {
        1: datetime(2023, 11, 14, 22, 13, 20, 123456, UTC),
        2: None,
    }


def test_dictionaries_and_views_are_plain_text(tmp_path: Path, mode: str) -> None:
    table = open_table(tmp_path, merge=mode, schema={"id": "string", "v": "string", "b": "binary"})
    table.merge([{"id": "x", "v": "a", "b": b"1"}, {"id": "y", "v": "b", "b": b"2"}])
    batch = pa.table(
        {
            "id": pa.array(["x", "z"]).dictionary_encode(),
            "v": pa.array(["c", None], pa.string_view()),
            "b": pa.array([b"3", b"4"], pa.large_binary()),
        }
    )
    assert table.merge(batch).updated == 1
    assert by_key(everywhere(table, tmp_path), "v", "b") == {
        "x": ("c", b"3"),
        "y": ("b", b"2"),
        "z": (None, b"4"),
    }


def test_a_stale_handle_sees_what_was_appended(tmp_path: Path, mode: str) -> None:
    foreign(tmp_path, pl.DataFrame({"id": [1, 2], "v": [4, 2]}))
    table: Table = open_table(tmp_path, merge=mode)
    assert table.read().height == 2
    foreign(tmp_path, pl.DataFrame({"id": [100, 3], "v": [100, 5]}), mode="append")
    result = table.merge([{"id": 1, "v": 7}, {"id": 0, "v": 13}, {"id": 3, "v": 8}])
    assert (result.updated, result.inserted) == (2, 1)
    assert by_key(everywhere(table, tmp_path), "v") == {0: 13, 1: 7, 2: 2, 3: 8, 100: 100}


def test_keys_of_maps_that_differ_by_a_new_field_stay_two(tmp_path: Path, mode: str) -> None:
    table = open_table(tmp_path, merge=mode, schema={"id": "long", "x": "map<struct<a:long>,long>"})
    table.merge(pa.table({"id": [1], "x": keyed([({"a": 1}, 5)])}))
    result = table.merge(pa.table({"id": [2], "x": keyed([({"a": 1, "b": 1}, 6), ({"a": 1, "b": 2}, 7)])}))
    assert result.new_columns == ("x.key.b",)
    found = by_key(ours(table).to_dicts(), "x")
    assert found == {
        1: [{"key": {"a": 1, "b": None}, "value": 5}],
        2: [{"key": {"a": 1, "b": 1}, "value": 6}, {"key": {"a": 1, "b": 2}, "value": 7}],
    }


def test_a_record_with_a_map_of_structs_can_be_set_aside(tmp_path: Path) -> None:
    strict = {"schema": "quarantine"}
    kind = "map<struct<a:long>,long>"
    table = open_table(tmp_path, schema={"id": "long", "x": kind}, changes=strict)
    batch = pa.table({"id": [1, None], "x": keyed([({"a": 1}, 5)], [({"a": 2}, 6)])})
    assert table.merge(batch, source="shop", offset=1).rejected == 1
    (problem,) = table.merge(pa.table({"id": [2], "x": keyed([({"a": 1, "b": 2}, 6)])})).problems
    assert problem.detail == "the table has no field x.key.b"
    assert problem.raw == b'{"id":2,"x":[{"key":{"a":1,"b":2},"value":6}]}'
    # Once the table has the field, the record goes in as it came.
    evolving = open_table(tmp_path, schema={"id": "long", "x": kind}, changes={"schema": "evolve"})
    assert evolving.quarantine.retry().merged == 1
    assert by_key(ours(evolving).to_dicts(), "x")[2] == [{"key": {"a": 1, "b": 2}, "value": 6}]


def keyed(*values: list[tuple[Row, int]]) -> pa.Array:
    """Maps whose keys are structs, with the fields of the first key."""
    key = pa.struct([(name, pa.int64()) for name in values[0][0][0]])
    return pa.array(list(values), type=pa.map_(key, pa.int64()))
