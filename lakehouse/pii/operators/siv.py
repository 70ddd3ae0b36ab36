"""AES-SIV (RFC 5297) for many texts at once, with one piece of associated data.

The same bytes as `cryptography`'s `AESSIV`, which tests compare it with and which turns them back. That one
is called for each value; here all values go through each step together.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np
import polars as pl
from cryptography.hazmat.primitives.ciphers.aead import AESSIV
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.cmac import CMAC

from lakehouse.pii.operators.blocks import (
    SIZE,
    TOGETHER,
    Chain,
    Laid,
    Permutation,
    doubled,
    laid,
    subkeys,
    xored,
)
from lakehouse.pii.operators.common import in_parts
from lakehouse.pii.operators.content import Bytes, Content, Places, items
from lakehouse.pii.operators.texts import PART, Base64, Writer

# Which bits of a counter's second half stay (RFC 5297, section 2.5).
_COUNTED: Final = np.frombuffer(b"\x7f\xff\xff\xff" * 2, dtype=np.uint64)[0]


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
    siv, begin = _Siv(key, associated), np.frombuffer(head.encode(), dtype=np.uint8)
    return in_parts(values, lambda part: _sealed(part, siv, begin), size=PART)


def _sealed(values: pl.Series, siv: _Siv, begin: Bytes) -> pl.Series:
    writer = Writer(len(values))
    for at in range(0, len(values), TOGETHER):
        content = Content(values.slice(at, TOGETHER))
        found, long = laid(content)
        for rows, part in siv.seal(found):
            places = slice(at, at + len(part)) if found.places is None else found.places[rows] + at
            _write(writer, places, siv.letters(part), found.lengths[rows], begin)
        for place in long.tolist():
            one = np.array([place])
            letters = siv.letters(siv.one(content.bytes_of(place)))
            _write(writer, one + at, letters, content.lengths[one], begin)
    return writer.series(values)


def _write(writer: Writer, places: Places | slice, letters: Bytes, lengths: Places, head: Bytes) -> None:
    """Writes texts: the head, and what is sealed in base64url."""
    count, width = letters.shape
    texts, begin = writer.rows(count, len(head) + width)
    if len(head):
        items(texts, len(head))[:] = head.view(f"V{len(head)}")[0]
    items(texts, width, at=len(head))[:] = items(letters, width)
    # As many letters as there are bits, by six.
    writer.put(places, texts, begin, len(head) + (4 * (SIZE + lengths) + 2) // 3)


class _Siv:
    """AES-SIV with the associated data worked in."""

    def __init__(self, key: bytes, associated: bytes) -> None:
        half = len(key) // 2
        self._library = AESSIV(key)
        self._associated = associated
        self.letters = Base64()
        self._counter = Permutation(key[half:])
        about = xored(doubled(_cmac(key[:half], bytes(SIZE))), _cmac(key[:half], associated))
        self._vector = _s2v(Permutation(key[:half]), about)

    def one(self, plain: bytes) -> Bytes:
        """Encrypts one value, by the library; as `seal`."""
        done = self._library.encrypt(plain, [self._associated])
        return np.frombuffer(done + bytes(-len(done) % 3), dtype=np.uint8).reshape(1, -1)

    def seal(self, values: Laid) -> Iterator[tuple[slice, Bytes]]:
        """Encrypts values.

        Yields:
            Rows that have as many blocks: the vector, the value, and zeros up to a multiple of three bytes.
        """
        vector = self._vector(values)
        hidden = [self._hidden(values, at, vector) for at in range(len(values.blocks))]
        for last in range(len(hidden)):
            rows = values.ending(last)
            if rows.start == rows.stop:
                continue
            width = SIZE + int(values.lengths[rows].max())
            done = np.empty((rows.stop - rows.start, width + -width % 3), dtype=np.uint8)
            done[:, width:] = 0
            items(done, SIZE)[:] = items(vector[rows], SIZE)
            for at in range(last + 1):
                part = min(SIZE, width - SIZE * (at + 1))
                items(done, part, at=SIZE * (at + 1))[:] = items(hidden[at][rows], part)
            yield rows, done

    def _hidden(self, values: Laid, at: int, vector: Bytes) -> Bytes:
        """A block of all rows that have it, encrypted in counter mode."""
        block = values.blocks[at]
        counter = vector[: len(block)].copy()
        halves = counter.view(np.uint64)
        halves[:, 1] &= _COUNTED
        if at:
            counter.view(">u8")[:, 1] += np.uint64(at)
        hidden = self._counter(counter)
        words = hidden.view(np.uint64)
        words ^= block.view(np.uint64)
        values.cut(at, hidden)
        return hidden


def _s2v(aes: Permutation, about: bytes) -> Chain:
    """The synthetic IV: S2V of the associated data and the value (RFC 5297, section 2.4).

    The last 16 bytes of the value are added to ``about``; of a shorter one, it is the padded value, to
    ``about`` times two. That, in front of AES, depends only on how many bytes the last block has.
    """
    whole, padded = subkeys(aes)
    only, last, before = (np.zeros((SIZE + 1, SIZE), dtype=np.uint8) for _ in range(3))
    for left in range(1, SIZE + 1):
        pad = (b"\x80" + bytes(SIZE))[: SIZE - left]
        key = whole if left == SIZE else padded
        only[left] = _block(
            xored(about, whole) if left == SIZE else xored(doubled(about), bytes(left) + pad, whole)
        )
        last[left] = _block(xored(about[SIZE - left :] + pad, key))
        before[left] = _block(bytes(left) + about[: SIZE - left])
    return Chain(aes, start=bytes(SIZE), only=only, last=last, before=before)


def _block(given: bytes) -> Bytes:
    return np.frombuffer(given, dtype=np.uint8)


def _cmac(key: bytes, message: bytes) -> bytes:
    mac = CMAC(AES(key))
    mac.update(message)
    return mac.finalize()
