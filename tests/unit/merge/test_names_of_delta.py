"""Columns by name, in the scenarios of Delta Lake's own suites (see ``test_scenarios_of_delta``)."""

from __future__ import annotations

import re
from pathlib import Path

import polars as pl
import pytest
from deltalake import DeltaTable, Field, Schema
from deltalake.schema import PrimitiveType

from lakehouse.errors import DataError
from lakehouse.merge.feed import CHANGE_TYPE
from lakehouse.merge.reserved import is_reserved
from tests.fixtures.foreign import by_key, foreign
from tests.properties.tables import NAME, delta, everywhere, open_table, ours


def test_columns_come_in_another_order(tmp_path: Path, mode: str) -> None:
    foreign(tmp_path, pl.DataFrame({"id": [1, 2], "a": [1, 2], "b": [10, 20]}))
    table = open_table(tmp_path, merge=mode)
    table.merge(pl.DataFrame({"b": [11, 30], "id": [1, 3], "a": [5, 6]}))
    rows = everywhere(table, tmp_path)
    assert by_key(rows, "a", "b") == {1: (5, 11), 2: (2, 20), 3: (6, 30)}
    assert list(rows[0]) == ["id", "a", "b"]


def test_fields_come_in_another_order(tmp_path: Path, mode: str) -> None:
    shape = "struct<a:struct<x:long,y:long>,b:long>"
    table = open_table(tmp_path, merge=mode, schema={"id": "long", "s": shape, "l": f"array<{shape}>"})
    first = {"a": {"x": 1, "y": 2}, "b": 3}
    table.merge([{"id": 1, "s": first, "l": [first]}, {"id": 2, "s": first, "l": []}])
    turned = {"b": 30, "a": {"y": 20, "x": 10}}
    table.merge(pl.DataFrame({"l": [[turned, turned]], "s": [turned], "id": [1]}))
    wanted = {"a": {"x": 10, "y": 20}, "b": 30}
    assert by_key(everywhere(table, tmp_path), "s", "l") == {
        1: (wanted, [wanted, wanted]),
        2: (first, []),
    }


def test_fields_that_a_change_lacks(tmp_path: Path, mode: str) -> None:
    table = open_table(
        tmp_path, merge=mode, schema={"id": "long", "s": "struct<a:long,b:struct<c:long,d:long>>"}
    )
    full = {"a": 1, "b": {"c": 2, "d": 3}}
    table.merge([{"id": 1, "s": full}, {"id": 2, "s": full}])
    table.merge(pl.DataFrame({"id": [1, 3], "s": [{"b": {"d": 9}}, {"b": {"d": 9}}]}))
    assert by_key(everywhere(table, tmp_path), "s") == {
        1: {"a": None, "b": {"c": None, "d": 9}},
        2: full,
        3: {"a": None, "b": {"c": None, "d": 9}},
    }


ODD = ["a.b", "with space", "camelCase", "ü", "select", "a'b", 'a"b', "a`b", "_change", "__typename"]


@pytest.mark.parametrize("name", ODD)
def test_names_of_any_kind(tmp_path: Path, mode: str, name: str) -> None:
    foreign(tmp_path, pl.DataFrame({"id": [1, 2, 3], name: [1, 2, 3]}))
    table = open_table(tmp_path, merge=mode, changes={"schema": "evolve"})
    table.merge(pl.DataFrame({"id": [1, 4], name: [10, 40], f"{name}2": ["x", "y"]}))
    table.merge([{"id": 2, "_op": "delete"}])
    found = table.read(columns=["id", name, f"{name}2"]).sort("id")
    assert found.rows() == [(1, 10, "x"), (3, 3, None), (4, 40, "y")]
    assert len(everywhere(table, tmp_path)) == 3
    assert table.compact().version is not None
    assert table.read().height == 3


@pytest.mark.parametrize("name", ["a.b", "with space", "camelCase", "__deleted", "__typename"])
def test_keys_of_any_name(tmp_path: Path, mode: str, name: str) -> None:
    foreign(tmp_path, pl.DataFrame({name: [1, 2, 3], "v": [1, 2, 3]}))
    table = open_table(tmp_path, merge=mode, key=[name])
    result = table.merge(pl.DataFrame({name: [1, 4], "v": [10, 40]}))
    assert (result.updated, result.inserted) == (1, 1)
    table.merge([{name: 2, "_op": "delete"}])
    assert sorted(table.read().rows()) == [(1, 10), (3, 3), (4, 40)]


@pytest.mark.parametrize("feed", [False, True], ids=["no feed", "feed"])
def test_a_column_that_has_the_name_of_the_feeds_own(tmp_path: Path, mode: str, *, feed: bool) -> None:
    configuration = {"delta.enableChangeDataFeed": str(feed).lower()}
    foreign(tmp_path, pl.DataFrame({"id": [1, 2], CHANGE_TYPE: ["a", "b"]}), configuration=configuration)
    table = open_table(tmp_path, merge=mode)
    if feed:
        with pytest.raises(DataError, match=f"{CHANGE_TYPE}, a name that its change feed uses"):
            table.merge([{"id": 1, CHANGE_TYPE: "c"}])
        assert table.snapshot().version == 0
        return
    table.merge([{"id": 1, CHANGE_TYPE: "c"}])
    assert by_key(everywhere(table, tmp_path), CHANGE_TYPE) == {1: "c", 2: "b"}


TAKEN = ["__file", "__position", "__change", "__key", "__row", "__stored_v", "__version"]


@pytest.mark.parametrize("name", TAKEN)
def test_names_that_merges_use_are_refused(tmp_path: Path, mode: str, name: str) -> None:
    foreign(tmp_path, pl.DataFrame({"id": [1, 2], name: [1, 2]}))
    table = open_table(tmp_path, merge=mode)
    for batch in ([{"id": 1, "v": 1}], [{"id": 1, "_op": "delete"}]):
        with pytest.raises(DataError, match=f"{name}, a name that merges use"):
            table.merge(batch)
    assert by_key(everywhere(table, tmp_path), name) == {1: 1, 2: 2}
    new = tmp_path / "new"
    new.mkdir()
    fresh = open_table(new, merge=mode)
    with pytest.raises(DataError, match=name):
        fresh.merge(pl.DataFrame({"id": [1], name: [1]}))
    assert not fresh.exists()


def test_all_names_that_merges_use_are_known() -> None:
    persisted = {"__arrow_c_array__", "__arrow_c_stream__", "__quarantine", "__debezium_unavailable_value"}
    of_debezium = {"__deleted", "__lsn", "__source_lsn", "__source_ts_ms", "__table", "__ts_ms"}
    rooms = [path for room in ("cdc", "merge") for path in Path("lakehouse", room).rglob("*.py")]
    found = {name for path in rooms for name in re.findall(r"\"(__[a-z_]+)\"", path.read_text())}
    assert len(found) > 40
    assert {name for name in found if not is_reserved(name)} == persisted & found | of_debezium


@pytest.mark.parametrize("folder", ["tar get>", "a%20b", "ü#1", "x=y"])
def test_folders_of_any_name(tmp_path: Path, mode: str, folder: str) -> None:
    root = tmp_path / folder
    root.mkdir()
    table = open_table(root, merge=mode, change_feed=True)
    table.merge([{"id": key, "v": key} for key in range(10)])
    table.merge([{"id": key, "v": key * 10} for key in range(0, 10, 2)])
    table.merge([{"id": key, "_op": "delete"} for key in range(1, 10, 2)])
    # Neither delta-rs nor Polars opens all of these.
    assert by_key(ours(table).to_dicts(), "v") == {key: key * 10 for key in range(0, 10, 2)}
    assert table.verify().ok


def test_comments_and_other_metadata_of_columns_stay(tmp_path: Path, mode: str) -> None:
    fields = [
        Field("id", PrimitiveType("long"), nullable=False, metadata={"comment": "the key"}),
        Field("v", PrimitiveType("long"), metadata={"comment": "a value", "own": 7}),
    ]
    DeltaTable.create(str(tmp_path / NAME), schema=Schema(fields))
    table = open_table(tmp_path, merge=mode)
    table.merge([{"id": 1, "v": 1}])
    table.merge([{"id": 1, "v": 2, "w": "new"}])
    found = {field.name: field for field in delta(tmp_path).schema().fields}
    assert found["id"].metadata == {"comment": "the key"}
    assert found["v"].metadata == {"comment": "a value", "own": 7}
    assert (found["id"].nullable, found["w"].nullable) == (False, True)
