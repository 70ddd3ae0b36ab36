"""Masks of a table: what comes out of a frame, and what is refused before."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from typing import Any

import polars as pl
import pytest

from lakehouse.config import load_config
from lakehouse.delta.schema import STRING, StructField, StructType, from_arrow, parse_type, to_polars
from lakehouse.errors import DataError, LakehouseError, RefusedError, UsageError
from lakehouse.pii.mask.frames import TableMasks
from lakehouse.pii.mask.plan import masks_of
from lakehouse.pii.spans import SpanFinder
from tests.unit.pii.finders import Patterns, nobody, patterns
from tests.unit.pii.rings import Ring

OPERATORS = {
    "EMAIL_ADDRESS": {"operator": "tokenize"},
    "PHONE_NUMBER": {"operator": "mask", "keep_last": 2},
    "PERSON": {"operator": "replace"},
    "CUSTOMER_ID": {"operator": "hash"},
    "SECRET": {"operator": "encrypt"},
    "DATE_TIME": {"operator": "date_shift"},
    "AGE": {"operator": "generalize", "step": 10},
    "NOTHING": {"operator": "nullify"},
    "OPEN": {"operator": "keep"},
}


def masks(
    pii: dict[str, Any],
    schema: dict[str, str] | StructType,
    *,
    key: list[str] | None = None,
    ring: Ring | None = None,
    finder: Callable[[], SpanFinder] = nobody,
    more: dict[str, Any] | None = None,
    **section: Any,
) -> TableMasks:
    config = {
        "version": 1,
        "tables": {"t": {"key": ["id"] if key is None else key, "pii": pii, **section}},
        "pii": {"operators": OPERATORS},
        **(more or {}),
    }
    if isinstance(schema, dict):
        schema = StructType(tuple(StructField(name, parse_type(kind)) for name, kind in schema.items()))
    return masks_of("t", config=load_config(config), schema=schema, ring=ring or Ring(), finder=finder)


def test_a_frame_keeps_its_rows_columns_and_types() -> None:
    frame = pl.DataFrame(
        {
            "id": [1, 2, 3],
            "email": ["a@b.example", None, "a@b.example"],
            "phone": ["123456", "1", None],
            "age": pl.Series([34, None, 7], dtype=pl.Int32),
            "city": ["x", "y", "z"],
        }
    )
    found = masks(
        {"email": "EMAIL_ADDRESS", "phone": "PHONE_NUMBER", "age": "AGE"}, from_arrow(frame.to_arrow().schema)
    )
    done = found.apply(frame)
    assert done.schema == frame.schema
    assert done.drop("email").rows() == [(1, "****56", 30, "x"), (2, "*", None, "y"), (3, None, 0, "z")]
    tokens = done["email"].to_list()
    assert tokens[0] == tokens[2]
    assert tokens[0].startswith("tok_1_")
    assert tokens[1] is None
    assert found.columns == ("email", "phone", "age")
    assert found.needs == ()
    # Frames that lack columns, and frames without rows.
    assert found.apply(frame.select("phone", "id")).equals(done.select("phone", "id"))
    assert found.apply(frame.clear()).equals(frame.clear())


def test_the_same_masks_in_threads_and_other_copies() -> None:
    frame = pl.DataFrame({"id": range(5000), "email": [f"{i % 700}@b.example" for i in range(5000)]})
    found = masks({"email": "EMAIL_ADDRESS"}, {"id": "long", "email": "string"})
    expected = found.apply(frame)
    assert expected["email"].n_unique() == 700
    with ThreadPoolExecutor(4) as pool:
        assert all(each.equals(expected) for each in pool.map(found.apply, [frame] * 8))
    assert pickle.loads(pickle.dumps(found)).apply(frame).equals(expected)


def test_keys_are_not_in_what_is_shown() -> None:
    found = masks({"email": "EMAIL_ADDRESS"}, {"id": "long", "email": "string"})
    material = Ring().current("mask").derive("tokenize", length=64)
    assert repr(material)[2:20] not in repr(found)


def test_texts_are_masked_piece_by_piece() -> None:
    finder = Patterns()
    found = masks(
        {"notes": ["PERSON", "EMAIL_ADDRESS", "PHONE_NUMBER"], "email": "EMAIL_ADDRESS"},
        {"id": "long", "notes": "string", "email": "string"},
        finder=lambda: finder,
    )
    note = "👍 Ann Lee <a@b.example>, שלום +49 30 1234"
    frame = pl.DataFrame(
        {"id": [1, 2, 3], "notes": [note, None, note], "email": ["a@b.example", "nothing", None]}
    )
    done = found.apply(frame)
    token = done["email"][0]
    assert done["notes"].to_list() == [
        f"👍 <PERSON> <{token}>, שלום *********34",
        None,
        f"👍 <PERSON> <{token}>, שלום *********34",
    ]
    assert finder.asked == [note], "each distinct text once"


def test_one_entity_can_be_looked_for_in_texts_and_several_can_be_whole() -> None:
    found = masks(
        {
            "notes": {"entity": "PERSON", "text": True},
            "who": {"entity": ["PERSON", "EMAIL_ADDRESS"], "text": False},
            "both": {"entity": ["PERSON", "PERSON_NAME"], "text": False},
        },
        {"id": "long", "notes": "string", "who": "string", "both": "string"},
        finder=patterns,
        more={"pii": {"operators": {**OPERATORS, "PERSON_NAME": {"operator": "replace"}}}},
    )
    frame = pl.DataFrame({"notes": ["by Ann"], "who": ["Ann"], "both": ["Ann"]})
    assert found.apply(frame).row(0) == ("by <PERSON>", "", "<PERSON>")


def test_the_finder_is_not_called_without_texts() -> None:
    found = masks(
        {"notes": ["PERSON", "EMAIL_ADDRESS"], "email": "EMAIL_ADDRESS"},
        {"id": "long", "notes": "string", "email": "string"},
    )
    frame = pl.DataFrame({"id": [1], "notes": [None], "email": ["a"]}, schema_overrides={"notes": pl.String})
    assert found.apply(frame)["notes"].to_list() == [None]
    assert found.apply(frame.drop("notes")).width == 2


def test_dates_in_texts_move_as_those_in_columns() -> None:
    found = masks(
        {"notes": ["DATE_TIME", "PERSON"], "born": "DATE_TIME"},
        {"id": "long", "notes": "string", "born": "date"},
        finder=patterns,
    )
    frame = pl.DataFrame({"id": [1, 2], "notes": ["on 2026-01-31"] * 2, "born": [date(2026, 1, 31)] * 2})
    done = found.apply(frame)
    assert done["notes"].to_list() == [f"on {day}" for day in done["born"].to_list()]
    assert done["born"][0] != done["born"][1]
    assert found.needs == ("id",)


def test_whose_dates_they_are() -> None:
    schema = {"id": "long", "customer": "long", "email": "string", "born": "date"}
    pii = {"born": "DATE_TIME"}
    assert masks(pii, schema).needs == ("id",)
    graph = {
        "identifiers": {"id": "c.id", "mail": "c.email"},
        "rows": [{"table": "t", "where": {"email": "mail", "customer": "id"}, "do": "delete"}],
    }
    tables = {"c": {"key": "id"}, "t": {"key": ["id"], "pii": pii}}
    more = {"subjects": {"customer": graph}, "tables": tables}
    assert masks(pii, schema, more=more).needs == ("customer",)
    by = {"pii": {"operators": {"DATE_TIME": {"operator": "date_shift", "by": "email"}}}}
    assert masks(pii, schema, more={**more, **by}).needs == ("email",)
    with pytest.raises(UsageError, match="whose a row is"):
        masks(pii, schema, key=[])
    with pytest.raises(UsageError, match="no column `mail`"):
        masks(
            pii, schema, more={"pii": {"operators": {"DATE_TIME": {"operator": "date_shift", "by": "mail"}}}}
        )
    with pytest.raises(UsageError, match="the column id is needed too"):
        masks(pii, schema).apply(pl.DataFrame({"born": [date(2026, 1, 1)]}))


def test_the_person_is_known_by_the_value_before_it_is_masked() -> None:
    schema = {"id": "long", "born": "date"}
    plain = masks({"born": "DATE_TIME"}, schema)
    both = masks({"id": "CUSTOMER_ID", "born": "DATE_TIME"}, schema)
    frame = pl.DataFrame({"id": [7], "born": [date(2026, 1, 1)]})
    assert both.apply(frame)["born"].equals(plain.apply(frame)["born"])
    assert both.apply(frame)["id"][0] != 7


def test_rows_that_come_again_look_the_same_encrypted_or_not() -> None:
    found = masks({"pin": "SECRET", "puk": "SECRET"}, {"id": "long", "pin": "string", "puk": "string"})
    frame = pl.DataFrame({"id": [1, 2], "pin": ["1234"] * 2, "puk": ["1234"] * 2})
    done = found.apply(frame)
    assert found.needs == ("id",)
    assert found.apply(frame[::-1])[::-1].equals(done)
    assert len({*done["pin"].to_list(), *done["puk"].to_list()}) == 4
    # Who the row is can't be told here, so it comes out by chance.
    assert found.apply(frame.drop("id"))["pin"][0] != done["pin"][0]


def test_any_column_can_tell_rows_and_people_apart() -> None:
    for kind, one, other in (
        ("binary", b"\xff\x00", b"\xff"),
        ("double", 1.5, 2.5),
        ("boolean", True, False),
    ):
        schema = {"id": kind, "part": "string", "pin": "string", "born": "date"}
        frame = pl.DataFrame(
            {
                "id": [one, other, one],
                "part": ["1", "1", "1"],
                "pin": ["7"] * 3,
                "born": [date(2026, 1, 1)] * 3,
            }
        )
        done = masks({"pin": "SECRET", "born": "DATE_TIME"}, schema, key=["id", "part"]).apply(frame)
        assert done["pin"][0] == done["pin"][2] != done["pin"][1], kind
        assert done["born"][0] == done["born"][2] != done["born"][1], kind


def test_a_key_stays_with_the_first_version_and_so_does_what_joins_with_it() -> None:
    config = {
        "tables": {
            "t": {"key": ["id"], "pii": {"id": "CUSTOMER_ID", "email": "EMAIL_ADDRESS"}},
            "o": {"key": ["order"], "pii": {"customer": "CUSTOMER_ID"}},
        }
    }
    schema = {"id": "long", "email": "string"}
    frame = pl.DataFrame({"id": [7], "email": ["a@b"]})
    before = masks({}, schema, more=config).apply(frame)
    ring = Ring().rotated()
    after = masks({}, schema, more=config, ring=ring).apply(frame)
    assert after["id"].equals(before["id"])
    assert not after["email"].equals(before["email"])
    orders = masks_of(
        "o",
        config=load_config({"version": 1, "pii": {"operators": OPERATORS}, **config}),
        schema=StructType((StructField("customer", parse_type("long")),)),
        ring=ring,
        finder=nobody,
    )
    assert orders.apply(pl.DataFrame({"customer": [7]}))["customer"].to_list() == after["id"].to_list()


@pytest.mark.parametrize(
    ("pii", "kind", "value", "expected"),
    [
        ({"c.x": "PERSON"}, "struct<x:string,n:long>", {"x": "Ann", "n": 1}, {"x": "<PERSON>", "n": 1}),
        ({"c[]": "PERSON"}, "array<string>", ["Ann", None, "Bo"], ["<PERSON>", None, "<PERSON>"]),
        (
            {"c[].a.name": "PERSON"},
            "array<struct<a:struct<name:string>>>",
            [{"a": {"name": "Ann"}}, None, {"a": None}],
            [{"a": {"name": "<PERSON>"}}, None, {"a": None}],
        ),
        ({"c[][]": "AGE"}, "array<array<integer>>", [[31, None], [], None], [[30, None], [], None]),
        (
            {"c{}": "PERSON"},
            "map<string,string>",
            [{"key": "k", "value": "Ann"}],
            [{"key": "k", "value": "<PERSON>"}],
        ),
        (
            {"c{key}": "PHONE_NUMBER"},
            "map<string,string>",
            [{"key": "12345", "value": "Ann"}],
            [{"key": "***45", "value": "Ann"}],
        ),
        (
            {"c{}[].name": "PERSON"},
            "map<string,array<struct<name:string>>>",
            [{"key": "k", "value": [{"name": "Ann"}]}],
            [{"key": "k", "value": [{"name": "<PERSON>"}]}],
        ),
        ({"c$.a.b": "PERSON"}, "string", '{"a": {"b": "Ann"}, "d": null}', '{"a":{"b":"<PERSON>"},"d":null}'),
        ({"c$.a": "PERSON"}, "string", '{"b": 1}', '{"b": 1}'),
        ({"c$[].n": "PERSON"}, "string", '[{"n": "Ann"}, {"n": null}, 3]', '[{"n":"<PERSON>"},{"n":null},3]'),
        ({"c$": "PERSON"}, "string", '{"a": ["Ann", 5], "b": {}}', '{"a":["<PERSON>","<PERSON>"],"b":{}}'),
        ({"c$": "PERSON"}, "string", '"Ann"', '"<PERSON>"'),
        ({"c${key}": "PERSON"}, "string", '{"Ann": 1}', '{"<PERSON>":1}'),
        ({"c${}": "PERSON"}, "string", '{"x": "Ann"}', '{"x":"<PERSON>"}'),
        ({"c$.a": "PERSON"}, "string", "Ann, not JSON", "<PERSON>"),
        (
            {"c$.a": "PERSON"},
            "string",
            '{"a": "Ann", "n": 123456789012345678901, "x": 1.10, "y": 0.1234567890123456789, "z": -1E5}',
            '{"a":"<PERSON>","n":123456789012345678901,"x":1.10,"y":0.1234567890123456789,"z":-1E5}',
        ),
        ({"c$.a": "PHONE_NUMBER"}, "string", '{"a": 1234567890123456789}', '{"a":"*****************89"}'),
        ({"c$.a": "PERSON"}, "string", '{"a": "\\ud800"}', "<PERSON>"),
        ({"c$.a": "PERSON"}, "string", '{"a": NaN, "b": 1.0}', "<PERSON>"),
        ({"c$": "PERSON"}, "string", "[" * 200 + "1.5" + "]" * 200, "[" * 200 + '"<PERSON>"' + "]" * 200),
        ({"c$": "PERSON"}, "string", "[" * 900 + "1.5" + "]" * 900, "<PERSON>"),
        ({"c$": "PERSON"}, "string", "[" * 5000 + "]" * 5000, "<PERSON>"),
    ],
)  # fmt: skip
def test_inside_of_values(pii: dict[str, str], kind: str, value: Any, expected: Any) -> None:
    schema = StructType((StructField("c", parse_type(kind)),))
    found = masks(pii, schema)
    frame = pl.DataFrame({"c": [value, None, value]}, schema=to_polars(schema))
    done = found.apply(frame)
    assert done["c"].to_list() == [expected, None, expected]
    assert done.schema == frame.schema
    part = done.slice(1)
    assert found.apply(frame.slice(1)).equals(part)


def test_texts_and_persons_inside_of_lists() -> None:
    found = masks(
        {"visits[].day": "DATE_TIME", "visits[].note": {"entity": "PERSON", "text": True}},
        {"id": "long", "visits": "array<struct<day:date,note:string>>"},
        finder=patterns,
    )
    day = date(2026, 1, 1)
    frame = pl.DataFrame(
        {"id": [1, 2], "visits": [[{"day": day, "note": "Ann"}] * 2, [{"day": day, "note": "x"}]]}
    )
    first, second = found.apply(frame)["visits"].to_list()
    assert [each["note"] for each in (*first, *second)] == ["<PERSON>", "<PERSON>", "x"]
    assert first[0]["day"] == first[1]["day"] != second[0]["day"]


def test_a_column_called_like_a_path_is_meant_before_the_path() -> None:
    found = masks({"a.b": "PERSON"}, {"a.b": "string", "a": "struct<b:string>"})
    frame = pl.DataFrame({"a.b": ["Ann"], "a": [{"b": "Ann"}]})
    assert found.apply(frame).row(0) == ("<PERSON>", {"b": "Ann"})


def test_columns_that_come_later_are_masked_when_they_come() -> None:
    found = masks({"later": "PERSON", "sum": "PERSON"}, {"id": "long"})
    assert found.columns == ("later", "sum")
    frame = pl.DataFrame({"id": [1], "later": ["Ann"]})
    assert found.apply(frame)["later"].to_list() == ["<PERSON>"]
    with pytest.raises(RefusedError, match="new column sum comes with the type Int64"):
        found.apply(pl.DataFrame({"sum": [1]}))


def test_other_types_than_the_table_s() -> None:
    found = masks(
        {"email": "EMAIL_ADDRESS", "n": "CUSTOMER_ID"}, {"id": "long", "email": "string", "n": "long"}
    )
    frame = pl.DataFrame({"email": ["a@b", None], "n": [1, 2]})
    plain = found.apply(frame)
    narrow = found.apply(frame.with_columns(pl.col("n").cast(pl.Int32), pl.col("email").cast(pl.Categorical)))
    assert narrow["n"].equals(plain["n"])
    assert narrow["email"].dtype == pl.Categorical
    assert narrow["email"].cast(pl.String).equals(plain["email"])
    with pytest.raises(DataError, match="column n: values of the type String") as caught:
        found.apply(pl.DataFrame({"n": ["s3cret"]}))
    assert "s3cret" not in str(caught.value)
    assert found.apply(pl.DataFrame({"email": [None]})).height == 1


@pytest.mark.parametrize(
    ("pii", "schema", "section", "error", "message"),
    [
        ({"n": "AGE"}, {"n": "string"}, {}, RefusedError, r"`generalize` \(for AGE\) can't mask .* string"),
        ({"n": "CUSTOMER_ID"}, {"n": "integer"}, {}, RefusedError, "these can: .*fpe"),
        ({"n": "EMAIL_ADDRESS"}, {"n": "boolean"}, {}, RefusedError, "boolean"),
        ({"n": "EMAIL_ADDRESS"}, {"n": "decimal(10,2)"}, {}, RefusedError, "decimal"),
        ({"n": "EMAIL_ADDRESS"}, {"n": "array<string>"}, {}, RefusedError, "array"),
        ({"n": ["PERSON", "EMAIL_ADDRESS"]}, {"n": "long"}, {}, RefusedError, "only texts can be searched"),
        ({"n": ["AGE", "PERSON"]}, {"n": "string"}, {}, RefusedError, "what is inside of a text"),
        ({"n$.a": "AGE"}, {"n": "string"}, {}, RefusedError, "what is inside of a text"),
        ({"id": "PERSON"}, {"id": "string"}, {}, RefusedError, "part of the key, and the operator `replace`"),
        ({"id": "SECRET"}, {"id": "string"}, {}, RefusedError, "part of the key"),
        ({"id": ["PERSON", "EMAIL_ADDRESS"]}, {"id": "string"}, {}, RefusedError, "key, and masking inside"),
        ({"d": "DATE_TIME"}, {"id": "long", "d": "date"}, {"key": ["d"]}, RefusedError, "part of the key"),
        ({"n": "AGE"}, {"n": "long"}, {"changes": {"sequence": "n"}}, RefusedError, "orders the changes"),
        ({"p": "SECRET"}, {"p": "string"}, {"partition_by": ["p"]}, RefusedError, "in which folder"),
        ({"n.x": "PERSON"}, {"n": "string"}, {}, UsageError, "has no field `x`"),
        ({"n[]": "PERSON"}, {"n": "map<string,string>"}, {}, RefusedError, "struct"),
    ],
)  # fmt: skip
def test_what_is_refused_before_anything_is_written(
    pii: dict[str, Any],
    schema: dict[str, str],
    section: dict[str, Any],
    error: type[LakehouseError],
    message: str,
) -> None:
    more = {"subjects": {"s": {"identifiers": {"i": "t.id"}}}}
    with pytest.raises(error, match=message) as caught:
        masks(pii, schema, more=more, **section)
    assert caught.value.advice
    assert "t" in str(caught.value)


def test_what_is_allowed_where_rows_are_found() -> None:
    schema = {"id": "string", "at": "long", "p": "long"}
    found = masks(
        {"id": "EMAIL_ADDRESS", "at": "OPEN", "p": "AGE"},
        schema,
        changes={"sequence": "at"},
        partition_by=["p"],
    )
    frame = pl.DataFrame({"id": ["a"], "at": [1], "p": [34]})
    assert found.apply(frame).drop("id").row(0) == (1, 30)


@pytest.mark.parametrize(
    ("entity", "field", "message"),
    [
        ("NOTHING", StructField("n", STRING, nullable=False), "must not be null"),
        ("URL", StructField("n", parse_type("long"), nullable=False), "must not be null"),
        (
            "EMAIL_ADDRESS",
            StructField("n", STRING, metadata={"delta.generationExpression": "id"}),
            "computes it",
        ),
        (
            "CUSTOMER_ID",
            StructField("n", STRING, metadata={"__CHAR_VARCHAR_TYPE_STRING": "varchar(30)"}),
            "at most 30 characters",
        ),
    ],
)
def test_rules_of_the_table_s_own_columns(entity: str, field: StructField, message: str) -> None:
    with pytest.raises(RefusedError, match=message):
        masks({"n": entity}, StructType((field,)))
