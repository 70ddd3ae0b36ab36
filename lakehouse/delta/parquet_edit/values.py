"""Changing values inside of nested arrays as `raw` reads them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from lakehouse.delta.parquet_edit import footer as f
from lakehouse.delta.parquet_edit.footer import Node
from lakehouse.delta.parquet_edit.problems import CantEditError

Mask: TypeAlias = npt.NDArray[np.bool_]

Change: TypeAlias = Callable[[pa.Array, Mask, Node], pa.Array | None]
"""Gets the values of an element of the schema, and which of them may change; None: nothing has to."""


@dataclass(frozen=True, slots=True)
class Target:
    """What changes.

    Args:
        node: An element of the schema that holds values: a leaf, or a group with all that is in it.
        change: What becomes of them.
        gone: For each leaf plain values that no dictionary may hold either, unless a row points at them;
            besides those that the rows had which change.
    """

    node: Node
    change: Change
    gone: Sequence[pa.Array] | None = None


def changed(values: pa.Array, target: Target, rows: Mask) -> pa.Array | None:
    """Change some rows of a column.

    Args:
        values: The column as `raw.read_column` gives it for the target's element.
        target: What changes.
        rows: Which rows.

    Returns:
        The column, or None where nothing changes.
    """
    return _changed(values, target.node.ancestors(), rows, target.change)


def emptied(
    values: pa.Array, mask: Mask, node: Node, *, constant: pa.Scalar | None = None
) -> pa.Array | None:
    """Take values away.

    Args:
        values: The values of an element of the schema.
        mask: Which of them.
        node: The element.
        constant: What stands in the place of each; None means null. Where a group or list can't be null,
            what is in it is emptied.

    Returns:
        The values, or None where they all were like that before.

    Raises:
        CantEditError: The file says that it can't be null.
    """
    full = mask & _valid(values)
    if not node.children and constant is not None:
        here = pa.array([constant.as_py()], values.type)
        full &= ~among(values, here)
        if not full.any():
            return None
        places = np.where(full, len(values), np.arange(len(values)))
        return pa.concat_arrays([values, here]).take(pa.array(places))
    if not full.any():
        return None
    if node.repeats == f.OPTIONAL:
        return values.take(pa.array(np.arange(len(values)), mask=full))
    if not node.children:
        raise CantEditError("a column that can't be null has no neutral value")
    return _inside(values, mask, node, constant)


def kept_items(values: pa.Array, mask: Mask, keep: Callable[[pa.Array], Mask]) -> pa.Array | None:
    """Take elements out of lists, or entries out of maps.

    Args:
        values: The values of an element of the schema that is a list or map.
        mask: Out of which of them.
        keep: Gets all items, and says which of them stay.

    Returns:
        The values, or None where all items stay.
    """
    lists = values.field(0)
    items, lengths = _items(lists)
    stay = keep(items) | ~np.repeat(mask, lengths)
    if stay.all():
        return None
    owners = np.repeat(np.arange(len(lengths)), lengths)[stay]
    fewer = np.bincount(owners, minlength=len(lengths))
    return _rebuilt(values, [_relisted(lists, items.filter(pa.array(stay)), fewer)])


def flat(values: pa.Array, node: Node) -> list[pa.Array]:
    """The plain values of each leaf, without nulls.

    Args:
        values: A column as `raw.read_column` gives it for an element.
        node: The element.

    Returns:
        For each leaf in order.
    """
    found: list[pa.Array] = []

    def descend(array: pa.Array) -> None:
        if pa.types.is_list(array.type):
            descend(array.flatten())
        elif pa.types.is_struct(array.type):
            for part in array.flatten():
                descend(part)
        else:
            found.append(array.drop_null())

    descend(values)
    assert len(found) == sum(1 for _ in node.leaves())  # noqa: S101 - the shape was checked on reading
    return found


def _changed(values: pa.Array, way: Sequence[Node], mask: Mask, change: Change) -> pa.Array | None:
    """Down the way: the element that comes first is the one that the values are of."""
    node = way[0]
    if node.repeats == f.REPEATED:
        items, lengths = _items(values)
        new = _changed_item(items, way, np.repeat(mask, lengths), change)
        return None if new is None else _relisted(values, new, lengths)
    return _changed_item(values, way, mask, change)


def _changed_item(values: pa.Array, way: Sequence[Node], mask: Mask, change: Change) -> pa.Array | None:
    if len(way) == 1:
        return change(values, mask, way[0])
    new = _changed(values.field(0), way[1:], mask & _valid(values), change)
    return None if new is None else _rebuilt(values, [new])


def _inside(values: pa.Array, mask: Mask, node: Node, constant: pa.Scalar | None) -> pa.Array | None:
    """Empties what is in a group that can't be null itself."""
    parts = [values.field(number) for number in range(values.type.num_fields)]
    new: list[pa.Array | None] = []
    for part, child in zip(parts, node.children, strict=True):
        if child.repeats == f.REPEATED:
            items, lengths = _items(part)
            gone = np.repeat(mask, lengths)
            new.append(
                _relisted(part, items.filter(pa.array(~gone)), np.where(mask, 0, lengths))
                if gone.any()
                else None
            )
        else:
            new.append(emptied(part, mask, child, constant=constant if not child.children else None))
    if all(part is None for part in new):
        return None
    return _rebuilt(values, [old if part is None else part for old, part in zip(parts, new, strict=True)])


def _items(values: pa.Array) -> tuple[pa.Array, npt.NDArray[np.int64]]:
    offsets = values.offsets.to_numpy()
    return values.values.slice(offsets[0], offsets[-1] - offsets[0]), np.diff(offsets)


def _relisted(values: pa.Array, items: pa.Array, lengths: npt.NDArray[np.int64]) -> pa.Array:
    offsets = np.zeros(len(lengths) + 1, dtype=np.int32)
    np.cumsum(lengths, out=offsets[1:])
    gone = values.is_null() if values.null_count else None
    return pa.ListArray.from_arrays(pa.array(offsets), items, type=values.type, mask=gone)


def _rebuilt(values: pa.Array, parts: Sequence[pa.Array]) -> pa.Array:
    fields = [values.type.field(number) for number in range(values.type.num_fields)]
    gone = values.is_null() if values.null_count else None
    return pa.StructArray.from_arrays(parts, fields=fields, mask=gone)


def _valid(values: pa.Array) -> Mask:
    found: Mask = values.is_valid().to_numpy(zero_copy_only=False)
    return found


def among(values: pa.Array, several: pa.Array) -> Mask:
    """Which values are among several.

    Args:
        values: Plain values.
        several: Plain values of the same type, without null.
    """
    found: Mask = pc.is_in(values, value_set=several).to_numpy(zero_copy_only=False)
    return found
