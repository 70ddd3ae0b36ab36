"""A batch and a table that do not agree: what is cast, added, refused, rejected."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import polars as pl
import pytest

from lakehouse.cdc.changes import OP, ORDINAL, ChangeBatch, absence
from lakehouse.cdc.conform import conform
from lakehouse.delta.schema import (
    LONG,
    STRING,
    ArrayType,
    DecimalType,
    StructField,
    StructType,
    parse_type,
    to_polars,
    type_string,
)
from lakehouse.errors import DataError


def schema_of(**columns: str) -> StructType:
    return StructType(tuple(StructField(name, parse_type(text)) for name, text in columns.items()))


def batch_of(
    columns: dict[str, Any],
    *,
    types: dict[str, Any] | None = None,
    ops: list[int] | None = None,
    sequence: tuple[str, ...] = (),
) -> ChangeBatch:
    frame = pl.DataFrame(columns, schema_overrides=types or {})
    height = frame.height
    frame = frame.with_columns(
        pl.Series(OP, ops or [0] * height, dtype=pl.Int8), pl.Series(ORDINAL, range(height), dtype=pl.Int64)
    )
    return ChangeBatch(frame=frame, key=("id",), sequence=sequence, total=height)


def described(schema: StructType) -> dict[str, str]:
    return {item.name: type_string(item.type) for item in schema.fields}


TABLE = schema_of(id="long", name="string", qty="integer")


def test_a_batch_that_fits_comes_through_as_it_is() -> None:
    batch = batch_of({"id": [1], "name": ["a"], "qty": [2]}, types={"qty": pl.Int32})
    conformed = conform(batch, schema=TABLE)
    assert conformed.schema == TABLE
    assert not conformed.changed
    assert conformed.batch.frame.equals(batch.frame)


def test_columns_come_in_table_order_and_types_and_missing_ones_stay_missing() -> None:
    batch = batch_of({"qty": [2, 3], "id": [1, 2]}, types={"id": pl.Int32})
    frame = conform(batch, schema=TABLE).batch.frame
    assert frame.columns == ["id", "qty", OP, ORDINAL]
    assert frame.select("id", "qty").schema == {"id": pl.Int64(), "qty": pl.Int32()}
    assert frame.select("id", "qty").rows() == [(1, 2), (2, 3)]


def test_a_value_that_does_not_fit_takes_only_its_record_out() -> None:
    batch = batch_of({"id": [1, 2, 3], "qty": [7, 2**31, None]})
    conformed = conform(batch, schema=TABLE).batch
    assert conformed.frame["id"].to_list() == [1, 3]
    (rejected,) = conformed.rejected
    assert (rejected.position, rejected.reason) == (1, "out_of_range")
    assert rejected.detail == "qty: a value does not fit integer"
    assert conformed.total == 3


def test_reasons_never_show_values() -> None:
    batch = batch_of({"id": [1], "qty": ["a@b.example"]})
    (rejected,) = conform(batch, schema=TABLE).batch.rejected
    assert (rejected.reason, rejected.detail) == ("wrong_type", "qty: text in a column of integer")


def test_a_record_with_two_misfits_is_rejected_once() -> None:
    batch = batch_of({"id": [1], "name": [1], "qty": [0.5]})
    assert len(conform(batch, schema=TABLE).batch.rejected) == 1


def test_text_is_a_number_only_where_everything_is_text() -> None:
    batch = batch_of({"id": ["1", "2"], "qty": ["12", "1x"]})
    conformed = conform(batch, schema=TABLE, textual=True).batch
    assert conformed.frame.select("id", "qty").rows() == [(1, 12)]
    assert conformed.rejected[0].detail == "qty: the text is no integer"
    assert len(conform(batch, schema=TABLE).batch.rejected) == 2


def test_what_a_delete_says_beyond_its_key_need_not_fit() -> None:
    batch = batch_of({"id": [1, 2], "qty": [2**40, 2**40], "extra": ["x", "x"]}, ops=[1, 0])
    conformed = conform(batch, schema=TABLE, policy="quarantine").batch
    assert conformed.frame["id"].to_list() == [1]
    assert [item.position for item in conformed.rejected] == [1]


def test_a_delete_with_a_key_that_does_not_fit_is_rejected() -> None:
    batch = batch_of({"id": ["x"]}, ops=[1])
    assert conform(batch, schema=TABLE).batch.rejected[0].reason == "wrong_type"


# New columns


NEW = {"id": [1, 2], "email": ["a", None], "nothing": [None, None]}


def test_evolve_adds_new_columns_at_the_end() -> None:
    conformed = conform(batch_of(NEW), schema=TABLE)
    assert described(conformed.schema) == {
        "id": "long",
        "name": "string",
        "qty": "integer",
        "email": "string",
    }
    assert conformed.changed
    assert conformed.added == ("email",)
    assert conformed.schema.field("email").nullable
    assert conformed.batch.columns == ("id", "email")


def test_evolve_takes_the_declared_type_for_a_new_column() -> None:
    batch = batch_of({"id": [1], "price": [12.5]})
    declared = schema_of(id="long", price="decimal(10,2)", unused="string")
    conformed = conform(batch, schema=TABLE, declared=declared)
    assert conformed.schema.field("price").type == DecimalType(10, 2)
    assert "unused" not in conformed.schema
    assert conformed.batch.frame["price"].cast(pl.String).to_list() == ["12.50"]


def test_freeze_refuses_the_batch_and_names_the_columns() -> None:
    with pytest.raises(DataError, match=r"table shop has no column email, and its schema is frozen"):
        conform(batch_of(NEW), schema=TABLE, policy="freeze", table="shop")


def test_discard_columns_leaves_them_out_and_names_them() -> None:
    batch = batch_of({**NEW, "at": [time(1), time(2)]})
    conformed = conform(batch, schema=TABLE, policy="discard_columns")
    assert conformed.discarded == ("email", "at")
    assert conformed.batch.columns == ("id",)
    assert not conformed.changed


def test_quarantine_takes_out_the_records_with_a_value_there() -> None:
    conformed = conform(batch_of(NEW), schema=TABLE, policy="quarantine")
    assert conformed.batch.frame["id"].to_list() == [2]
    (rejected,) = conformed.batch.rejected
    assert (rejected.reason, rejected.detail) == ("unknown_column", "the table has no column email")
    assert conformed.schema == TABLE


def test_absence_columns_go_with_their_columns() -> None:
    batch = batch_of({"id": [1, 2], "email": ["a", None], absence("email"): [False, True]})
    assert absence("email") in conform(batch, schema=TABLE).batch.frame.columns
    kept = conform(batch, schema=TABLE, policy="discard_columns").batch.frame
    assert absence("email") not in kept.columns


@pytest.mark.parametrize("policy", ["evolve", "freeze", "discard_columns", "quarantine"])
def test_a_sequence_column_is_always_added(policy: Any) -> None:
    batch = batch_of({"id": [1], "_sequence": ["0001"]}, sequence=("_sequence",))
    conformed = conform(batch, schema=TABLE, policy=policy)
    assert described(conformed.schema)["_sequence"] == "string"
    assert conformed.batch.columns == ("id", "_sequence")


@pytest.mark.parametrize("policy", ["evolve", "freeze", "discard_columns", "quarantine"])
def test_a_name_that_differs_by_case_only_is_refused(policy: Any) -> None:
    with pytest.raises(DataError, match=r"a column Name, and there is name"):
        conform(batch_of({"id": [1], "Name": ["a"]}), schema=TABLE, policy=policy)


def test_a_table_without_the_key_column_is_refused() -> None:
    with pytest.raises(DataError, match="table shop has no key column id"):
        conform(batch_of({"id": [1]}), schema=schema_of(name="string"), table="shop")


def test_lists_that_are_all_empty_have_no_type_yet() -> None:
    conformed = conform(batch_of({"id": [1], "tags": [[]]}), schema=TABLE)
    assert conformed.discarded == ("tags",)
    assert conformed.schema == TABLE


# No table yet


def test_the_first_batch_decides() -> None:
    frame = {
        "_sequence": ["1"],
        "id": [1],
        "u64": [1],
        "u32": [1],
        "u16": [1],
        "u8": [1],
        "category": ["a"],
        "at": [datetime(2026, 1, 1, tzinfo=UTC)],
        "local": [datetime(2026, 1, 1)],
        "day": [date(2026, 1, 1)],
        "tags": [["a"]],
        "place": [{"zip": "1", "nothing": None}],
        "nothing": [None],
        "raw": [b"x"],
    }
    types = {
        "u64": pl.UInt64,
        "u32": pl.UInt32,
        "u16": pl.UInt16,
        "u8": pl.UInt8,
        "category": pl.Categorical,
        "at": pl.Datetime("ns", "Europe/Berlin"),
        "local": pl.Datetime("ms"),
    }
    conformed = conform(batch_of(frame, types=types, sequence=("_sequence",)), schema=None)
    assert described(conformed.schema) == {
        "id": "long",
        "u64": "decimal(20,0)",
        "u32": "long",
        "u16": "integer",
        "u8": "short",
        "category": "string",
        "at": "timestamp",
        "local": "timestamp_ntz",
        "day": "date",
        "tags": "array<string>",
        "place": "struct<zip:string>",
        "raw": "binary",
        "_sequence": "string",
    }
    assert conformed.changed
    assert conformed.untyped == ("nothing",)
    assert conformed.batch.frame.drop(OP, ORDINAL, "nothing").schema == to_polars(conformed.schema)
    assert conformed.batch.frame["at"].to_list() == [datetime(2026, 1, 1, tzinfo=UTC)]


def test_declared_columns_come_first_and_decide_types() -> None:
    declared = schema_of(id="long", price="decimal(10,2)", note="string")
    conformed = conform(
        batch_of({"extra": [1], "price": ["12.50"], "id": [1]}), schema=None, declared=declared
    )
    assert list(described(conformed.schema)) == ["id", "price", "note", "extra"]
    assert conformed.batch.columns == ("id", "price", "extra")


def test_declared_columns_can_be_frozen_from_the_start() -> None:
    with pytest.raises(DataError, match="no column extra"):
        conform(
            batch_of({"extra": [1], "id": [1]}), schema=None, declared=schema_of(id="long"), policy="freeze"
        )


@pytest.mark.parametrize("value", [time(12), timedelta(hours=1)])
def test_types_that_delta_lacks_are_refused_with_advice(value: Any) -> None:
    with pytest.raises(DataError, match=r"column at has the type .*cast it first"):
        conform(batch_of({"id": [1], "at": [value]}), schema=None)


def test_an_empty_batch_of_truncates_needs_no_types() -> None:
    batch = batch_of({"id": [None]}, ops=[2])
    conformed = conform(batch, schema=None)
    assert conformed.schema == StructType()
    assert conformed.batch.frame.columns == ["id", OP, ORDINAL]


def test_an_array_without_a_table_keeps_its_elements() -> None:
    conformed = conform(
        batch_of({"id": [1], "xs": [[1, 2]]}, types={"xs": pl.Array(pl.Int64, 2)}), schema=None
    )
    assert conformed.schema.field("xs").type == ArrayType(LONG)
    assert conformed.batch.frame["xs"].to_list() == [[1, 2]]


def test_widening_is_asked_for() -> None:
    batch = batch_of({"id": [1, 2], "qty": [1, 2**40]})
    assert len(conform(batch, schema=TABLE).batch.rejected) == 1
    conformed = conform(batch, schema=TABLE, widen=True)
    assert conformed.widened == {"qty": LONG}
    assert conformed.schema.field("qty").type == LONG
    assert conformed.changed
    assert conformed.batch.frame["qty"].to_list() == [1, 2**40]
    assert conform(batch, schema=TABLE, widen=True, policy="freeze").widened == {}


def test_control_characters_in_names_are_refused() -> None:
    with pytest.raises(DataError, match="control character"):
        conform(batch_of({"id": [1], "a\nb": ["x"]}), schema=StructType((StructField("id", STRING),)))
