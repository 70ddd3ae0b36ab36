"""The format ``rows``: dicts, JSON and Arrow columns."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from lakehouse.cdc.changes import DELETE, OP, ORDINAL, TRUNCATE, UPSERT, ChangeBatch, absence
from lakehouse.cdc.formats import Settings, normalize
from lakehouse.delta.type_names import parse_type
from lakehouse.errors import DataError

ID = ("id",)


def read(
    records: object, *, key: tuple[str, ...] = ID, types: dict[str, str] | None = None, **rest: Any
) -> ChangeBatch:
    declared = {name: parse_type(text) for name, text in (types or {}).items()}
    return normalize(records, format="rows", settings=Settings(key=key, types=declared, **rest))


def reasons(batch: ChangeBatch) -> list[tuple[int, str]]:
    return [(item.position, item.reason) for item in batch.rejected]


@pytest.mark.parametrize(
    ("word", "op"),
    [
        ("insert", UPSERT),
        ("Update", UPSERT),
        ("UPSERT", UPSERT),
        ("c", UPSERT),
        ("r", UPSERT),
        ("U", UPSERT),
        (None, UPSERT),
        ("delete", DELETE),
        ("D", DELETE),
        ("truncate", TRUNCATE),
        ("t", TRUNCATE),
    ],
)
def test_operations_from_dicts_and_from_columns(word: str | None, op: int) -> None:
    dicts = read([{"id": 1, "_op": word}])
    columns = read(pl.DataFrame({"id": [1], "_op": pl.Series([word], dtype=pl.String)}))

    assert dicts.frame[OP].to_list() == columns.frame[OP].to_list() == [op]
    assert "_op" not in dicts.frame.columns + columns.frame.columns


@pytest.mark.parametrize(
    "words", [[["d"], None], [{"op": "d"}, None], [1, None], [True, None], [b"\xff", None]]
)
def test_operations_that_are_no_words_are_unknown(words: list[object]) -> None:
    for batch in (
        read([{"id": number, "_op": word} for number, word in enumerate(words)]),
        read(pl.DataFrame({"id": [0, 1], "_op": words})),
    ):
        assert reasons(batch) == [(0, "unknown_op")]
        assert batch.frame["id"].to_list() == [1]


def test_rows_without_an_operation_are_upserts() -> None:
    batch = read([{"id": 1, "name": "a"}, {"id": 2, "name": None}])

    assert batch.frame.to_dicts() == [
        {"id": 1, "name": "a", OP: UPSERT, ORDINAL: 0},
        {"id": 2, "name": None, OP: UPSERT, ORDINAL: 1},
    ]
    assert batch.sequence == ()


@pytest.mark.parametrize("as_columns", [False, True])
def test_rows_that_can_not_be_used_cost_only_themselves(as_columns: bool) -> None:
    rows = [{"id": 1, "_op": "u"}, {"id": 2, "_op": "merge"}, {"id": None, "_op": "u"}, {"id": 4, "_op": "d"}]

    batch = read(pl.DataFrame(rows) if as_columns else rows)

    assert batch.frame["id"].to_list() == [1, 4]
    assert reasons(batch) == [(1, "unknown_op"), (2, "null_key")]
    assert batch.total == 4
    assert batch.rejected[1].raw == b'{"id":null,"_op":"u"}'


def test_details_name_columns_and_never_values() -> None:
    batch = read([{"id": 1, "_op": "secret"}, {"id": None, "email": "a@b.example"}])

    assert not any("secret" in item.detail or "example" in item.detail for item in batch.rejected)
    assert "id" in batch.rejected[1].detail


def test_a_column_that_a_dict_lacks_is_absent_and_null_is_not() -> None:
    batch = read([{"id": 1, "a": 1}, {"id": 2, "b": 2}, {"id": 3, "a": None, "b": None}])

    assert batch.frame[absence("a")].to_list() == [False, True, False]
    assert batch.frame[absence("b")].to_list() == [True, False, False]


def test_a_column_that_no_row_has_is_not_there() -> None:
    batch = read(pl.DataFrame({"id": [1], "a": [1]}))

    assert batch.columns == ("id", "a")
    assert batch.absent == ()


def test_ignored_nulls_are_absent_in_upserts() -> None:
    batch = read(
        pl.DataFrame({"id": [1, 2, 3], "a": [None, 1, 5], "_op": ["u", "u", "d"]}), ignore_null_updates=True
    )

    assert batch.frame[absence("a")].to_list() == [True, False, False]


def test_of_a_delete_only_key_and_sequence_are_left() -> None:
    batch = read(
        [{"id": 1, "at": 7, "name": "x", "_op": "d"}, {"id": 2, "at": 8, "name": "y"}, {"at": 9, "_op": "t"}],
        sequence=("at",),
    )

    assert batch.frame.select("id", "at", "name").rows() == [(1, 7, None), (2, 8, "y"), (None, 9, None)]
    assert batch.sequence == ("at",)


def test_the_sequence_column_of_the_data_is_used_unless_the_config_names_one() -> None:
    rows = [{"id": 1, "_sequence": 5, "at": 1}]

    own = read(rows)
    named = read(rows, sequence=("at",))

    assert own.sequence == ("_sequence",)
    assert named.sequence == ("at",)
    assert "_sequence" not in named.frame.columns


def test_rows_without_their_sequence_are_rejected() -> None:
    batch = read(pl.DataFrame({"id": [1, 2, 3], "at": [1.0, None, float("nan")]}), sequence=("at",))

    assert batch.frame["id"].to_list() == [1]
    assert reasons(batch) == [(1, "null_sequence"), (2, "null_sequence")]


def test_a_key_that_is_no_number_is_rejected() -> None:
    batch = read(pl.DataFrame({"id": [1.0, float("nan")]}))

    assert reasons(batch) == [(1, "nan_key")]


def test_the_first_of_several_reasons_for_one_row_is_its_key() -> None:
    batch = read([{"id": None, "_sequence": None}, {"id": 1, "_sequence": 1}])

    assert reasons(batch) == [(0, "null_key")]


def test_raw_json_is_read_and_broken_json_is_rejected() -> None:
    batch = read([b'{"id":1}', '{"id":2}', b'{"id":', b"\n", bytearray(b'{"id":5}'), "[6]", b"null"])

    assert batch.frame["id"].to_list() == [1, 2, 5]
    assert reasons(batch) == [(2, "bad_json"), (5, "not_a_row"), (6, "not_a_row")]
    assert batch.ignored == 1
    assert batch.rejected[0].raw == b'{"id":'


def test_records_that_are_no_rows_are_rejected() -> None:
    batch = read([{"id": 1}, 5, {1: 2}, None])

    assert reasons(batch) == [(1, "not_a_row"), (2, "not_a_row")]
    assert batch.ignored == 1


def test_the_lines_of_an_open_file_are_records(tmp_path: Path) -> None:
    path = tmp_path / "changes.jsonl"
    path.write_text('{"id":1}\n{"id":2}\n\n')

    with path.open("rb") as lines:
        batch = read(lines)

    assert batch.frame["id"].to_list() == [1, 2]


def test_half_a_character_costs_its_record(tmp_path: Path) -> None:
    batch = read(
        [{"id": 1, "x": "a"}, {"id": 2, "x": "\ud800"}, b'{"id":3,"x":"\\ud800"}', {"id": 4, "x": ["\ud800"]}]
    )

    assert batch.frame["id"].to_list() == [1]
    assert reasons(batch) == [(1, "bad_value"), (2, "bad_json"), (3, "bad_value")]


def test_what_is_nested_very_deep_becomes_text() -> None:
    deep: object = 1
    for _ in range(200):
        deep = [deep]

    batch = read([{"id": 1, "x": deep}, ("[" * 2000 + "]" * 2000).encode()])

    assert str(batch.frame["x"].dtype).count("List") == 32
    assert reasons(batch) == [(1, "bad_json")]


def test_missing_values_and_arrays_of_other_libraries() -> None:
    batch = read([{"id": 1, "x": pd.NA, "y": np.array([1, 2])}, {"id": 2, "x": 1.5, "y": None}])

    assert batch.frame["x"].to_list() == [None, 1.5]
    assert batch.frame["y"].to_list() == [[1, 2], None]


def test_the_raw_form_of_a_row_can_be_read_again() -> None:
    row = {"id": None, "data": b"\x00\xff", "price": Decimal("1.50"), "at": dt.date(2026, 1, 2), "n": 10**30}

    (rejected,) = read([row]).rejected

    assert json.loads(rejected.raw or b"") == {
        "id": None,
        "data": "AP8=",
        "price": "1.50",
        "at": "2026-01-02",
        "n": 10**30,
    }


def test_a_key_or_sequence_that_only_some_rows_have() -> None:
    batch = read([{"id": 1, "_sequence": 1}, {"_sequence": 2, "x": 1}, {"id": 3}])

    assert reasons(batch) == [(1, "null_key"), (2, "null_sequence")]
    assert batch.absent == ("x",)


def test_an_empty_batch_is_a_batch() -> None:
    empty: list[object] = [[], iter(()), pl.DataFrame(), pl.DataFrame(schema={"id": pl.Int64})]
    for records in empty:
        batch = read(records)
        assert batch.total == batch.frame.height == 0
        assert "id" in batch.frame.columns


def test_a_truncate_needs_no_key() -> None:
    batch = read([{"_op": "truncate"}])

    assert batch.frame.select("id", OP).rows() == [(None, TRUNCATE)]


@pytest.mark.parametrize(
    "records",
    [[{"name": "x"}], pl.DataFrame({"name": ["x"]}), [{"ID": 1, "name": "x"}]],
)
def test_data_without_the_key_is_refused_with_what_was_found(records: object) -> None:
    with pytest.raises(DataError, match=r"no key column id; their columns are: .*name"):
        read(records)


def test_data_without_the_sequence_is_refused() -> None:
    with pytest.raises(DataError, match="no sequence column at"):
        read([{"id": 1}], sequence=("at",))


def test_a_table_without_a_key_is_refused() -> None:
    with pytest.raises(DataError, match="without a key"):
        read([{"id": 1}], key=())


@pytest.mark.parametrize(
    "records",
    [
        [{"id": 1, "name": 1}, {"id": 2, "Name": 1}],
        pl.DataFrame({"id": [1], "name": [1], "NAME": [1]}),
        [{"id": 1, "ID": 1}],
    ],
)
def test_names_that_differ_by_case_only_are_refused(records: object) -> None:
    with pytest.raises(DataError, match="differ by case only"):
        read(records)


def test_double_and_reserved_names_are_refused() -> None:
    with pytest.raises(DataError, match="can't be read"):
        read(pa.table([pa.array([1]), pa.array([2])], names=["id", "id"]))
    for records in ([{"id": 1, "__op": 1}], pl.DataFrame({"id": [1], "__absent__x": [True]})):
        with pytest.raises(DataError, match="reserved"):
            read(records)


@pytest.mark.parametrize("records", [{"id": 1}, "id", b"{}", 5, None])
def test_what_is_no_batch_is_refused(records: object) -> None:
    with pytest.raises(DataError, match="can't be merged"):
        read(records)


def arrow_sources() -> Iterator[Any]:
    table = pa.table({"id": pa.array([1, 2], pa.int32()), "name": ["a", None]})
    yield pytest.param(table, id="table")
    yield pytest.param(pa.RecordBatchReader.from_batches(table.schema, table.to_batches()), id="reader")
    yield pytest.param(table.to_batches(), id="batches")
    yield pytest.param(pl.from_arrow(table), id="polars")
    yield pytest.param(pl.DataFrame(pl.from_arrow(table)).lazy(), id="lazy")
    frame = pd.DataFrame({"id": [0, 1, 2], "name": ["z", "a", None]}).astype({"id": "int32"})
    yield pytest.param(frame[frame.id > 0], id="pandas with a gap in its index")


@pytest.mark.parametrize("records", list(arrow_sources()))
def test_anything_with_arrow_columns(records: object) -> None:
    batch = read(records)

    assert batch.frame.select("id", "name").rows() == [(1, "a"), (2, None)]
    assert batch.columns == ("id", "name")
    assert batch.frame["id"].dtype == pl.Int32


def test_a_duckdb_relation() -> None:
    with duckdb.connect() as connection:
        batch = read(connection.sql("select 1 as id, 1.50::decimal(10,2) as price"))

    assert batch.frame.select("id", "price").rows() == [(1, Decimal("1.50"))]


def test_batches_of_different_columns_are_refused() -> None:
    with pytest.raises(DataError, match="different columns"):
        read([pa.record_batch({"id": [1]}), pa.record_batch({"id": [1], "x": [1]})])


def test_python_values_keep_their_types() -> None:
    moment = dt.datetime(2026, 1, 2, 3, 4, 5, 6)
    row = {
        "id": 1,
        "at": moment,
        "utc": moment.replace(tzinfo=dt.timezone(dt.timedelta(hours=2))),
        "day": moment.date(),
        "price": Decimal("12345678901234567890123456789.12"),
        "data": b"\x00\xff",
        "tags": ["a"],
        "inner": {"x": 1},
    }

    batch = read([row])

    assert batch.frame.select(batch.columns).to_dicts() == [{**row, "utc": row["utc"]}]
    assert batch.frame["utc"].dtype == pl.Datetime("us", "UTC")
    assert batch.frame["price"].dtype == pl.Decimal(38, 2)


def test_values_of_pandas_and_numpy_in_dicts() -> None:
    frame = pd.DataFrame({"id": [1, 2], "at": [pd.Timestamp("2026-01-01"), pd.NaT]})
    rows = [{"id": frame.id.iloc[place], "at": frame["at"].iloc[place]} for place in range(2)]

    batch = read(rows)

    assert batch.frame["id"].dtype == pl.Int64
    assert batch.frame["at"].to_list() == [dt.datetime(2026, 1, 1), None]


@pytest.mark.parametrize(
    ("values", "dtype", "result"),
    [
        ([1, None, -5], pl.Int64(), [1, None, -5]),
        ([2**63, 1], pl.Decimal(38, 0), [Decimal(2**63), Decimal(1)]),
        ([10**40, 1], pl.String(), [str(10**40), "1"]),
        ([1, 2.5], pl.Float64(), [1.0, 2.5]),
        ([2**53 + 1, 2.5], pl.String(), ["9007199254740993", "2.5"]),
        ([True, None], pl.Boolean(), [True, None]),
        ([True, 1], pl.String(), ["true", "1"]),
        (["a", 1, 2.5, None, [1]], pl.String(), ["a", "1", "2.5", None, "[1]"]),
        ([None, None], pl.Null(), [None, None]),
        ([[1], [2.5], None, []], pl.List(pl.Float64()), [[1.0], [2.5], None, []]),
        ([{}, None], pl.String(), ["{}", None]),
    ],
)
def test_undeclared_columns_get_the_type_that_loses_nothing(
    values: list[object], dtype: pl.DataType, result: list[object]
) -> None:
    batch = read([{"id": place, "x": value} for place, value in enumerate(values)])

    assert batch.frame["x"].dtype == dtype
    assert batch.frame["x"].to_list() == result


def test_fields_that_only_later_objects_have_are_kept() -> None:
    batch = read([{"id": 1, "x": {"a": 1}}, {"id": 2, "x": {"b": ["z"]}}, {"id": 3, "x": None}])

    assert batch.frame["x"].to_list() == [{"a": 1, "b": None}, {"a": None, "b": ["z"]}, None]


@pytest.mark.parametrize(
    ("declared", "good", "value", "bad"),
    [
        ("long", "42", 42, "4x"),
        ("integer", 7, 7, 1.5),
        ("double", "2.5", 2.5, "x"),
        ("boolean", "true", True, "maybe"),
        ("decimal(5,2)", "1.5", Decimal("1.50"), "1,5"),
        ("decimal(5,2)", 1.1, Decimal("1.10"), 10**38),
        ("date", "2026-01-02", dt.date(2026, 1, 2), "2026-13-01"),
        ("date", 1, dt.date(1970, 1, 2), "yesterday"),
        ("timestamp", "2026-01-02 03:04:05+02:00", dt.datetime(2026, 1, 2, 1, 4, 5, tzinfo=dt.UTC), "noon"),
        ("timestamp_ntz", "2026-01-02T03:04:05", dt.datetime(2026, 1, 2, 3, 4, 5), "noon"),
        ("binary", "3q2+7w==", b"\xde\xad\xbe\xef", "not base64!"),
        ("array<integer>", [1, None], [1, None], ["x"]),
        ("struct<a:integer>", {"a": 1}, {"a": 1}, [1]),
        ("map<string,integer>", {"a": 1}, [{"key": "a", "value": 1}], {"a": "x"}),
        ("string", 5, "5", None),
    ],
)
def test_values_become_the_declared_type_or_their_record_is_rejected(
    declared: str, good: object, value: object, bad: object
) -> None:
    batch = read([{"id": 1, "x": good}, {"id": 2, "x": bad}, {"id": 3, "x": None}], types={"x": declared})

    assert batch.frame.filter(pl.col("id") == 1)["x"].to_list() == [value]
    if bad is not None:
        assert [item.position for item in batch.rejected] == [1]
        assert batch.rejected[0].reason in {"bad_value", "out_of_range"}


def test_text_columns_are_read_as_their_declared_type() -> None:
    frame = pl.DataFrame({"id": ["1", "x"], "day": ["2026-01-02", "2026-01-03"]})

    batch = read(frame, types={"id": "long", "day": "date"})

    assert batch.frame.select("id", "day").rows() == [(1, dt.date(2026, 1, 2))]
    assert reasons(batch) == [(1, "bad_value")]


def test_whole_numbers_beyond_a_declared_width_are_left_to_the_table() -> None:
    batch = read([{"id": 1, "x": 2**40}], types={"x": "integer"})

    assert batch.frame["x"].to_list() == [2**40]
