"""The bounds of one column of times or whole numbers, for very many files: what `bounds_frame` says, sooner.

Statistics are read as text in the one form that nearly all writers give them: one object with ``minValues``,
``maxValues`` and ``nullCount``, and no object inside of those. Everything else, and every value that is not
written as usual, is left to `bounds_frame`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Final

import polars as pl

from lakehouse.delta import column_mapping
from lakehouse.delta.actions import AddFile
from lakehouse.delta.bounds import bounds_frame, max_name, min_name, nulls_name
from lakehouse.delta.schema import PrimitiveType, type_to_polars
from lakehouse.delta.snapshot import Snapshot

_QUICK: Final = frozenset({"date", "timestamp", "timestamp_ntz", "long", "integer", "short", "byte"})
_OBJECTS: Final = 4
_RECORDS, _LOW, _HIGH, _NULLS = '{"numRecords":', '"minValues":{', '"maxValues":{', '"nullCount":{'
_SKIP: Final = len(_RECORDS)
# No number and no time is longer; what is cut off can't be read, and is left to `bounds_frame`.
_LONGEST: Final = 40
_VALUE: Final = r'^("[^"\\]*"|-?[0-9]+)[,}]'
# Fewer files than this are not worth it.
_MANY: Final = 64

_Row = tuple[str | None, str | None, str | None, str | None]
_NOTHING: Final[_Row] = (None, None, None, None)


def quick_bounds(files: Sequence[AddFile], column: str, *, snapshot: Snapshot) -> pl.DataFrame:
    """Between which values a column lies, for many files at once.

    Args:
        files: The files.
        column: A column's display name.
        snapshot: The version that the files are read at.

    Returns:
        As `bounds_frame` for this column.

    Raises:
        UsageError: There is no such column.
    """
    kind = snapshot.schema.field(column).type if column in snapshot.schema else None
    partition = column in snapshot.metadata.partition_columns
    if partition or len(files) < _MANY or not isinstance(kind, PrimitiveType) or kind.name not in _QUICK:
        return bounds_frame(files, [column], snapshot=snapshot)
    field = snapshot.schema.field(column)
    mapped = column_mapping.mode(snapshot.metadata, protocol=snapshot.protocol) != "none"
    key = json.dumps(field.physical_name if mapped else column, ensure_ascii=False) + ":"
    rows = [_read(add.stats, key) for add in files]
    names = ("records", "low", "high", "nulls")
    columns = zip(names, zip(*rows, strict=True), strict=True)
    texts = pl.DataFrame([pl.Series(name, values, dtype=pl.String) for name, values in columns])
    texts = texts.select(pl.col(names).str.extract(_VALUE))
    loose = pl.Series([_is_loose(add) for add in files], dtype=pl.Boolean)
    records, nulls = (
        pl.col("records").cast(pl.Int64, strict=False),
        pl.col("nulls").cast(pl.Int64, strict=False),
    )
    known = ~loose | nulls.is_in([0]) | (nulls == records)
    found = texts.select(
        pl.Series("path", [add.path for add in files], dtype=pl.String),
        records.alias("num_records"),
        _value("low", kind.name).alias(min_name(column)),
        _upper(_value("high", kind.name), kind.name).alias(max_name(column)),
        pl.when(known).then(nulls).alias(nulls_name(column)),
        ok=records.is_not_null() & nulls.is_not_null(),
    )
    doubtful = ~(found["ok"] & found[min_name(column)].is_not_null() & found[max_name(column)].is_not_null())
    found = found.drop("ok").cast(dict.fromkeys((min_name(column), max_name(column)), type_to_polars(kind)))
    places = doubtful.arg_true()
    if places.is_empty():
        return found
    slow = bounds_frame([files[place] for place in places], [column], snapshot=snapshot)
    return found.with_columns(
        found[name].scatter(places, slow[name]) for name in found.columns if name != "path"
    )


def _read(stats: str | None, key: str) -> _Row:
    """Number of rows, bounds and number of nulls, each with some text behind; nothing in another form."""
    if stats is None or not stats.startswith(_RECORDS) or stats.count("{") != _OBJECTS:
        return _NOTHING
    # Inside of a text the quotes of the key would be escaped, so it is found only where it is a key.
    parts = stats.split(key)
    if len(parts) != _OBJECTS or _LOW not in parts[0] or _HIGH not in parts[1] or _NULLS not in parts[2]:
        return _NOTHING
    return parts[0][_SKIP : _SKIP + _LONGEST], parts[1][:_LONGEST], parts[2][:_LONGEST], parts[3][:_LONGEST]


def _is_loose(add: AddFile) -> bool:
    return add.deletion_vector is not None or (add.stats is not None and '"tightBounds":false' in add.stats)


def _value(name: str, kind: str) -> pl.Expr:
    text = pl.col(name)
    match kind:
        case "date":
            return text.str.to_date('"%Y-%m-%d"', strict=False)
        case "timestamp":
            form = '"%Y-%m-%dT%H:%M:%S%.fZ"'
            return text.str.to_datetime(form, time_unit="us", strict=False).dt.replace_time_zone("UTC")
        case "timestamp_ntz":
            return text.str.to_datetime('"%Y-%m-%dT%H:%M:%S%.f"', time_unit="us", strict=False)
        case _:
            return text.cast(pl.Int64, strict=False)


def _upper(value: pl.Expr, kind: str) -> pl.Expr:
    # Writers cut times down to milliseconds.
    return value + pl.duration(milliseconds=1) if kind.startswith("timestamp") else value
