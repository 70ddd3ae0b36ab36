from __future__ import annotations

import datetime as dt
import json
import math
from collections.abc import Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import Any

import polars as pl
import pytest

from lakehouse.delta import stats
from lakehouse.delta.actions import AddFile, DeletionVector, Metadata, Protocol
from lakehouse.delta.schema import PrimitiveType, StructField, StructType, parse_type, to_polars
from lakehouse.delta.snapshot import Snapshot
from lakehouse.errors import UsageError

UTC = dt.UTC
LAST = "\U0010ffff"


def local(*parts: int) -> dt.datetime:
    """A moment without zone."""
    return dt.datetime(*parts, tzinfo=UTC).replace(tzinfo=None)  # type: ignore[arg-type,misc]


def struct(text: str) -> StructType:
    found = parse_type(f"struct<{text}>")
    assert isinstance(found, StructType)
    return found


def metadata(
    schema: StructType, *, partition_by: tuple[str, ...] = (), properties: Mapping[str, str] | None = None
) -> Metadata:
    return Metadata(
        id="0", schema_string=schema.to_json(), partition_columns=partition_by, configuration=properties or {}
    )


def snapshot(
    schema: StructType, *, partition_by: tuple[str, ...] = (), properties: Mapping[str, str] | None = None
) -> Snapshot:
    return Snapshot(
        version=0,
        timestamp_ms=0,
        protocol=Protocol(3, 7, ("columnMapping", "deletionVectors"), ("columnMapping", "deletionVectors")),
        metadata=metadata(schema, partition_by=partition_by, properties=properties),
        schema=schema,
        files=MappingProxyType({}),
        transactions=MappingProxyType({}),
        domains=MappingProxyType({}),
    )


def collected(
    schema: StructType, rows: dict[str, list[Any]], *, properties: Mapping[str, str] | None = None
) -> dict[str, Any]:
    frame = pl.DataFrame(rows, schema={name: to_polars(schema)[name] for name in rows})
    text = stats.collect(frame, schema, metadata=metadata(schema, properties=properties))
    found = json.loads(text, parse_float=Decimal)
    assert isinstance(found, dict)
    return found


def add(text: str | None, **values: str | None) -> AddFile:
    return AddFile(path="f", partition_values=values, size=1, modification_time=0, stats=text)


def bounds(data_type: str, low: Any, high: Any) -> tuple[Any, Any] | None:
    text = json.dumps({"numRecords": 9, "minValues": {"x": low}, "maxValues": {"x": high}})
    return stats.file_bounds(add(text), "x", snapshot=snapshot(struct(f"x:{data_type}")))


class TestCollect:
    def test_counts_and_bounds(self) -> None:
        found = collected(struct("a:long,b:string"), {"a": [3, None, -1], "b": ["x", "y", None]})
        assert found == {
            "numRecords": 3,
            "minValues": {"a": -1, "b": "x"},
            "maxValues": {"a": 3, "b": "y"},
            "nullCount": {"a": 1, "b": 1},
            "tightBounds": True,
        }

    def test_a_column_of_nulls_has_no_bounds(self) -> None:
        found = collected(struct("a:long,b:string"), {"a": [None, None], "b": ["x", "y"]})
        assert found["minValues"] == {"b": "x"}
        assert found["nullCount"] == {"a": 2, "b": 0}

    def test_no_rows(self) -> None:
        found = collected(struct("a:long,b:double"), {"a": [], "b": []})
        assert found["numRecords"] == 0
        assert found["minValues"] == {}
        assert found["nullCount"] == {"a": 0, "b": 0}

    def test_nested_columns_mirror_the_schema(self) -> None:
        schema = struct("s:struct<a:long,t:struct<b:string>>")
        rows = [{"a": 1, "t": {"b": "x"}}, None, {"a": None, "t": None}]
        found = collected(schema, {"s": rows})
        assert found["minValues"] == {"s": {"a": 1, "t": {"b": "x"}}}
        assert found["nullCount"] == {"s": {"a": 2, "t": {"b": 2}}}

    def test_types_without_bounds_only_count_nulls(self) -> None:
        schema = struct("f:boolean,b:binary,l:array<long>,m:map<string,long>")
        found = collected(schema, {"f": [True, None], "b": [b"x", None], "l": [[1], None], "m": [[], None]})
        assert found["minValues"] == found["maxValues"] == {}
        assert found["nullCount"] == {"f": 1, "b": 1, "l": 1, "m": 1}

    @pytest.mark.parametrize("odd", [math.nan, math.inf, -math.inf])
    def test_floats_that_json_can_not_say_leave_bounds_out(self, odd: float) -> None:
        found = collected(struct("a:double,b:float"), {"a": [1.0, odd], "b": [1.0, 2.0]})
        assert found["minValues"] == {"b": 1}
        assert found["maxValues"] == {"b": 2}

    def test_zero_is_bounded_by_both_zeros(self) -> None:
        schema = struct("a:double")
        text = stats.collect(pl.DataFrame({"a": [0.0]}), schema)
        assert '"minValues":{"a":-0.0},"maxValues":{"a":0.0}' in text

    def test_decimals_with_more_digits_than_a_float_holds_are_rounded_outwards(self) -> None:
        value = Decimal("1234567890123456789012345678.0123456789")
        found = collected(struct("a:decimal(38,10)"), {"a": [value, -value, Decimal(-1)]})
        assert found["maxValues"]["a"] == Decimal(1234567890123460000000000000)
        assert found["minValues"]["a"] == Decimal(-1234567890123460000000000000)

    def test_a_single_long_decimal_does_not_look_like_a_constant(self) -> None:
        found = collected(struct("a:decimal(38,18)"), {"a": [Decimal("1.000000000000000001")]})
        assert float(found["minValues"]["a"]) < float(found["maxValues"]["a"])

    def test_decimals_of_up_to_15_digits_are_exact(self) -> None:
        found = collected(
            struct("a:decimal(15,2),b:decimal(4,4)"),
            {
                "a": [Decimal("9999999999999.99"), Decimal("-0.01")],
                "b": [Decimal("0.0000"), Decimal("0.9999")],
            },
        )
        assert found["minValues"] == {"a": Decimal("-0.01"), "b": Decimal("0.0000")}
        assert found["maxValues"] == {"a": Decimal("9999999999999.99"), "b": Decimal("0.9999")}

    def test_decimals_whose_rounded_bound_does_not_fit_the_type_leave_bounds_out(self) -> None:
        found = collected(struct("a:decimal(20,0)"), {"a": [Decimal(99999999999999999999)]})
        assert found["minValues"] == found["maxValues"] == {}

    def test_timestamps_are_rounded_outwards_to_milliseconds(self) -> None:
        late, early = local(2024, 1, 1, 1, 2, 3, 456_001), local(1960, 1, 1, 1, 2, 3, 456_999)
        found = collected(
            struct("t:timestamp,n:timestamp_ntz"),
            {"t": [late.replace(tzinfo=UTC), early.replace(tzinfo=UTC)], "n": [late, early]},
        )
        assert found["minValues"] == {"t": "1960-01-01T01:02:03.456Z", "n": "1960-01-01T01:02:03.456"}
        assert found["maxValues"] == {"t": "2024-01-01T01:02:03.457Z", "n": "2024-01-01T01:02:03.457"}

    def test_whole_milliseconds_stay(self) -> None:
        moment = local(2024, 1, 1, 1, 2, 3, 456_000)
        found = collected(struct("n:timestamp_ntz"), {"n": [moment]})
        assert found["minValues"] == found["maxValues"] == {"n": "2024-01-01T01:02:03.456"}

    def test_years_of_five_digits_have_no_bounds(self) -> None:
        schema = struct("d:date,n:timestamp_ntz")
        frame = pl.DataFrame({"d": [3_000_000, 0], "n": [300_000_000_000_000_000, 0]}).cast(
            dict(to_polars(schema))  # type: ignore[arg-type]
        )
        found = json.loads(stats.collect(frame, schema))
        assert found["minValues"] == {}
        assert found["nullCount"] == {"d": 0, "n": 0}

    @pytest.mark.parametrize(
        ("longest", "ceiling"),
        [
            ("a" * 32, "a" * 32),
            ("a" * 33, "a" * 32 + "\x7f"),
            ("a" * 32 + "\x7f", "a" * 32 + LAST),
            ("é" * 40, "é" * 32 + LAST),
            ("a" * 32 + LAST + "b", "a" * 32 + LAST + "\x7f"),
            ("a" * 32 + LAST, "a" * 32 + LAST),
            (LAST * 33, LAST * 33),
        ],
    )
    def test_a_long_text_is_cut_off_to_one_that_is_not_smaller(self, longest: str, ceiling: str) -> None:
        found = collected(struct("a:string"), {"a": ["a", longest]})
        assert found["maxValues"]["a"] == ceiling
        assert ceiling.encode() >= longest.encode()

    def test_a_text_that_can_not_be_cut_has_no_bounds(self) -> None:
        found = collected(struct("a:string"), {"a": [LAST * 100 + "a"]})
        assert found["maxValues"] == {}

    def test_a_low_text_is_cut_off(self) -> None:
        assert collected(struct("a:string"), {"a": ["b" * 40]})["minValues"]["a"] == "b" * 32

    def test_only_the_first_32_leaves_are_indexed(self) -> None:
        schema = struct("s:struct<a:long,b:long>," + ",".join(f"c{i}:long" for i in range(40)))
        rows: dict[str, list[Any]] = {"s": [{"a": 1, "b": 1}], **{f"c{i}": [i] for i in range(40)}}
        found = collected(schema, rows)
        assert list(found["nullCount"]) == ["s", *(f"c{i}" for i in range(30))]

    @pytest.mark.parametrize(
        ("text", "names"), [("1", ["a"]), ("0", []), ("-1", ["a", "b"]), ("x", ["a", "b"])]
    )
    def test_the_number_of_indexed_columns_is_a_property(self, text: str, names: list[str]) -> None:
        properties = {"delta.dataSkippingNumIndexedCols": text}
        found = collected(struct("a:long,b:long"), {"a": [1], "b": [1]}, properties=properties)
        assert list(found["nullCount"]) == names

    def test_the_indexed_columns_can_be_named(self) -> None:
        schema = struct("a:long,`b.c`:long,s:struct<x:long,y:long>,D:long")
        properties = {
            "delta.dataSkippingStatsColumns": "`b.c`, s.y,d",
            "delta.dataSkippingNumIndexedCols": "1",
        }
        found = collected(
            schema, {"a": [1], "b.c": [1], "s": [{"x": 1, "y": 1}], "D": [1]}, properties=properties
        )
        assert found["nullCount"] == {"b.c": 0, "s": {"y": 0}, "D": 0}

    def test_partition_columns_are_left_out(self) -> None:
        schema = struct("a:long,p:long")
        frame = pl.DataFrame({"a": [1], "p": [1]})
        text = stats.collect(frame, schema, metadata=metadata(schema, partition_by=("p",)))
        assert json.loads(text)["nullCount"] == {"a": 0}

    def test_mapped_columns_go_by_their_physical_names(self) -> None:
        inner = StructType((StructField("x", PrimitiveType("long"), metadata={PHYSICAL: "col-2"}),))
        schema = StructType((StructField("s", inner, metadata={PHYSICAL: "col-1"}),))
        found = collected(schema, {"s": [{"x": 5}]}, properties={"delta.columnMapping.mode": "name"})
        assert found["minValues"] == {"col-1": {"col-2": 5}}

    def test_columns_that_the_frame_lacks_have_no_statistics(self) -> None:
        text = stats.collect(pl.DataFrame({"a": [1]}), struct("a:long,b:long"))
        assert json.loads(text)["nullCount"] == {"a": 0}

    def test_a_lazy_frame_and_odd_names(self) -> None:
        schema = struct("`^a$`:long,`*`:long,`a`:long")
        frame = pl.LazyFrame({"^a$": [1], "*": [2], "a": [3]})
        assert json.loads(stats.collect(frame, schema))["minValues"] == {"^a$": 1, "*": 2, "a": 3}


PHYSICAL = "delta.columnMapping.physicalName"


class TestLoosen:
    def test_only_the_flag_changes(self) -> None:
        text = '{"numRecords":5,"minValues":{"d":1234567890123456789012345.67890},"tightBounds":true}'
        assert stats.loosen(text) == (
            '{"numRecords":5,"minValues":{"d":1234567890123456789012345.67890},"tightBounds":false}'
        )

    def test_the_flag_is_added(self) -> None:
        assert json.loads(stats.loosen('{"numRecords":5}')) == {"numRecords": 5, "tightBounds": False}

    def test_a_file_with_a_vector_must_tell_its_rows(self) -> None:
        assert json.loads(stats.loosen(None, num_records=7)) == {"numRecords": 7, "tightBounds": False}
        found = json.loads(stats.loosen('{"nullCount":{"a":1}}', num_records=7))
        assert found == {"numRecords": 7, "nullCount": {"a": 1}, "tightBounds": False}
        for text in (None, "{}", "nonsense", "[]"):
            with pytest.raises(UsageError, match="number of rows"):
                stats.loosen(text)

    def test_what_is_no_json_number_goes(self) -> None:
        found = json.loads(stats.loosen('{"numRecords":1,"maxValues":{"a":NaN}}'))
        assert found["maxValues"] == {"a": None}


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
        here = snapshot(schema)
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
        found = stats.file_bounds(add(text), "x", snapshot=snapshot(struct("x:decimal(30,2)")))
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
        assert stats.file_bounds(add(text), "x", snapshot=snapshot(struct("x:long"))) is None

    def test_nan_and_infinity_among_the_bounds_do_not_spoil_the_rest(self) -> None:
        text = '{"numRecords":2,"minValues":{"x":1,"f":NaN},"maxValues":{"x":2,"f":Infinity}}'
        here = snapshot(struct("x:long,f:double"))
        assert stats.file_bounds(add(text), "x", snapshot=here) == (1, 2)
        assert stats.file_bounds(add(text), "f", snapshot=here) is None

    def test_partition_values_are_bounds(self) -> None:
        here = snapshot(struct("x:long,p:date"), partition_by=("p",))
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
        here = snapshot(schema, partition_by=("p",), properties={"delta.columnMapping.mode": "name"})
        file = add('{"minValues":{"c1":1,"x":8},"maxValues":{"c1":2,"x":9}}', c2="7", p="8")
        assert stats.file_bounds(file, "x", snapshot=here) == (1, 2)
        assert stats.file_bounds(file, "p", snapshot=here) == (7, 7)

    def test_many_files_at_once(self) -> None:
        here = snapshot(struct("x:long,s:string"))
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
        here = snapshot(struct("a:long,b:long,c:long"))
        found = stats.bounds_frame([add(text)], ["a", "b", "c"], snapshot=here)
        assert found.select("nulls.a", "nulls.b", "nulls.c").row(0) == (0, None, 3)
        vector = DeletionVector("u", "x", 1, 1)
        tight = AddFile("f", {}, 1, 0, stats=text.replace("false", "true"), deletion_vector=vector)
        found = stats.bounds_frame([tight], ["b"], snapshot=here)
        assert found["nulls.b"].to_list() == [None]

    def test_unknown_columns_are_refused(self) -> None:
        here = snapshot(struct("a:long,`b.c`:long"))
        assert stats.file_bounds(add(None), "b.c", snapshot=here) is None
        for name in ("x", "a.b", "b"):
            with pytest.raises(UsageError, match="no column"):
                stats.file_bounds(add(None), name, snapshot=here)
