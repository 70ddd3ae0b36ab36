"""Structs, lists and maps: parts are cast, fields are added, and a misfit inside takes the record out."""

from __future__ import annotations

from typing import Any

import polars as pl
import pyarrow as pa
import pytest

from lakehouse.cdc.changes import OP, ORDINAL, ChangeBatch
from lakehouse.cdc.conform import conform
from lakehouse.delta.schema import StructField, StructType, parse_type, to_polars, type_string
from lakehouse.errors import DataError


def table(text: str) -> StructType:
    return StructType((StructField("id", parse_type("long")), StructField("x", parse_type(text))))


def batch_of(values: pl.Series) -> ChangeBatch:
    count = values.len()
    frame = pl.DataFrame(
        [
            pl.Series("id", range(count), dtype=pl.Int64),
            values.alias("x"),
            pl.Series(OP, [0] * count, dtype=pl.Int8),
            pl.Series(ORDINAL, range(count), dtype=pl.Int64),
        ]
    )
    return ChangeBatch(frame=frame, key=("id",), total=count)


CASES: list[tuple[str, list[Any], list[Any]]] = [
    ("array<integer>", [[1, None], [], None, [2]], [[1, None], [], None, [2]]),
    ("array<decimal(5,2)>", [[1.25], [], None], ["[1.25]", "[]", "None"]),
    ("struct<a:integer,b:string>", [{"b": "x", "a": 1}, None], [{"a": 1, "b": "x"}, None]),
    ("struct<a:integer,b:string>", [{"a": 1}], [{"a": 1, "b": None}]),
    (
        "array<struct<a:integer>>",
        [[{"a": 1}, None], [], None, [{"a": None}]],
        [[{"a": 1}, None], [], None, [{"a": None}]],
    ),
    ("struct<a:array<short>>", [{"a": [1]}, {"a": None}, None], [{"a": [1]}, {"a": None}, None]),
]


@pytest.mark.parametrize(("text", "values", "expected"), CASES)
def test_parts_are_cast(text: str, values: list[Any], expected: list[Any]) -> None:
    schema = table(text)
    conformed = conform(batch_of(pl.Series(values)), schema=schema)
    assert not conformed.batch.rejected
    found = conformed.batch.frame["x"]
    assert found.dtype == to_polars(schema)["x"]
    if text.startswith("array<decimal"):
        assert [str(None if item is None else [float(part) for part in item]) for item in found] == expected
    else:
        assert found.to_list() == expected


def test_a_misfit_inside_takes_the_record_out() -> None:
    values = pl.Series([[1, 2**40], [3], [], None])
    conformed = conform(batch_of(values), schema=table("array<integer>"))
    assert conformed.batch.frame["x"].to_list() == [[3], [], None]
    assert conformed.batch.rejected[0].detail == "x.element: a value does not fit integer"


def test_the_place_of_a_misfit_is_named() -> None:
    values = pl.Series([[{"a": "text"}]])
    conformed = conform(batch_of(values), schema=table("array<struct<a:integer>>"))
    assert conformed.batch.rejected[0].detail == "x.element.a: text in a column of integer"


@pytest.mark.parametrize("text", ["array<string>", "struct<a:string>", "map<string,long>", "string"])
def test_a_simple_value_is_no_nested_one_nor_the_other_way_round(text: str) -> None:
    values = pl.Series([[1]]) if text == "string" else pl.Series([1])
    conformed = conform(batch_of(values), schema=table(text))
    assert conformed.batch.rejected[0].reason == "wrong_type"


# Maps


def test_arrow_maps_and_objects_become_maps() -> None:
    schema = table("map<string,long>")
    arrow = pl.from_arrow(
        pa.array([[("a", 1), ("b", None)], None, []], type=pa.map_(pa.string(), pa.int32()))
    )
    assert isinstance(arrow, pl.Series)
    expected = [[{"key": "a", "value": 1}, {"key": "b", "value": None}], None, []]
    assert conform(batch_of(arrow), schema=schema).batch.frame["x"].to_list() == expected
    objects = pl.Series(
        [{"a": 1, "b": None}, None, {"a": None, "b": 2}], dtype=pl.Struct({"a": pl.Int8, "b": pl.Int8})
    )
    found = conform(batch_of(objects), schema=schema).batch.frame["x"]
    assert found.to_list() == [[{"key": "a", "value": 1}], None, [{"key": "b", "value": 2}]]
    assert found.dtype == to_polars(schema)["x"]


def test_a_new_map_column_becomes_a_map() -> None:
    arrow = pl.from_arrow(pa.array([[("a", 1)]], type=pa.map_(pa.string(), pa.int32())))
    assert isinstance(arrow, pl.Series)
    conformed = conform(batch_of(arrow), schema=None)
    assert type_string(conformed.schema.field("x").type) == "map<string,integer>"
    assert conformed.batch.frame["x"].to_list() == [[{"key": "a", "value": 1}]]


# New fields

GROWN = [
    ("struct<a:long>", [{"a": 1, "b": "x"}, {"a": 2, "b": None}], "struct<a:long,b:string>", "x.b"),
    ("array<struct<a:long>>", [[{"a": 1, "b": "x"}], []], "array<struct<a:long,b:string>>", "x.element.b"),
    (
        "struct<a:struct<b:long>>",
        [{"a": {"b": 1, "c": True}}, None],
        "struct<a:struct<b:long,c:boolean>>",
        "x.a.c",
    ),
]


@pytest.mark.parametrize(("text", "values", "grown", "name"), GROWN)
def test_fields_evolve_inside_structs(text: str, values: list[Any], grown: str, name: str) -> None:
    conformed = conform(batch_of(pl.Series(values)), schema=table(text))
    assert type_string(conformed.schema.field("x").type) == grown
    assert conformed.added == (name,)
    assert conformed.batch.frame["x"].to_list() == values


@pytest.mark.parametrize(("text", "values", "grown", "name"), GROWN)
def test_new_fields_obey_the_other_policies(text: str, values: list[Any], grown: str, name: str) -> None:
    batch, schema = batch_of(pl.Series(values)), table(text)
    with pytest.raises(DataError, match=name):
        conform(batch, schema=schema, policy="freeze")
    discarded = conform(batch, schema=schema, policy="discard_columns")
    assert discarded.discarded == (name,)
    assert discarded.batch.frame.height == 2
    assert discarded.schema == schema
    strict = conform(batch, schema=schema, policy="quarantine")
    assert strict.batch.frame["id"].to_list() == [1]
    assert strict.batch.rejected[0].reason == "unknown_column"
    assert strict.batch.rejected[0].detail == f"the table has no field {name}"


def test_fields_that_differ_by_case_only_are_refused() -> None:
    with pytest.raises(DataError, match=r"a column x\.A, and there is x\.a"):
        conform(batch_of(pl.Series([{"A": 1}])), schema=table("struct<a:long>"))


def test_a_list_in_another_form_is_the_same_list() -> None:
    values = pl.Series([[1, 2], None], dtype=pl.Array(pl.Int64, 2))
    conformed = conform(batch_of(values), schema=table("array<integer>"))
    assert conformed.batch.frame["x"].to_list() == [[1, 2], None]
