"""Which records hold which needles: what the search would find, record by record.

Many records are looked through at once, with the search's own eyes; only where something was found, they are
divided until it is known in which. So what is found here and what the proof at the end finds is the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

import polars as pl

from lakehouse.requests.search.cells import leaves, look_at
from lakehouse.requests.search.sought import Sought
from lakehouse.requests.search.tally import Tally
from lakehouse.requests.search.values import Values

_TOGETHER: Final = 512
_PARTS: Final = 8


class Records:
    """Looks into records for all needles at once.

    Args:
        sought: The needles.
        tables: The tables whose columns identify in these records.
    """

    def __init__(self, sought: Sought, *, tables: tuple[str, ...]) -> None:
        self._sought = sought
        self._columns: Mapping[str, Values] = sought.columns(tables)

    def finds(self, frame: pl.DataFrame) -> Iterator[tuple[int, frozenset[int]]]:
        """The rows that hold needles.

        Args:
            frame: Columns of texts and bytes, of which any can be JSON.

        Yields:
            The number of a row, and those of its needles.
        """
        yield from self._within(frame, first=0, size=_TOGETHER)

    def _within(self, frame: pl.DataFrame, *, first: int, size: int) -> Iterator[tuple[int, frozenset[int]]]:
        for start in range(0, frame.height, size):
            part = frame.slice(start, size)
            numbers = self._numbers(part)
            if numbers and part.height == 1:
                yield first + start, numbers
            elif numbers:
                yield from self._within(part, first=first + start, size=max(size // _PARTS, 1))

    def _numbers(self, frame: pl.DataFrame) -> frozenset[int]:
        tally = Tally(sought=self._sought, table="", path="", columns=dict(self._columns), json_cells=True)
        for name, column in zip(frame.columns, frame.to_arrow().columns, strict=True):
            for chunk in column.chunks:
                for path, array in leaves(chunk, name):
                    look_at(array, path, tally)
        return frozenset(tally.counts())
