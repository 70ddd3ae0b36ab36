"""AES-SIV (RFC 5297) for many short texts at once, with one piece of associated data.

The same bytes as `cryptography`'s `AESSIV`, which tests compare it with and which turns them back. That one
is called for each value; here all values of one length go through each step together.
"""

from __future__ import annotations

from binascii import b2a_base64
from typing import Final

import numpy as np
import polars as pl
from cryptography.hazmat.primitives.ciphers.aead import AESSIV
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.cmac import CMAC

from lakehouse.pii.operators.blocks import (
    SIZE,
    Bytes,
    Content,
    Permutation,
    Places,
    doubled,
    put,
    put_together,
    subkeys,
    xor_each,
)

_LONGEST: Final = 256
# Which bits of a counter's second half stay (RFC 5297, section 2.5).
_COUNTED: Final = np.frombuffer(b"\x7f\xff\xff\xff" * 2, dtype=np.uint64)[0]
# Rows that go through a step together: their blocks stay in the cache of a core.
_TOGETHER: Final = 16_384


def sealed(values: pl.Series, *, key: bytes, associated: bytes, head: str) -> pl.Series:
    """Encrypts texts and writes them in base64url without padding (RFC 4648, section 5).

    Args:
        values: Texts; null stays null, and an empty text stays empty.
        key: 64 bytes.
        associated: The associated data.
        head: Begins every text.

    Returns:
        As many texts.
    """
    siv = _Siv(key, associated)
    parts = [_sealed(values.slice(at, _TOGETHER), siv, head) for at in range(0, len(values), _TOGETHER)]
    return pl.concat(parts).alias(values.name) if parts else values


def _sealed(values: pl.Series, siv: _Siv, head: str) -> pl.Series:
    content = Content(values)
    parts: list[tuple[Places, Bytes]] = []
    for length in np.flatnonzero(np.bincount(np.minimum(content.lengths, _LONGEST + 1))).tolist():
        if length > _LONGEST:
            here = np.flatnonzero(content.lengths > _LONGEST)
            parts += (
                (here[at : at + 1], siv.one(content.bytes_of(int(here[at])))) for at in range(len(here))
            )
        elif length:
            here = np.flatnonzero(content.lengths == length)
            parts.append((here, siv.seal(content, content.starts[here], length)))
    texts = [(here, _texts(rows, head)) for here, rows in parts]
    return put_together(texts, count=len(values), valid=values.is_not_null() if values.null_count() else None)


class _Siv:
    """AES-SIV with the associated data worked in."""

    def __init__(self, key: bytes, associated: bytes) -> None:
        half = len(key) // 2
        self._library = AESSIV(key)
        self._associated = associated
        self._mac = Permutation(key[:half])
        self._counter = Permutation(key[half:])
        self._whole, self._padded = subkeys(self._mac)
        self._start = _xor(doubled(_cmac(key[:half], bytes(SIZE))), _cmac(key[:half], associated))

    def one(self, plain: bytes) -> Bytes:
        """Encrypts one value, by the library."""
        return np.frombuffer(self._library.encrypt(plain, [self._associated]), dtype=np.uint8).reshape(1, -1)

    def seal(self, content: Content, starts: Places, length: int) -> Bytes:
        """Encrypts values of one length: rows of 16 bytes more."""
        blocks = -(-length // SIZE)
        last = length - SIZE * (blocks - 1)
        plain = [content.blocks(starts + at * SIZE) for at in range(blocks)]
        if last < SIZE:
            # What is behind the value is the next one's.
            plain[-1][:, last:] = 0
        vector = self._vector(plain, length)
        done = np.empty((len(starts), SIZE + length), dtype=np.uint8)
        put(done, vector, at=0)
        counter = vector.copy()
        counter.view(np.uint64)[:, 1] &= _COUNTED
        for at, block in enumerate(plain):
            if at:
                counter.view(">u4")[:, 3] += 1
            hidden = block ^ self._counter(counter)
            put(done, hidden, at=SIZE * (at + 1), width=last if at == blocks - 1 else SIZE)
        return done

    def _vector(self, plain: list[Bytes], length: int) -> Bytes:
        """The synthetic IV: S2V of the associated data and the value (RFC 5297, section 2.4)."""
        size = SIZE * len(plain)
        # What is added to the value in front of AES depends on its length alone.
        added = bytearray(size)
        if length < SIZE:
            added[length] = 0x80
            added[:] = _xor(_xor(bytes(added), doubled(self._start)), self._whole)
        else:
            added[length - SIZE : length] = self._start
            if length < size:
                added[length] ^= 0x80
            added[-SIZE:] = _xor(bytes(added[-SIZE:]), self._whole if length == size else self._padded)
        state: Bytes | None = None
        for at, block in enumerate(plain):
            given = block.copy() if state is None else block ^ state
            xor_each(given, bytes(added[at * SIZE : (at + 1) * SIZE]))
            state = self._mac(given)
        assert state is not None  # noqa: S101
        return state


def _cmac(key: bytes, message: bytes) -> bytes:
    mac = CMAC(AES(key))
    mac.update(message)
    return mac.finalize()


def _xor(one: bytes, other: bytes) -> bytes:
    return (int.from_bytes(one) ^ int.from_bytes(other)).to_bytes(SIZE)


def _texts(rows: Bytes, head: str) -> Bytes:
    """Rows of bytes as rows of base64url."""
    count, width = rows.shape
    chars = -(-width * 8 // 6)
    # Each row gets a multiple of three bytes, so that all of them can be written in one go.
    padded = rows if width % 3 == 0 else np.zeros((count, -(-width // 3) * 3), dtype=np.uint8)
    if padded is not rows:
        put(padded, rows, at=0)
    body = _base64(padded)
    begin = head.encode()
    whole = np.empty((count, len(begin) + chars), dtype=np.uint8)
    put(whole, np.frombuffer(begin * count, dtype=np.uint8).reshape(count, -1), at=0)
    put(whole, body.reshape(count, -1), at=len(begin), width=chars)
    return whole


def _base64(rows: Bytes) -> Bytes:
    """Bytes in base64url; the two characters that differ from base64 are put right for all together."""
    body = np.frombuffer(b2a_base64(rows.data, newline=False), dtype=np.uint8).copy()
    flags = np.empty(len(body), dtype=np.bool_)
    for plain, safe in (b"+-", b"/_"):
        np.equal(body, plain, out=flags)
        numbers = flags.view(np.uint8)
        numbers *= np.uint8((safe - plain) % 256)
        body += numbers
    return body
