"""Columns of texts, written as Polars and Arrow keep them: a view of 16 bytes for each text.

A view has the length, and the text itself where that is at most 12 bytes; otherwise its first four bytes, and
where it lies. So texts are written in any order, with gaps, and nothing is moved to put them together.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray

from lakehouse.pii.operators.content import Bytes, Content, Places, windows

INLINE: Final = 12
"""Bytes of the longest text that is in its view."""

PART: Final = 131_072
"""Texts that are written together."""

_MANY: Final = 10_000
# A room that is half empty is no great loss.
_ROOM: Final = 4 * 1024 * 1024
# The most that glibc learns from: pieces of memory of this size are not given back to the system when they
# are freed, which would have to clear them before it gave them again.
_KEPT_AT_HAND: Final = 31 * 1024 * 1024
# Bytes, or groups of three bytes, that go through a step together, in the cache of a core.
_STRIP: Final = 32_768
# For each number of bytes: the words of a view in which so many are kept.
_KEPT: Final = ((np.arange(INLINE) < np.arange(INLINE + 1)[:, None]) * np.uint8(0xFF)).view(np.uint32)
_ALPHABET: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


class Writer:
    """Writes a column; texts that are not written are empty.

    Args:
        count: How many texts it has.
    """

    def __init__(self, count: int) -> None:
        if count >= _MANY:
            # The C library keeps memory at hand in the sizes that it has seen come and go; it is not touched.
            np.empty(_KEPT_AT_HAND, dtype=np.uint8)
        self._views = np.zeros((count, 4), dtype=np.uint32)
        self._rooms: list[Bytes] = []
        self._used: list[int] = []
        self._written = 0

    def space(self, size: int, *, count: int) -> tuple[Bytes, int]:
        """Space for texts.

        Args:
            size: Bytes of all of them.
            count: How many texts.

        Returns:
            Where to write them, and where that begins, for `put` and `lay`.
        """
        if not self._rooms or self._used[-1] + size + INLINE > len(self._rooms[-1]):
            # If those that follow are as long, one room is enough for all, unless they are many.
            left = len(self._views) - self._written
            wanted = max(size, min(size * left // max(1, count), _ROOM))
            self._rooms.append(np.empty(wanted + INLINE, dtype=np.uint8))
            self._used.append(0)
        begin = self._used[-1]
        self._used[-1] += size
        self._written += count
        return self._rooms[-1][begin : begin + size], begin

    def rows(self, count: int, width: int) -> tuple[Bytes, int]:
        """Space for texts in rows.

        Args:
            count: How many.
            width: Bytes of each row.

        Returns:
            As `space`.
        """
        space, begin = self.space(count * width, count=count)
        return space.reshape(count, width), begin

    def put(self, places: Places | slice, rows: Bytes, begin: int, lengths: Places | int) -> None:
        """Puts texts that lie in rows in their places.

        Args:
            places: Which texts they are.
            rows: What `rows` gave, written.
            begin: What it gave besides.
            lengths: How many of the bytes of each row belong to its text: more than 12, or none.
        """
        count, width = rows.shape
        straight = isinstance(places, slice)
        views = self._views[places] if straight else np.empty((count, 4), dtype=np.uint32)
        views[:, 0] = lengths
        views[:, 1] = np.ndarray((count,), np.uint32, rows, 0, (width,))
        views[:, 2] = len(self._rooms) - 1
        views[:, 3] = np.arange(begin, begin + count * width, width, dtype=np.uint32)
        if not np.all(lengths):
            views[np.equal(lengths, 0)] = 0
        if not straight:
            _numbers(self._views)[places] = _numbers(views)

    def lay(self, at: int, content: Content, space: Bytes, begin: int) -> None:
        """Puts texts that lie one after the other in their places.

        Args:
            at: Which text is the first of them.
            content: Texts of the same lengths.
            space: What `space` gave, written.
            begin: What it gave besides.
        """
        count = len(content.lengths)
        if content.width is not None and content.width > INLINE:
            self.put(slice(at, at + count), space.reshape(count, content.width), begin, content.width)
            return
        # What is behind the space, in its room, is taken with the last ones, and cut off.
        around = self._rooms[-1][begin : begin + len(space) + INLINE]
        views = self._views[at : at + count]
        views[:, 0] = content.lengths
        views[:, 1] = windows(around, 4)[content.starts].view(np.uint32)
        views[:, 2] = len(self._rooms) - 1
        views[:, 3] = content.starts + begin
        short = np.flatnonzero(content.lengths <= INLINE)
        texts = windows(around, INLINE)[content.starts[short]].view(np.uint32).reshape(-1, 3)
        views[short, 1:] = texts & _KEPT[content.lengths[short]]

    def series(self, values: pl.Series) -> pl.Series:
        """The column.

        Args:
            values: Gives it its name, its type (text or binary), and its nulls.
        """
        nulls = None
        if values.null_count():
            nulls = pa.py_buffer(np.packbits(values.is_not_null().to_numpy(), bitorder="little"))
        # What was not written to is left out: nobody knows what was in that memory before.
        texts = [room[:used] for room, used in zip(self._rooms, self._used, strict=True)]
        buffers = [nulls, *(pa.py_buffer(each) for each in (self._views, *texts))]
        kind = pa.string_view() if values.dtype == pl.String else pa.binary_view()
        return pl.Series(values.name, pa.Array.from_buffers(kind, len(self._views), buffers))


def _numbers(rows: NDArray[np.uint32]) -> NDArray[np.complex128]:
    """Rows of 16 bytes, as one item each that numpy moves fast."""
    return rows.view(np.complex128).reshape(-1)


def hexadecimal(rows: Bytes, into: Bytes) -> None:
    """Writes bytes in hexadecimal digits.

    Args:
        rows: Rows of bytes.
        into: As many rows, twice as wide.
    """
    given, digits = rows.reshape(-1), into.reshape(-1).view("<u2")
    for at in range(0, len(given), _STRIP):
        _digits(given[at : at + _STRIP], digits[at : at + _STRIP])


def _digits(given: Bytes, into: NDArray[np.uint16]) -> None:
    """Writes two digits for each byte, by arithmetic: a table would push the values out of the cache."""
    pairs = given.astype("<u2")
    other = pairs << 8
    pairs >>= 4
    pairs |= other
    pairs &= 0x0F0F
    # One where a digit is more than nine: letters begin 39 places after what would follow the nine.
    np.add(pairs, 0x0606, out=other)
    other >>= 4
    other &= 0x0101
    other *= ord("a") - ord("9") - 1
    pairs += 0x0101 * ord("0")
    np.add(pairs, other, out=into)


class Base64:
    """Writes bytes in base64url (RFC 4648, section 5). Not for several threads.

    What it works in is kept: the system takes its time to give memory, and to take it back.
    """

    def __init__(self) -> None:
        self._three = np.empty(_STRIP, dtype="<u4")
        self._half = np.empty(_STRIP, dtype=np.uint32)
        self._index = np.empty(_STRIP, dtype=np.intp)
        self._done = np.empty(0, dtype=np.uint32)
        self._first, self._second = _letters()

    def __call__(self, rows: Bytes) -> Bytes:
        """Writes bytes.

        Args:
            rows: Rows of bytes, a multiple of three of them.

        Returns:
            Rows of letters, until the next call.
        """
        count, width = rows.shape
        fours = rows.size // 3
        if fours > len(self._done):
            self._done = np.empty(fours, dtype=np.uint32)
        for at in range(0, fours, _STRIP):
            self._strip(rows, at, self._done[at : min(at + _STRIP, fours)])
        return self._done[:fours].view(np.uint8).reshape(count, width // 3 * 4)

    def _strip(self, rows: Bytes, at: int, done: NDArray[np.uint32]) -> None:
        count = len(done)
        three, half, index = self._three[:count], self._half[:count], self._index[:count]
        # Four bytes from each third one on; there is no fourth behind the last ones.
        three[:-1] = np.ndarray((count - 1,), "<u4", rows, 3 * at, (3,))
        three[-1:] = int.from_bytes(
            rows.reshape(-1)[3 * (at + count - 1) : 3 * (at + count)].tobytes(), "little"
        )
        # All of the first byte and half of the second one; then the other half, and all of the third one.
        np.right_shift(three, 4, out=half)
        half &= 0xF00
        np.bitwise_and(three, 0xFF, out=done)
        half |= done
        np.copyto(index, half)
        np.take(self._first, index, out=done, mode="clip")
        np.right_shift(three, 8, out=half)
        half &= 0xF
        three >>= 12
        three &= 0xFF0
        half |= three
        np.copyto(index, half)
        np.take(self._second, index, out=half, mode="clip")
        done |= half


def _letters() -> tuple[NDArray[np.uint32], NDArray[np.uint32]]:
    """For the halves of three bytes, as `Base64` takes them: their letters, where they are of four."""
    letters = np.frombuffer(_ALPHABET, dtype=np.uint8).astype(np.uint32)
    half = np.arange(1 << 12, dtype=np.uint32)
    first = letters[(half & 0xFF) >> 2] | letters[(half & 3) << 4 | half >> 8] << 8
    second = letters[(half & 0xF) << 2 | half >> 10] << 16 | letters[half >> 4 & 0x3F] << 24
    return first, second
