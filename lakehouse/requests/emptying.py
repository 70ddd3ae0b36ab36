"""What ``anonymize`` leaves of a value: pure.

A column alone is emptied. A path empties what it leads to; where it ends in a list or map, the elements are
taken out. If the rows were found by values in that same list or map, only elements in which such a value
stands are touched: the others are other people's.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any, Final

import polars as pl

from lakehouse.delta.schema import ArrayType, DataType, MapType, StructField, StructType, to_polars
from lakehouse.pii.paths import ColumnPath, Step

_ALL: Final = None


@dataclass(frozen=True, slots=True)
class Emptying:
    """How the values of one column are emptied.

    Args:
        path: What is emptied.
        by: Through which path of the same column the rows were found; None where by another one.
        item: The column.
    """

    path: ColumnPath
    by: ColumnPath | None
    item: StructField

    def __call__(self, values: pl.Series, wanted: Iterable[Collection[Any]]) -> pl.Series:
        """Empties values.

        Args:
            values: The column in some rows.
            wanted: For each row the values by which it was found.

        Returns:
            As many values of the same type.
        """
        by = None if self.by is None else self.by.steps
        done = [
            _emptied(value, self.path.steps, self.item.type, by, those)
            for value, those in zip(values.to_list(), wanted, strict=True)
        ]
        kind = to_polars(StructType((self.item,)))[self.item.name]
        return pl.Series(values.name, done, dtype=kind)


def neutral_of(item: StructField) -> Any:
    """What an emptied field holds.

    Args:
        item: The field.

    Raises:
        ValueError: It must not be null, and has no neutral value.
    """
    if item.nullable:
        return None
    if to_polars(StructType((item,)))[item.name] == pl.String:
        return ""
    raise ValueError(item.name)


def field_at(item: StructField, steps: tuple[Step, ...]) -> StructField | None:
    """The field that a path empties: the last on it, or that of the list or map out of which elements go.

    Args:
        item: The column.
        steps: The way into it.

    Returns:
        The field; one that can be null where elements go. None where there is no such way.
    """
    field, kind = item, item.type
    for step in steps:
        match step.kind, kind:
            case "field", StructType() if step.name in kind.names:
                field = kind.field(step.name)
            case "item", ArrayType(element, _):
                field = StructField("element", element, nullable=True)
            case (("key" | "value"), MapType(_, value, _)):
                field = StructField("value", value, nullable=True)
            case _:
                return None
        kind = field.type
    return field


def _emptied(
    value: Any,
    steps: tuple[Step, ...],
    kind: DataType,
    by: tuple[Step, ...] | None,
    wanted: Collection[Any],
) -> Any:
    if value is None:
        return None
    step, deeper = steps[0], steps[1:]
    beyond = by[1:] if by and _same(by[0], step) else _ALL
    match step.kind, kind:
        case "field", StructType():
            item = kind.field(step.name)
            inside = value.get(step.name)
            left = _emptied(inside, deeper, item.type, beyond, wanted) if deeper else neutral_of(item)
            return {**value, step.name: left}
        case "item", ArrayType(element, _):
            return [
                each if not hit else _emptied(each, deeper, element, beyond, wanted)
                for each in value
                if not (hit := beyond is _ALL or _holds(each, beyond, wanted)) or deeper
            ]
        case _, MapType(_, inner, _):
            # What was found by its key goes whole.
            inside = beyond if by and by[0] == step else _ALL
            return [
                each if not hit else {**each, "value": _emptied(each["value"], deeper, inner, inside, wanted)}
                for each in value
                if not (hit := beyond is _ALL or _entry_holds(each, by or (), wanted)) or deeper
            ]
    return value


def _same(one: Step, other: Step) -> bool:
    """Whether two steps go the same way: keys and values of a map stand together."""
    return one == other or {one.kind, other.kind} == {"key", "value"}


def _entry_holds(entry: Any, by: tuple[Step, ...], wanted: Collection[Any]) -> bool:
    return _holds(entry[by[0].kind], by[1:], wanted)


def _holds(value: Any, by: tuple[Step, ...], wanted: Collection[Any]) -> bool:
    """Whether one of the wanted values stands in a value, where a path says."""
    if value is None:
        return False
    if not by:
        return value in wanted
    step, deeper = by[0], by[1:]
    if step.kind == "field":
        return _holds(value.get(step.name), deeper, wanted)
    if step.kind == "item":
        return any(_holds(each, deeper, wanted) for each in value)
    return any(_entry_holds(each, by, wanted) for each in value)
