"""Keyed digests of many values at once: AES-CMAC, made one-way. See docs/decisions/0016.

For a value ``v`` of a kind ``k``, under two independent 256-bit keys::

    m = AES-CMAC(first key, head(k) || v)          NIST SP 800-38B; head: 8 bytes length, k, zeros to 16
    digest = AES(second key, m) XOR m              128 bits

CMAC is a pseudo-random function: without the key nobody can try values out. Whoever has the key could turn
the CMAC of a short value back, which the second step prevents: XORing the input on is the construction of
Matyas, Meyer and Oseas, which makes a permutation one-way also for those who know its key.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import polars as pl
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.cmac import CMAC

from lakehouse.pii.operators.blocks import (
    SIZE,
    TOGETHER,
    Chain,
    Permutation,
    laid,
    subkeys,
    xor_each,
    xored,
)
from lakehouse.pii.operators.content import Bytes, Content, items

KEY_BYTES: Final = 64
"""Bytes of the key of `digests`."""


class Digester:
    """Makes digests under one key. Not for several threads.

    Args:
        key: 64 bytes.
        kind: What the values are: the same value of another kind has another digest.
    """

    def __init__(self, key: bytes, kind: str) -> None:
        self._key = key[: KEY_BYTES // 2]
        self._head = _head(kind)
        self._one_way = Permutation(key[KEY_BYTES // 2 :])
        self._chain = _cmac(Permutation(self._key), self._head)
        self._nothing = np.frombuffer(self._one(b""), dtype=np.uint8)

    def __call__(self, content: Content) -> Bytes:
        """The digest of each value.

        Args:
            content: The values; the fewer, the better they fit into the cache.

        Returns:
            A row of 16 bytes for each.
        """
        values, long = laid(content)
        codes = self._chain(values)
        if values.places is not None:
            there = np.empty((len(content.lengths), SIZE), dtype=np.uint8)
            if len(values.places) + len(long) < len(there):
                there[content.lengths == 0] = self._nothing
            items(there, SIZE)[values.places] = items(codes, SIZE)
            for at in long.tolist():
                there[at] = np.frombuffer(self._one(content.bytes_of(at)), dtype=np.uint8)
            codes = there
        done = self._one_way(codes)
        done ^= codes
        return done

    def _one(self, value: bytes) -> bytes:
        mac = CMAC(AES(self._key))
        mac.update(self._head + value)
        return mac.finalize()


def digests(values: pl.Series, *, key: bytes, kind: str) -> Bytes:
    """The digest of each value.

    Args:
        values: Texts, whose bytes in UTF-8 count, or binary values. Null counts as empty.
        key: As for `Digester`.
        kind: As for `Digester`.

    Returns:
        A row of 16 bytes for each.
    """
    digester = Digester(key, kind)
    done = np.empty((len(values), SIZE), dtype=np.uint8)
    for at in range(0, len(values), TOGETHER):
        done[at : at + TOGETHER] = digester(Content(values.slice(at, TOGETHER)))
    return done


def one_digest(value: bytes, *, key: bytes, kind: str) -> bytes:
    """The digest of one value, by the library's CMAC: the same as of many.

    Args:
        value: Its bytes.
        key: As for `Digester`.
        kind: As for `Digester`.
    """
    mac = CMAC(AES(key[: KEY_BYTES // 2]))
    mac.update(_head(kind) + value)
    rows = np.frombuffer(mac.finalize(), dtype=np.uint8).reshape(1, SIZE)
    return (rows ^ Permutation(key[KEY_BYTES // 2 :])(rows)).tobytes()


def _cmac(aes: Permutation, head: bytes) -> Chain:
    """AES-CMAC of values behind a head of whole blocks."""
    state = bytes(SIZE)
    for at in range(0, len(head), SIZE):
        block = np.frombuffer(xored(state, head[at : at + SIZE]), dtype=np.uint8)
        state = aes(block.reshape(1, SIZE)).tobytes()
    whole, padded = subkeys(aes)
    ends = np.zeros((SIZE + 1, SIZE), dtype=np.uint8)
    for left in range(SIZE):
        ends[left, left] = 0x80
        xor_each(ends[left : left + 1], padded)
    xor_each(ends[SIZE:], whole)
    return Chain(aes, start=state, only=ends, last=ends)


def _head(kind: str) -> bytes:
    name = kind.encode()
    head = len(name).to_bytes(8) + name
    return head + bytes(-len(head) % SIZE)
