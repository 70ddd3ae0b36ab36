"""Many byte strings looked for at once in one buffer, at the speed at which Parquet is decoded.

Every occurrence of a string of seven bytes or more covers a whole aligned word of four bytes. So only one of
four positions is looked at: its word is hashed into a table that knows which four bytes, at which of four
distances from its beginning, a string's *window* (seven of its bytes, the rarest) can have there. What passes
is compared with the windows, then with beginnings and ends of the strings, and only then as a whole. After Wu
and Manber, "A fast algorithm for multi-pattern searching" (1994), with fixed steps so that NumPy can do it.
Strings of six bytes go by three.

Case of ASCII letters does not matter here: the bit that tells it is set in text and strings alike. What is
found is therefore a candidate that the caller compares once more.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt

Bytes: TypeAlias = npt.NDArray[np.uint8]
Numbers: TypeAlias = npt.NDArray[np.int64]

SHORTEST: Final = 6
"""Bytes that a string has to have."""

_STEP: Final = 4
_CHUNK: Final = 1 << 16
_AT_ONCE: Final = 1 << 22
_SPARSE: Final = 8
"""The first table has at least 2**8 places for each entry."""
_FOLD: Final = 0x20
_FOLD_32: Final = np.uint32(0x20202020)
_FOLD_64: Final = np.uint64(0x2020202020202020)
_SPREAD_32: Final = np.uint32(0x9E3779B1)
_SPREAD_64: Final = np.uint64(0x9E3779B97F4A7C15)
_SECOND_BITS: Final = 20


def folded(data: bytes) -> bytes:
    """Bytes with the bit set that tells small from capital ASCII letters.

    Args:
        data: Any.
    """
    return data.translate(_FOLDED)


_FOLDED: Final = bytes(byte | _FOLD for byte in range(256))
_AT: Final = folded(b"@")


class Grams:
    """Looks for strings in buffers.

    Args:
        strings: What is looked for; at least `SHORTEST` bytes each.
    """

    def __init__(self, strings: Sequence[bytes]) -> None:
        short = [at for at, each in enumerate(strings) if len(each) == SHORTEST]
        longer = [at for at, each in enumerate(strings) if len(each) > SHORTEST]
        self._parts = [
            _Part([strings[at] for at in which], numbers=which, gram=gram)
            for which, gram in ((short, 3), (longer, 4))
            if which
        ]

    def find(self, data: Bytes) -> list[tuple[int, int]]:
        """The places where strings are, without regard to the case of ASCII letters.

        Args:
            data: The buffer.

        Returns:
            Pairs of position and number of the string, in no order.
        """
        if len(data) < SHORTEST:
            return []
        return [hit for part in self._parts for hit in part.find(data)]


class _Part:
    """The strings of one gram size."""

    def __init__(self, strings: Sequence[bytes], *, numbers: Sequence[int], gram: int) -> None:
        self._gram = gram
        self._mask_32 = np.uint32((1 << 8 * gram) - 1)
        self._window = gram + _STEP - 1
        self._mask_64 = np.uint64((1 << 8 * self._window) - 1)
        self._strings = [folded(each) for each in strings]
        self._numbers = list(numbers)
        self._offsets = _rarest(self._strings, window=self._window, gram=gram)
        self._lengths = np.array([len(each) for each in strings], dtype=np.int64)
        windows = [
            each[at : at + self._window]
            for each, at in zip(self._strings, self._offsets.tolist(), strict=True)
        ]
        self._group(windows)
        self._words = [
            np.array([int.from_bytes(each[at : at + gram], "little") for each in windows], dtype=np.uint32)
            for at in range(_STEP)
        ]
        self._heads, self._head_masks = _edges(self._strings, tail=False)
        self._tails, self._tail_masks = _edges(self._strings, tail=True)
        self._fill()

    def __getstate__(self) -> dict[str, Any]:
        # The tables are large and quickly made again.
        return {name: value for name, value in vars(self).items() if name not in {"_first", "_second"}}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._fill()

    def _group(self, windows: Sequence[bytes]) -> None:
        keys = np.array([int.from_bytes(each, "little") for each in windows], dtype=np.uint64)
        self._members = np.argsort(keys, kind="stable")
        self._keys, firsts, counts = np.unique(keys[self._members], return_index=True, return_counts=True)
        self._firsts, self._counts = firsts.astype(np.int64), counts.astype(np.int64)

    def _fill(self) -> None:
        bits = min(max((_STEP * len(self._strings)).bit_length() + _SPARSE, 16), 24)
        self._shift = np.uint32(32 - bits)
        self._first = np.zeros(1 << bits, dtype=np.uint8)
        for at, words in enumerate(self._words):
            self._first[self._hash_32(words)] |= np.uint8(1 << at)
        self._second = np.zeros(1 << _SECOND_BITS, dtype=bool)
        self._second[_hash_64(self._keys)] = True

    def _hash_32(self, words: npt.NDArray[np.uint32]) -> npt.NDArray[np.uint32]:
        return (words * _SPREAD_32) >> self._shift

    def find(self, data: Bytes) -> list[tuple[int, int]]:
        words = data[: len(data) // _STEP * _STEP].view("<u4")
        found: list[tuple[int, int]] = []
        for begin in range(0, len(words), _AT_ONCE):
            places, flags = self._passing(words[begin : begin + _AT_ONCE])
            if len(places):
                found += self._compare(data, (places + begin) * _STEP, flags)
        # A three-byte gram can begin in the last, incomplete word.
        return found + (self._last(data, len(words) * _STEP) if self._gram < _STEP else [])

    def _passing(self, words: npt.NDArray[np.uint32]) -> tuple[Numbers, Bytes]:
        places, kept = [np.zeros(0, dtype=np.int64)], [np.zeros(0, dtype=np.uint8)]
        # Pieces that stay in the processor's cache between the steps.
        for start in range(0, len(words), _CHUNK):
            chunk = words[start : start + _CHUNK] | _FOLD_32
            if self._gram < _STEP:
                chunk &= self._mask_32
            chunk *= _SPREAD_32
            chunk >>= self._shift
            flags = self._first.take(chunk, mode="wrap")
            passed = np.flatnonzero(flags != 0)
            if len(passed):
                places.append(passed + start)
                kept.append(flags[passed])
        return np.concatenate(places), np.concatenate(kept)

    def _last(self, data: Bytes, at: int) -> list[tuple[int, int]]:
        if len(data) - at < self._gram:
            return []
        flags = np.full(1, (1 << _STEP) - 1, dtype=np.uint8)
        return self._compare(data, np.array([at], dtype=np.int64), flags)

    def _compare(self, data: Bytes, places: Numbers, flags: Bytes) -> list[tuple[int, int]]:
        found: list[tuple[int, int]] = []
        for at in range(_STEP):
            starts = places[(flags & np.uint8(1 << at)) != 0] - at
            starts = starts[(starts >= 0) & (starts <= len(data) - self._window)]
            if len(starts):
                found += self._windows(data, starts)
        return found

    def _windows(self, data: Bytes, starts: Numbers) -> list[tuple[int, int]]:
        keys = (_eight(data, starts) | _FOLD_64) & self._mask_64
        likely = np.flatnonzero(self._second[_hash_64(keys)])
        if not len(likely):
            return []
        keys, starts = keys[likely], starts[likely]
        where = np.minimum(np.searchsorted(self._keys, keys), len(self._keys) - 1)
        equal = self._keys[where] == keys
        where, starts = where[equal], starts[equal]
        counts = self._counts[where]
        rows = np.repeat(np.arange(len(where)), counts)
        within = np.arange(len(rows)) - np.repeat(np.cumsum(counts) - counts, counts)
        members = self._members[self._firsts[where][rows] + within]
        return self._whole(data, starts[rows] - self._offsets[members], members)

    def _whole(self, data: Bytes, begins: Numbers, members: Numbers) -> list[tuple[int, int]]:
        inside = (begins >= 0) & (begins + self._lengths[members] <= len(data))
        begins, members = begins[inside], members[inside]
        same = (_eight(data, begins) | _FOLD_64) & self._head_masks[members] == self._heads[members]
        begins, members = begins[same], members[same]
        ends = begins + np.maximum(self._lengths[members] - 8, 0)
        same = (_eight(data, ends) | _FOLD_64) & self._tail_masks[members] == self._tails[members]
        found = []
        for begin, member in zip(begins[same].tolist(), members[same].tolist(), strict=True):
            string = self._strings[member]
            if folded(data[begin : begin + len(string)].tobytes()) == string:
                found.append((begin, self._numbers[member]))
        return found


def _hash_64(keys: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    return (keys * _SPREAD_64) >> np.uint64(64 - _SECOND_BITS)


def _eight(data: Bytes, starts: Numbers) -> npt.NDArray[np.uint64]:
    """Eight bytes from each position on, as numbers; zeros behind the end."""
    if not len(starts):
        return np.zeros(0, dtype=np.uint64)
    last = len(data) - 8
    if last >= 0 and int(starts.max()) <= last:
        return _overlapping(data)[starts]
    begin = max(last, 0)
    tail = np.concatenate([data[begin:], np.zeros(8, dtype=np.uint8)])
    near = starts > last
    result = np.zeros(len(starts), dtype=np.uint64)
    result[near] = _overlapping(tail)[starts[near] - begin]
    if not near.all():
        result[~near] = _overlapping(data)[starts[~near]]
    return result


def _overlapping(data: Bytes) -> npt.NDArray[np.uint64]:
    view: Any = np.ndarray(shape=(len(data) - 7,), dtype="<u8", buffer=data, strides=(1,))
    return view  # type: ignore[no-any-return]


def _edges(strings: Sequence[bytes], *, tail: bool) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.uint64]]:
    parts = [each[-8:] if tail else each[:8] for each in strings]
    values = np.array([int.from_bytes(each, "little") for each in parts], dtype=np.uint64)
    masks = np.array([(1 << 8 * len(each)) - 1 for each in parts], dtype=np.uint64)
    return values, masks


def _rarest(strings: Sequence[bytes], *, window: int, gram: int) -> Numbers:
    """For each string where its window begins: what few of the others have, and no mail domain."""
    lengths = np.array([len(each) for each in strings], dtype=np.int64)
    ends = np.cumsum(lengths)
    begins = ends - lengths
    data = np.frombuffer(b"".join(strings), dtype=np.uint8)
    # The grams of all positions; those that reach into the next string are never chosen.
    words = _eight(data, np.arange(len(data))) & np.uint64((1 << 8 * gram) - 1)
    _, which, counts = np.unique(words, return_inverse=True, return_counts=True)
    summed = np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(counts[which])])
    last = np.minimum(np.arange(len(data)) + _STEP, len(data))
    costs = (summed[last] - summed[:-1]) * 2
    owner = np.repeat(np.arange(len(strings)), lengths)
    at = np.array([each.find(_AT) for each in strings], dtype=np.int64)
    place = np.arange(len(data)) - begins[owner]
    costs += (at[owner] >= 0) & (at[owner] < place + window)
    costs[place > lengths[owner] - window] = np.iinfo(np.int64).max
    smallest = np.minimum.reduceat(costs, begins)
    # The first of the best: later writes are undone by earlier ones.
    best = np.flatnonzero(costs == smallest[owner])[::-1]
    result = np.zeros(len(strings), dtype=np.int64)
    result[owner[best]] = place[best]
    return result
