"""Many values through AES at once: blocks of 16 bytes, laid side by side with numpy.

What is called for each value costs a microsecond in Python, whatever it does. Here a step is done for all
values together, so that one costs some nanoseconds. The modes of operation that are made of it (`siv`,
`digests`) are compared with those of the library in tests.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, TypeAlias

import numpy as np
import polars as pl
import pyarrow as pa
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import ECB
from numpy.typing import NDArray

Bytes: TypeAlias = NDArray[np.uint8]
Places: TypeAlias = NDArray[np.int64]

SIZE: Final = 16
"""Bytes of a block."""


class Content:
    """The bytes of the values of a column, one after the other.

    Args:
        values: Texts or binary values; null has no bytes.
    """

    def __init__(self, values: pl.Series) -> None:
        data: Any = values.to_arrow(compat_level=pl.CompatLevel.oldest())
        array = data.combine_chunks() if isinstance(data, pa.ChunkedArray) else data
        array = array.cast(pa.large_binary())
        _, offset_buffer, byte_buffer = array.buffers()
        offsets = np.frombuffer(offset_buffer, dtype=np.int64)[array.offset : array.offset + len(array) + 1]
        first, last = (int(offsets[0]), int(offsets[-1])) if len(offsets) else (0, 0)
        # A block more, so that the last one of the last value can be taken as a whole.
        self._bytes = np.zeros(last - first + SIZE, dtype=np.uint8)
        self._bytes[: last - first] = np.frombuffer(byte_buffer or b"", dtype=np.uint8)[first:last]
        self.offsets: Places = offsets - first
        self.starts: Places = self.offsets[:-1]
        self.lengths: Places = np.diff(offsets)

    @property
    def data(self) -> Bytes:
        """All of them."""
        return self._bytes[:-SIZE]

    def blocks(self, starts: Places) -> Bytes:
        """The 16 bytes from each place on, which may belong to the next value.

        Args:
            starts: Places in the content.
        """
        return windows(self._bytes, SIZE)[starts].view(np.uint8).reshape(-1, SIZE)

    def bytes_of(self, at: int) -> bytes:
        """All bytes of one value.

        Args:
            at: Which.
        """
        start = int(self.starts[at])
        return self._bytes[start : start + int(self.lengths[at])].tobytes()


class Permutation:
    """AES on many blocks. Not for several threads.

    Args:
        key: 16, 24 or 32 bytes.
    """

    def __init__(self, key: bytes) -> None:
        # AES alone, block by block, which other modes are made of; not a mode of encryption.
        self._cipher = Cipher(AES(key), ECB()).encryptor()  # noqa: S305

    def __call__(self, blocks: Bytes) -> Bytes:
        """Encrypts blocks.

        Args:
            blocks: Rows of 16 bytes.
        """
        done = np.empty(blocks.size + SIZE, dtype=np.uint8)
        self._cipher.update_into(np.ascontiguousarray(blocks).reshape(-1).data, done.data)
        return done[: blocks.size].reshape(-1, SIZE)


def subkeys(aes: Permutation) -> tuple[bytes, bytes]:
    """The keys with which CMAC ends whole and padded messages (NIST SP 800-38B, section 6.1).

    Args:
        aes: AES under the key.
    """
    whole = doubled(aes(np.zeros((1, SIZE), dtype=np.uint8)).tobytes())
    return whole, doubled(whole)


def doubled(block: bytes) -> bytes:
    """A block times two in the field that CMAC uses (RFC 4493, section 2.3).

    Args:
        block: 16 bytes.
    """
    number = int.from_bytes(block) << 1
    if number >> 128:
        number = (number & ((1 << 128) - 1)) ^ 0x87
    return number.to_bytes(SIZE)


def xor_each(blocks: Bytes, constant: bytes) -> None:
    """Adds the same block to each, in place.

    Args:
        blocks: Rows of 16 bytes.
        constant: 16 bytes.
    """
    words = blocks.view(np.uint64)
    for half, word in enumerate(np.frombuffer(constant, dtype=np.uint64)):
        if word:
            words[:, half] ^= word


def put(rows: Bytes, data: Bytes, *, at: int, width: int | None = None) -> None:
    """Writes the first bytes of rows into other rows, as one item each, which is the fastest way.

    Args:
        rows: Rows of bytes, in which is written.
        data: As many rows of bytes.
        at: Where in each row.
        width: How many bytes; None means all of a row of `data`.
    """
    item = f"V{data.shape[1] if width is None else width}"
    into = np.ndarray((len(rows),), dtype=item, buffer=rows, offset=at, strides=(rows.shape[1],))
    into[:] = np.ndarray((len(data),), dtype=item, buffer=data, strides=(data.shape[1],))


def put_together(
    parts: Sequence[tuple[Places, Bytes]], *, count: int, valid: pl.Series | None = None
) -> pl.Series:
    """Texts from rows of bytes in UTF-8, of several widths.

    Args:
        parts: Which texts, and their bytes; the texts that are in no part are empty.
        count: How many texts there are.
        valid: Which of them are not null; None means all.
    """
    lengths = np.zeros(count, dtype=np.int64)
    for places, rows in parts:
        lengths[places] = rows.shape[1]
    offsets = np.zeros(count + 1, dtype=np.int64)
    np.cumsum(lengths, out=offsets[1:])
    if len(parts) == 1 and len(parts[0][0]) == count:
        content = parts[0][1]
    else:
        content = np.empty(int(offsets[-1]), dtype=np.uint8)
        for places, rows in parts:
            width = rows.shape[1]
            windows(content, width)[offsets[places]] = np.ndarray((len(rows),), f"V{width}", rows)
    return texts(offsets, content, valid=valid)


def windows(content: Bytes, width: int) -> NDArray[np.void]:
    """A view of all pieces of a width, each as one item: several times as fast as rows of single bytes.

    Args:
        content: Bytes, at least as many.
        width: Bytes of a piece, at least one.
    """
    return np.ndarray((len(content) - width + 1,), dtype=f"V{width}", buffer=content, strides=(1,))


def texts(offsets: Places, content: Bytes, *, valid: pl.Series | None = None) -> pl.Series:
    """Texts that lie one after the other.

    Args:
        offsets: Where each begins, and where the last one ends.
        content: Their bytes, in UTF-8.
        valid: Which of them are not null; None means all.
    """
    nulls = None if valid is None else pa.py_buffer(np.packbits(valid.to_numpy(), bitorder="little"))
    buffers = (pa.py_buffer(offsets), pa.py_buffer(content), nulls)
    return pl.Series(pa.LargeStringArray.from_buffers(len(offsets) - 1, *buffers))
