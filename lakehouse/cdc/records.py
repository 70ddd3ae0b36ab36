"""Records as they arrive: JSON that is yet to be read, Python objects, or a frame of columns."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import polars as pl
import pyarrow as pa

from lakehouse.cdc.changes import Misfit, Rejected
from lakehouse.cdc.documents import dump_exactly
from lakehouse.cdc.inference import part_type
from lakehouse.cdc.untyped import typed_text
from lakehouse.errors import DataError

BAD_JSON: Final = "bad_json"
"""Reason: a record is no JSON."""

_INDEX: Final = r"^__index_level_\d+__$"
BROKEN_JSON: Final = Misfit(BAD_JSON, "the record is no JSON")


@dataclass(frozen=True, slots=True, eq=False)
class Records:
    """Records one after the other.

    Args:
        items: Raw JSON (bytes or text), Python objects, None (a record without a value), or the `Rejected`
            of a record that could not be read where it came from.
        lines: The line of each record in its file, from 1; None where there are no lines.
    """

    items: Sequence[object]
    lines: Sequence[int | None] | None = None

    def __len__(self) -> int:
        return len(self.items)

    def __iter__(self) -> Iterator[object]:
        return iter(self.items)

    def line(self, position: int) -> int | None:
        """Line of a record.

        Args:
            position: Which record, from 0.

        Returns:
            Its line, from 1, or None.
        """
        return None if self.lines is None else self.lines[position]

    def raw(self, position: int) -> bytes | None:
        """A record as it came.

        Args:
            position: Which record, from 0.

        Returns:
            Its bytes; compact JSON where it came as an object.
        """
        item = self.items[position]
        if isinstance(item, Rejected):
            return item.raw
        if isinstance(item, str):
            return item.encode("utf-8", errors="surrogatepass")
        return bytes(item) if isinstance(item, (bytes, bytearray, memoryview)) else dump_exactly(item)


@dataclass(frozen=True, slots=True, eq=False)
class Tabular:
    """Records that came as columns.

    Args:
        frame: One row per readable record.
        positions: Which record each row is, rising; None where row and record are the same number.
        lines: The line of each record in its file, from 1, by position; None where there are no lines.
        rejected: Records that could not be read.
        untyped: Whether the columns are text because the file has no types.
    """

    frame: pl.DataFrame
    positions: Sequence[int] | None = None
    lines: Sequence[int | None] | None = None
    rejected: tuple[Rejected, ...] = ()
    untyped: bool = False

    def __len__(self) -> int:
        return self.frame.height + len(self.rejected)

    @property
    def record_of_row(self) -> Sequence[int]:
        """The record that each row is, by row."""
        return range(self.frame.height) if self.positions is None else self.positions

    def line(self, position: int) -> int | None:
        """Line of a record; see `Records.line`."""
        return None if self.lines is None else self.lines[position]

    def raw(self, position: int) -> bytes | None:
        """A record as compact JSON; see `Records.raw`."""
        row = self.frame.slice(bisect_left(self.record_of_row, position), 1)
        return dump_exactly(_with_entries(row).row(0, named=True))


def _with_entries(frame: pl.DataFrame) -> pl.DataFrame:
    """Maps whose keys are structs or lists, as lists of key and value: Python has no dict for them."""
    types = {name: _without_maps(dtype) for name, dtype in frame.schema.items() if _has_nested_keys(dtype)}
    return frame.cast(types) if types else frame  # type: ignore[arg-type]


def _has_nested_keys(dtype: pl.DataType) -> bool:
    match dtype:
        case pl.Map():
            key = part_type(dtype.key)
            return key.is_nested() or _has_nested_keys(part_type(dtype.value))
        case pl.List() | pl.Array():
            return _has_nested_keys(part_type(dtype.inner))
        case pl.Struct():
            return any(_has_nested_keys(part_type(item.dtype)) for item in dtype.fields)
        case _:
            return False


def _without_maps(dtype: pl.DataType) -> pl.DataType:
    match dtype:
        case pl.Map():
            key, value = (_without_maps(part_type(part)) for part in (dtype.key, dtype.value))
            return pl.List(pl.Struct({"key": key, "value": value}))
        case pl.List() | pl.Array():
            return pl.List(_without_maps(part_type(dtype.inner)))
        case pl.Struct():
            return pl.Struct({item.name: _without_maps(part_type(item.dtype)) for item in dtype.fields})
        case _:
            return dtype


def rejection(records: Records, position: int, misfit: Misfit) -> Rejected:
    """Describes a record as rejected.

    Args:
        records: All records.
        position: Which of them, from 0.
        misfit: Why; where the record was rejected before, its first reason stays.

    Returns:
        The rejection, with the record's line and raw form.
    """
    item = records.items[position]
    if isinstance(item, Rejected):
        misfit = Misfit(item.reason, item.detail)
    return Rejected(
        position=position,
        line=records.line(position),
        reason=misfit.reason,
        detail=misfit.detail,
        raw=records.raw(position),
    )


def as_records(records: object) -> Records | Tabular:
    """Takes whatever was handed in as records.

    Args:
        records: `Records`, `Tabular`, a Polars frame, anything with the Arrow PyCapsule stream, an
            iterable of record batches, or an iterable of dicts, raw JSON (bytes or text) and None.

    Returns:
        Columns where there were columns, else records one after the other.

    Raises:
        DataError: It is none of these, or its columns can't be read.
    """
    if isinstance(records, (Records, Tabular)):
        return records
    if isinstance(records, pl.DataFrame | pl.LazyFrame) or hasattr(records, "__arrow_c_stream__"):
        return Tabular(_frame(records))
    if isinstance(records, (str, bytes, bytearray, Mapping)) or not isinstance(records, Iterable):
        raise DataError(
            f"changes of type {type(records).__name__} can't be merged",
            advice="give an Arrow stream (pyarrow, polars, pandas, DuckDB) or an iterable of dicts or events",
        )
    items = list(records)
    if items and all(
        hasattr(item, "__arrow_c_array__") or hasattr(item, "__arrow_c_stream__") for item in items
    ):
        return Tabular(_concatenated([_frame(item) for item in items]))
    return Records(items)


def as_items(records: Records | Tabular) -> Records:
    """The same records one after the other, for formats that read events and not columns.

    Args:
        records: Any records.

    Returns:
        Dicts in place of rows, and the `Rejected` of those that could not be read.
    """
    if isinstance(records, Records):
        return records
    items: list[object] = [None] * len(records)
    for rejected in records.rejected:
        items[rejected.position] = rejected
    frame = records.frame
    if records.untyped:
        frame = frame.with_columns(typed_text(column) for column in frame.iter_columns())
    for position, row in zip(records.record_of_row, frame.iter_rows(named=True), strict=True):
        items[position] = row
    return Records(items, records.lines)


def _frame(data: Any) -> pl.DataFrame:
    try:
        frame = data.collect() if isinstance(data, pl.LazyFrame) else pl.DataFrame(data)
    except (pl.exceptions.PolarsError, pa.ArrowException, TypeError, ValueError) as error:
        raise DataError(
            f"the columns that were handed in can't be read: {type(error).__name__}",
            advice="give columns with different names and of types that Arrow and Polars know",
        ) from error
    return frame.select(pl.exclude(_INDEX))


def _concatenated(frames: Sequence[pl.DataFrame]) -> pl.DataFrame:
    try:
        return pl.concat(frames, how="vertical_relaxed")
    except pl.exceptions.PolarsError as error:
        raise DataError(
            "the record batches that were handed in have different columns",
            advice="give batches of one schema, or merge them one by one",
        ) from error
