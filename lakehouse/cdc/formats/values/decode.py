"""From the values of a column and its codec to a typed column."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import polars as pl

from lakehouse.cdc.formats.values.codec import Codec, Text
from lakehouse.cdc.formats.values.decimals import decimal_text, decimals
from lakehouse.cdc.formats.values.decoded import Decoded, by_value, json_text, kinds, null_misfits
from lakehouse.cdc.formats.values.infer import infer
from lakehouse.cdc.formats.values.nested import decode_list, decode_map, decode_struct
from lakehouse.cdc.formats.values.numbers import (
    floating_numbers,
    truths,
    whole_numbers,
)
from lakehouse.cdc.formats.values.temporal import temporal, time_of_day
from lakehouse.delta.datatypes import (
    BINARY,
    BOOLEAN,
    BYTE,
    DATE,
    DOUBLE,
    FLOAT,
    INTEGER,
    LONG,
    SHORT,
    STRING,
    TIMESTAMP,
    TIMESTAMP_NTZ,
    ArrayType,
    DecimalType,
    MapType,
    PrimitiveType,
    StructType,
)


def decode(values: Sequence[object], codec: Codec) -> Decoded:
    """Reads a column.

    Args:
        values: One value per row; None is null.
        codec: How the values are written and what they become.

    Returns:
        The column, and which values did not fit. Types that Polars has no column for (``variant``,
        unknown ones) are left to the values.
    """
    match codec.type:
        case DecimalType() as target:
            return decimals(values, codec, target)
        case ArrayType():
            return decode_list(values, partial(decode, codec=codec.parts[0]))
        case MapType():
            key, value = codec.parts
            return decode_map(values, partial(decode, codec=key), partial(decode, codec=value))
        case StructType(fields):
            parts = {
                item.name: partial(decode, codec=part) for item, part in zip(fields, codec.parts, strict=True)
            }
            return decode_struct(values, parts, infer) if parts else Decoded(infer(values))
        case PrimitiveType() as primitive:
            return _primitive(values, codec, primitive)
        case _:
            return Decoded(infer(values))


def _primitive(values: Sequence[object], codec: Codec, target: PrimitiveType) -> Decoded:
    if target in (STRING, BINARY):
        return _text(values, codec) if target == STRING else _bytes(values, codec.text)
    if target in (DATE, TIMESTAMP, TIMESTAMP_NTZ):
        return temporal(values, target=target, unit=codec.unit)
    if target in (DOUBLE, FLOAT):
        return floating_numbers(values, target)
    if target in (LONG, INTEGER, SHORT, BYTE):
        return whole_numbers(values, target)
    return truths(values) if target == BOOLEAN else Decoded(infer(values))


def _text(values: Sequence[object], codec: Codec) -> Decoded:
    if codec.text == "unscaled":
        return decimal_text(values, codec)
    if codec.text == "time":
        return time_of_day(values, unit=codec.unit)
    if kinds(values) <= {str}:
        return Decoded(pl.Series(values, dtype=pl.String))
    return Decoded(pl.Series([json_text(value) for value in values], dtype=pl.String))


def _bytes(values: Sequence[object], spelling: Text) -> Decoded:
    found = kinds(values)
    if found <= {bytes}:
        return Decoded(pl.Series(values, dtype=pl.Binary))
    if found > {str}:
        return by_value(values, partial(_one_binary, spelling=spelling), pl.Binary())
    if not found <= {str}:
        return by_value(values, _no_binary, pl.Binary())
    text = pl.Series(values, dtype=pl.String)
    series = _decoded_text(text, spelling)
    return Decoded(series, null_misfits(values, series))


def _decoded_text(text: pl.Series, spelling: Text) -> pl.Series:
    if spelling == "hex":
        return text.str.decode("hex", strict=False)
    if spelling == "base64_url":
        text = text.str.replace_all("-", "+", literal=True).str.replace_all("_", "/", literal=True)
        padding = (pl.col("t").str.len_bytes() + 3) // 4 * 4
        text = text.alias("t").to_frame().select(_padded(padding)).to_series()
    if spelling in {"base64", "base64_url"}:
        return text.str.decode("base64", strict=False)
    return text.cast(pl.Binary)


def _padded(length: pl.Expr) -> pl.Expr:
    missing = length - pl.col("t").str.len_bytes()
    return pl.col("t") + pl.lit("==").str.slice(0, missing)


def _one_binary(value: object, spelling: Text) -> bytes:
    if isinstance(value, bytes):
        return value
    if not isinstance(value, str):
        raise TypeError
    decoded: bytes | None = _decoded_text(pl.Series([value], dtype=pl.String), spelling)[0]
    if decoded is None:
        raise ValueError
    return decoded


def _no_binary(value: object) -> bytes:
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes(value)
    raise TypeError
