"""Many values through AES at once: blocks of 16 bytes, laid side by side with numpy.

What is called for each value costs a microsecond in Python, whatever it does. Here a step is done for all
values together, so that one costs some nanoseconds. The modes of operation that are made of it (`siv`,
`digests`) are compared with those of the library in tests.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import ECB
from numpy.typing import NDArray

from lakehouse.pii.operators.content import Bytes, Content, Places, items

SIZE: Final = 16
"""Bytes of a block."""

MOST_BLOCKS: Final = 64
"""Values of more blocks are left to the library, one by one."""

TOGETHER: Final = 32_768
"""Values that go through a step together: more leave the cache of a core, fewer are too little work."""

# By how many bits numbers are moved to divide them by 16, which takes a tenth of the time.
_SHIFT: Final = 4
# What is taken from tables of blocks is taken fastest as one number each, which is not calculated with.
_NUMBER: Final = np.complex128
# For each number of bytes: a block of which so many are kept.
_KEPT: Final = (np.arange(SIZE) < np.arange(SIZE + 1)[:, None]).astype(np.uint8) * np.uint8(0xFF)


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
        # The library asks for room for a block more, which it does not use.
        done = np.empty(blocks.size + SIZE, dtype=np.uint8)
        self._cipher.update_into(np.ascontiguousarray(blocks).reshape(-1).data, done.data)
        return done[: blocks.size].reshape(-1, SIZE)


@dataclass(frozen=True, slots=True)
class Laid:
    """Values in blocks, those with the most blocks first.

    Args:
        places: Which value each row is; None where they lie as they came.
        lengths: How many bytes each row has.
        left: How many of them are in its last block: 1 to 16.
        blocks: The first blocks of all rows, the second ones of those that have one, and so on. Zeros are
            behind a value that does not fill its last one.
    """

    places: Places | None
    lengths: Places
    left: Places
    blocks: list[Bytes]

    def ending(self, at: int) -> slice:
        """The rows of which a block is the last one.

        Args:
            at: Which block, from 0 on.
        """
        return slice(len(self.blocks[at + 1]) if at + 1 < len(self.blocks) else 0, len(self.blocks[at]))

    def cut(self, at: int, blocks: Bytes) -> None:
        """Puts zeros behind values in blocks, in place.

        Args:
            at: Which block of each row these are.
            blocks: One for each row that has it.
        """
        rows = self.ending(at)
        if rows.start < rows.stop:
            words = blocks[rows].view(np.uint64)
            words &= chosen(_KEPT, self.left[rows])


def laid(content: Content) -> tuple[Laid, Places]:
    """Lays values in blocks.

    Args:
        content: The values.

    Returns:
        Those that are neither empty nor too long; and which ones are too long.
    """
    if content.width and content.width <= MOST_BLOCKS * SIZE:
        most = -(-content.width // SIZE)
        places, long = None, np.empty(0, dtype=np.int64)
        lengths, more = content.lengths, [len(content.lengths)] * most
    else:
        counts = np.minimum((content.lengths + (SIZE - 1)) >> _SHIFT, MOST_BLOCKS + 1).astype(np.uint8)
        sizes = np.bincount(counts, minlength=MOST_BLOCKS + 2)
        # Of small numbers this is a radix sort.
        order = np.argsort(MOST_BLOCKS + 1 - counts, kind="stable")
        long, places = order[: sizes[-1]], order[sizes[-1] : len(order) - sizes[0]]
        lengths = content.lengths[places]
        # How many have more than no block, more than one, ...
        more = [count for count in np.cumsum(sizes[MOST_BLOCKS:0:-1])[::-1].tolist() if count]
    left = ((lengths - 1) & (SIZE - 1)) + 1
    found = Laid(places, lengths, left, [np.empty((count, SIZE), dtype=np.uint8) for count in more])
    for at in range(len(more)):
        _fill(found, at, content)
    return found, long


def _fill(found: Laid, at: int, content: Content) -> None:
    """Puts values in their blocks of which a block is the last one."""
    rows = found.ending(at)
    if rows.start == rows.stop:
        return
    given = content.rows(None if found.places is None else found.places[rows], SIZE * (at + 1))
    for block in range(at + 1):
        items(found.blocks[block][rows], SIZE)[:] = items(given, SIZE, at=SIZE * block)
    found.cut(at, found.blocks[at])


def chosen(table: Bytes, numbers: Places) -> NDArray[np.uint64]:
    """Takes a block for each number.

    Args:
        table: Rows of 16 bytes.
        numbers: Which rows.

    Returns:
        Rows of two words.
    """
    taken = np.take(table.view(_NUMBER).reshape(-1), numbers, mode="clip")
    return taken.view(np.uint64).reshape(-1, 2)


@dataclass(frozen=True, slots=True)
class Chain:
    """CBC-MAC of many values, with blocks added to the last ones before AES.

    Args:
        aes: AES under the key.
        start: What is added to the first block.
        only: What is added to the last block where it is the first one too, by the number of its bytes.
        last: What is added to it where there are others.
        before: What is added to the one before the last, by the bytes of the last.
    """

    aes: Permutation
    start: bytes
    only: Bytes
    last: Bytes
    before: Bytes | None = None

    def __call__(self, values: Laid) -> Bytes:
        """The code of each row.

        Args:
            values: The values.
        """
        state = np.empty((len(values.lengths), SIZE), dtype=np.uint8)
        given = values.blocks[0].copy() if values.blocks else state
        xor_each(given, self.start)
        for at in range(len(values.blocks)):
            if at:
                given = values.blocks[at] ^ state[: len(values.blocks[at])]
            words = given.view(np.uint64)
            ending = values.ending(at)
            if ending.start < ending.stop:
                words[ending] ^= chosen(self.last if at else self.only, values.left[ending])
            if self.before is not None and at + 1 < len(values.blocks):
                ending = values.ending(at + 1)
                words[ending] ^= chosen(self.before, values.left[ending])
            state[: len(given)] = self.aes(given)
        return state


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


def xored(*blocks: bytes) -> bytes:
    """The sum of blocks.

    Args:
        blocks: 16 bytes each.
    """
    total = 0
    for block in blocks:
        total ^= int.from_bytes(block)
    return total.to_bytes(SIZE)


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
