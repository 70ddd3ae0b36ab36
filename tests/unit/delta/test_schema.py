from __future__ import annotations

import json

import polars as pl
import pyarrow as pa
import pytest

from lakehouse.delta.schema import (
    DATE,
    LONG,
    STRING,
    TIMESTAMP,
    TIMESTAMP_NTZ,
    VOID,
    ArrayType,
    DecimalType,
    MapType,
    OpaqueType,
    PrimitiveType,
    StructField,
    StructType,
    from_arrow,
    parse_schema,
    parse_type,
    to_arrow,
    to_polars,
    type_from_arrow,
    type_string,
    type_to_arrow,
)
from lakehouse.errors import CorruptTableError, DataError, UnsupportedFeatureError, UsageError

PRIMITIVES = "string long integer short byte float double boolean binary date timestamp timestamp_ntz void"


def schema_text(*fields: dict[str, object]) -> str:
    return json.dumps({"type": "struct", "fields": list(fields)})


def field_json(name: str, kind: object, **more: object) -> dict[str, object]:
    return {"name": name, "type": kind, "nullable": True, "metadata": {}, **more}


EVERYTHING = StructType(
    (
        *(StructField(name, PrimitiveType(name)) for name in PRIMITIVES.split()),
        StructField("amount", DecimalType(12, 4), nullable=False),
        StructField("tags", ArrayType(STRING, contains_null=False)),
        StructField("counts", MapType(STRING, ArrayType(LONG), value_contains_null=False)),
        StructField(
            "place", StructType((StructField("at", TIMESTAMP_NTZ, nullable=False), StructField("x", VOID)))
        ),
    )
)


def test_a_schema_survives_being_written_and_read() -> None:
    assert parse_schema(EVERYTHING.to_json()) == EVERYTHING


def test_the_metadata_of_columns_is_kept_and_understood() -> None:
    metadata = {
        "delta.columnMapping.id": 5,
        "delta.columnMapping.physicalName": "col-1",
        "delta.generationExpression": "year(d)",
        "delta.invariants": '{"expression":{"expression":"x > 3"}}',
        "CURRENT_DEFAULT": "7",
        "__CHAR_VARCHAR_TYPE_STRING": "varchar(20)",
        "comment": "for people",
    }
    schema = parse_schema(schema_text(field_json("x", "string", metadata=metadata)))
    column = schema.field("x")
    assert column.physical_name == "col-1"
    assert column.column_id == 5
    assert column.generation_expression == "year(d)"
    assert column.invariant == "x > 3"
    assert column.default_expression == "7"
    assert column.char_varchar == "varchar(20)"
    assert json.loads(schema.to_json())["fields"][0]["metadata"] == metadata


def test_a_column_without_metadata_goes_by_its_name() -> None:
    column = StructField("x", LONG)
    assert column.physical_name == "x"
    assert column.column_id is None
    assert column.invariant is None
    assert StructField("x", LONG, metadata={"delta.invariants": "x > 3"}).invariant == "x > 3"


@pytest.mark.parametrize("kind", ["geometry(OGC:CRS84)", {"type": "udt", "class": "x", "sqlType": "string"}])
def test_types_that_are_not_known_survive_and_are_refused_only_when_read(kind: object) -> None:
    text = schema_text(field_json("a", "long"), field_json("b", kind))
    schema = parse_schema(text)
    assert isinstance(schema.field("b").type, OpaqueType)
    assert json.loads(schema.to_json()) == json.loads(text)
    assert to_arrow(schema.select(["a"])) == pa.schema([("a", pa.int64())])
    for convert in (to_arrow, to_polars):
        with pytest.raises(UnsupportedFeatureError):
            convert(schema)


def test_spellings_of_old_writers() -> None:
    schema = parse_schema(
        schema_text(field_json("a", "decimal"), field_json("b", "null"), {"name": "c", "type": "long"})
    )
    assert [item.type for item in schema] == [DecimalType(10, 0), VOID, LONG]
    assert schema.field("c").nullable


@pytest.mark.parametrize(
    "text",
    [
        "{",
        '"long"',
        "3",
        '{"type":"struct"}',
        '{"type":"struct","fields":[3]}',
        schema_text({"name": "a"}),
        schema_text(field_json("a", "decimal(40,2)")),
        schema_text(field_json("a", "decimal(4,5)")),
        schema_text(field_json("a", {"type": "array"})),
    ],
)
def test_a_broken_schema_is_a_corrupt_table(text: str) -> None:
    with pytest.raises(CorruptTableError):
        parse_schema(text)


class TestArrowAndPolars:
    def test_arrow_and_back(self) -> None:
        assert from_arrow(to_arrow(EVERYTHING)) == EVERYTHING

    def test_times_are_microseconds_with_and_without_zone(self) -> None:
        schema = StructType((StructField("a", TIMESTAMP), StructField("b", TIMESTAMP_NTZ)))
        assert to_arrow(schema).types == [pa.timestamp("us", tz="UTC"), pa.timestamp("us")]
        assert list(to_polars(schema).values()) == [pl.Datetime("us", "UTC"), pl.Datetime("us")]

    def test_polars_takes_every_type(self) -> None:
        frame = pl.DataFrame(schema=to_polars(EVERYTHING))
        assert frame.columns == list(EVERYTHING.names)
        assert frame.schema["amount"] == pl.Decimal(12, 4)
        assert frame.schema["counts"] == pl.List(pl.Struct({"key": pl.String, "value": pl.List(pl.Int64)}))

    def test_a_variant_is_its_two_parts(self) -> None:
        arrow = type_to_arrow(PrimitiveType("variant"))
        assert [item.name for item in arrow.fields] == ["metadata", "value"]

    @pytest.mark.parametrize(
        ("arrow", "expected"),
        [
            (pa.uint8(), "short"),
            (pa.uint16(), "integer"),
            (pa.uint32(), "long"),
            (pa.uint64(), "decimal(20,0)"),
            (pa.float16(), "float"),
            (pa.large_string(), "string"),
            (pa.string_view(), "string"),
            (pa.large_binary(), "binary"),
            (pa.binary_view(), "binary"),
            (pa.binary(16), "binary"),
            (pa.uuid(), "binary"),
            (pa.dictionary(pa.int8(), pa.string()), "string"),
            (pa.date64(), "date"),
            (pa.timestamp("ns"), "timestamp_ntz"),
            (pa.timestamp("s", "Europe/Berlin"), "timestamp"),
            (pa.decimal256(38, 2), "decimal(38,2)"),
            (pa.decimal128(5, -2), "decimal(7,0)"),
            (pa.large_list(pa.int8()), "array<byte>"),
            (pa.list_(pa.bool_(), 3), "array<boolean>"),
            (pa.map_(pa.string(), pa.struct([("x", pa.float64())])), "map<string,struct<x:double>>"),
            (pa.null(), "void"),
        ],
    )
    def test_other_arrow_types_find_a_home(self, arrow: pa.DataType, expected: str) -> None:
        assert type_string(type_from_arrow(arrow)) == expected

    @pytest.mark.parametrize(
        "arrow", [pa.duration("s"), pa.time64("us"), pa.decimal256(50, 2), pa.month_day_nano_interval()]
    )
    def test_arrow_types_without_a_home_are_named(self, arrow: pa.DataType) -> None:
        with pytest.raises(DataError, match=r"'outer\.inner'"):
            from_arrow(pa.schema([("outer", pa.struct([("inner", arrow)]))]))


class TestNames:
    @pytest.mark.parametrize(
        "text",
        [
            *PRIMITIVES.split(),
            "variant",
            "decimal(12,4)",
            "array<array<long>>",
            "map<string,decimal(38,38)>",
            "struct<a:long,`b c`:string,`d``e`:array<date>>",
            "struct<>",
        ],
    )
    def test_names_survive(self, text: str) -> None:
        assert type_string(parse_type(text)) == text

    @pytest.mark.parametrize(
        ("text", "same"),
        [
            ("INT", "integer"),
            ("bigint", "long"),
            (" Decimal ( 12 , 4 ) ", "decimal(12,4)"),
            ("numeric(5)", "decimal(5,0)"),
            ("decimal", "decimal(10,0)"),
            ("array< int >", "array<integer>"),
            ("text", "string"),
            ("struct<A: INT>", "struct<A:integer>"),
        ],
    )
    def test_other_spellings(self, text: str, same: str) -> None:
        assert type_string(parse_type(text)) == same

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "strng",
            "decimal(39,2)",
            "decimal(3,4)",
            "decimal(x)",
            "array<long",
            "array",
            "long long",
            "map<string>",
            "struct<a>",
            "struct<a:long,>",
            "a;b",
            "array<long>>",
            "decimal(2,",
            "long`",
        ],
    )
    def test_what_is_no_type_is_refused(self, text: str) -> None:
        with pytest.raises(UsageError):
            parse_type(text)

    def test_the_nearest_name_is_suggested(self) -> None:
        with pytest.raises(UsageError, match="did you mean 'string'"):
            parse_type("array<strng>")


class TestStruct:
    def test_fields_by_name(self) -> None:
        schema = StructType((StructField("a", LONG), StructField("b", DATE)))
        assert "a" in schema
        assert "A" not in schema
        assert len(schema) == 2
        assert schema.get("z") is None
        assert schema.select(["b", "a"]).names == ("b", "a")
        assert schema.without(["a", "z"]).names == ("b",)
        assert schema.with_type("b", STRING).field("b").type == STRING
        with pytest.raises(UsageError, match="columns are a, b"):
            schema.field("z")

    def test_new_fields_must_be_new_regardless_of_case(self) -> None:
        schema = StructType((StructField("a", LONG),))
        assert schema.append([StructField("b", LONG)]).names == ("a", "b")
        with pytest.raises(UsageError, match="'A'"):
            schema.append([StructField("A", LONG)])
        with pytest.raises(UsageError, match="'B'"):
            schema.append([StructField("b", LONG), StructField("B", LONG)])
