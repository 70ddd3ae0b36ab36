"""Columns with parts -- structs, lists, maps, JSON in texts -- taken apart into paths with plain values."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, Final

import orjson
import polars as pl

from lakehouse.delta.datatypes import ArrayType, DataType, MapType, StructType
from lakehouse.pii.paths import ColumnPath
from lakehouse.pii.scan.values import MOST_CHARS, PathValues, gathered

MOST_ELEMENTS: Final = 16
"""Of each list and map, so many elements are looked at."""
MOST_MEMBERS: Final = 40
"""A JSON object with more different members than this, over all rows, is used as a map."""
_JSON_SHARE: Final = 0.8
_DEEPEST: Final = 8
_LOOKS_LIKE_JSON: Final = r"^\s*[\[{]"
# What a developer calls a member; anything else can be somebody's name, number or address.
_MEMBER: Final = re.compile(r"[^\W\d][\w -]{0,39}")
_DATA_LIKE: Final = re.compile(r"\d{4,}|[0-9a-f]{12,}", re.IGNORECASE)


def flatten(column: str, values: pl.Series, kind: DataType | None = None) -> list[PathValues]:
    """Takes a column apart.

    Args:
        column: Its display name.
        values: Its sampled values, nulls included.
        kind: Its type in the table; it tells maps from lists of pairs, as which they are read.

    Returns:
        The plain values at each path in it, in the order of the schema.
    """
    return list(_flat(ColumnPath(column), values, kind))


def _flat(path: ColumnPath, values: pl.Series, kind: DataType | None) -> Iterator[PathValues]:
    dtype = values.dtype
    if isinstance(dtype, pl.BaseExtension):
        yield gathered(path, pl.Series([], dtype=pl.Boolean), note="of a type that is not looked into")
    elif isinstance(dtype, pl.Struct):
        for each in dtype.fields:
            part = kind.get(each.name) if isinstance(kind, StructType) else None
            inner = part.type if part is not None else None
            yield from _flat(path.then("field", each.name), values.struct.field(each.name), inner)
    elif isinstance(dtype, pl.Map):
        entries = values.cast(pl.List(pl.Struct({"key": dtype.key, "value": dtype.value})))
        yield from _pairs(path, entries, kind)
    elif isinstance(dtype, pl.Array):
        yield from _flat(path, values.cast(pl.List(dtype.inner)), kind)
    elif isinstance(dtype, pl.List) and isinstance(kind, MapType):
        yield from _pairs(path, values, kind)
    elif isinstance(dtype, pl.List):
        element = kind.element if isinstance(kind, ArrayType) else None
        yield from _flat(path.then("item"), _elements(values), element)
    elif dtype == pl.Binary:
        yield _decoded(path, values)
    elif dtype == pl.String:
        yield from _text(path, values, depth=0)
    else:
        yield gathered(path, values)


def _pairs(path: ColumnPath, entries: pl.Series, kind: DataType | None) -> Iterator[PathValues]:
    """The keys and the values of maps."""
    key, value = (kind.key, kind.value) if isinstance(kind, MapType) else (None, None)
    pairs = _elements(entries).struct
    yield from _flat(path.then("key"), pairs.field("key"), key)
    yield from _flat(path.then("value"), pairs.field("value"), value)


def _elements(lists: pl.Series) -> pl.Series:
    present = lists.drop_nulls()
    return present.list.head(MOST_ELEMENTS).explode(empty_as_null=False, keep_nulls=False)


def _decoded(path: ColumnPath, values: pl.Series) -> PathValues:
    """Bytes that are UTF-8 are looked at as texts; what is a text only by chance looks like nothing."""
    there = [value for value in values.to_list() if value is not None]
    texts = [_utf8(value) for value in there]
    readable = [text for text in texts if text is not None]
    if not there or len(readable) < _JSON_SHARE * len(there):
        return gathered(path, pl.Series([None] * len(values), dtype=pl.Boolean), note="binary, no text")
    cut = sum(len(value) >= MOST_CHARS for value in there)
    series = pl.Series([*readable, *([None] * (len(values) - len(readable)))], dtype=pl.String)
    return gathered(path, series, cut=cut, note="binary that holds text")


def _utf8(value: bytes) -> str | None:
    try:
        # The cut may have gone through a character.
        text = value[:MOST_CHARS].decode("utf-8", errors="strict" if len(value) < MOST_CHARS else "ignore")
    except UnicodeDecodeError:
        return None
    return None if any(ord(sign) < 32 and sign not in "\t\r\n" for sign in text) else text


def _text(path: ColumnPath, values: pl.Series, *, depth: int) -> Iterator[PathValues]:
    there = values.drop_nulls()
    there = there.filter(there.str.strip_chars() != "")
    like = there.filter(there.str.contains(_LOOKS_LIKE_JSON))
    if not there.is_empty() and like.len() >= _JSON_SHARE * there.len() and depth < 2:
        read = [_json(text) for text in like.to_list()]
        good = [value for value in read if value is not None]
        if len(good) >= _JSON_SHARE * there.len():
            yield from _members(path.then("json"), good, depth=depth + 1)
            return
    yield gathered(path, values)


def _json(text: str) -> Any:
    try:
        return orjson.loads(text)
    except ValueError:
        return None


def _members(path: ColumnPath, values: Sequence[Any], *, depth: int) -> Iterator[PathValues]:
    """What parsed JSON holds, at each path in it."""
    if len(path.steps) > _DEEPEST:
        return
    objects = [value for value in values if isinstance(value, dict)]
    lists = [value for value in values if isinstance(value, list)]
    plain = [
        value for value in values if isinstance(value, str | int | float) and not isinstance(value, bool)
    ]
    if plain:
        yield from _scalars(path, plain, rows=len(values), depth=depth)
    if lists:
        items = [item for each in lists for item in each[:MOST_ELEMENTS]]
        yield from _members(path.then("item"), items, depth=depth)
    if objects:
        names = Counter(name for each in objects for name in each)
        if _is_map(names):
            keys = [name for each in objects for name in list(each)[:MOST_ELEMENTS]]
            yield gathered(path.then("key"), pl.Series(keys, dtype=pl.String))
            inner = [item for each in objects for item in list(each.values())[:MOST_ELEMENTS]]
            yield from _members(path.then("value"), inner, depth=depth)
        else:
            for name in names:
                at = [each[name] for each in objects if name in each]
                yield from _members(path.then("field", name), at, depth=depth)


def _is_map(names: Counter[str]) -> bool:
    """Whether the members' names are data: paths are shown and kept, so they must not hold any."""
    if len(names) > MOST_MEMBERS:
        return True
    return any(_MEMBER.fullmatch(name) is None or _DATA_LIKE.search(name) for name in names)


def _scalars(path: ColumnPath, plain: list[Any], *, rows: int, depth: int) -> Iterator[PathValues]:
    missing = [None] * (rows - len(plain))
    if any(isinstance(value, str) for value in plain):
        texts = [value if isinstance(value, str) else str(value) for value in plain]
        yield from _text(path, pl.Series([*texts, *missing], dtype=pl.String), depth=depth)
    else:
        yield gathered(path, pl.Series([*plain, *missing], dtype=_number_type(plain), strict=False))


def _number_type(plain: list[Any]) -> pl.DataType:
    return pl.Float64() if any(isinstance(value, float) for value in plain) else pl.Int128()
