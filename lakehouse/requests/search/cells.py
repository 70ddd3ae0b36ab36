"""Arrow columns looked through: texts and bytes for all needles, columns that identify also as values."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any, Final

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc

from lakehouse.requests.search.tally import Tally
from lakehouse.requests.search.values import Values
from lakehouse.requests.search.walking import look_through

_VIEWS: Final = (pa.string_view(), pa.binary_view())


def leaves(array: Any, path: str) -> Iterator[tuple[str, Any]]:
    """The arrays of plain values in an array, with the names of fields that lead to them.

    Args:
        array: Any Arrow array.
        path: The column's name.
    """
    kind = array.type
    if isinstance(array, pa.ExtensionArray):
        yield from leaves(array.storage, path)
    elif pa.types.is_struct(kind):
        for at, each in enumerate(array.flatten()):
            yield from leaves(each, f"{path}.{kind.field(at).name}")
    elif pa.types.is_map(kind):
        begin, end = array.offsets[0].as_py(), array.offsets[-1].as_py()
        for each in (array.keys, array.items):
            yield from leaves(each.slice(begin, end - begin), path)
    elif pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
        yield from leaves(array.flatten(), path)
    elif kind in _VIEWS:
        yield path, array.cast(pa.large_string() if kind == pa.string_view() else pa.large_binary())
    else:
        yield path, array


def look_at(array: Any, path: str, tally: Tally, *, place: str = "") -> None:
    """Looks through one array of plain values.

    Args:
        array: From `leaves`.
        path: Its column, as it is in the file.
        tally: Where finds are noted.
        place: What to call it; empty for the column.
    """
    column = tally.column(path)
    where = place or f"column {column}"
    kind = array.type
    if pa.types.is_dictionary(kind):
        _by_dictionary(array, path, tally, place=where)
        return
    if _is_text(kind):
        tally.note(tally.sought.in_cells(*buffers(array)), where)
    elif _is_binary(kind) or pa.types.is_fixed_size_binary(kind):
        if pa.types.is_fixed_size_binary(kind):
            array = array.cast(pa.binary())
        tally.note(tally.sought.in_cells(*buffers(array), binary=True), where)
    values = tally.columns.get(column)
    if values is not None:
        _compare(array, values, tally, where)
    elif tally.json_cells and (_is_text(kind) or _is_binary(kind)):
        _records(array, tally, where)


def _by_dictionary(array: Any, path: str, tally: Tally, *, place: str) -> None:
    """Looks at each value of a dictionary once, and counts in the rows only if it found something."""
    only = tally.apart()
    look_at(array.dictionary, path, only, place=f"dictionary of {place}")
    tally.inside += only.inside
    if not only.hits:
        return
    rows = tally.apart()
    look_at(array.dictionary_decode(), path, rows, place=place)
    tally.take(rows)
    tally.take(only, unless=rows.counts())


def buffers(array: Any) -> tuple[Any, Any]:
    """The bytes of texts and where each begins.

    Args:
        array: Of strings or binaries, not views.

    Returns:
        The bytes, and one more offset than there are texts; both of this array's part alone.
    """
    if not len(array):
        return np.zeros(0, dtype=np.uint8), np.zeros(1, dtype=np.int64)
    _, offsets, data = array.buffers()
    large = pa.types.is_large_string(array.type) or pa.types.is_large_binary(array.type)
    width = np.dtype(np.int64 if large else np.int32)
    begins = np.frombuffer(
        offsets, dtype=width, count=len(array) + 1, offset=array.offset * width.itemsize
    ).astype(np.int64)
    content = np.zeros(0, dtype=np.uint8) if data is None else np.frombuffer(data, dtype=np.uint8)
    return content[begins[0] : begins[-1]], begins - begins[0]


def _compare(array: Any, values: Values, tally: Tally, where: str) -> None:
    kind = array.type
    wanted = values.as_type(kind)
    if not len(wanted):
        return
    if _is_text(kind):
        array = pc.utf8_lower(pc.utf8_trim_whitespace(array))
    mask = pc.is_in(array, value_set=wanted)
    if not pc.any(mask).as_py():
        return
    counts: Counter[int] = Counter()
    for value in array.filter(mask).to_pylist():
        counts.update(values.of(value))
    for number, count in counts.items():
        tally.hit(number, where, count)


def _is_text(kind: Any) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _is_binary(kind: Any) -> bool:
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind))


def _records(array: Any, tally: Tally, where: str) -> None:
    def documents() -> Iterator[Any]:
        for text in array:
            try:
                document = orjson.loads(text.as_py() or "null")
            except ValueError:
                continue
            if isinstance(document, dict | list):
                yield document

    look_through(documents(), tally, place=where)
