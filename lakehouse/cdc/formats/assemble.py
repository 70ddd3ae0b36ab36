"""From row objects to columns: types, absent cells, and the rows whose values do not fit."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import polars as pl

from lakehouse.cdc.changes import OP, ORDINAL, UPSERT, Misfit, absence
from lakehouse.cdc.documents import is_text
from lakehouse.cdc.formats.finish import check_names
from lakehouse.cdc.formats.values.codec import Codec
from lakehouse.cdc.formats.values.decode import decode
from lakehouse.cdc.formats.values.decoded import BAD_VALUE, Decoded
from lakehouse.cdc.formats.values.unify import unify
from lakehouse.delta.type_names import type_string

Row: TypeAlias = Mapping[str, object]
Choose: TypeAlias = Callable[[str, int], Codec]
"""Gives the codec of a column in the rows of one shape number (see `Rows.schemas`)."""

Unavailable: TypeAlias = Callable[[Sequence[object]], Sequence[int]]
"""Finds the values of a column that stand for "not known here", by index."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Rows:
    """Changes as row objects, all lists of one length.

    Args:
        ordinals: The record that each change came from, rising.
        ops: What each change does.
        rows: What each states: for a delete the key and the sequence, for a truncate nothing.
        schemas: Number of the schema that each row was written with; None where all share number 0.
        uncertain: Whether a placeholder in a row stands for an unknown value; None where none does.
    """

    ordinals: Sequence[int]
    ops: Sequence[int]
    rows: Sequence[Row]
    schemas: Sequence[int] | None = None
    uncertain: Sequence[bool] | None = None


def assemble(
    rows: Rows, *, choose: Choose, unavailable: Unavailable | None = None
) -> tuple[pl.DataFrame, dict[int, Misfit]]:
    """Makes the frame of some changes.

    Args:
        rows: The changes.
        choose: The codec of a column.
        unavailable: Finds placeholders in the values of upserts; None where there are none.

    Returns:
        The frame (columns in the order of their first appearance, ``__op``, ``__ordinal``, absence
        columns) and the misfits by ordinal.

    Raises:
        DataError: Two columns have names that differ by case only, or one has a reserved name.
    """
    ops = pl.Series(OP, rows.ops, dtype=pl.Int8)
    ordinals = pl.Series(ORDINAL, rows.ordinals, dtype=pl.Int64)
    shapes: dict[tuple[str, ...], int] = {}
    shape_of = pl.Series([shapes.setdefault(tuple(row), len(shapes)) for row in rows.rows], dtype=pl.Int64)
    names = dict.fromkeys(name for shape in shapes for name in shape)
    check_names(list(names))
    upserts = ops == UPSERT
    everywhere = pl.Series(range(ops.len()), dtype=pl.Int64)
    columns: list[pl.Series] = []
    marks: list[pl.Series] = []
    misfits: dict[int, Misfit] = {}
    for name in names:
        lacking = [number for shape, number in shapes.items() if name not in shape]
        absent = shape_of.is_in(lacking) & upserts
        column = _column(name, rows, choose=choose, unavailable=unavailable)
        if column.hidden:
            absent = absent | (everywhere.is_in(column.hidden) & upserts)
        columns.append(column.series.alias(name))
        if absent.any():
            marks.append(absent.alias(absence(name)))
        for place, misfit in column.misfits.items():
            misfits.setdefault(rows.ordinals[place], misfit)
    return pl.DataFrame([*columns, ops, ordinals, *marks]), misfits


@dataclass(frozen=True, slots=True, eq=False)
class _Column:
    """One column; places whose value is a placeholder; why values did not fit, by place."""

    series: pl.Series
    hidden: Sequence[int]
    misfits: Mapping[int, Misfit]


def _column(name: str, rows: Rows, *, choose: Choose, unavailable: Unavailable | None) -> _Column:
    values = [row.get(name) for row in rows.rows]
    hidden: list[int] = []
    misfits: dict[int, Misfit] = {}
    parts: list[tuple[pl.Series, Sequence[int]]] = []
    for codec, places in _by_codec(name, rows, choose):
        part = values if len(places) == len(values) else [values[place] for place in places]
        found = _placeholders(part, places, rows=rows, unavailable=unavailable)
        hidden.extend(places[index] for index in found)
        if found:
            part = _blanked(part, found)
        decoded = _decoded(part, codec)
        wanted = "known type" if codec.type is None else type_string(codec.type)
        for index, reason in decoded.misfits.items():
            misfits[places[index]] = Misfit(reason, f"the value of column {name} is no {wanted}")
        parts.append((decoded.series, places))
    return _Column(unify(parts, len(values)), hidden, misfits)


def _placeholders(
    values: Sequence[object], places: Sequence[int], *, rows: Rows, unavailable: Unavailable | None
) -> list[int]:
    uncertain = rows.uncertain
    if unavailable is None or uncertain is None:
        return []
    return [index for index in unavailable(values) if uncertain[places[index]]]


def _decoded(values: Sequence[object], codec: Codec) -> Decoded:
    """Decodes a column; values with text that can't be stored do not fit."""
    try:
        return decode(values, codec)
    except UnicodeEncodeError:
        broken = [place for place, value in enumerate(values) if not is_text(value)]
        decoded = decode(_blanked(values, broken), codec)
        return Decoded(decoded.series, {**decoded.misfits, **dict.fromkeys(broken, BAD_VALUE)})


def _blanked(values: Sequence[object], places: Sequence[int]) -> list[object]:
    blanked = list(values)
    for place in places:
        blanked[place] = None
    return blanked


def _by_codec(name: str, rows: Rows, choose: Choose) -> list[tuple[Codec, Sequence[int]]]:
    """Which rows are read by which codec; nearly always all of them by one."""
    if rows.schemas is None:
        return [(choose(name, 0), range(len(rows.rows)))]
    codecs = {number: choose(name, number) for number in set(rows.schemas)}
    first = next(iter(codecs.values()), None)
    if first is None:
        return []
    if all(codec == first for codec in codecs.values()):
        return [(first, range(len(rows.rows)))]
    groups: list[tuple[Codec, list[int]]] = []
    place_lists: dict[int, list[int]] = {}
    for number, codec in codecs.items():
        same = next((places for known, places in groups if known == codec), None)
        if same is None:
            same = []
            groups.append((codec, same))
        place_lists[number] = same
    for place, (row, number) in enumerate(zip(rows.rows, rows.schemas, strict=True)):
        if name in row:
            place_lists[number].append(place)
    return [(codec, places) for codec, places in groups if places]
