"""Texts too long for a language model, in pieces that overlap."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

_SPACE: Final = re.compile(r"\s")


def windows(text: str, *, size: int, overlap: int) -> Iterator[tuple[int, str]]:
    """Cuts a text.

    Args:
        text: The text.
        size: The longest piece, in characters.
        overlap: How much of a piece the next one has again, at least; less than half of `size`.

    Yields:
        Where each piece begins, and the piece. They begin and end at white space where there is any in the
        overlap, so that a word which is cut in one piece is whole in another.
    """
    start = 0
    while len(text) - start > size:
        end = start + size
        yield start, text[start:end]
        again = _SPACE.search(text, end - 2 * overlap, end - overlap)
        start = again.end() if again is not None else end - overlap
    yield start, text[start:]
