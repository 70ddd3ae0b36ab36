"""The bytes of the values of a column, and how many of them are moved at once."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray

Bytes: TypeAlias = NDArray[np.uint8]
Places: TypeAlias = NDArray[np.int64]


class Content:
    """The bytes of the values of a column, one after the other.

    Args:
        values: Texts or binary values; null has no bytes.
    """

    def __init__(self, values: pl.Series) -> None:
        data: Any = values.to_arrow(compat_level=pl.CompatLevel.oldest())
        array = data.combine_chunks() if isinstance(data, pa.ChunkedArray) else data
        _, offset_buffer, byte_buffer = array.buffers()
        offsets = np.frombuffer(offset_buffer, dtype=np.int64)[array.offset : array.offset + len(array) + 1]
        first, last = (int(offsets[0]), int(offsets[-1])) if len(offsets) else (0, 0)
        self.data: Bytes = np.frombuffer(byte_buffer or b"", dtype=np.uint8)[first:last]
        """All of them."""
        self.offsets: Places = offsets - first if first else offsets
        """Where each value begins, and where the last one ends."""
        self.starts: Places = self.offsets[:-1]
        self.lengths: Places = np.diff(self.offsets)
        widths = (int(self.lengths.min()), int(self.lengths.max())) if len(self.lengths) else (0, 0)
        self.width = widths[0] if widths[0] == widths[1] else None
        """The length of every value, where there is but one."""

    def rows(self, places: Places | None, width: int) -> Bytes:
        """So many bytes from the beginning of each value on, perhaps some of the next one's among them.

        Args:
            places: Which values; None means all.
            width: How many bytes: at least one.
        """
        starts = self.starts if places is None else self.starts[places]
        done = np.empty((len(starts), width), dtype=np.uint8)
        # From later places on, there are not so many bytes.
        limit = len(self.data) - width
        if limit >= 0 and places is None and self.width:
            count = limit // self.width + 1
            given = np.ndarray((count,), f"V{width}", buffer=self.data, strides=(self.width,))
            items(done, width)[:count] = given[: len(done)]
        elif limit >= 0:
            items(done, width)[:] = windows(self.data, width)[np.minimum(starts, limit)]
        for at in np.flatnonzero(starts > limit).tolist():
            rest = self.data[int(starts[at]) :]
            done[at, : len(rest)] = rest
            done[at, len(rest) :] = 0
        return done

    def bytes_of(self, at: int) -> bytes:
        """All bytes of one value.

        Args:
            at: Which.
        """
        return self.data[int(self.offsets[at]) : int(self.offsets[at + 1])].tobytes()


def items(rows: Bytes, width: int, *, at: int = 0) -> NDArray[np.void]:
    """A part of each row as one item, which is the fastest way to move it.

    Args:
        rows: Rows of bytes, without gaps in a row.
        width: How many bytes: at least one.
        at: Where in each row.
    """
    return np.ndarray((len(rows),), f"V{width}", rows, at, (rows.strides[0],))


def windows(content: Bytes, width: int) -> NDArray[np.void]:
    """A view of all pieces of a width, each as one item.

    Args:
        content: Bytes, at least as many.
        width: Bytes of a piece: at least one.
    """
    return np.ndarray((len(content) - width + 1,), f"V{width}", content, 0, (1,))
