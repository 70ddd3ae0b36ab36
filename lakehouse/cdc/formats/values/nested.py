"""Lists, maps and structs: taken apart, decoded part by part, and put together again."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import accumulate
from typing import TypeAlias

import polars as pl
import pyarrow as pa

from lakehouse.cdc.formats.values.decoded import BAD_VALUE, Decoded

Make: TypeAlias = Callable[[Sequence[object]], pl.Series]
"""Makes a column of the values of one part."""

Decode: TypeAlias = Callable[[Sequence[object]], Decoded]
"""Decodes the values of one part."""


def list_series(values: Sequence[object], make: Make) -> pl.Series:
    """A column of lists.

    Args:
        values: Lists or None.
        make: Makes the column of all elements.

    Returns:
        The column.
    """
    lists = [value if isinstance(value, (list, tuple)) else () for value in values]
    elements = make([element for items in lists for element in items])
    offsets = pa.array([0, *accumulate(map(len, lists))], pa.int64())
    mask = pa.array([value is None for value in values], pa.bool_())
    if not lists:
        return pl.Series([], dtype=pl.List(elements.dtype))
    return pl.Series(pl.from_arrow(pa.LargeListArray.from_arrays(offsets, elements.to_arrow(), mask=mask)))


def struct_series(values: Sequence[object], fields: Mapping[str, Make]) -> pl.Series:
    """A column of structs.

    Args:
        values: Mappings or None.
        fields: Makes the column of each field, by name; at least one. A field that a mapping lacks is null.

    Returns:
        The column.
    """
    rows = [value if isinstance(value, dict) else {} for value in values]
    arrays = [make([row.get(name) for row in rows]).to_arrow() for name, make in fields.items()]
    mask = pa.array([value is None for value in values], pa.bool_())
    return pl.Series(pl.from_arrow(pa.StructArray.from_arrays(arrays, names=list(fields), mask=mask)))


def decode_list(values: Sequence[object], decode: Decode) -> Decoded:
    """Reads lists of a declared element type.

    Args:
        values: Lists.
        decode: Reads the elements.

    Returns:
        The column; a list with an element that does not fit, or no list, does not fit.
    """
    wrong = {
        index: BAD_VALUE
        for index, value in enumerate(values)
        if not isinstance(value, (list, tuple, type(None)))
    }
    lists = [None if index in wrong else value for index, value in enumerate(values)]
    owners = [index for index, value in enumerate(lists) if isinstance(value, (list, tuple)) for _ in value]
    misfits = dict(wrong)

    def make(elements: Sequence[object]) -> pl.Series:
        decoded = decode(elements)
        misfits.update({owners[index]: reason for index, reason in decoded.misfits.items()})
        return decoded.series

    return Decoded(list_series(lists, make), misfits)


def decode_struct(values: Sequence[object], fields: Mapping[str, Decode], other: Make) -> Decoded:
    """Reads structs of declared fields.

    Args:
        values: JSON objects.
        fields: Reads each declared field.
        other: Makes the column of a field that was not declared; such fields follow the declared ones.

    Returns:
        The column; an object with a field that does not fit, or no object, does not fit.
    """
    wrong = {
        index: BAD_VALUE for index, value in enumerate(values) if not isinstance(value, (dict, type(None)))
    }
    rows = [None if index in wrong else value for index, value in enumerate(values)]
    misfits = dict(wrong)

    def reading(decode: Decode) -> Make:
        def make(parts: Sequence[object]) -> pl.Series:
            decoded = decode(parts)
            misfits.update(decoded.misfits)
            return decoded.series

        return make

    names = {name for row in rows if isinstance(row, dict) for name in row}
    makers: dict[str, Make] = {name: reading(decode) for name, decode in fields.items()}
    makers.update(dict.fromkeys(sorted(names - set(fields)), other))
    return Decoded(struct_series(rows, makers), misfits)


def decode_map(values: Sequence[object], key: Decode, value: Decode) -> Decoded:
    """Reads maps of declared types.

    Args:
        values: JSON objects, or lists of pairs (how Kafka Connect writes maps whose keys are no text).
        key: Reads the keys.
        value: Reads the values.

    Returns:
        Lists of structs of ``key`` and ``value``, Polars' form of a map.
    """
    pairs: list[object] = []
    for item in values:
        if isinstance(item, dict):
            pairs.append([{"key": name, "value": part} for name, part in item.items()])
        elif isinstance(item, list) and all(isinstance(pair, list) and len(pair) == 2 for pair in item):
            pairs.append([{"key": pair[0], "value": pair[1]} for pair in item])
        else:
            pairs.append(item)

    def entries(elements: Sequence[object]) -> Decoded:
        return decode_struct(elements, {"key": key, "value": value}, _nothing)

    return decode_list(pairs, entries)


def _nothing(parts: Sequence[object]) -> pl.Series:
    return pl.Series([None] * len(parts), dtype=pl.Null)
