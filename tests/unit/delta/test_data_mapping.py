from __future__ import annotations

from typing import Any

import polars as pl
import pyarrow as pa
import pytest

from lakehouse.delta import column_mapping, data
from lakehouse.delta.actions import Protocol
from lakehouse.delta.schema import (
    ArrayType,
    MapType,
    PrimitiveType,
    StructField,
    StructType,
    to_polars,
)
from lakehouse.errors import CorruptTableError
from lakehouse.storage import Storage
from tests.unit.delta.made_tables import ID, PHYSICAL, put, snapshot_of, write


def mapped_schema() -> StructType:
    """Column mapping, nested; physical names and ids as an engine would give them."""

    def column(name: str, kind: Any, number: int) -> StructField:
        return StructField(name, kind, metadata={ID: number, PHYSICAL: f"col-{number}"})

    inner = StructType((column("x", PrimitiveType("long"), 3), column("y", PrimitiveType("string"), 4)))
    return StructType(
        (
            column("a", PrimitiveType("long"), 1),
            column("s", inner, 2),
            column("l", ArrayType(inner), 5),
            column("m", MapType(PrimitiveType("string"), inner), 6),
            column("p", PrimitiveType("string"), 7),
        )
    )


def mapped_rows() -> pl.DataFrame:
    schema = mapped_schema()
    pair = {"x": 1, "y": "v"}
    rows: dict[str, list[Any]] = {
        "a": [1, 2],
        "s": [pair, None],
        "l": [[pair, None], []],
        "m": [[{"key": "k", "value": pair}], None],
        "p": ["x", None],
    }
    return pl.DataFrame(rows, schema=dict(to_polars(schema)))


class TestColumnMapping:
    @pytest.mark.parametrize("mode", ["name", "id"])
    def test_files_have_physical_names_and_ids(self, table: Storage, mode: str) -> None:
        here = snapshot_of(
            mapped_schema(), partition_by=("p",), properties={"delta.columnMapping.mode": mode}
        )
        adds = write(table, mapped_rows(), here)
        assert [dict(add.partition_values) for add in adds] == [{"col-7": "x"}, {"col-7": None}]
        assert adds[0].path.startswith("col-7=x/")
        assert dict(adds[0].statistics.min_values) == {"col-1": 1, "col-2": {"col-3": 1, "col-4": "v"}}
        stored = data.read_footer(table, adds[0]).schema.to_arrow_schema()
        assert stored.names == ["col-1", "col-2", "col-5", "col-6"]
        assert stored.field("col-1").metadata[b"PARQUET:field_id"] == b"1"
        nested = stored.field("col-5").type.value_type.field(0)
        assert (nested.name, nested.metadata[b"PARQUET:field_id"]) == ("col-3", b"3")
        found = data.scan_files(table, here, adds).collect().sort("a")
        assert found.equals(mapped_rows())

    def test_renamed_columns_are_found_by_id(self, table: Storage) -> None:
        here = snapshot_of(mapped_schema(), properties={"delta.columnMapping.mode": "id"})
        fields = [
            pa.field("whatever", pa.int64(), metadata={"PARQUET:field_id": "1"}),
            pa.field(
                "other", pa.struct([pa.field("z", pa.int64(), metadata={"PARQUET:field_id": "3"})]),
                metadata={"PARQUET:field_id": "2"},
            ),
            pa.field("col-5", pa.int64()),
        ]  # fmt: skip
        content = pa.table([[7], [{"z": 8}], [9]], schema=pa.schema(fields))
        found = data.scan_file(table, here, put(table, content)).collect()
        assert found.row(0) == (7, {"x": 8, "y": None}, None, None, None)

    def test_files_without_ids_are_refused(self, table: Storage) -> None:
        here = snapshot_of(mapped_schema(), properties={"delta.columnMapping.mode": "id"})
        with pytest.raises(CorruptTableError, match="no field ids"):
            data.scan_file(table, here, put(table, pa.table({"a": [1]})))

    def test_the_property_counts_only_with_the_feature(self, table: Storage) -> None:
        here = snapshot_of(
            mapped_schema(), protocol=Protocol(1, 2), properties={"delta.columnMapping.mode": "name"}
        )
        add = put(table, pa.table({"a": [1], "col-1": [2]}))
        assert data.scan_file(table, here, add, columns=["a"]).collect().item() == 1

    def test_an_unknown_mode_is_refused(self, table: Storage) -> None:
        here = snapshot_of(mapped_schema(), properties={"delta.columnMapping.mode": "guess"})
        with pytest.raises(CorruptTableError, match="guess"):
            data.scan_table(table, here)


def test_people_see_their_own_names_wherever_a_field_is() -> None:
    names = column_mapping.display_names(mapped_schema(), "name")
    assert {names[f"col-{number}"] for number in (1, 2, 5, 6, 7)} == {"a", "s", "l", "m", "p"}
    assert (names["col-3"], names["col-4"]) == ("x", "y")
    only_in_a_list = StructType((mapped_schema().fields[2],))
    assert column_mapping.display_names(only_in_a_list, "name") == {"col-5": "l", "col-3": "x", "col-4": "y"}
    assert column_mapping.display_names(mapped_schema(), "none") == {}
