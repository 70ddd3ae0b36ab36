"""Column chunks whose pages need not be decoded: unpacked, and looked through as they are.

In plain pages a text lies as it is, and in dictionaries too, to which other pages hold numbers only. So where
the bytes of all pages and of the dictionary hold no needle, no row does; it does not matter where one text
ends and the next begins. Wherever something is found, or a page is of another kind, rows are decoded, and
tell what is in them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pyarrow as pa

from lakehouse.requests.search.footer import Chunk
from lakehouse.requests.search.pages import Page, unpacked
from lakehouse.requests.search.tally import Tally
from lakehouse.requests.search.thrift import DamagedError

_BYTE_ARRAY: Final = 6
_WIDTHS: Final[Mapping[int, np.dtype[Any]]] = {
    1: np.dtype("<i4"),
    2: np.dtype("<i8"),
    3: np.dtype("V12"),
    4: np.dtype("<f4"),
    5: np.dtype("<f8"),
}
_PHYSICAL: Final = {"INT32": 1, "INT64": 2, "INT96": 3, "FLOAT": 4, "DOUBLE": 5, "BYTE_ARRAY": _BYTE_ARRAY}
_WHOLE: Final = frozenset({1, 2})
_PLAIN, _RLE, _LENGTHS_FIRST = 0, 3, 6
_LENGTH: Final = 4


class _HasToBeDecodedError(Exception):
    """The pages alone do not tell, or tell that somebody is there."""


@dataclass(frozen=True, slots=True)
class Flat:
    """A column that is in no list, map or struct.

    Args:
        kind: Its Arrow type; of a dictionary that of its values.
        physical: The number of its physical type by the schema, which chunks say too.
        optional: Whether it can be null.
    """

    kind: Any
    physical: int
    optional: bool


def flat_columns(parquet: Any) -> dict[str, Flat]:
    """The flat columns of a file.

    Args:
        parquet: As pyarrow opens it.
    """
    schema, arrow = parquet.schema, parquet.schema_arrow
    leaves = [schema.column(at) for at in range(len(schema))]
    names = Counter(arrow.names)
    found = {}
    for leaf in leaves:
        # A dot can be the name's own, or lead into a struct.
        if leaf.max_repetition_level or leaf.max_definition_level > 1 or "." in leaf.path:
            continue
        if names[leaf.path] == 1:
            kind = arrow.field(leaf.path).type
            kind = kind.value_type if pa.types.is_dictionary(kind) else kind
            physical = _PHYSICAL.get(leaf.physical_type, -1)
            found[leaf.path] = Flat(kind, physical, optional=bool(leaf.max_definition_level))
    return found


def values_without_finds(
    chunk: Chunk, flat: Flat, pages: list[Page], data: memoryview, tally: Tally
) -> int | None:
    """Looks through the pages of a column chunk, but not its dictionary.

    Args:
        chunk: The chunk.
        flat: Its column.
        pages: All its pages. Dictionaries were looked through before, and nothing was found in them.
        data: The chunk's bytes.
        tally: What is looked for; nothing is noted.

    Returns:
        How many values there are, nulls not counted, where no needle is among them; None where rows have to
        be decoded to tell.
    """
    look = _look_of(chunk, flat, tally)
    if look is None or sum(page.values for page in pages if page.is_data) != chunk.values:
        return None
    if any(page.by_dictionary for page in pages) and not any(page.is_dictionary for page in pages):
        # It lies elsewhere, and was not looked through.
        return None
    try:
        return sum(_present(chunk, flat, page, data, look) for page in pages)
    except (_HasToBeDecodedError, DamagedError, IndexError, ValueError):
        return None


class _Look:
    """Looks into what a page holds."""

    encodings: frozenset[int] = frozenset({_PLAIN})

    def __call__(self, content: memoryview, count: int) -> None:
        """Looks.

        Args:
            content: The values of a page.
            count: How many.

        Raises:
            _HasToBeDecodedError: It is not as it should be, or something was found.
        """
        raise NotImplementedError


class _Texts(_Look):
    encodings = frozenset({_PLAIN, _LENGTHS_FIRST})

    def __init__(self, tally: Tally, *, binary: bool) -> None:
        self._sought, self._binary = tally.sought, binary

    def __call__(self, content: memoryview, count: int) -> None:  # noqa: ARG002 - lengths lie between texts
        if self._sought.is_in(content, binary=self._binary):
            raise _HasToBeDecodedError


class _Numbers(_Look):
    def __init__(self, width: np.dtype[Any], wanted: Any) -> None:
        self._width, self._wanted = width, wanted

    def __call__(self, content: memoryview, count: int) -> None:
        if len(content) != count * self._width.itemsize:
            raise _HasToBeDecodedError
        if self._wanted is not None and self._wanted.has_whole(np.frombuffer(content, dtype=self._width)):
            raise _HasToBeDecodedError


def _look_of(chunk: Chunk, flat: Flat, tally: Tally) -> _Look | None:
    values, kind = tally.columns.get(tally.column(chunk.path)), flat.kind
    if chunk.kind != flat.physical:
        return None
    if chunk.kind == _BYTE_ARRAY:
        text = pa.types.is_string(kind) or pa.types.is_large_string(kind) or kind == pa.string_view()
        binary = pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or kind == pa.binary_view()
        # Short values are compared with whole cells, and records are read as what they say.
        if not (text or binary) or (tally.json_cells if values is None else values.has_short):
            return None
        return _Texts(tally, binary=binary)
    width = _WIDTHS.get(chunk.kind)
    if width is None or (values is not None and not (chunk.kind in _WHOLE and _is_whole(kind))):
        return None
    return _Numbers(width, values)


def _is_whole(kind: Any) -> bool:
    """Whether the bytes of a number are the number: dates and decimals are numbers of something."""
    return bool(pa.types.is_signed_integer(kind))


def _present(chunk: Chunk, flat: Flat, page: Page, data: memoryview, look: _Look) -> int:
    """How many values a page has that are not null, none of them a needle."""
    if not page.is_data:
        return 0
    levels, content = _parts(chunk, flat, page, data)
    present = page.values if levels is None else _ones(levels, page.values)
    if page.by_dictionary:
        return present
    if page.encoding not in look.encodings:
        raise _HasToBeDecodedError
    look(content, present)
    return present


def _parts(chunk: Chunk, flat: Flat, page: Page, data: memoryview) -> tuple[memoryview | None, memoryview]:
    """Which values of a page are null, and the values."""
    content = unpacked(chunk, page, data)
    if content is None:
        raise _HasToBeDecodedError
    if page.level_bytes is not None:
        # Of the second version: levels lie before what is packed.
        start = page.content.start
        return (data[start : start + page.level_bytes] if flat.optional else None), content
    if not flat.optional:
        return None, content
    if page.level_encoding != _RLE:
        raise _HasToBeDecodedError
    length = int.from_bytes(content[:_LENGTH], "little")
    if _LENGTH + length > len(content):
        raise _HasToBeDecodedError
    return content[_LENGTH : _LENGTH + length], content[_LENGTH + length :]


def _ones(levels: memoryview, count: int) -> int:
    """How many of some bits, in runs and packed, are set: Parquet's hybrid encoding at a width of one bit."""
    found, left = 0, count
    for length, ones in _runs(levels):
        if length <= left:
            found += ones.bit_count() if ones >= 0 else length
        else:
            found += (ones & (1 << left) - 1).bit_count() if ones >= 0 else left
        left -= min(length, left)
        if not left:
            return found
    raise _HasToBeDecodedError


def _runs(levels: memoryview) -> Iterator[tuple[int, int]]:
    """Length of each run, and its bits as a number; -1 for as many ones."""
    at = 0
    while at < len(levels):
        head = shift = 0
        while True:
            byte = levels[at]
            at += 1
            head |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                break
        if head & 1:
            size = head >> 1
            yield size * 8, int.from_bytes(levels[at : at + size], "little")
            at += size
        else:
            yield head >> 1, -1 if levels[at] & 1 else 0
            at += 1
