"""The files that one Parquet scan reads together, and which of its rows are whose.

Polars numbers the rows of a scan from its first file to its last, so a file's rows begin somewhere within.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import polars as pl
from pyroaring import BitMap64

from lakehouse.delta import deletion_vectors
from lakehouse.delta.actions import AddFile
from lakehouse.delta.read_plan import ColumnSource
from lakehouse.errors import CorruptTableError

_FILES_A_SCAN: Final = 256
_ROWS_A_SCAN: Final = 2**32 - 1
# Polars numbers rows in 32 bits.
_MOST_ROWS: Final = 2**32


@dataclass(frozen=True, slots=True)
class Group:
    """Files that one Parquet scan reads.

    Args:
        adds: The files.
        numbers: Their numbers among all.
        sources: How their columns are read.
        constants: The values of partition columns.
    """

    sources: Sequence[ColumnSource]
    constants: Sequence[pl.Expr]
    adds: list[AddFile] = field(default_factory=list)
    numbers: list[int] = field(default_factory=list)

    def is_full(self, rows: int) -> bool:
        """Whether another file is one too many: Polars numbers the rows of a scan in 32 bits.

        Args:
            rows: Rows of the group's files and the other one together, as far as the log knows them.
        """
        return len(self.adds) >= _FILES_A_SCAN or rows > _ROWS_A_SCAN


def starts_of(groups: Sequence[Group], counts: Sequence[int]) -> dict[int, int]:
    """The running number in its scan at which each file starts.

    Args:
        groups: The scans.
        counts: How many rows each file has, by its number.

    Returns:
        By number of the file.
    """
    found: dict[int, int] = {}
    for group in groups:
        at = 0
        for number in group.numbers:
            found[number] = at
            at += counts[number]
    return found


def dead_rows(dead: Mapping[int, BitMap64], starts: Mapping[int, int]) -> pl.Series:
    """The running numbers of the dead rows of a scan.

    Args:
        dead: Number of a file to the positions of its dead rows.
        starts: Where each file starts.

    Returns:
        Numbers of 32 bits.
    """
    parts = [
        deletion_vectors.positions_of(bitmap) + np.uint64(starts[number]) for number, bitmap in dead.items()
    ]
    return pl.Series(np.concatenate(parts), dtype=pl.UInt32)


def check_within(add: AddFile, bitmap: BitMap64, *, rows: int | None, root: str) -> None:
    """Refuse a vector that hides rows that its file can't have.

    Args:
        add: The file.
        bitmap: The positions of its dead rows.
        rows: How many rows the file has; None where that is not known.
        root: The table's root, for the error.

    Raises:
        CorruptTableError: The last position lies beyond the file's end.
    """
    most = _MOST_ROWS if rows is None else min(rows, _MOST_ROWS)
    if bitmap and bitmap.max() >= most:
        raise CorruptTableError(
            f"the deletion vector of the data file {add.path} of {root} hides rows beyond the file's end",
            advice="read a version that does not need it; `lakehouse verify` checks all of them",
        )
