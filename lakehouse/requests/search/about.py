"""What a Parquet file tells besides its pages: footer, notes, smallest and greatest values."""

from __future__ import annotations

import base64
import binascii
import functools
from typing import Any, Final

import pyarrow as pa

from lakehouse.requests.search.documents import look_at_text
from lakehouse.requests.search.footer import Chunk, Footer, number_of
from lakehouse.requests.search.tally import Tally
from lakehouse.requests.search.thrift import binaries

_BYTE_ARRAY: Final = 6
_BETWEEN: Final = {
    ("list", "element"),
    ("list", "item"),
    ("bag", "array_element"),
    ("key_value", "key"),
    ("key_value", "value"),
}
_ARROW_SCHEMA: Final = b"ARROW:schema"


def look_at_footer(footer: Footer, tally: Tally) -> None:
    """Looks through a footer: its notes, the statistics of all columns, and every other text.

    Args:
        footer: The footer.
        tally: Where finds are noted.
    """
    for key, value in footer.metadata:
        _note(key, value, tally, "key-value metadata")
    known = {value for pair in footer.metadata for value in pair}
    for chunk in footer.chunks:
        known.update(binaries(chunk.statistics))
        look_at_statistics(chunk, list(binaries(chunk.statistics)), tally)
        for each in chunk.metadata:
            _note(each.get(1, b""), each.get(2, b""), tally, "key-value metadata")
    rest = [value for value in binaries(footer.raw) if value not in known]
    tally.note(tally.sought.in_texts(rest, binary=True), "footer")
    if footer.spare.strip(b"\0"):
        tally.note(tally.sought.in_bytes(footer.spare), "bytes in the footer")


def _note(key: bytes, value: bytes, tally: Tally, place: str) -> None:
    tally.note(tally.sought.in_texts([key], binary=True), place)
    if key == _ARROW_SCHEMA:
        try:
            value = base64.b64decode(value, validate=True)
        except binascii.Error:
            tally.fail("the Arrow schema in the footer can't be read")
        tally.note(tally.sought.in_bytes(value), place)
        return
    look_at_text(value, tally, place=place)


def look_at_statistics(chunk: Chunk, values: list[bytes], tally: Tally) -> None:
    """Looks at smallest and greatest values: texts whole or cut off, numbers of columns that identify.

    Args:
        chunk: The column chunk.
        values: As they are stored.
        tally: Where finds are noted.
    """
    column = tally.column(without_lists(chunk.path))
    place = f"statistics of column {column}"
    tally.cells += len(values)
    tally.note(tally.sought.in_texts(values, binary=True), place)
    wanted = tally.columns.get(column)
    for value in values:
        for number in tally.sought.cut_off(value.decode("utf-8", "ignore")):
            tally.hit(number, place)
        known: Any = number_of(chunk.kind, value)
        if known is None and chunk.kind == _BYTE_ARRAY:
            known = value.decode("utf-8", "ignore")
        for number in wanted.of(known) if wanted is not None else ():
            tally.hit(number, place)


def look_at_typed_statistics(group: Any, tally: Tally) -> None:
    """Looks at dates, decimals and the like, of which the bytes alone do not say what they are.

    Args:
        group: What pyarrow tells of a row group.
        tally: Where finds are noted.
    """
    for at in range(group.num_columns if tally.columns else 0):
        column = tally.column(without_lists(group.column(at).path_in_schema))
        values, known = tally.columns.get(column), group.column(at).statistics
        if values is None or known is None or not known.has_min_max:
            continue
        try:
            ends = (known.min, known.max)
        except (pa.ArrowException, NotImplementedError, ValueError, OverflowError):
            continue
        for end in ends:
            # Numbers and texts were compared before.
            for number in () if isinstance(end, int | float | str | bytes) else values.of(end):
                tally.hit(number, f"statistics of column {column}")


@functools.lru_cache(maxsize=4096)
def without_lists(path: str) -> str:
    """A column's path without what Parquet puts between a list or map and its values.

    Args:
        path: The path, with dots between.
    """
    parts, at = path.split("."), 0
    result = []
    while at < len(parts):
        if at and tuple(parts[at : at + 2]) in _BETWEEN:
            at += 2
        else:
            result.append(parts[at])
            at += 1
    return ".".join(result)
