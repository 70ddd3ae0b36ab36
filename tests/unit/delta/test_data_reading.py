from __future__ import annotations

import datetime as dt
from dataclasses import replace
from decimal import Decimal
from typing import Any

import polars as pl
import pyarrow as pa
import pytest
from pyroaring import BitMap64

from lakehouse.delta import data, deletion_vectors
from lakehouse.delta.actions import AddFile
from lakehouse.delta.schema import (
    StructField,
    StructType,
    parse_type,
    to_polars,
)
from lakehouse.errors import CorruptTableError, UsageError
from lakehouse.storage import Storage
from tests.unit.delta.made_tables import UTC, local, put, snapshot_of, struct, write


class TestReading:
    def test_columns_that_a_file_lacks_are_null(self, table: Storage) -> None:
        schema = struct(
            "new:map<string,long>,a:long,s:struct<x:long,y:array<string>>,l:array<struct<p:long,q:date>>"
        )
        add = put(table, pa.table({"l": [[{"p": 1}]], "s": [{"x": 5}], "a": [1], "gone": [9]}))
        found = data.scan_file(table, snapshot_of(schema), add).collect()
        assert found.schema == to_polars(schema)
        assert found.row(0) == (None, 1, {"x": 5, "y": None}, [{"p": 1, "q": None}])
        only_new = data.scan_file(table, snapshot_of(schema), add, columns=["new"]).collect()
        assert only_new.rows() == [(None,)]

    @pytest.mark.parametrize(
        ("stored", "kind"),
        [
            (pa.array([1], pa.int8()), "long"),
            (pa.array([1], pa.int16()), "int"),
            (pa.array([1], pa.int32()), "double"),
            (pa.array([0.5], pa.float32()), "double"),
            (pa.array([Decimal("1.25")], pa.decimal128(5, 2)), "decimal(12,2)"),
            (pa.array([[1]], pa.list_(pa.int32())), "array<long>"),
            (pa.array([{"x": 1}], pa.struct([("x", pa.int8())])), "struct<x:long,y:string>"),
            (pa.array([local(2024, 1, 1)], pa.timestamp("ms")), "timestamp_ntz"),
            (pa.array([local(2024, 1, 1)], pa.timestamp("ns")), "timestamp"),
            (pa.array(["a"]).dictionary_encode(), "string"),
        ],
    )
    def test_narrower_types_are_widened(self, table: Storage, stored: pa.Array, kind: str) -> None:
        schema = struct(f"a:{kind}")
        add = put(table, pa.table({"a": stored}))
        found = data.scan_file(table, snapshot_of(schema), add).collect()
        assert found.schema == to_polars(schema)
        assert found["a"].null_count() == 0

    def test_old_timestamps_of_spark(self, table: Storage) -> None:
        moment = local(2024, 5, 1, 1, 2, 3, 456_789)
        content = pa.table({"t": pa.array([moment, None], pa.timestamp("us"))})
        add = put(table, content, use_deprecated_int96_timestamps=True)
        found = data.scan_file(table, snapshot_of(struct("t:timestamp")), add).collect()
        assert found["t"].to_list() == [moment.replace(tzinfo=UTC), None]

    @pytest.mark.parametrize(
        ("stored", "old", "new", "expected"),
        [
            (pa.array([7], pa.int32()), "integer", "decimal(12,2)", Decimal("7.00")),
            (
                pa.array([Decimal("1.25")], pa.decimal128(5, 2)),
                "decimal(5,2)",
                "decimal(8,4)",
                Decimal("1.2500"),
            ),
            (pa.array([dt.date(2024, 1, 2)]), "date", "timestamp_ntz", local(2024, 1, 2)),
            (pa.array([7], pa.int8()), "byte", "long", 7),
        ],
    )
    def test_recorded_type_changes(
        self, table: Storage, stored: pa.Array, old: str, new: str, expected: object
    ) -> None:
        changes: Any = {"delta.typeChanges": [{"fromType": old, "toType": new}]}
        schema = StructType((StructField("a", parse_type(new), metadata=changes), *struct("b:long").fields))
        here = snapshot_of(schema)
        before = put(table, pa.table({"a": stored}), path="old.parquet")
        (after,) = write(table, data.scan_file(table, here, before).collect(), here)
        found = data.scan_files(table, here, [before, after], columns=["a"], file="f").collect()
        assert found.rows() == [(expected, 0), (expected, 1)]
        assert found.schema["a"] == to_polars(schema)["a"]

    def test_type_changes_inside_nested_columns(self, table: Storage) -> None:
        inner = StructField(
            "x", parse_type("decimal(12,2)"), metadata={"delta.typeChanges": [{"fromType": "integer"}]}
        )
        schema = StructType((StructField("s", StructType((inner, *struct("y:string").fields))),))
        add = put(table, pa.table({"s": pa.array([{"x": 1}, None], pa.struct([("x", pa.int32())]))}))
        found = data.scan_file(table, snapshot_of(schema), add).collect()
        assert found["s"].to_list() == [{"x": Decimal("1.00"), "y": None}, None]

    def test_columns_come_as_asked(self, table: Storage) -> None:
        here = snapshot_of(struct("a:long,b:long"))
        (add,) = write(table, pl.DataFrame({"a": [1], "b": [2]}), here)
        assert data.scan_file(table, here, add, columns=["b", "a"]).collect().columns == ["b", "a"]
        assert data.scan_file(table, here, add, columns=[], row_index="at").collect().columns == ["at"]
        with pytest.raises(UsageError, match="'z'"):
            data.scan_file(table, here, add, columns=["z"])

    def test_rows_in_the_vector_are_left_out(self, table: Storage) -> None:
        here = snapshot_of(struct("a:long"))
        (add,) = write(table, pl.DataFrame({"a": range(10)}), here)
        (vector,) = deletion_vectors.write(table, [BitMap64([0, 3, 9])])
        marked = replace(add, deletion_vector=vector)
        found = data.scan_file(table, here, marked, row_index="at").collect()
        assert found["a"].to_list() == found["at"].to_list() == [1, 2, 4, 5, 6, 7, 8]
        assert data.scan_file(table, here, marked, columns=[], row_index="at").collect().height == 7
        everything = data.scan_file(table, here, marked, apply_vector=False).collect()
        assert everything["a"].to_list() == list(range(10))
        filtered = data.scan_file(table, here, marked).filter(pl.col("a") > 2).select(pl.len()).collect()
        assert filtered.item() == 5

    def test_a_missing_file_is_named_where_its_footer_is_needed(self, table: Storage) -> None:
        with pytest.raises(CorruptTableError, match=r"f\.parquet.*is missing"):
            data.row_counts(table, [AddFile("f.parquet", {}, 10, 0)])
        table.put("g.parquet", b"PAR1 is not enough")
        with pytest.raises(CorruptTableError, match=r"g\.parquet.*no Parquet"):
            data.row_counts(table, [AddFile("g.parquet", {}, 18, 0)])
        table.put("h.parquet", b"garbage" + b"\x07\0\0\0PAR1")
        with pytest.raises(CorruptTableError, match=r"h\.parquet.*damaged footer"):
            data.row_counts(table, [AddFile("h.parquet", {}, 15, 0)])

    def test_no_files_make_no_rows(self, table: Storage) -> None:
        here = snapshot_of(struct("a:long,p:date"), partition_by=("p",))
        found = data.scan_files(table, here, [], file="f", position="at").collect()
        assert found.schema == {"a": pl.Int64, "p": pl.Date, "f": pl.UInt32, "at": pl.UInt32}
        assert data.scan_table(table, here).collect().columns == ["a", "p"]

    def test_column_names_of_our_own_do_not_clash(self, table: Storage) -> None:
        here = snapshot_of(struct("__row:long,__path:long,`^a$`:long,`*`:long,`a`:long"))
        frame = pl.DataFrame({"__row": [1], "__path": [2], "^a$": [3], "*": [4], "a": [5]})
        (add,) = write(table, frame, here)
        found = data.scan_file(table, here, add, row_index="__position").collect()
        assert found.row(0) == (1, 2, 3, 4, 5, 0)


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("position", [3, 2**33])
@pytest.mark.parametrize("marked", [None, "at"])
def test_a_vector_never_hides_rows_of_another_file(
    table: Storage, known: bool, position: int, marked: str | None
) -> None:
    here = snapshot_of(struct("id:long"))
    adds = [
        add for start in (0, 10) for add in write(table, pl.DataFrame({"id": range(start, start + 3)}), here)
    ]
    (vector,) = deletion_vectors.write(table, [BitMap64([1, position])])
    adds[0] = replace(adds[0], deletion_vector=vector, stats=adds[0].stats if known else None)
    try:
        rows = data.scan_files(table, here, adds, position=marked).collect()
    except CorruptTableError as error:
        assert "hides rows beyond the file's end" in error.message  # noqa: PT017  (either is right)
    else:
        assert rows["id"].to_list() == [0, 2, 10, 11, 12]
