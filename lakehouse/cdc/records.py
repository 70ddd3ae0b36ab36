"""Records as they arrive: JSON that is yet to be read, Python objects, or a frame of columns."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import orjson
import polars as pl

from lakehouse.cdc.changes import Misfit, Rejected
from lakehouse.errors import DataError

BAD_JSON: Final = "bad_json"
"""Reason: a record is no JSON."""

_LONG_NUMBER: Final = re.compile(rb"[:,\[]\s*-?[0-9]{20}")
_DIGITS: Final = b"0" * 20
_ONLY_DIGITS: Final = bytes(48 if 48 <= byte <= 57 else 32 for byte in range(256))
_INDEX: Final = r"^__index_level_\d+__$"


class Broken:
    """Stands where a record's JSON can't be read."""

    __slots__ = ()


BROKEN: Final = Broken()
BROKEN_JSON: Final = Misfit(BAD_JSON, "the record is no JSON")

Json: TypeAlias = object
"""What JSON reads as in Python: dict, list, str, int, float, bool or None."""


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
        return bytes(item) if isinstance(item, (bytes, bytearray, memoryview)) else dump(item)


@dataclass(frozen=True, slots=True, eq=False)
class Tabular:
    """Records that came as columns.

    Args:
        frame: One row per readable record.
        positions: Which record each row is, rising; None where row and record are the same number.
        lines: The line of each record in its file, from 1, by position; None where there are no lines.
        rejected: Records that could not be read.
    """

    frame: pl.DataFrame
    positions: Sequence[int] | None = None
    lines: Sequence[int] | None = None
    rejected: tuple[Rejected, ...] = ()

    def __len__(self) -> int:
        return self.frame.height + len(self.rejected)

    def line(self, position: int) -> int | None:
        """Line of a record; see `Records.line`."""
        return None if self.lines is None else self.lines[position]

    def raw(self, position: int) -> bytes | None:
        """A record as compact JSON; see `Records.raw`."""
        row = position if self.positions is None else self.positions.index(position)
        return dump(self.frame.row(row, named=True))


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
    if isinstance(records, pl.LazyFrame):
        records = records.collect()
    if isinstance(records, pl.DataFrame) or hasattr(records, "__arrow_c_stream__"):
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
    positions = range(records.frame.height) if records.positions is None else records.positions
    for position, row in zip(positions, records.frame.iter_rows(named=True), strict=True):
        items[position] = row
    return Records(items, records.lines)


def as_document(item: object) -> bytes | str | None:
    """A record that is JSON yet to be read.

    Args:
        item: A record.

    Returns:
        The document, or None where the record is an object already.
    """
    if isinstance(item, (str, bytes)):
        return item
    return bytes(item) if isinstance(item, (bytearray, memoryview)) else None


def parse_json(texts: Sequence[bytes | str]) -> list[Json | Broken]:
    """Reads JSON documents, numbers exactly.

    Args:
        texts: One document each.

    Returns:
        Their values, `BROKEN` where one is no JSON. Whole numbers keep all their digits; ``NaN`` and
        ``Infinity``, which Python writes and JSON does not have, are understood.
    """
    suspects = _with_long_numbers(texts)
    parsed: list[Json | Broken] = []
    for index, text in enumerate(texts):
        if index in suspects:
            parsed.append(_parse_exactly(text))
            continue
        try:
            parsed.append(orjson.loads(text))
        except orjson.JSONDecodeError:
            parsed.append(_parse_exactly(text))
    return parsed


def dump(value: object) -> bytes:
    """A value as compact JSON, whatever Python types are inside.

    Args:
        value: Any value.

    Returns:
        JSON; whole numbers exact, bytes and what else JSON does not know as text.
    """
    try:
        return orjson.dumps(value, default=as_text, option=orjson.OPT_NON_STR_KEYS)
    except (orjson.JSONEncodeError, RecursionError):
        pass
    try:
        return json.dumps(value, default=as_text, ensure_ascii=False).encode("utf-8", errors="replace")
    except (TypeError, ValueError, RecursionError):
        return str(value).encode("utf-8", errors="replace")


def as_text(value: object) -> str:
    """A value that JSON does not know, as text.

    Args:
        value: Any value.

    Returns:
        Bytes as UTF-8 (what is none is escaped), everything else as Python shows it.
    """
    return value.decode("utf-8", errors="backslashreplace") if isinstance(value, bytes) else str(value)


def _with_long_numbers(texts: Sequence[bytes | str]) -> frozenset[int]:
    """Documents with numbers of 20 digits or more: orjson reads them as floating numbers."""
    data = [text.encode("utf-8", errors="surrogatepass") if isinstance(text, str) else text for text in texts]
    if _DIGITS not in b"\n".join(data).translate(_ONLY_DIGITS):
        return frozenset()
    return frozenset(index for index, text in enumerate(data) if _LONG_NUMBER.search(text))


def _parse_exactly(text: bytes | str) -> Json | Broken:
    try:
        value: Json = json.loads(text, parse_float=_finite)
    except (ValueError, RecursionError):
        return BROKEN
    return value


def _finite(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise ValueError
    return number


def _frame(data: Any) -> pl.DataFrame:
    try:
        frame = pl.DataFrame(data)
    except (pl.exceptions.PolarsError, TypeError, ValueError) as error:
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
