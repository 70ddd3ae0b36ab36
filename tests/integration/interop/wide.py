"""Rows of every type that a table can have, with the values at which engines differ."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, TypeAlias

import polars as pl
import pyarrow as pa

from lakehouse.delta.schema import StructField, StructType, parse_type, to_arrow, to_polars

Row: TypeAlias = Mapping[str, Any]

COLUMNS: Mapping[str, str] = {
    "id": "long",
    "seq": "long",
    "part": "string",
    "tiny": "byte",
    "small": "short",
    "whole": "integer",
    "single": "float",
    "double": "double",
    "price": "decimal(10,2)",
    "fine": "decimal(38,18)",
    "flag": "boolean",
    "text": "string",
    "raw": "binary",
    "day": "date",
    "at": "timestamp",
    "local": "timestamp_ntz",
    "address": "struct<street:string,zip:integer,inner:struct<deep:long>>",
    "words": "array<string>",
    "stops": "array<struct<n:integer,s:string>>",
    "scores": "map<string,long>",
}

# The first value of each kind is plain; the others are where engines stumble.
_NOON = datetime(2026, 3, 1, 12, 30, 15, 123456, tzinfo=UTC)
_VALUES: Mapping[str, Sequence[Any]] = {
    "part": ["north", "a b/c=d%e", "ü+?:#", None],
    "tiny": [1, -128, 127, None],
    "small": [2, -32768, 32767, None],
    "whole": [3, -(2**31), 2**31 - 1, None],
    "single": [1.5, float("inf"), -0.0, float("nan"), None],
    "double": [2.5, 1e308, float("-inf"), float("nan"), None],
    "price": [Decimal("12.34"), Decimal("-99999999.99"), Decimal("0.00"), None],
    "fine": [
        Decimal("1.000000000000000001"),
        Decimal("99999999999999999999.999999999999999999"),
        Decimal("-0.000000000000000001"),
        None,
    ],
    "flag": [True, False, None],
    "text": ["plain", "", "ünï ☃ 𝄞\n\t'\"\\", "x" * 100, None],
    "raw": [b"ab", b"", bytes(range(256)), None],
    "day": [date(2026, 3, 1), date(1582, 10, 20), date(9999, 12, 31), date(1969, 12, 31), None],
    "at": [
        _NOON,
        datetime(1969, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
        datetime(2262, 4, 12, tzinfo=UTC),
        None,
    ],
    "local": [_NOON.replace(tzinfo=None), datetime(1900, 1, 1, 0, 0, 0, 1), None],
    "address": [
        {"street": "Main", "zip": 12345, "inner": {"deep": 2**60}},
        {"street": None, "zip": None, "inner": None},
        {"street": "x", "zip": 0, "inner": {"deep": None}},
        None,
    ],
    "words": [["a", None, ""], [], ["b"], None],
    "stops": [[{"n": 1, "s": "x"}, {"n": None, "s": None}], [], None],
    "scores": [[("a", 1), ("b", None)], [], [("ü", -1)], None],
}


def struct(names: Iterable[str] | None = None) -> StructType:
    """The Delta schema of some of the columns, or of all."""
    chosen = COLUMNS if names is None else {name: COLUMNS[name] for name in names}
    return StructType(tuple(StructField(name, parse_type(text)) for name, text in chosen.items()))


def row(number: int, *, seq: int, rng: random.Random, names: Iterable[str] | None = None) -> dict[str, Any]:
    """A row with this key; the same generator gives the same rows."""
    chosen = list(COLUMNS if names is None else names)
    made = {name: rng.choice(values) for name, values in _VALUES.items() if name in chosen}
    if "at" in made and made["at"] is not None and rng.random() < 0.5:
        made["at"] = _NOON + timedelta(microseconds=rng.randrange(10**9))
    return {name: {"id": number, "seq": seq, **made}[name] for name in chosen}


def arrow(rows: Sequence[Row], names: Iterable[str] | None = None) -> pa.Table:
    """The rows as an Arrow table of exactly the types of the Delta schema."""
    return pa.Table.from_pylist([dict(item) for item in rows], schema=to_arrow(struct(names)))


def changes(
    upserts: Sequence[Row], deletes: Sequence[Row] = (), *, truncate: int | None = None
) -> pl.DataFrame:
    """Changes for a merge: rows to set, rows (key and ``seq`` count) to delete, a truncate's ``seq``."""
    names = list(next(iter([*upserts, *deletes]), struct().names))
    marked = [{**item, "_op": "upsert"} for item in upserts] + [{**item, "_op": "delete"} for item in deletes]
    if truncate is not None:
        marked.insert(0, {**dict.fromkeys(names), "seq": truncate, "_op": "truncate"})
    types = [*to_arrow(struct(names)), pa.field("_op", pa.string())]
    frame = pl.from_arrow(pa.Table.from_pylist(marked, schema=pa.schema(types)))
    assert isinstance(frame, pl.DataFrame)
    return frame


def polars_types(names: Iterable[str] | None = None) -> pl.Schema:
    """The Polars types of the columns."""
    return to_polars(struct(names))
