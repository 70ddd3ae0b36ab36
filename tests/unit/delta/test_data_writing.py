from __future__ import annotations

import datetime as dt
import io
from dataclasses import replace
from decimal import Decimal
from typing import Any, cast

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lakehouse.delta import data
from lakehouse.delta.schema import (
    PrimitiveType,
    StructField,
    StructType,
    to_polars,
)
from lakehouse.errors import DataError, StorageError, UnsupportedFeatureError, UsageError
from lakehouse.storage import Storage
from tests.unit.delta.made_tables import UTC, local, put, snapshot_of, struct, write

ALL_TYPES = struct(
    "i8:byte,i16:short,i32:int,i64:long,f:float,d:double,s:string,b:binary,flag:boolean,day:date,"
    "t:timestamp,n:timestamp_ntz,dec:decimal(12,4),wide:decimal(38,10),"
    "l:array<struct<x:int,y:string>>,m:map<string,struct<q:long>>,st:struct<a:long,b:struct<c:string>>"
)


def all_types() -> pl.DataFrame:
    moment = local(2024, 1, 1, 1, 2, 3, 456_789)
    rows: dict[str, list[Any]] = {
        "i8": [1, -128, None],
        "i16": [1, -(2**15), None],
        "i32": [1, -(2**31), None],
        "i64": [1, -(2**63), None],
        "f": [0.5, -1.5, None],
        "d": [0.1, -1e300, None],
        "s": ["é" * 50, "", None],
        "b": [b"\x00\xff", b"", None],
        "flag": [True, False, None],
        "day": [dt.date(2024, 1, 1), dt.date(1, 1, 1), None],
        "t": [moment.replace(tzinfo=UTC), dt.datetime(1900, 1, 1, tzinfo=UTC), None],
        "n": [moment, local(1900, 1, 1), None],
        "dec": [Decimal("1.2345"), Decimal("-99999999.9999"), None],
        "wide": [Decimal("1234567890123456789012345678.0123456789"), Decimal(-1), None],
        "l": [[{"x": 1, "y": "a"}, None], [], None],
        "m": [[{"key": "k", "value": {"q": 1}}], [], None],
        "st": [{"a": 1, "b": {"c": "x"}}, {"a": None, "b": None}, None],
    }
    return pl.DataFrame(rows, schema=dict(to_polars(ALL_TYPES)))


class TestWriting:
    def test_every_type_comes_back_as_it_was(self, table: Storage) -> None:
        here = snapshot_of(ALL_TYPES)
        (add,) = write(table, all_types(), here)
        assert data.scan_file(table, here, add).collect().equals(all_types())
        assert table.head(add.path).size == add.size
        assert add.physical_records == 3

    def test_parquet_has_the_types_of_the_protocol(self, table: Storage) -> None:
        here = snapshot_of(ALL_TYPES)
        (add,) = write(table, all_types(), here)
        file = pq.ParquetFile(io.BytesIO(table.get(add.path)))
        columns = {column.path: column for column in (file.schema.column(i) for i in range(len(file.schema)))}
        assert columns["i8"].physical_type == "INT32"
        assert "bitWidth=8" in str(columns["i8"].logical_type)
        assert "isAdjustedToUTC=true, timeUnit=microseconds" in str(columns["t"].logical_type)
        assert "isAdjustedToUTC=false, timeUnit=microseconds" in str(columns["n"].logical_type)
        assert "Decimal(precision=12, scale=4)" in str(columns["dec"].logical_type)
        assert "l.list.element.x" in columns
        assert "m.key_value.key" in columns
        assert file.metadata.row_group(0).column(0).compression == "SNAPPY"

    @pytest.mark.parametrize(
        ("codec", "compression", "ending"),
        [
            ("zstd", "ZSTD", "-c000.zstd.parquet"),
            ("GZIP", "GZIP", "-c000.gz.parquet"),
            ("uncompressed", "UNCOMPRESSED", "-c000.parquet"),
            ("lzo", "SNAPPY", "-c000.snappy.parquet"),
        ],
    )
    def test_the_codec_is_a_property(self, table: Storage, codec: str, compression: str, ending: str) -> None:
        here = snapshot_of(struct("a:long"), properties={"delta.parquet.compression.codec": codec})
        (add,) = write(table, pl.DataFrame({"a": [1]}), here)
        assert add.path.startswith("part-00000-")
        assert add.path.endswith(ending)
        metadata = pq.read_metadata(io.BytesIO(table.get(add.path)))
        assert metadata.row_group(0).column(0).compression == compression

    def test_row_groups_are_small_enough_to_skip(self, table: Storage) -> None:
        here = snapshot_of(struct("a:long"))
        (add,) = write(table, pl.DataFrame({"a": range(300_000)}), here)
        metadata = data.read_footer(table, add)
        assert max(metadata.row_group(i).num_rows for i in range(metadata.num_row_groups)) <= 131_072

    def test_other_types_are_cast_where_nothing_is_lost(self, table: Storage) -> None:
        here = snapshot_of(struct("a:long,d:decimal(10,2),t:timestamp,f:float,x:string"))
        frame = pl.DataFrame(
            {
                "a": pl.Series([1], dtype=pl.Int8),
                "d": [3],
                "t": pl.Series([0], dtype=pl.Datetime("ns", "Europe/Berlin")),
                "f": [0.5],
                "x": pl.Series(["a"], dtype=pl.Categorical),
            }
        )
        (add,) = write(table, frame, here)
        found = data.scan_file(table, here, add).collect()
        assert found.schema == to_polars(here.schema)
        assert found.row(0) == (1, Decimal("3.00"), dt.datetime(1970, 1, 1, tzinfo=UTC), 0.5, "a")

    @pytest.mark.parametrize(
        ("kind", "values"),
        [
            ("byte", [1000]),
            ("long", [1.5]),
            ("long", ["secret"]),
            ("float", [0.1]),
            ("decimal(3,1)", [Decimal("1.25")]),
            ("decimal(3,1)", [Decimal("1234.5")]),
            ("date", [local(2024, 1, 1, 5)]),
            ("array<byte>", [[1000]]),
            ("map<string,long>", [[{"key": None, "value": 1}]]),
        ],
    )
    def test_what_does_not_fit_is_refused_without_showing_it(
        self, table: Storage, kind: str, values: list[Any]
    ) -> None:
        here = snapshot_of(struct(f"a:{kind}"))
        with pytest.raises(DataError, match="'a'") as caught:
            write(table, pl.DataFrame({"a": values}), here)
        assert "secret" not in str(caught.value)
        assert caught.value.__cause__ is None
        assert table.list() == []

    def test_null_where_it_must_not_be_is_refused(self, table: Storage) -> None:
        schema = StructType((StructField("a", PrimitiveType("long"), nullable=False),))
        with pytest.raises(DataError, match="'a' must not be null"):
            write(table, pl.DataFrame({"a": [1, None]}), snapshot_of(schema))
        with pytest.raises(DataError, match="'a' must not be null"):
            write(
                table,
                pl.DataFrame({"a": [None]}).select(b=1).drop("b").with_columns(a=None),
                snapshot_of(schema),
            )
        assert write(table, pl.DataFrame({"a": [1]}), snapshot_of(schema))

    def test_missing_columns_are_null_and_unknown_ones_refused(self, table: Storage) -> None:
        here = snapshot_of(struct("a:long,b:map<string,long>,v:void"))
        (add,) = write(table, pl.DataFrame({"a": [1, 2]}), here)
        assert pq.read_schema(io.BytesIO(table.get(add.path))).names == ["a", "b"]
        assert data.scan_file(table, here, add).collect()["v"].to_list() == [None, None]
        assert data.scan_file(table, here, add, columns=["v"]).collect().height == 2
        with pytest.raises(UsageError, match="no column z"):
            write(table, pl.DataFrame({"a": [1], "z": [1]}), here)

    def test_types_that_can_not_be_written_are_named(self, table: Storage) -> None:
        schema = StructType((StructField("v", PrimitiveType("variant")),))
        with pytest.raises(UnsupportedFeatureError, match=r"'v'.*variant"):
            write(table, pl.DataFrame({"v": [None]}), snapshot_of(schema))

    def test_no_rows_make_no_files(self, table: Storage) -> None:
        assert write(table, pl.DataFrame({"a": []}), snapshot_of(struct("a:long"))) == []
        assert table.list() == []

    def test_an_empty_file_can_be_written(self, table: Storage) -> None:
        here = snapshot_of(struct("a:long"))
        add = data.write_file(table, pl.DataFrame({"a": []}), schema=here.schema, metadata=here.metadata)
        assert data.scan_file(table, here, add).collect().height == 0

    def test_large_frames_are_split(self, table: Storage) -> None:
        here = snapshot_of(struct("a:long"))
        values = np.random.default_rng(0).integers(0, 2**62, 50_000)
        adds = data.write_files(
            table,
            pl.DataFrame({"a": values}),
            schema=here.schema,
            metadata=here.metadata,
            target_bytes=100_000,
        )
        assert 3 <= len(adds) <= 6
        assert max(add.size for add in adds) < 200_000
        here = snapshot_of(here.schema, adds)
        assert data.scan_table(table, here).collect()["a"].to_list() == values.tolist()

    def test_what_was_written_before_a_failure_is_removed(self, table: Storage) -> None:
        class Failing:
            puts = 0

            def __getattr__(self, name: str) -> Any:
                return getattr(table, name)

            def put(self, path: str, data: bytes | memoryview) -> None:
                self.puts += 1
                if self.puts == 3:
                    raise StorageError("the disk is full")
                table.put(path, data)

        here = snapshot_of(struct("a:long,p:long"), partition_by=("p",))
        frame = pl.DataFrame({"a": [1, 2, 3], "p": [1, 2, 3]})
        with pytest.raises(StorageError, match="disk is full"):
            data.write_files(cast("Storage", Failing()), frame, schema=here.schema, metadata=here.metadata)
        assert table.list() == []


class TestPartitions:
    SCHEMA = struct("a:long,p:string,day:date,t:timestamp")

    def frame(self) -> pl.DataFrame:
        moment = dt.datetime(2024, 1, 1, 1, 2, 3, 456_789, tzinfo=UTC)
        return pl.DataFrame(
            {
                "a": [1, 2, 3, 4],
                "p": ["x y/ü%+#?[1]", None, "x y/ü%+#?[1]", "v" * 300],
                "day": [dt.date(2024, 1, 1), None, dt.date(2024, 1, 1), dt.date(2024, 1, 1)],
                "t": [moment, None, moment, None],
            },
            schema=dict(to_polars(self.SCHEMA)),
        )

    def test_rows_go_to_the_files_of_their_partition(self, table: Storage) -> None:
        empty = snapshot_of(self.SCHEMA, partition_by=("p", "day", "t"))
        adds = write(table, self.frame(), empty)
        assert [add.physical_records for add in adds] == [2, 1, 1]
        assert dict(adds[0].partition_values) == {
            "p": "x y/ü%+#?[1]",
            "day": "2024-01-01",
            "t": "2024-01-01T01:02:03.456789Z",
        }
        assert adds[1].path.startswith("p=__HIVE_DEFAULT_PARTITION__/day=__HIVE_DEFAULT_PARTITION__/")
        assert table.exists(adds[0].relative_path(table.url) or "")
        found = data.scan_table(
            table, snapshot_of(self.SCHEMA, adds, partition_by=("p", "day", "t"))
        ).collect()
        assert found.sort("a").equals(self.frame())

    def test_only_the_log_counts(self, table: Storage) -> None:
        here = snapshot_of(struct("a:long,p:long"), partition_by=("p",))
        add = put(table, pa.table({"a": [1, 2], "p": [8, 8]}), path="p=9/f.parquet")
        add = replace(add, partition_values={"p": "7"})
        assert data.scan_file(table, here, add).collect()["p"].to_list() == [7, 7]
        assert data.scan_file(table, here, add, columns=["p"]).collect().rows() == [(7,), (7,)]

    def test_the_empty_text_is_null(self, table: Storage) -> None:
        here = snapshot_of(struct("a:long,p:string"), partition_by=("p",))
        adds = write(table, pl.DataFrame({"a": [1, 2], "p": ["", "x"]}), here)
        found = data.scan_table(table, snapshot_of(here.schema, adds, partition_by=("p",))).collect()
        assert dict(found.rows()) == {1: None, 2: "x"}

    def test_a_value_is_needed(self, table: Storage) -> None:
        here = snapshot_of(struct("a:long,p:string"), partition_by=("p",))
        with pytest.raises(UsageError, match="partition columns p"):
            data.write_file(table, pl.DataFrame({"a": [1]}), schema=here.schema, metadata=here.metadata)
