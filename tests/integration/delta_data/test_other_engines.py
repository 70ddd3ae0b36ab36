"""What we write, other engines read the same; what they write, we do."""

from __future__ import annotations

import datetime as dt
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable, QueryBuilder, write_deltalake
from pyroaring import BitMap64

from lakehouse.delta import data
from lakehouse.delta.snapshot import load_snapshot
from lakehouse.storage import open_storage

from .conftest import HandMade

UTC = dt.UTC
COLUMNS = (
    "id:long,i8:byte,i16:short,i32:int,f:float,d:double,s:string,b:binary,flag:boolean,day:date,"
    "t:timestamp,n:timestamp_ntz,dec:decimal(12,4),wide:decimal(38,10),"
    "l:array<struct<x:int,y:string>>,st:struct<a:long,b:struct<c:string>>"
)
ODD_TEXTS = [
    "plain",
    "a b",
    "x/y",
    "100%",
    "a=b&c#d?",
    "[e]{f}^",
    "ü-é",
    'it\'s "q"',
    "a:b*c\\d",
    "+1",
    "~.$,;@!",
]


def frame(rows: int, *, start: int = 0) -> pl.DataFrame:
    numbers = np.arange(start, start + rows)
    moments = pl.Series(numbers * 1_234_567_891).cast(pl.Datetime("us"))
    return pl.select(
        id=pl.Series(numbers),
        i8=pl.Series(numbers % 100, dtype=pl.Int8),
        i16=pl.Series(numbers % 1000, dtype=pl.Int16),
        i32=pl.Series(numbers * 3, dtype=pl.Int32),
        f=pl.Series(numbers / 4, dtype=pl.Float32),
        d=pl.Series(numbers / 7),
        s=pl.Series([f"text {n} " + "ü" * (n % 50) for n in numbers]),
        b=pl.Series([bytes([n % 256]) for n in numbers]),
        flag=pl.Series(numbers % 2 == 0),
        day=pl.Series(numbers, dtype=pl.Int32).cast(pl.Date),
        t=moments.dt.replace_time_zone("UTC"),
        n=moments,
        dec=pl.Series([Decimal(int(n)) / 16 for n in numbers], dtype=pl.Decimal(12, 4)),
        wide=pl.Series([Decimal(10) ** 27 + int(n) for n in numbers], dtype=pl.Decimal(38, 10)),
        l=pl.Series(
            [[{"x": n, "y": "v"}, None][: n % 3] for n in numbers],
            dtype=pl.List(pl.Struct({"x": pl.Int32, "y": pl.String})),
        ),
        st=pl.Series(
            [{"a": n, "b": {"c": str(n)}} if n % 5 else None for n in numbers],
            dtype=pl.Struct({"a": pl.Int64, "b": pl.Struct({"c": pl.String})}),
        ),
    )


def by_delta_rs(table: HandMade, query: str = "select * from t") -> pl.DataFrame:
    engine = QueryBuilder().register("t", DeltaTable(table.storage.url))
    return pl.DataFrame(engine.execute(query).read_all())


def by_polars(table: HandMade) -> pl.LazyFrame:
    return pl.scan_delta(table.storage.url)


@pytest.fixture
def filled(table: HandMade) -> HandMade:
    """Two files of every type, with null rows at the end and some rows dead in both."""
    table.create(COLUMNS)
    (first,) = table.append(frame(3000))
    nulls = pl.DataFrame({"id": [6000, 6001]})
    (second,) = table.append(pl.concat([frame(3000, start=3000), nulls], how="diagonal"))
    dead = BitMap64(range(0, 3000, 7)), BitMap64([0, 2999, 3001])
    table.mark({first.path: dead[0], second.path: dead[1]})
    return table


class TestWeWrite:
    def test_ours_is_right(self, filled: HandMade) -> None:
        everything = pl.concat([frame(6000), pl.DataFrame({"id": [6000, 6001]})], how="diagonal")
        gone = [*range(0, 3000, 7), 3000, 5999, 6001]
        expected = everything.filter(~pl.col("id").is_in(gone))
        assert filled.rows().sort("id").equals(expected)

    def test_delta_rs_reads_the_same(self, filled: HandMade) -> None:
        found = by_delta_rs(filled, "select * from t order by id")
        ours = filled.rows().sort("id")
        assert found.select(pl.all()).cast(dict(ours.schema)).equals(ours)  # type: ignore[arg-type]

    def test_polars_reads_the_same(self, filled: HandMade) -> None:
        assert by_polars(filled).collect().sort("id").equals(filled.rows().sort("id"))

    @pytest.mark.parametrize(
        ("where", "condition"),
        [
            ("id = 2500", pl.col("id") == 2500),
            ("id > 5990", pl.col("id") > 5990),
            ("d < 1.5", pl.col("d") < 1.5),
            ("f >= 1499.5", pl.col("f") >= 1499.5),
            ("s >= 'text 999'", pl.col("s") >= "text 999"),
            ("day = '1978-03-18'", pl.col("day") == dt.date(1978, 3, 18)),
            ("dec > 374.8 and id > 5990", (pl.col("dec") > Decimal("374.8")) & (pl.col("id") > 5990)),
            ("id is null or s is null", pl.col("s").is_null()),
            ("s is not null and id > 5000", pl.col("s").is_not_null() & (pl.col("id") > 5000)),
        ],
    )
    def test_nobody_skips_a_file_too_many_by_our_statistics(
        self, filled: HandMade, where: str, condition: pl.Expr
    ) -> None:
        expected = filled.rows().filter(condition)["id"].sort().to_list()
        assert expected
        assert by_delta_rs(filled, f"select id from t where {where} order by id")["id"].to_list() == expected
        assert by_polars(filled).filter(condition).collect()["id"].sort().to_list() == expected

    def test_the_last_microsecond_is_found(self, table: HandMade) -> None:
        table.create("id:long,t:timestamp,n:timestamp_ntz")
        last = dt.datetime(2024, 1, 1, 0, 0, 0, 999_999, tzinfo=UTC)
        table.append(pl.DataFrame({"id": [1], "t": [last], "n": [last.replace(tzinfo=None)]}))
        found = by_delta_rs(table, "select id from t where t > '2024-01-01T00:00:00.999998Z'")
        assert found["id"].to_list() == [1]
        by_zoneless = pl.col("n") > last.replace(microsecond=999_998, tzinfo=None)
        assert by_polars(table).filter(by_zoneless).collect()["id"].to_list() == [1]

    @pytest.mark.parametrize(
        "kind", ["string", "long", "date", "timestamp", "timestamp_ntz", "boolean", "decimal(6,2)"]
    )
    def test_partitions_of_every_type(self, table: HandMade, kind: str) -> None:
        values: dict[str, list[Any]] = {
            "string": ODD_TEXTS,
            "long": [-5, 0, 2**62],
            "date": [dt.date(1999, 12, 31)],
            "timestamp": [
                dt.datetime(2024, 1, 1, 1, 2, 3, 456_789, tzinfo=UTC),
                dt.datetime(2024, 1, 1, tzinfo=UTC),
            ],
            "timestamp_ntz": [dt.datetime(2024, 1, 1, 1, 2, 3, 456_789, tzinfo=UTC).replace(tzinfo=None)],
            "boolean": [True, False],
            "decimal(6,2)": [Decimal("1.50"), Decimal("-20.00")],
        }
        asked = [*values[kind], None]
        table.create(f"id:long,p:{kind}", partition_by=["p"])
        table.append(pl.DataFrame({"id": range(len(asked)), "p": asked}))
        ours = table.rows().sort("id")
        assert ours["p"].to_list() == asked
        found = by_delta_rs(table, "select id, p from t order by id")
        assert found["p"].to_list() == asked
        assert by_polars(table).collect().sort("id")["p"].to_list() == asked


class TestTheyWrite:
    def test_delta_rs_appends_deletes_and_evolves(self, tmp_path: Path) -> None:
        url = str(tmp_path)
        write_deltalake(url, frame(1000).to_arrow())
        DeltaTable(url).delete("id % 10 = 3")
        more = pa.table({"id": [5000], "extra": ["new"]})
        write_deltalake(url, more, mode="append", schema_mode="merge")
        storage = open_storage(tmp_path)
        here = load_snapshot(storage)
        found = data.scan_table(storage, here).collect().sort("id")
        kept = frame(1000).filter(pl.col("id") % 10 != 3)
        assert found.filter(pl.col("id") < 5000).drop("extra").equals(kept)
        assert found.filter(pl.col("id") == 5000).select("id", "extra", "s").row(0) == (5000, "new", None)

    def test_partitions_of_delta_rs(self, tmp_path: Path) -> None:
        moments = [dt.datetime(2024, 1, 1, 1, 2, 3, 456_789 + n, tzinfo=UTC) for n in range(len(ODD_TEXTS))]
        rows = pl.DataFrame({"id": range(len(ODD_TEXTS)), "p": ODD_TEXTS, "t": moments})
        write_deltalake(str(tmp_path), rows.to_arrow(), partition_by=["p", "t"])
        storage = open_storage(tmp_path)
        assert data.scan_table(storage, load_snapshot(storage)).collect().sort("id").equals(rows)

    def test_delta_rs_goes_on_where_we_left_vectors(self, filled: HandMade) -> None:
        before = filled.rows()
        DeltaTable(filled.storage.url).delete("id % 2 = 0")
        after = filled.rows()
        assert after.sort("id").equals(before.filter(pl.col("id") % 2 == 1).sort("id"))
        DeltaTable(filled.storage.url).optimize.compact()
        assert filled.rows().sort("id").equals(after.sort("id"))

    def test_polars_writes(self, tmp_path: Path) -> None:
        frame(100).write_delta(str(tmp_path))
        storage = open_storage(tmp_path)
        assert data.scan_table(storage, load_snapshot(storage)).collect().equals(frame(100))


SAIL = """
import sys
import pyarrow.parquet as pq
from pysail.spark import SparkConnectServer

server = SparkConnectServer("127.0.0.1", 0)
server.start(background=True)
_, port = server.listening_address

from pyspark.sql import SparkSession

spark = SparkSession.builder.remote(f"sc://127.0.0.1:{port}").getOrCreate()
spark.conf.set("spark.sql.session.timeZone", "UTC")
table, query, target = sys.argv[1:]
spark.read.format("delta").load(table).createOrReplaceTempView("t")
pq.write_table(spark.sql(query).toArrow(), target)
spark.stop()
server.stop()
"""


@pytest.mark.slow
@pytest.mark.server
class TestSail:
    """Sail speaks Spark, and shares no code for Delta with delta-rs."""

    def ask(self, table: HandMade, query: str, tmp_path: Path) -> pl.DataFrame:
        script, target = tmp_path / "ask.py", tmp_path / "answer.parquet"
        script.write_text(SAIL)
        command = [sys.executable, str(script), table.storage.url, query, str(target)]
        subprocess.run(command, check=True, timeout=120, capture_output=True)
        return pl.DataFrame(pq.read_table(target))

    def test_it_reads_our_files_and_vectors(self, filled: HandMade, tmp_path: Path) -> None:
        found = self.ask(filled, "select * from t order by id", tmp_path)
        ours = filled.rows().sort("id")
        assert found.cast(dict(ours.schema)).equals(ours)  # type: ignore[arg-type]

    def test_it_reads_our_partitions(self, table: HandMade, tmp_path: Path) -> None:
        table.create("id:long,p:string,day:date", partition_by=["p", "day"])
        texts = [*ODD_TEXTS, None]
        days = [dt.date(2024, 1, 1 + n) for n in range(len(ODD_TEXTS))]
        table.append(pl.DataFrame({"id": range(len(texts)), "p": texts, "day": [*days, None]}))
        found = self.ask(table, "select id, p, day from t order by id", tmp_path)
        assert found.rows() == table.rows().sort("id").rows()
