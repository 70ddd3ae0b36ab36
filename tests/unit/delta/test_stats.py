from __future__ import annotations

import json
import math
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import polars as pl
import pytest

from lakehouse.delta import stats
from lakehouse.delta.actions import Metadata
from lakehouse.delta.schema import PrimitiveType, StructField, StructType, to_polars
from lakehouse.errors import UsageError
from tests.unit.delta.made_tables import PHYSICAL, UTC, local, snapshot_of, struct

LAST = "\U0010ffff"


def metadata(
    schema: StructType, *, partition_by: tuple[str, ...] = (), properties: Mapping[str, str] | None = None
) -> Metadata:
    return snapshot_of(schema, partition_by=partition_by, properties=properties).metadata


def collected(
    schema: StructType, rows: dict[str, list[Any]], *, properties: Mapping[str, str] | None = None
) -> dict[str, Any]:
    frame = pl.DataFrame(rows, schema={name: to_polars(schema)[name] for name in rows})
    text = stats.collect(frame, schema, metadata=metadata(schema, properties=properties))
    found = json.loads(text, parse_float=Decimal)
    assert isinstance(found, dict)
    return found


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
