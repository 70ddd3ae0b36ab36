"""Whether a file's statistics are true of its rows: pure.

Delta protocol, section "Per-file Statistics". Where ``tightBounds`` is false, or a vector deletes rows,
bounds may be wider than the rows, and numbers of nulls only say something where they are 0 or all rows. What
writers cut off or rounded is read as they meant it (`lakehouse.delta.bound_values`).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from typing import Any, Final

from lakehouse.delta.actions import AddFile
from lakehouse.delta.bound_values import convert, converters
from lakehouse.delta.schema import ArrayType, MapType, PrimitiveType
from lakehouse.delta.stat_columns import Leaf
from lakehouse.maintenance.verify.contents import Contents, LeafFacts

_WHOLE: Final = frozenset({"long", "integer", "short", "byte"})
# Types of which any value that can't be read is a mistake; writers have good reasons for odd ones of others.
_PLAIN: Final = _WHOLE | {"string", "boolean"}
_EXACT: Final = _WHOLE | {"date"}
_EPOCH_DAY: Final = date(1970, 1, 1).toordinal()


def untrue(add: AddFile, seen: Contents, *, records: int) -> list[str]:
    """Compare a file's statistics with rows of it.

    Args:
        add: The file.
        seen: What was seen of its rows.
        records: How many rows the file has.

    Returns:
        What is not true, a sentence each; no values.
    """
    if add.stats and not _is_object(add.stats):
        return ["its statistics are no JSON object"]
    stats = add.statistics
    if stats.num_records is None and add.deletion_vector is not None:
        return ["it has a deletion vector, and its statistics lack the number of rows"]
    loose = add.deletion_vector is not None or not stats.tight_bounds
    found: list[str] = []
    for leaf, facts in seen.leaves:
        name = ".".join(leaf.path)
        nulls = _at(stats.null_count, leaf.physical)
        low, high = _at(stats.min_values, leaf.physical), _at(stats.max_values, leaf.physical)
        told = [
            *_nulls(leaf, nulls, facts, seen, records=records, loose=loose),
            *_bounds(leaf, low, high, facts, exact=seen.complete and not loose),
        ]
        found += [f"column {name}: {what}" for what in told]
    return found


def _nulls(
    leaf: Leaf, stated: Any, facts: LeafFacts, seen: Contents, *, records: int, loose: bool
) -> Iterator[str]:
    if stated is None or isinstance(leaf.type, ArrayType | MapType):
        # Writers don't agree on what counts as a null of a list: the list, or what is in it.
        return
    if not isinstance(stated, int) or isinstance(stated, bool) or not 0 <= stated <= records:
        yield "its number of nulls is none that the file can have"
    elif not loose and seen.complete:
        if stated != facts.nulls:
            yield f"{stated} nulls by its statistics, {facts.nulls} in the file"
    elif stated == 0 and facts.live_nulls:
        yield f"no nulls by its statistics, {facts.live_nulls} in {seen.rows} rows"
    elif stated == records and facts.live_nulls < seen.live:
        yield f"only nulls by its statistics, and {seen.live - facts.live_nulls} rows have a value"
    elif not loose and not stated - (records - seen.rows) <= facts.nulls <= stated:
        yield f"{stated} nulls by its statistics, {facts.nulls} in {seen.rows} of {records} rows"


def _bounds(leaf: Leaf, low: Any, high: Any, facts: LeafFacts, *, exact: bool) -> Iterator[str]:
    name = leaf.type.name if isinstance(leaf.type, PrimitiveType) else ""
    for stated, reader, side, value, wrong in (
        (low, converters(leaf.type)[0], "lower", facts.low, _above),
        (high, converters(leaf.type)[1], "upper", facts.high, _below),
    ):
        if stated is None:
            continue
        bound = convert(reader, stated)
        if bound is None:
            if name in _PLAIN:
                yield f"its {side} bound is no {name}"
            continue
        if value is None:
            continue
        number = _comparable(bound)
        if wrong(number, value):
            yield f"there are rows beyond its {side} bound"
        elif exact and name in _EXACT and number != value:
            yield f"no row is at its {side} bound, which is said to be tight"


def _above(bound: Any, value: Any) -> bool:
    return bool(bound > value)


def _below(bound: Any, value: Any) -> bool:
    return bool(bound < value)


def _comparable(bound: Any) -> Any:
    """Times as the numbers that `LeafFacts` has."""
    if isinstance(bound, datetime):
        whole = bound.replace(tzinfo=None) - datetime(1970, 1, 1)  # noqa: DTZ001 - it is in UTC already
        return (whole.days * 86_400 + whole.seconds) * 1_000_000 + whole.microseconds
    return bound.toordinal() - _EPOCH_DAY if isinstance(bound, date) else bound


def _is_object(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict)
    except ValueError:
        return False


def _at(tree: object, path: Sequence[str]) -> Any:
    for name in path:
        if not isinstance(tree, Mapping):
            return None
        tree = tree.get(name)
    return tree
