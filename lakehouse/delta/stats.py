"""A file's statistics: gathering them when it is written, and loosening them when rows of it are deleted.

Delta protocol, section "Per-file Statistics". Bounds are always safe to skip files by: a text that is cut
off gets an end that no longer text reaches, timestamps are rounded to milliseconds outwards, and a column
has no bounds where they could mislead (NaN, infinity, dates that have no four-digit year).

Reading them for skipping is in `lakehouse.delta.bounds`, whose names can be imported from here too.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from datetime import date, datetime, timedelta
from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal
from typing import Any, Final

import orjson
import polars as pl

from lakehouse.delta.actions import Metadata
from lakehouse.delta.bounds import bounds_frame, file_bounds, max_name, min_name, nulls_name
from lakehouse.delta.exact import column
from lakehouse.delta.schema import DataType, DecimalType, PrimitiveType, StructType
from lakehouse.delta.stat_columns import Leaf, indexed_leaves
from lakehouse.errors import UsageError

__all__ = [
    "STRING_PREFIX",
    "bounds_frame",
    "collect",
    "file_bounds",
    "loosen",
    "max_name",
    "min_name",
    "nulls_name",
]

STRING_PREFIX: Final = 32

_LAST_ASCII: Final = "\x7f"
_LAST_CHARACTER: Final = "\U0010ffff"
_EPOCH: Final = datetime(1970, 1, 1)  # noqa: DTZ001  (the zone is written by hand)
_EPOCH_DAY: Final = date(1970, 1, 1).toordinal()
_TIMES: Final = frozenset({"timestamp", "timestamp_ntz"})
_FLOATS: Final = frozenset({"float", "double"})
_FLOOR: Final = Context(prec=15, rounding=ROUND_FLOOR)
_CEILING: Final = Context(prec=15, rounding=ROUND_CEILING)


def collect(
    frame: pl.DataFrame | pl.LazyFrame, schema: StructType, *, metadata: Metadata | None = None
) -> str:
    """Gather the statistics of a file that is about to be written.

    Args:
        frame: The file's rows, under display names and in the schema's types. One pass over it.
        schema: The table's schema. Columns that the frame lacks get no statistics.
        metadata: Gives partition columns, column mapping and which columns to index; None means: not
            partitioned, not mapped, the first 32 leaf columns.

    Returns:
        JSON with ``numRecords``, ``minValues``, ``maxValues``, ``nullCount`` (physical names) and
        ``tightBounds: true``.
    """
    present = frozenset(frame.collect_schema().names())
    leaves = [leaf for leaf in indexed_leaves(schema, metadata=metadata) if leaf.path[0] in present]
    wanted = [pl.len().alias("rows")]
    for number, leaf in enumerate(leaves):
        wanted += _aggregates(leaf, number)
    found = frame.lazy().select(wanted).collect().row(0, named=True)
    low: dict[str, Any] = {}
    high: dict[str, Any] = {}
    nulls: dict[str, Any] = {}
    for number, leaf in enumerate(leaves):
        _put(nulls, leaf.physical, found[f"nulls{number}"])
        if not leaf.ordered or found.get(f"nan{number}"):
            continue
        low_found, high_found = found[f"min{number}"], found[f"max{number}"]
        bounds = None if low_found is None else _bounds(leaf.type, low_found, high_found)
        if bounds is not None:
            _put(low, leaf.physical, bounds[0])
            _put(high, leaf.physical, bounds[1])
    content = {
        "numRecords": found["rows"],
        "minValues": low,
        "maxValues": high,
        "nullCount": nulls,
        "tightBounds": True,
    }
    return orjson.dumps(content).decode()


def loosen(stats: str | None, *, num_records: int | None = None) -> str:
    """The statistics of a file that now has a deletion vector: the bounds hold, but may be wider than needed.

    Args:
        stats: The file's statistics; None where it has none.
        num_records: Rows in the data file, which a file with a vector must tell (Delta protocol, section
            "Writer Requirement for Deletion Vectors"); only needed where ``stats`` lacks it, or has it wrong.

    Returns:
        The same JSON with ``tightBounds: false``; every number keeps its digits.

    Raises:
        UsageError: The number of rows is neither in the statistics nor given.
    """
    content = _loads_as_written(stats)
    if num_records is None and not isinstance(content.get("numRecords"), orjson.Fragment):
        raise UsageError(
            "a file gets a deletion vector, but its number of rows is not known",
            advice="read it from the file's footer",
        )
    if num_records is not None:
        content = {"numRecords": num_records} | {
            name: value for name, value in content.items() if name != "numRecords"
        }
    content["tightBounds"] = False
    return orjson.dumps(content).decode()


def _loads_as_written(stats: str | None) -> dict[str, Any]:
    """JSON whose numbers stay the text that they are, since a float would lose digits of decimals."""
    if not stats:
        return {}
    try:
        content = json.loads(
            stats,
            parse_float=orjson.Fragment,
            parse_int=orjson.Fragment,
            # NaN and the infinities are no JSON, though some writers put them here.
            parse_constant=lambda _: None,
        )
    except ValueError:
        return {}
    return content if isinstance(content, dict) else {}


def _aggregates(leaf: Leaf, number: int) -> list[pl.Expr]:
    values = column(leaf.path[0])
    for name in leaf.path[1:]:
        values = values.struct.field(name)
    wanted = [values.null_count().alias(f"nulls{number}")]
    if not leaf.ordered:
        return wanted
    if isinstance(leaf.type, PrimitiveType):
        if leaf.type.name in _FLOATS:
            wanted.append(values.is_nan().any().alias(f"nan{number}"))
        elif leaf.type.name in _TIMES or leaf.type.name == "date":
            # As numbers, since Python's dates end with the year 9999 and Polars' do not.
            values = values.to_physical()
    return [*wanted, values.min().alias(f"min{number}"), values.max().alias(f"max{number}")]


def _bounds(data_type: DataType, low: Any, high: Any) -> tuple[Any, Any] | None:
    if isinstance(data_type, DecimalType):
        return _decimal_bounds(low, high, data_type)
    name = data_type.name if isinstance(data_type, PrimitiveType) else ""
    if name == "string":
        return _text_bounds(low, high)
    if name in _FLOATS:
        return _float_bounds(low, high)
    if name == "date":
        return _both(_date_text, low, high)
    if name in _TIMES:
        zone = "Z" if name == "timestamp" else ""
        return _both(lambda millis: _time_text(millis, zone), low // 1000, -(-high // 1000))
    return low, high


def _both(spell: Callable[[int], str], low: int, high: int) -> tuple[str, str] | None:
    try:
        return spell(low), spell(high)
    except (ValueError, OverflowError):
        return None


def _text_bounds(low: str, high: str) -> tuple[str, str] | None:
    ceiling = _cut_up(high)
    return None if ceiling is None else (low[:STRING_PREFIX], ceiling)


def _float_bounds(low: float, high: float) -> tuple[float, float] | None:
    # A zero counts as either of the two zeros.
    return (low or -0.0, high or 0.0) if math.isfinite(low) and math.isfinite(high) else None


def _cut_up(text: str) -> str | None:
    """A short text that no text below or at ``text`` exceeds, in the order of UTF-8 bytes."""
    if len(text) <= STRING_PREFIX:
        return text
    end = STRING_PREFIX
    while end < len(text) and text[end] == _LAST_CHARACTER:
        end += 1
    if end == len(text):
        return text
    if end > 2 * STRING_PREFIX:
        return None
    return text[:end] + (_LAST_ASCII if text[end] < _LAST_ASCII else _LAST_CHARACTER)


def _decimal_bounds(low: Decimal, high: Decimal, kind: DecimalType) -> tuple[Any, Any] | None:
    # No more digits than a float holds: engines that read bounds as floats would skip files wrongly, and
    # where both bounds are the same float, even take it for the value of every row.
    low, high = _FLOOR.plus(low), _CEILING.plus(high)
    if max(-low, high) >= Decimal(1).scaleb(kind.precision - kind.scale):
        return None
    return orjson.Fragment(f"{low:.{kind.scale}f}"), orjson.Fragment(f"{high:.{kind.scale}f}")


def _date_text(days: int) -> str:
    return date.fromordinal(days + _EPOCH_DAY).isoformat()


def _time_text(millis: int, zone: str) -> str:
    return (_EPOCH + timedelta(milliseconds=millis)).isoformat(timespec="milliseconds") + zone


def _put(tree: dict[str, Any], path: Sequence[str], value: Any) -> None:
    for name in path[:-1]:
        tree = tree.setdefault(name, {})
    tree[path[-1]] = value
