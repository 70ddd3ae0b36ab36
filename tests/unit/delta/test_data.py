from __future__ import annotations

import datetime as dt
import io
from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from types import MappingProxyType
from typing import Any, cast

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyroaring import BitMap64

from lakehouse.delta import data, deletion_vectors
from lakehouse.delta.actions import AddFile, Metadata, Protocol
from lakehouse.delta.schema import (
    ArrayType,
    MapType,
    PrimitiveType,
    StructField,
    StructType,
    parse_type,
    to_polars,
)
from lakehouse.delta.snapshot import Snapshot
from lakehouse.errors import CorruptTableError, DataError, StorageError, UnsupportedFeatureError, UsageError
from lakehouse.storage import Storage, open_storage

UTC = dt.UTC
FEATURES = ("columnMapping", "deletionVectors", "timestampNtz", "typeWidening")
ID, PHYSICAL = "delta.columnMapping.id", "delta.columnMapping.physicalName"


def local(*parts: int) -> dt.datetime:
    """A moment without zone."""
    return dt.datetime(*parts, tzinfo=UTC).replace(tzinfo=None)  # type: ignore[arg-type,misc]


def struct(text: str) -> StructType:
    found = parse_type(f"struct<{text}>")
    assert isinstance(found, StructType)
    return found


def snapshot_of(
    schema: StructType,
    adds: Sequence[AddFile] = (),
    *,
    partition_by: tuple[str, ...] = (),
    protocol: Protocol | None = None,
    properties: Mapping[str, str] | None = None,
) -> Snapshot:
    return Snapshot(
        version=0,
        timestamp_ms=0,
        protocol=protocol or Protocol(3, 7, FEATURES, FEATURES),
        metadata=Metadata("0", schema.to_json(), partition_by, properties or {}),
        schema=schema,
        files=MappingProxyType({add.path: add for add in adds}),
        transactions=MappingProxyType({}),
        domains=MappingProxyType({}),
    )


@pytest.fixture(params=["local", "memory"])
def table(request: pytest.FixtureRequest, tmp_path: Path) -> Storage:
    return open_storage(tmp_path / "a table") if request.param == "local" else open_storage("memory://")


def put(table: Storage, content: pa.Table, *, path: str = "f.parquet", **options: Any) -> AddFile:
    """A file as another engine wrote it."""
    buffer = io.BytesIO()
    pq.write_table(content, buffer, **options)
    table.put(path, buffer.getvalue())
    return AddFile(path.replace(" ", "%20"), {}, len(buffer.getvalue()), 0)


def write(table: Storage, frame: pl.DataFrame, here: Snapshot) -> list[AddFile]:
    return data.write_files(table, frame, schema=here.schema, metadata=here.metadata)


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


@pytest.fixture(scope="module", params=[3, 150])
def many(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Storage, Snapshot]:
    """Files of different length in two partitions, some of them with a vector; the odd keys are dead."""
    table = open_storage(tmp_path_factory.mktemp("many"))
    here = snapshot_of(struct("k:long,p:string,late:string"), partition_by=("p",))
    adds, start = [], 0
    for number in range(request.param):
        rows = 5 + number % 7
        frame = pl.DataFrame({"k": range(start, start + rows)})
        add = put(table, frame.to_arrow(), path=f"d {number % 2}/f{number}.parquet")
        add = replace(add, partition_values={"p": "x" if number % 2 else None})
        if number % 3 == 0:
            dead = BitMap64([at for at in range(rows) if (start + at) % 2])
            (vector,) = deletion_vectors.write(table, [dead])
            add = replace(add, deletion_vector=vector)
        adds.append(add)
        start += rows
    return table, snapshot_of(here.schema, adds, partition_by=("p",))


class TestManyFiles:
    def expected(self, table: Storage, here: Snapshot, *, apply_vectors: bool) -> pl.DataFrame:
        parts = [
            data.scan_file(table, here, add, row_index="at", apply_vector=apply_vectors)
            .with_columns(f=pl.lit(number, dtype=pl.UInt32))
            .collect()
            for number, add in enumerate(here.files.values())
        ]
        return pl.concat(parts).select("k", "p", "late", "f", "at")

    @pytest.mark.parametrize("apply_vectors", [True, False])
    @pytest.mark.parametrize("engine", ["streaming", "in-memory"])
    def test_file_and_position_are_right(
        self, many: tuple[Storage, Snapshot], apply_vectors: bool, engine: Any
    ) -> None:
        table, here = many
        adds = list(here.files.values())
        scan = data.scan_files(table, here, adds, file="f", position="at", apply_vectors=apply_vectors)
        found = scan.collect(engine=engine).sort("k")
        assert found.equals(self.expected(table, here, apply_vectors=apply_vectors))

    def test_without_marks(self, many: tuple[Storage, Snapshot]) -> None:
        table, here = many
        expected = self.expected(table, here, apply_vectors=True).drop("f", "at")
        assert data.scan_table(table, here).collect().sort("k").equals(expected)
        assert data.scan_table(table, here, columns=["p"]).collect().height == expected.height
        assert data.scan_table(table, here, columns=["late"]).collect().height == expected.height

    def test_only_the_rows_of_keys(self, many: tuple[Storage, Snapshot]) -> None:
        table, here = many
        adds = list(here.files.values())
        keys = pl.DataFrame({"k": [0, 1, 6, 7, 16, 10**6]})
        scan = data.scan_files(
            table, here, adds, columns=["k"], file="f", position="at", apply_vectors=False, keys=keys
        )
        found = scan.collect(engine="streaming").sort("k")
        expected = self.expected(table, here, apply_vectors=False).join(keys, on="k", how="semi")
        assert found.equals(expected.select("k", "f", "at"))
        living = data.drop_dead(found, data.read_vectors(table, adds), file="f", position="at")
        expected = self.expected(table, here, apply_vectors=True).join(keys, on="k", how="semi")
        assert living.equals(expected.select("k", "f", "at"))
        assert data.drop_dead(found, {}, file="f", position="at") is found

    def test_only_the_file_or_only_the_position(self, many: tuple[Storage, Snapshot]) -> None:
        table, here = many
        adds = list(here.files.values())
        expected = self.expected(table, here, apply_vectors=True)
        files = data.scan_files(table, here, adds, columns=["k"], file="f").collect().sort("k")
        assert files["f"].to_list() == expected["f"].to_list()
        places = data.scan_files(table, here, adds, columns=["k"], position="at").collect().sort("k")
        assert places["at"].to_list() == expected["at"].to_list()


class TestRowsAt:
    def test_the_rows_come_by_ascending_position(self, table: Storage) -> None:
        here = snapshot_of(struct("a:long,p:long"), partition_by=("p",))
        add = replace(
            put(table, pa.table({"a": range(1000)}), row_group_size=100), partition_values={"p": "3"}
        )
        found = data.read_rows_at(table, here, add, [999, 5, 5, 0], row_index="at")
        assert found.rows() == [(0, 3, 0), (5, 3, 5), (999, 3, 999)]
        assert data.read_rows_at(table, here, add, BitMap64([7]), columns=["a"]).rows() == [(7,)]
        assert data.read_rows_at(table, here, add, np.array([7, 2]), columns=["p"]).rows() == [(3,), (3,)]
        assert data.read_rows_at(table, here, add, []).schema == {"a": pl.Int64, "p": pl.Int64}

    def test_far_apart(self, table: Storage) -> None:
        here = snapshot_of(struct("a:long"))
        (add,) = write(table, pl.DataFrame({"a": range(6_000_000)}), here)
        positions = list(range(3, 6_000_000, 70_000))
        assert data.read_rows_at(table, here, add, positions)["a"].to_list() == positions

    def test_the_vector_does_not_count(self, table: Storage) -> None:
        here = snapshot_of(struct("a:long"))
        (add,) = write(table, pl.DataFrame({"a": range(10)}), here)
        (vector,) = deletion_vectors.write(table, [BitMap64([3])])
        marked = replace(add, deletion_vector=vector)
        assert data.read_rows_at(table, here, marked, [3, 4])["a"].to_list() == [3, 4]


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
