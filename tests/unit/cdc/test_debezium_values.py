"""Values: how Debezium writes each type, with and without a schema, and what becomes of it."""

from __future__ import annotations

import base64
import datetime as dt
from decimal import Decimal, localcontext
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakehouse.cdc.changes import ChangeBatch
from lakehouse.cdc.formats import Settings, normalize
from lakehouse.cdc.formats.debezium.connect import codec_of_field
from lakehouse.cdc.formats.values.codec import Codec, codec_of
from lakehouse.cdc.formats.values.decimals import decimals, unscaled_number
from lakehouse.cdc.formats.values.decode import decode
from lakehouse.cdc.formats.values.unify import common, unify
from lakehouse.delta.datatypes import DataType, DecimalType
from lakehouse.delta.type_names import parse_type
from lakehouse.errors import DataError

CONNECT = "org.apache.kafka.connect.data."
TIME = "io.debezium.time."
DATA = "io.debezium.data."


def naive(*parts: int) -> dt.datetime:
    return dt.datetime(*parts)  # type: ignore[arg-type]


def field(kind: str, name: str | None = None, **rest: Any) -> dict[str, Any]:
    return {"type": kind, "optional": True, **({} if name is None else {"name": name}), **rest}


def from_schema(schema: dict[str, Any], value: object) -> tuple[pl.DataType, object, dict[int, str]]:
    decoded = decode([value], codec_of_field(schema))
    return decoded.series.dtype, decoded.series[0], dict(decoded.misfits)


LEAP = naive(2024, 2, 29, 12, 34, 56, 789012)
MILLIS = LEAP.replace(microsecond=789000)
MICROS = 1709210096789012
DECIMAL = field("bytes", f"{CONNECT}Decimal", parameters={"scale": "2", "connect.decimal.precision": "10"})
VARIABLE = field("struct", f"{DATA}VariableScaleDecimal", fields=[])


@pytest.mark.parametrize(
    ("schema", "value", "dtype", "result"),
    [
        (field("int8"), 5, pl.Int8(), 5),
        (field("int16"), 5, pl.Int16(), 5),
        (field("int32"), 5, pl.Int32(), 5),
        (field("int64"), 2**62, pl.Int64(), 2**62),
        (field("float"), 1.5, pl.Float32(), 1.5),
        (field("double"), "-Infinity", pl.Float64(), float("-inf")),
        (field("double"), 1, pl.Float64(), 1.0),
        (field("boolean"), False, pl.Boolean(), False),
        (field("string"), "", pl.String(), ""),
        (field("bytes"), "AP8=", pl.Binary(), b"\x00\xff"),
        (field("bytes"), "", pl.Binary(), b""),
        (field("bytes", f"{DATA}Bits", parameters={"length": "4"}), "Cg==", pl.Binary(), b"\x0a"),
        (DECIMAL, "AJY=", pl.Decimal(10, 2), Decimal("1.50")),
        (DECIMAL, "/w==", pl.Decimal(10, 2), Decimal("-0.01")),
        (DECIMAL, "", pl.Decimal(10, 2), Decimal("0.00")),
        (DECIMAL, None, pl.Decimal(10, 2), None),
        (
            field("bytes", f"{CONNECT}Decimal", parameters={"scale": "2"}),
            "BNI=",
            pl.Decimal(38, 2),
            Decimal("12.34"),
        ),
        (
            field("bytes", f"{CONNECT}Decimal", parameters={"scale": "1", "connect.decimal.precision": "50"}),
            base64.b64encode((10**45 + 1).to_bytes(20, "big")).decode(),
            pl.String(),
            "1" + "0" * 44 + ".1",
        ),
        (VARIABLE, {"scale": 9, "value": "J+QbMka+ybFuOYEV"}, pl.String(), "12345678901234567890.123456789"),
        (VARIABLE, {"scale": -2, "value": "BQ=="}, pl.String(), "500"),
        (VARIABLE, None, pl.String(), None),
        (
            VARIABLE,
            {"scale": 1, "value": base64.b64encode((10**5000).to_bytes(2100, "big")).decode()},
            pl.String(),
            "1" + "0" * 4999 + ".0",
        ),
        (field("int64", f"{TIME}Timestamp"), MICROS // 1000, pl.Datetime("us"), MILLIS),
        (field("int64", f"{TIME}MicroTimestamp"), MICROS, pl.Datetime("us"), LEAP),
        (field("int64", f"{TIME}NanoTimestamp"), MICROS * 1000 + 999, pl.Datetime("us"), LEAP),
        (
            field("int64", f"{TIME}NanoTimestamp"),
            -1,
            pl.Datetime("us"),
            naive(1969, 12, 31, 23, 59, 59, 999999),
        ),
        (field("int64", f"{CONNECT}Timestamp"), MICROS // 1000, pl.Datetime("us"), MILLIS),
        (field("string", f"{TIME}IsoTimestamp"), "2024-02-29T12:34:56.789012Z", pl.Datetime("us"), LEAP),
        (
            field("string", f"{TIME}ZonedTimestamp"),
            "2024-02-29T12:34:56.789012+02:00",
            pl.Datetime("us", "UTC"),
            dt.datetime(2024, 2, 29, 10, 34, 56, 789012, tzinfo=dt.UTC),
        ),
        (field("int32", f"{TIME}Date"), -719162, pl.Date(), dt.date(1, 1, 1)),
        (field("int32", f"{CONNECT}Date"), 19782, pl.Date(), dt.date(2024, 2, 29)),
        (field("string", f"{TIME}IsoDate"), "2024-02-29Z", pl.Date(), dt.date(2024, 2, 29)),
        (field("int32", f"{TIME}Time"), 45296789, pl.String(), "12:34:56.789000"),
        (field("int64", f"{TIME}MicroTime"), 45296789012, pl.String(), "12:34:56.789012"),
        (field("int64", f"{TIME}NanoTime"), 45296789012345, pl.String(), "12:34:56.789012345"),
        (field("int64", f"{TIME}MicroTime"), 86400000000, pl.String(), "24:00:00.000000"),
        (field("int64", f"{TIME}MicroTime"), -3020399000000, pl.String(), "-838:59:59.000000"),
        (field("int32", f"{CONNECT}Time"), 0, pl.String(), "00:00:00.000000"),
        (field("string", f"{TIME}IsoTime"), "12:34:56.789012Z", pl.String(), "12:34:56.789012"),
        (field("string", f"{TIME}IsoTime"), "12:34:56Z", pl.String(), "12:34:56.000000"),
        (field("string", f"{TIME}ZonedTime"), "10:34:56Z", pl.String(), "10:34:56Z"),
        (field("int64", f"{TIME}MicroDuration"), 37091106000000, pl.Int64(), 37091106000000),
        (field("string", f"{TIME}Interval"), "P1Y2M3DT4H5M6S", pl.String(), "P1Y2M3DT4H5M6S"),
        (field("int32", f"{TIME}Year"), 2024, pl.Int32(), 2024),
        (field("string", f"{DATA}Json"), '{"b": 1.10}', pl.String(), '{"b": 1.10}'),
        (field("string", f"{DATA}Uuid"), "a0ee", pl.String(), "a0ee"),
        (field("string", f"{DATA}EnumSet"), "a,b", pl.String(), "a,b"),
        (field("array", items=field("int32")), [1, None], pl.List(pl.Int32()), [1, None]),
        (field("array", items=DECIMAL), ["AJY="], pl.List(pl.Decimal(10, 2)), [Decimal("1.50")]),
        (
            field("map", keys=field("string"), values=field("int32")),
            {"a": 1},
            pl.List(pl.Struct({"key": pl.String(), "value": pl.Int32()})),
            [{"key": "a", "value": 1}],
        ),
        (
            field("map", keys=field("int16"), values=field("double")),
            [[1, 0.5]],
            pl.List(pl.Struct({"key": pl.Int16(), "value": pl.Float64()})),
            [{"key": 1, "value": 0.5}],
        ),
        (
            field(
                "struct",
                "io.debezium.data.geometry.Geometry",
                fields=[field("bytes", field="wkb"), field("int32", field="srid")],
            ),
            {"wkb": "AQE=", "srid": None},
            pl.Struct({"wkb": pl.Binary(), "srid": pl.Int32()}),
            {"wkb": b"\x01\x01", "srid": None},
        ),
        (field("something new"), {"x": [1]}, pl.Struct({"x": pl.List(pl.Int64())}), {"x": [1]}),
        (field("array"), ["x"], pl.List(pl.String()), ["x"]),
    ],
)
def test_what_a_schema_says(
    schema: dict[str, Any], value: object, dtype: pl.DataType, result: object
) -> None:
    found, decoded, misfits = from_schema(schema, value)

    assert (found, misfits) == (dtype, {})
    assert (list(decoded) if isinstance(decoded, pl.Series) else decoded) == result


@pytest.mark.parametrize(
    ("schema", "value", "reason"),
    [
        (field("int32"), 2.5, "bad_value"),
        (field("int64"), 2**63, "out_of_range"),
        (field("int64"), "9" * 30, "bad_value"),
        (field("boolean"), 2, "bad_value"),
        (field("double"), "much", "bad_value"),
        (field("bytes"), "no base64!", "bad_value"),
        (field("bytes"), 5, "bad_value"),
        (DECIMAL, "1.50", "bad_value"),
        (DECIMAL, "AJY", "bad_value"),
        (DECIMAL, base64.b64encode((10**38).to_bytes(17, "big")).decode(), "out_of_range"),
        (VARIABLE, {"value": "AA=="}, "bad_value"),
        (VARIABLE, True, "bad_value"),
        (VARIABLE, {"scale": -999999, "value": "AQ=="}, "out_of_range"),
        (field("int64", f"{TIME}MicroTimestamp"), -63517824000000000, "out_of_range"),
        (field("string", f"{TIME}IsoTimestamp"), "-0043-03-15T00:00:00Z", "out_of_range"),
        (field("string", f"{TIME}IsoTimestamp"), "+12345-03-15T00:00:00Z", "out_of_range"),
        (field("string", f"{TIME}ZonedTimestamp"), "2024-02-30T00:00:00Z", "bad_value"),
        (field("int32", f"{TIME}Date"), 2932897, "out_of_range"),
        (field("int32", f"{TIME}Date"), MICROS, "out_of_range"),
        (field("string", f"{TIME}IsoDate"), "soon", "bad_value"),
        (field("int64", f"{TIME}MicroTime"), 2**62, "out_of_range"),
        (field("array", items=field("int32")), [1, "x"], "bad_value"),
        (field("array", items=field("int32")), 1, "bad_value"),
        (field("map", keys=field("string"), values=field("int32")), {"a": []}, "bad_value"),
    ],
)
def test_values_that_do_not_fit(schema: dict[str, Any], value: object, reason: str) -> None:
    _, _, misfits = from_schema(schema, value)

    assert misfits == {0: reason}


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        (field("int64", f"{TIME}MicroTimestamp"), 9223372036825200000),
        (field("int64", f"{TIME}MicroTimestamp"), -9223372036832400000),
        (field("int64", f"{TIME}Timestamp"), 9223372036825200),
        (field("string", f"{TIME}IsoTimestamp"), "+294247-01-10T04:00:25.2Z"),
        (field("string", f"{TIME}ZonedTimestamp"), "infinity"),
        (field("string", f"{TIME}ZonedTimestamp"), "-infinity"),
        (field("int32", f"{TIME}Date"), -622191234),
        (field("string", f"{TIME}IsoDate"), "+292278994-08-16Z"),
    ],
)
def test_infinity_is_no_date(schema: dict[str, Any], value: object) -> None:
    _, decoded, misfits = from_schema(schema, value)

    assert (decoded, misfits) == (None, {})


def read(value: Any, declared: str | None, **settings: Any) -> ChangeBatch:
    types = {} if declared is None else {"x": parse_type(declared)}
    events = [{"op": "c", "before": None, "after": {"id": 1, "x": value}}]
    return normalize(events, format="debezium", settings=Settings(key=("id",), types=types, **settings))


@pytest.mark.parametrize(
    ("value", "declared", "settings", "result"),
    [
        ("AJY=", "decimal(10,2)", {}, Decimal("1.50")),
        ("1.50", "decimal(10,2)", {"decimals": "string"}, Decimal("1.50")),
        (1.5, "decimal(10,2)", {"decimals": "double"}, Decimal("1.50")),
        ("1.50", "decimal(10,2)", {"encodings": {"x": "text"}}, Decimal("1.50")),
        (
            "AJY=",
            "decimal(10,2)",
            {"decimals": "string", "encodings": {"x": "decimal_base64"}},
            Decimal("1.50"),
        ),
        (["AJY="], "array<decimal(10,2)>", {}, [Decimal("1.50")]),
        ({"scale": 1, "value": "Dw=="}, "decimal(10,2)", {}, Decimal("1.50")),
        ("NaN", "decimal(10,2)", {"decimals": "string"}, None),
        (MICROS, "timestamp_ntz", {}, LEAP),
        (MICROS, "timestamp_ntz", {"times": "microseconds"}, LEAP),
        (MICROS // 1000, "timestamp_ntz", {"times": "connect"}, MILLIS),
        (MICROS * 1000, "timestamp_ntz", {"times": "nanoseconds"}, LEAP),
        ("2024-02-29T12:34:56.789012Z", "timestamp_ntz", {"times": "isostring"}, LEAP),
        (MICROS // 1000, "timestamp_ntz", {"encodings": {"x": "epoch_millis"}}, MILLIS),
        (MICROS, "timestamp", {}, LEAP.replace(tzinfo=dt.UTC)),
        (19782, "date", {"times": "nanoseconds"}, dt.date(2024, 2, 29)),
        ("AP+/", "binary", {}, b"\x00\xff\xbf"),
        ("AP-_", "binary", {"binary": "base64-url-safe"}, b"\x00\xff\xbf"),
        ("00ffBF", "binary", {"binary": "hex"}, b"\x00\xff\xbf"),
        ("AP+/", "binary", {"binary": "base64"}, b"\x00\xff\xbf"),
        ("00ff", "binary", {"encodings": {"x": "hex"}}, b"\x00\xff"),
        ("text", "binary", {"encodings": {"x": "text"}}, b"text"),
        (45296789012, "string", {"encodings": {"x": "epoch_micros"}}, "12:34:56.789012"),
        (45296789012, "long", {}, 45296789012),
        ("7", "long", {}, 7),
        (7, "string", {}, "7"),
        # undeclared columns with an encoding
        (19782, None, {"encodings": {"x": "epoch_days"}}, dt.date(2024, 2, 29)),
        (MICROS, None, {"encodings": {"x": "epoch_micros"}}, LEAP),
        ("AP8=", None, {"encodings": {"x": "base64"}}, b"\x00\xff"),
        ("2024-02-29T12:34:56.789012Z", None, {"encodings": {"x": "iso"}}, LEAP.replace(tzinfo=dt.UTC)),
        (5, None, {"encodings": {"x": "text"}}, "5"),
        # undeclared columns without one
        ("AJY=", None, {}, "AJY="),
        (MICROS, None, {}, MICROS),
    ],
)
def test_what_the_config_says(
    value: Any, declared: str | None, settings: dict[str, Any], result: object
) -> None:
    batch = read(value, declared, **settings)

    assert batch.frame["x"].to_list() == [result]
    assert batch.rejected == ()


@pytest.mark.parametrize(
    ("values", "declared", "dtype"),
    [
        (["1.5", "1.555"], "decimal(5,2)", pl.Decimal(6, 3)),
        (["1.5", 12345.6], "decimal(5,2)", pl.Decimal(7, 2)),
        (["1.5", "1.50000"], "decimal(5,2)", pl.Decimal(5, 2)),
        ([0.5, 1e300], "float", pl.Float64()),
        (["2026-01-02", "2026-01-02T03:04:05Z"], "date", pl.Datetime("us")),
        ([1, 2**40], "integer", pl.Int64()),
    ],
)
def test_values_that_need_a_wider_column_show_it(
    values: list[object], declared: str, dtype: pl.DataType
) -> None:
    codec = codec_of(parse_type(declared))

    decoded = decode(values, codec)

    assert (decoded.series.dtype, decoded.misfits) == (dtype, {})
    assert decoded.series.null_count() == 0


def test_a_decimal_in_the_wrong_mode_is_rejected_and_not_misread() -> None:
    batch = read("1.50", "decimal(10,2)", decimals="precise")

    assert [item.reason for item in batch.rejected] == ["bad_value"]
    assert batch.rejected[0].detail == "the value of column x is no decimal(10,2)"


def test_an_encoding_that_needs_digits_is_refused_without_them() -> None:
    with pytest.raises(DataError, match="needs the column's digits"):
        read("AJY=", None, encodings={"x": "decimal_base64"})


@pytest.mark.parametrize(
    ("schema", "declared", "value", "result"),
    [
        (VARIABLE, "decimal(38,9)", {"scale": 1, "value": "Dw=="}, Decimal("1.500000000")),
        (DECIMAL, "decimal(20,4)", "AJY=", Decimal("1.5000")),
        (field("int64", f"{TIME}Timestamp"), "timestamp", MICROS // 1000, MILLIS.replace(tzinfo=dt.UTC)),
        (field("int64", f"{TIME}MicroTime"), "long", 45296789012, 45296789012),
        (field("int32", f"{TIME}Date"), "string", 19782, dt.date(2024, 2, 29)),
        (field("int32"), "string", 5, 5),
    ],
)
def test_a_schema_is_turned_towards_the_declared_type(
    schema: dict[str, Any], declared: str, value: object, result: object
) -> None:
    decoded = decode([value], codec_of_field(schema).towards(parse_type(declared)))

    assert decoded.series[0] == result


@given(st.integers(-(2**200), 2**200))
def test_base64_of_twos_complement_is_read_back(number: int) -> None:
    data = number.to_bytes(number.bit_length() // 8 + 1, "big", signed=True)

    assert unscaled_number(base64.b64encode(data).decode()) == number


@given(st.integers(-(10**38) + 1, 10**38 - 1), st.integers(0, 38))
def test_unscaled_decimals_are_exact(number: int, scale: int) -> None:
    text = base64.b64encode(number.to_bytes(17, "big", signed=True)).decode()
    target = DecimalType(38, scale)

    decoded = decode([text], Codec(type=target, text="unscaled"))

    with localcontext(prec=100):
        assert decoded.series[0] == Decimal(number).scaleb(-scale)
    assert decoded.misfits == {}


@given(st.decimals(allow_nan=False, allow_infinity=False, places=4, min_value=-(10**20), max_value=10**20))
def test_decimals_in_text_and_in_bytes_are_the_same(number: Decimal) -> None:
    target = DecimalType(30, 6)
    unscaled = int(number.scaleb(4))
    data = unscaled.to_bytes(unscaled.bit_length() // 8 + 1, "big", signed=True)
    in_bytes = base64.b64encode(data).decode()

    from_text = decimals([str(number)], Codec(type=target), target)
    from_bytes = decimals([in_bytes], Codec(type=target, text="unscaled", scale=4), target)

    assert from_text.series[0] == from_bytes.series[0] == number


@given(st.datetimes(min_value=naive(1, 1, 1), max_value=naive(9999, 12, 31, 23, 59, 59, 999999)))
def test_timestamps_in_numbers_and_in_text_are_the_same(moment: dt.datetime) -> None:
    micros = (moment - naive(1970, 1, 1)) // dt.timedelta(microseconds=1)
    codec = codec_of(parse_type("timestamp_ntz"))

    numbers = decode([micros], codec)
    texts = decode([f"{moment.isoformat()}Z"], codec)
    both = decode([micros, f"{moment.isoformat()}Z", moment, None], codec)

    assert numbers.series[0] == texts.series[0] == moment
    assert both.series.to_list() == [moment, moment, moment, None]


@pytest.mark.parametrize(
    ("one", "other", "result"),
    [
        (pl.Int32(), pl.Int64(), pl.Int64()),
        (pl.Int64(), pl.Null(), pl.Int64()),
        (pl.Int32(), pl.Float32(), pl.Float64()),
        (pl.Int64(), pl.Float64(), pl.String()),
        (pl.Decimal(10, 2), pl.Decimal(12, 4), pl.Decimal(12, 4)),
        (pl.Decimal(10, 2), pl.Decimal(10, 4), pl.Decimal(12, 4)),
        (pl.Decimal(10, 2), pl.Int32(), pl.Decimal(12, 2)),
        (pl.Decimal(38, 0), pl.Decimal(38, 10), pl.String()),
        (pl.Decimal(10, 2), pl.Float64(), pl.String()),
        (pl.Date(), pl.Datetime("us"), pl.Datetime("us")),
        (pl.Boolean(), pl.Int32(), pl.String()),
    ],
)
def test_parts_of_different_types_get_one_that_holds_both(
    one: pl.DataType, other: pl.DataType, result: pl.DataType
) -> None:
    assert common(one, other) == common(other, one) == result


def test_parts_are_put_where_their_rows_are() -> None:
    ints, texts = pl.Series([1, 2], dtype=pl.Int32), pl.Series([None, "x"], dtype=pl.String)

    assert unify([(ints, [3, 0]), (texts, [1, 4])], 5).to_list() == ["2", None, None, "1", "x"]
    assert unify([], 2).dtype == pl.Null
    assert unify([(pl.Series([True]), [0]), (pl.Series([b"a"]), [1])], 2).to_list() == ["true", "YQ=="]


@pytest.mark.parametrize("name", ["variant", "void"])
def test_types_that_have_no_columns_are_left_to_the_values(name: str) -> None:
    declared: DataType = parse_type(name)

    assert decode([1], codec_of(declared)).series.to_list() == [1]
