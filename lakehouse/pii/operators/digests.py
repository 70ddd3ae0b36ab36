"""Keyed digests of many values at once: AES-CMAC, made one-way. See docs/decisions/0016.

For a value ``v`` of a kind ``k``, under two independent 256-bit keys::

    m = AES-CMAC(first key, head(k) || v)          NIST SP 800-38B; head: 8 bytes length, k, zeros to 16
    digest = AES(second key, m) XOR m              128 bits

CMAC is a pseudo-random function: without the key nobody can try values out. Whoever has the key could turn
the CMAC of a short value back, which the second step prevents: XORing the input on is the construction of
Matyas, Meyer and Oseas, which makes a permutation one-way also for those who know its key.
"""

from __future__ import annotations

from functools import cached_property
from typing import Final

import numpy as np
import polars as pl
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.cmac import CMAC

from lakehouse.pii.operators.blocks import SIZE, Bytes, Content, Permutation, Places, subkeys, xor_each

KEY_BYTES: Final = 64
"""Bytes of the key of `digests`."""

_MOST_BLOCKS: Final = 64
# Rows that go through a step together: their blocks stay in the cache of a core.
_TOGETHER: Final = 16_384


def digests(values: pl.Series, *, key: bytes, kind: str) -> Bytes:
    """The digest of each value.

    Args:
        values: Texts, whose bytes in UTF-8 count, or binary values. Null counts as empty.
        key: 64 bytes.
        kind: What the values are: the same value of another kind has another digest.

    Returns:
        A row of 16 bytes for each.
    """
    mac, one_way = _Mac(key[: KEY_BYTES // 2], kind), Permutation(key[KEY_BYTES // 2 :])
    done = np.empty((len(values), SIZE), dtype=np.uint8)
    for at in range(0, len(values), _TOGETHER):
        codes = mac.all(Content(values.slice(at, _TOGETHER)))
        np.bitwise_xor(codes, one_way(codes), out=done[at : at + _TOGETHER])
    return done


def one_digest(value: bytes, *, key: bytes, kind: str) -> bytes:
    """The digest of one value, by the library's CMAC: the same as of many.

    Args:
        value: Its bytes.
        key: As for `digests`.
        kind: As for `digests`.
    """
    mac = CMAC(AES(key[: KEY_BYTES // 2]))
    mac.update(_head(kind) + value)
    rows = np.frombuffer(mac.finalize(), dtype=np.uint8).reshape(1, SIZE)
    return (rows ^ Permutation(key[KEY_BYTES // 2 :])(rows)).tobytes()


class _Mac:
    """AES-CMAC of values behind the head of a kind."""

    def __init__(self, key: bytes, kind: str) -> None:
        self._key = key
        self._head = _head(kind)
        self._aes = Permutation(key)

    @cached_property
    def _start(self) -> bytes:
        """The state of CBC-MAC behind the head."""
        state = bytes(SIZE)
        for at in range(0, len(self._head), SIZE):
            block = np.frombuffer(self._head[at : at + SIZE], dtype=np.uint8).reshape(1, SIZE).copy()
            xor_each(block, state)
            state = self._aes(block).tobytes()
        return state

    @cached_property
    def _ends(self) -> tuple[Bytes, Bytes]:
        """For each number of bytes in the last block: which of it count, and what is added to it."""
        keys = subkeys(self._aes)
        counts = np.zeros((SIZE + 1, SIZE), dtype=np.uint8)
        added = np.zeros((SIZE + 1, SIZE), dtype=np.uint8)
        for left in range(SIZE + 1):
            counts[left, :left] = 0xFF
            if left < SIZE:
                added[left, left] = 0x80
            xor_each(added[left : left + 1], keys[left < SIZE])
        return counts, added

    def all(self, content: Content) -> Bytes:
        """The MAC of each value."""
        counts = np.minimum(-(-content.lengths // SIZE), _MOST_BLOCKS + 1)
        found = np.flatnonzero(np.bincount(counts)).tolist()
        if len(found) == 1:
            return self._same(content, np.arange(len(counts)), found[0])
        done = np.empty((len(counts), SIZE), dtype=np.uint8)
        for count in found:
            here = np.flatnonzero(counts == count)
            done[here] = self._same(content, here, count)
        return done

    def _same(self, content: Content, rows: Places, count: int) -> Bytes:
        """The MAC of values that all have the same number of blocks."""
        if not 0 < count <= _MOST_BLOCKS:
            codes = b"".join(self._one(content.bytes_of(at)) for at in rows.tolist())
            return np.frombuffer(codes, dtype=np.uint8).reshape(-1, SIZE)
        starts = content.starts[rows]
        state: Bytes | None = None
        for at in range(count):
            block = content.blocks(starts + at * SIZE)
            if at == count - 1:
                self._end(block, content.lengths[rows] - at * SIZE)
            if state is None:
                xor_each(block, self._start)
            else:
                block ^= state
            state = self._aes(block)
        assert state is not None  # noqa: S101
        return state

    def _end(self, block: Bytes, left: Places) -> None:
        counts, added = self._ends
        if len(left) and (left == left[0]).all():
            words = block.view(np.uint64)
            for half, word in enumerate(counts[left[0]].view(np.uint64)):
                words[:, half] &= word
            xor_each(block, added[left[0]].tobytes())
            return
        block &= counts[left]
        block ^= added[left]

    def _one(self, value: bytes) -> bytes:
        mac = CMAC(AES(self._key))
        mac.update(self._head + value)
        return mac.finalize()


def _head(kind: str) -> bytes:
    name = kind.encode()
    head = len(name).to_bytes(8) + name
    return head + bytes(-len(head) % SIZE)
