"""Values inside of structs, lists, maps and JSON texts: taken out, masked together, put back."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import orjson
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from lakehouse.errors import UsageError
from lakehouse.pii.paths import Step

_INEXACT: Final = re.compile(r"[0-9][.eE]|[0-9]{16}")
_DEEPEST: Final = 200
_TYPE_WORDS: Final = {
    "int8": "byte",
    "int16": "short",
    "int32": "integer",
    "int64": "long",
    "float32": "float",
    "float64": "double",
    "datetime": "timestamp",
    "list": "array",
}

Change = Callable[[pl.Series, pl.Series], pl.Series]
"""From values, and the rows that they are in, to as many values of the same type."""


def kind_at(kind: pl.DataType, steps: tuple[Step, ...], *, path: str) -> pl.DataType:
    """The type of the values that steps lead to; what is in a JSON text counts as text.

    Args:
        kind: The type of the column.
        steps: The way in.
        path: What the way is called in errors.

    Raises:
        UsageError: The type has no such inside.
    """
    for step in steps:
        inside = _inside(kind, step)
        if inside is None:
            raise UsageError(
                f"`{path}` leads nowhere: a value of the type {type_word(kind)} has no {_words(step)}",
                advice="`.name` is a field of a struct, `[]` an element of a list, `{}` a value and `{key}` "
                "a key of a map, `$.name` a member of the JSON in a text",
            )
        if step.kind == "json":
            return pl.String()
        kind = inside
    return kind


def change_inside(values: pl.Series, steps: tuple[Step, ...], change: Change) -> pl.Series:
    """Changes the values that steps lead to.

    Args:
        values: A column.
        steps: The way in.
        change: What is done with all of them together.

    Returns:
        The column with everything else as it was.
    """
    rows = pl.Series("row", range(len(values)), dtype=pl.UInt32)
    return _changed(values, rows, steps, change)


def _changed(values: pl.Series, rows: pl.Series, steps: tuple[Step, ...], change: Change) -> pl.Series:
    if not steps:
        return change(values, rows)
    step, deeper = steps[0], steps[1:]
    if step.kind == "json":
        return _in_json(values, rows, deeper, change)
    if step.kind == "field":
        frame = values.struct.unnest()
        inner = _changed(frame[step.name], rows, deeper, change).alias(step.name)
        put = frame.with_columns(inner).to_struct(values.name)
        return _with_nulls_of(values, put)
    within = (Step("field", step.kind), *deeper) if step.kind in {"key", "value"} else deeper
    return _in_list(values, rows, within, change)


def _with_nulls_of(values: pl.Series, put: pl.Series) -> pl.Series:
    if not values.null_count():
        return put.cast(values.dtype)
    kept = pl.when(values.is_not_null()).then(put.cast(values.dtype))
    return pl.select(kept.alias(values.name)).to_series()


def _in_list(values: pl.Series, rows: pl.Series, steps: tuple[Step, ...], change: Change) -> pl.Series:
    lists: Any = values.to_arrow()
    if isinstance(lists, pa.ChunkedArray):
        lists = lists.combine_chunks()
    inner = pl.Series("inner", pc.list_flatten(lists), dtype=_element(values.dtype))
    parents = pl.Series("row", pc.list_parent_indices(lists)).cast(pl.UInt32)
    done = _changed(inner, rows.gather(parents), steps, change)
    lengths = pc.fill_null(pc.list_value_length(lists), 0)
    sums = pl.Series("sums", lengths).cast(pl.Int64).cum_sum()
    offsets = pa.concat_arrays([pa.array([0], pa.int64()), sums.to_arrow()])
    built = pa.LargeListArray.from_arrays(offsets, done.to_arrow(), mask=pc.is_null(lists))
    return pl.Series(values.name, built, dtype=values.dtype)


def _in_json(values: pl.Series, rows: pl.Series, steps: tuple[Step, ...], change: Change) -> pl.Series:
    """Masks texts in JSON. A text that is no JSON is masked as a whole; numbers become texts."""
    documents: list[Any] = []
    leaves: list[_Leaf] = []
    for at, text in enumerate(values.to_list()):
        holder = [_read(text)]
        documents.append(holder)
        if isinstance(holder[0], _NoJson):
            leaves.append(_Leaf(at, holder, 0, holder[0].text))
        elif holder[0] is not None:
            leaves += (_Leaf(at, *found) for found in _walk(holder, 0, steps))
    if not leaves:
        return values
    given = pl.Series("leaf", [leaf.text for leaf in leaves], dtype=pl.String)
    places = rows.gather(pl.Series([leaf.row for leaf in leaves], dtype=pl.UInt32))
    for leaf, mask in zip(leaves, change(given, places).to_list(), strict=True):
        if leaf.place is None:
            leaf.holder[mask or ""] = leaf.holder.pop(leaf.text)
        else:
            is_json = not isinstance(leaf.holder[leaf.place], _NoJson)
            leaf.holder[leaf.place] = mask if is_json else _NoJson(mask or "")
    touched = {leaf.row for leaf in leaves}
    done = [_write(documents[at][0]) if at in touched else text for at, text in enumerate(values.to_list())]
    return pl.Series(values.name, done, dtype=pl.String)


@dataclass(frozen=True, slots=True)
class _NoJson:
    text: str


@dataclass(frozen=True, slots=True)
class _Leaf:
    """A value in a JSON document: where it is held, or, without a place, a key that is meant itself."""

    row: int
    holder: Any
    place: str | int | None
    text: str


def _read(text: str | None) -> Any:
    if text is None:
        return None
    try:
        document = orjson.loads(text)
        if text.count("[") + text.count("{") > _DEEPEST:
            # What is nested deeper than can be written again is refused here.
            orjson.dumps(document)
        if _INEXACT.search(text):
            # Numbers that would come out in other digits are kept as they are written.
            return json.loads(text, parse_int=orjson.Fragment, parse_float=orjson.Fragment)
    except (orjson.JSONDecodeError, orjson.JSONEncodeError, RecursionError):
        return _NoJson(text)
    return document


def _write(document: Any) -> str:
    return document.text if isinstance(document, _NoJson) else orjson.dumps(document).decode()


def _walk(
    holder: Any, place: str | int, steps: tuple[Step, ...]
) -> Iterator[tuple[Any, str | int | None, str]]:
    """The values that steps lead to, of whatever is there: what lies below an object or list counts too."""
    value = holder[place]
    if not steps:
        yield from _scalars(holder, place)
        return
    step, deeper = steps[0], steps[1:]
    match step.kind, value:
        case "field", dict() if step.name in value:
            yield from _walk(value, step.name, deeper)
        case "item", list():
            for at in range(len(value)):
                yield from _walk(value, at, deeper)
        case "value", dict():
            for name in value:
                yield from _walk(value, name, deeper)
        case "key", dict():
            for name in tuple(value):
                yield value, None, name


def _scalars(holder: Any, place: str | int) -> Iterator[tuple[Any, str | int | None, str]]:
    waiting: list[tuple[Any, str | int]] = [(holder, place)]
    while waiting:
        within, at = waiting.pop()
        value = within[at]
        if isinstance(value, dict):
            waiting += ((value, name) for name in value)
        elif isinstance(value, list):
            waiting += ((value, number) for number in range(len(value)))
        elif value is not None:
            yield within, at, value if isinstance(value, str) else orjson.dumps(value).decode()


def _inside(kind: pl.DataType, step: Step) -> pl.DataType | None:
    match step.kind, kind:
        case "json", pl.String():
            return pl.String()
        case "field", pl.Struct(fields=fields):
            return next((_instance(each.dtype) for each in fields if each.name == step.name), None)
        case "item", pl.List(inner=inner):
            return _instance(inner)
        case ("value" | "key") as part, pl.List(inner=pl.Struct(fields=fields)):
            if [each.name for each in fields] == ["key", "value"]:
                return _instance(fields[0 if part == "key" else 1].dtype)
    return None


def _element(kind: pl.DataType) -> pl.DataType:
    assert isinstance(kind, pl.List)  # noqa: S101
    return _instance(kind.inner)


def _instance(kind: Any) -> pl.DataType:
    whole: pl.DataType = kind() if isinstance(kind, type) else kind
    return whole


def type_word(kind: pl.DataType) -> str:
    """What a type is called in the config.

    Args:
        kind: The type.
    """
    if isinstance(kind, pl.Decimal):
        return f"decimal({kind.precision},{kind.scale})"
    plain = str(kind).lower().split("(")[0]
    return _TYPE_WORDS.get(plain, plain)


def _words(step: Step) -> str:
    return {
        "field": f"field `{step.name}`",
        "item": "elements",
        "value": "values by key",
        "key": "keys",
        "json": "JSON in it",
    }[step.kind]
