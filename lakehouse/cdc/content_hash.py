"""A number for the content of a row: the last resort where two changes can't be ordered otherwise.

Two changes of one key with the same sequence and different content are a mistake of the source, but all
readers of the same events must come to the same table. So the content itself decides: the larger rank
wins. The rank is the first 62 bits of SHA-256 over a canonical text, so it is the same in every process,
on every machine and with every version of the libraries.

The text holds ``<length of name>:<name>=<value>;`` for every column that is not null, by name, where
values that can hold any character are written as ``<length>:<value>``. Because nulls are left out, a
column that the table got later does not change the rank of the rows that were there before. Numbers are
written by value (``12`` for 12, 12.00 and a long 12 alike), dates as the timestamp of their midnight, so
that widening a column does not change ranks either. Floats are written as the bits of the double; the two
zeros and all NaNs are one each.
"""

from __future__ import annotations

import math
import struct
import sys
from array import array
from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from hashlib import sha256
from typing import Final

import polars as pl

RANK_BITS: Final = 62
"""Width of a rank; what orders deletes before upserts uses the numbers above."""

_EPOCH: Final = datetime(1970, 1, 1)  # noqa: DTZ001 - naive on purpose: only differences are taken
_MICROSECOND: Final = timedelta(microseconds=1)
_NESTED: Final = (pl.List, pl.Array, pl.Struct, pl.Map, pl.Object)
_FREE: Final = (*_NESTED, pl.String, pl.Categorical, pl.Enum)


def content_rank(frame: pl.DataFrame, columns: Sequence[str]) -> pl.Series:
    """Ranks rows by their content.

    Args:
        frame: Any rows.
        columns: The columns that make up the content; their order does not matter.

    Returns:
        Int64, one per row, from 0 to 2**62 - 1; equal for equal content.
    """
    texts = canonical_text(frame, columns).cast(pl.Binary).to_list()
    heads = array("Q", b"".join([sha256(text).digest()[:8] for text in texts]))
    if sys.byteorder == "little":
        heads.byteswap()
    return pl.Series([head >> (64 - RANK_BITS) for head in heads], dtype=pl.Int64)


def canonical_text(frame: pl.DataFrame, columns: Sequence[str]) -> pl.Series:
    """Writes rows as texts that are equal exactly where the rows are.

    Args:
        frame: Any rows.
        columns: The columns that make up the content; their order does not matter.

    Returns:
        String, one per row.
    """
    values = {name: frame[name] for name in sorted(columns) if frame.schema[name] != pl.Null}
    if not values:
        return pl.Series([""] * frame.height, dtype=pl.String)
    texts = pl.DataFrame([_as_text(values[name]).alias(name) for name in values])
    pieces = [_piece(name, free=isinstance(values[name].dtype, _FREE)) for name in values]
    return texts.select(pl.concat_str(pieces, ignore_nulls=True).alias("text"))["text"]


def _piece(name: str, *, free: bool) -> pl.Expr:
    """The text of one column's value with its name; null where the value is."""
    head, value = pl.lit(f"{len(name.encode())}:{name}="), pl.col(name)
    if free:
        return pl.concat_str(head, value.str.len_bytes().cast(pl.String), pl.lit(":"), value, pl.lit(";"))
    return pl.concat_str(head, value, pl.lit(";"))


def _as_text(values: pl.Series) -> pl.Series:  # noqa: PLR0911 - one way out per type
    """Each value in its canonical text; null stays null."""
    dtype = values.dtype
    if isinstance(dtype, _NESTED):
        nested = [None if value is None else _nested_text(value) for value in values.to_list()]
        return pl.Series(nested, dtype=pl.String)
    if dtype == pl.Binary:
        return values.bin.encode("hex")
    if dtype.is_float():
        wide = values.cast(pl.Float64)
        bits = wide.set(wide == 0.0, 0.0).reinterpret(dtype=pl.Int64).cast(pl.String)
        return bits.set(wide.is_nan(), "nan")
    if dtype.is_decimal():
        text = values.cast(pl.String)
        whole = text.str.strip_chars_end("0").str.strip_chars_end(".")
        return text.zip_with(~text.str.contains(".", literal=True), whole)
    if dtype == pl.Date:
        return values.cast(pl.Datetime("us")).cast(pl.Int64).cast(pl.String)
    if isinstance(dtype, pl.Datetime | pl.Duration):
        return values.dt.cast_time_unit("us").cast(pl.Int64).cast(pl.String)
    if dtype == pl.Time:
        return values.cast(pl.Int64).cast(pl.String)
    return values.cast(pl.String)


def _nested_text(value: object) -> str:
    """The canonical text of a value inside a list, struct or map; nulls of structs are left out."""
    if isinstance(value, dict):
        parts = [
            f"{len(name)}:{name}={_nested_text(part)}"
            for name, part in sorted(value.items())
            if part is not None
        ]
        return "{" + "".join(parts) + "}"
    if isinstance(value, list | tuple):
        return "[" + "".join(_nested_text(part) for part in value) + "]"
    if value is None:
        return "~"
    text = _plain_text(value)
    return f"{len(text)}:{text};"


def _plain_text(value: object) -> str:  # noqa: PLR0911 - one way out per type
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, float):
        return "nan" if math.isnan(value) else struct.pack(">d", value + 0.0).hex()
    if isinstance(value, Decimal):
        text = format(value, "f")
        return text.rstrip("0").rstrip(".") if "." in text else text
    if isinstance(value, datetime):
        return str((value.replace(tzinfo=None) - (value.utcoffset() or timedelta()) - _EPOCH) // _MICROSECOND)
    if isinstance(value, date):
        return str((datetime(value.year, value.month, value.day) - _EPOCH) // _MICROSECOND)  # noqa: DTZ001
    if isinstance(value, time):
        return value.isoformat("microseconds")
    return str(value)
