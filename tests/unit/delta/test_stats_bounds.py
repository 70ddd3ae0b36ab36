from __future__ import annotations

import datetime as dt
import json
from decimal import Decimal
from typing import Any

import polars as pl
import pytest

from lakehouse.delta import stats
from lakehouse.delta.actions import AddFile, DeletionVector
from lakehouse.delta.schema import PrimitiveType, StructField, StructType, to_polars
from lakehouse.errors import UsageError
from tests.unit.delta.made_tables import PHYSICAL, UTC, local, snapshot_of, struct


def add(text: str | None, **values: str | None) -> AddFile:
    return AddFile(path="f", partition_values=values, size=1, modification_time=0, stats=text)


def bounds(data_type: str, low: Any, high: Any) -> tuple[Any, Any] | None:
    text = json.dumps({"numRecords": 9, "minValues": {"x": low}, "maxValues": {"x": high}})
    return stats.file_bounds(add(text), "x", snapshot=snapshot_of(struct(f"x:{data_type}")))


class TestBounds:
    def test_what_collect_writes_is_read(self) -> None:
        schema = struct("a:long,s:string,d:decimal(5,2),f:double,day:date,t:timestamp,n:struct<x:long>")
        moment = dt.datetime(2024, 1, 1, 0, 0, 0, 1, tzinfo=UTC)
        frame = pl.DataFrame(
            {
                "a": [1, 5],
                "s": ["a", "b" * 40],
                "d": [Decimal("1.25"), Decimal("-3.50")],
                "f": [0.5, 1.5],
                "day": [dt.date(2024, 1, 1), dt.date(2024, 2, 1)],
                "t": [moment, moment],
                "n": [{"x": 1}, {"x": 2}],
            },
            schema=dict(to_polars(schema)),
        )
        file = add(stats.collect(frame, schema))
        here = snapshot_of(schema)
        assert stats.file_bounds(file, "a", snapshot=here) == (1, 5)
        assert stats.file_bounds(file, "d", snapshot=here) == (Decimal("-3.50"), Decimal("1.25"))
        assert stats.file_bounds(file, "f", snapshot=here) == (0.5, 1.5)
        assert stats.file_bounds(file, "day", snapshot=here) == (dt.date(2024, 1, 1), dt.date(2024, 2, 1))
        assert stats.file_bounds(file, "n.x", snapshot=here) == (1, 2)
        for column in ("s", "t"):
            found = stats.file_bounds(file, column, snapshot=here)
            assert found is not None
            assert all(found[0] <= value <= found[1] for value in frame[column])

    def test_a_text_cut_off_anywhere_is_still_bounded(self) -> None:
        found = bounds("string", "ab", "ab")
        assert found is not None
        assert found[0] <= "ab" < "abzzz" <= found[1]

    @pytest.mark.parametrize(
        ("low", "high"),
        [
            ("2024-01-01T00:00:00.000Z", "2024-01-01T00:00:00.000Z"),
            ("2024-01-01T00:00:00Z", "2024-01-01T00:00:00Z"),
            ("2023-12-31T16:00:00.000-08:00", "2024-01-01T01:00:00+01:00"),
            ("2024-01-01T00:00:00.000000Z", "2024-01-01T00:00:00.000000Z"),
            ("2024-01-01 00:00:00", "2024-01-01 00:00:00"),
        ],
    )
    def test_timestamps_cut_down_to_milliseconds_are_still_bounded(self, low: str, high: str) -> None:
        found = bounds("timestamp", low, high)
        assert found is not None
        base = dt.datetime(2024, 1, 1, tzinfo=UTC)
        assert found[0] == base
        assert found[1] >= base + dt.timedelta(microseconds=999)
        zoneless = bounds("timestamp_ntz", "2024-01-01T00:00:00.000", "2024-01-01T00:00:00.000")
        assert zoneless is not None
        assert zoneless[1] >= local(2024, 1, 1, 0, 0, 0, 999)

    def test_decimals_written_as_floats_are_still_bounded(self) -> None:
        exact = Decimal("12345678901234567890.12")
        text = f'{{"minValues":{{"x":{float(exact)!r}}},"maxValues":{{"x":{float(exact)!r}}}}}'
        found = stats.file_bounds(add(text), "x", snapshot=snapshot_of(struct("x:decimal(30,2)")))
        assert found is not None
        assert found[0] <= exact <= found[1]

    @pytest.mark.parametrize(
        ("kind", "value", "stored"),
        [
            ("decimal(38,18)", "1.000000000000000001", 1.0),
            ("decimal(38,18)", "99999999999999999999.999999999999999999", 9.999999999999998e19),
            ("decimal(20,0)", "10000000000000000001", 9223372036854775807),
            ("decimal(20,0)", "-10000000000000000001", -9223372036854775808),
        ],
    )
    def test_decimals_that_others_rounded_or_cut_off_are_still_bounded(
        self, kind: str, value: str, stored: float
    ) -> None:
        found = bounds(kind, stored, stored)
        assert found is None or found[0] <= Decimal(value) <= found[1]

    def test_doubles_that_were_floats_are_still_bounded(self) -> None:
        was_float = pl.Series([3.4, 0.1], dtype=pl.Float32).cast(pl.Float64)
        found = bounds("double", 0.1, 3.4)
        assert found is not None
        assert found[0] <= was_float.min() <= was_float.max() <= found[1]  # type: ignore[operator]
        assert bounds("double", -1e300, 1e300) == (-1e300, 1e300)
        assert bounds("double", 0.5, 2.25) == (0.5, 2.25)

    def test_short_decimals_are_exact(self) -> None:
        assert bounds("decimal(10,2)", 1.1, "2.25") == (Decimal("1.10"), Decimal("2.25"))

    @pytest.mark.parametrize(
        ("data_type", "low", "high"),
        [
            ("long", "a", "b"),
            ("long", None, 5),
            ("string", 1, 2),
            ("date", "soon", "later"),
            ("timestamp", 1, 2),
            ("double", "NaN", "NaN"),
            ("decimal(5,2)", "x", "y"),
            ("boolean", 1, 2),
            ("binary", "a", "b"),
            ("array<long>", 1, 2),
            ("byte", 1, 1000),
        ],
    )
    def test_statistics_that_do_not_fit_count_for_nothing(self, data_type: str, low: Any, high: Any) -> None:
        assert bounds(data_type, low, high) is None

    def test_a_whole_number_written_with_a_fraction_is_widened(self) -> None:
        assert bounds("long", 1.5, 2.5) == (1, 3)

    @pytest.mark.parametrize("text", [None, "", "nonsense", "[]", '{"minValues":3}', "{}"])
    def test_without_statistics_nothing_is_known(self, text: str | None) -> None:
        assert stats.file_bounds(add(text), "x", snapshot=snapshot_of(struct("x:long"))) is None

    def test_nan_and_infinity_among_the_bounds_do_not_spoil_the_rest(self) -> None:
        text = '{"numRecords":2,"minValues":{"x":1,"f":NaN},"maxValues":{"x":2,"f":Infinity}}'
        here = snapshot_of(struct("x:long,f:double"))
        assert stats.file_bounds(add(text), "x", snapshot=here) == (1, 2)
        assert stats.file_bounds(add(text), "f", snapshot=here) is None

    def test_partition_values_are_bounds(self) -> None:
        here = snapshot_of(struct("x:long,p:date"), partition_by=("p",))
        found = stats.bounds_frame(
            [add('{"numRecords":4}', p="2024-01-01"), add('{"numRecords":4}', p=None)], ["p"], snapshot=here
        )
        assert found["min.p"].to_list() == [dt.date(2024, 1, 1), None]
        assert found["max.p"].to_list() == [dt.date(2024, 1, 1), None]
        assert found["nulls.p"].to_list() == [0, 4]

    def test_mapped_columns(self) -> None:
        schema = StructType(
            (
                StructField("x", PrimitiveType("long"), metadata={PHYSICAL: "c1"}),
                StructField("p", PrimitiveType("long"), metadata={PHYSICAL: "c2"}),
            )
        )
        here = snapshot_of(schema, partition_by=("p",), properties={"delta.columnMapping.mode": "name"})
        file = add('{"minValues":{"c1":1,"x":8},"maxValues":{"c1":2,"x":9}}', c2="7", p="8")
        assert stats.file_bounds(file, "x", snapshot=here) == (1, 2)
        assert stats.file_bounds(file, "p", snapshot=here) == (7, 7)

    def test_many_files_at_once(self) -> None:
        here = snapshot_of(struct("x:long,s:string"))
        files = [
            add('{"numRecords":2,"minValues":{"x":1},"maxValues":{"x":2},"nullCount":{"x":1,"s":2}}'),
            add(None),
        ]
        found = stats.bounds_frame(files, ["x", "s"], snapshot=here)
        assert found.columns == [
            "path",
            "num_records",
            stats.min_name("x"),
            stats.max_name("x"),
            stats.nulls_name("x"),
            stats.min_name("s"),
            stats.max_name("s"),
            stats.nulls_name("s"),
        ]
        assert found["num_records"].to_list() == [2, None]
        assert found["min.x"].to_list() == [1, None]
        assert found["nulls.x"].to_list() == [1, None]
        assert found["nulls.s"].to_list() == [2, None]
        assert found.schema["min.s"] == pl.String
        assert stats.bounds_frame([], ["x"], snapshot=here).schema["min.x"] == pl.Int64

    def test_loose_counts_of_nulls_say_only_none_or_all(self) -> None:
        text = '{"numRecords":3,"nullCount":{"a":0,"b":2,"c":3},"tightBounds":false}'
        here = snapshot_of(struct("a:long,b:long,c:long"))
        found = stats.bounds_frame([add(text)], ["a", "b", "c"], snapshot=here)
        assert found.select("nulls.a", "nulls.b", "nulls.c").row(0) == (0, None, 3)
        vector = DeletionVector("u", "x", 1, 1)
        tight = AddFile("f", {}, 1, 0, stats=text.replace("false", "true"), deletion_vector=vector)
        found = stats.bounds_frame([tight], ["b"], snapshot=here)
        assert found["nulls.b"].to_list() == [None]

    def test_unknown_columns_are_refused(self) -> None:
        here = snapshot_of(struct("a:long,`b.c`:long"))
        assert stats.file_bounds(add(None), "b.c", snapshot=here) is None
        for name in ("x", "a.b", "b"):
            with pytest.raises(UsageError, match="no column"):
                stats.file_bounds(add(None), name, snapshot=here)
