"""The normal form: what every change format becomes before it is ordered and merged.

A batch is one polars frame with one row per change:

====================  ==============  ==================================================================
column                type            meaning
====================  ==============  ==================================================================
the table's columns   their own       the row after the change; for a delete only the key and the sequence
``__op``              Int8            0 upsert, 1 delete, 2 truncate (a truncate has no key: all null)
``__ordinal``         Int64           arrival position of the input record, from 0
``__time``            its own         when the change took effect; only where the format tells
``__absent__<col>``   Boolean         true where the record says nothing about ``<col>``; the cell is null
``__before__<col>``   String          what ``<col>`` was before the change, where the format tells and it was
                                      asked for (`Settings.before`); gone before the batch is ordered
====================  ==============  ==================================================================

An absence column exists only where at least one row lacks that column while another has it. A column
that no record states is not in the frame at all. Both mean the same to the merge: a stored row keeps
its value, a new row gets null. Null without an absence mark means null.

``sequence`` names the columns that order the changes of one key, compared one after the other (null
never occurs in them); empty means that arrival is the order. Formats with an order of their own put it
into the text column ``_sequence``, which is stored in the table and whose text order is its order.

Counts always add up: ``total`` input records = rows - ``derived`` + rejected + ignored + suppressed.
``derived`` counts rows beyond the first that one record turned into (a key change is a delete of the old
key and an upsert of the new one); such rows share their ordinal, the delete comes first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, Protocol

import polars as pl

from lakehouse.errors import DataError

OP: Final = "__op"
"""Name of the column that holds the operation."""

ORDINAL: Final = "__ordinal"
"""Name of the column that holds the arrival position of the input record."""

TIME: Final = "__time"
"""Name of the column that says when a change took effect, where the format tells; only history needs it."""

ABSENT: Final = "__absent__"
"""What the names of the absence columns begin with."""

BEFORE: Final = "__before__"
"""What the names of the columns begin with that say what was before a change."""

SEQUENCE: Final = "_sequence"
"""Name of the stored column in which a format's own order is kept."""

OPERATION: Final = "_op"
"""Name of the input column that says what a row of the format ``rows`` does."""

UPSERT: Final = 0
DELETE: Final = 1
TRUNCATE: Final = 2

_CONTROL_TYPES: Final = {OP: pl.Int8(), ORDINAL: pl.Int64()}


def absence(column: str) -> str:
    """Names the absence column of a business column.

    Args:
        column: Name of the business column.

    Returns:
        ``__absent__<column>``.
    """
    return f"{ABSENT}{column}"


def before(column: str) -> str:
    """Names the column that says what a business column was before the change.

    Args:
        column: Name of the business column.

    Returns:
        ``__before__<column>``.
    """
    return f"{BEFORE}{column}"


def is_control(column: str) -> bool:
    """Tells whether a column of a batch's frame belongs to the normal form and not to the table.

    Args:
        column: A column's name.

    Returns:
        True for ``__op``, ``__ordinal``, ``__time``, the absence columns and those of what was before.
        ``_sequence`` is stored, so it is none.
    """
    return column in _CONTROL_TYPES or column == TIME or column.startswith((ABSENT, BEFORE))


@dataclass(frozen=True, slots=True)
class Rejected:
    """One input record that can't be merged, while the others of its batch can.

    Args:
        position: Which record of the input, from 0.
        line: Its line in the file it came from, from 1; None where there is none.
        reason: A stable code, as ``null_key`` or ``bad_json``.
        detail: What is wrong, with names of columns and types, never values.
        raw: The record as it came (JSON where it had no bytes of its own), for the quarantine.
    """

    position: int
    line: int | None
    reason: str
    detail: str
    raw: bytes | None = field(default=None, repr=False)


class Origin(Protocol):
    """Where the records of a batch came from, so that later steps can reject one with its raw form."""

    def line(self, position: int) -> int | None:
        """Line of a record, from 1, or None."""

    def raw(self, position: int) -> bytes | None:
        """The record as it came, or None where it can't be had any more."""


@dataclass(frozen=True, slots=True)
class Misfit:
    """Why one record is rejected.

    Args:
        reason: A stable code.
        detail: What is wrong, never values.
    """

    reason: str
    detail: str


@dataclass(frozen=True, slots=True, eq=False)
class ChangeBatch:
    """A batch of changes in normal form; the module's text says what its parts mean.

    Args:
        frame: One row per change, in the order of ``__ordinal``.
        key: The table's key columns; all are in the frame.
        sequence: The columns that order the changes of a key; empty for arrival.
        rejected: The records that can't be merged, by position.
        ignored: Records that are no change of this table: heartbeats, transaction markers, tombstones.
        total: Input records.
        derived: Rows of the frame beyond the first of their record.
        origin: Gives lines and raw forms of the records, where that is possible.
        full: Whether this is a picture of the whole table, so that rows which are not in it are gone.
        suppressed: Records that were left out, since they would bring an erased person back.
        withheld: The keys of the rows that were left out for that; None where there are none.

    Raises:
        DataError: The parts contradict each other (a mistake in a format's module).
    """

    frame: pl.DataFrame
    key: tuple[str, ...]
    sequence: tuple[str, ...] = ()
    rejected: tuple[Rejected, ...] = ()
    ignored: int = 0
    total: int = 0
    derived: int = 0
    origin: Origin | None = None
    full: bool = False
    suppressed: int = 0
    withheld: pl.DataFrame | None = None

    def __post_init__(self) -> None:
        schema = self.frame.schema
        wrong = [name for name, dtype in _CONTROL_TYPES.items() if schema.get(name) != dtype]
        missing = [name for name in (*self.key, *self.sequence) if name not in schema]
        if wrong or missing:
            raise DataError(f"a batch in normal form lacks the columns {', '.join([*wrong, *missing])}")
        outside = len(self.rejected) + self.ignored + self.suppressed
        if self.frame.height - self.derived + outside != self.total:
            raise DataError(
                f"a batch of {self.total} records does not add up: {self.frame.height} rows "
                f"({self.derived} derived), {len(self.rejected)} rejected, {self.ignored} ignored, "
                f"{self.suppressed} suppressed"
            )

    @property
    def columns(self) -> tuple[str, ...]:
        """The table's columns that the batch states, in the order of the frame, ``_sequence`` included."""
        return tuple(name for name in self.frame.columns if not is_control(name))

    @property
    def absent(self) -> tuple[str, ...]:
        """The table's columns that some rows state and others do not."""
        return tuple(name[len(ABSENT) :] for name in self.frame.columns if name.startswith(ABSENT))

    def reject(self, misfits: Mapping[int, Misfit]) -> ChangeBatch:
        """Takes records out of the batch; every row that came from such a record goes.

        Args:
            misfits: By the ordinal of the record. Ordinals that are not in the frame are left out.

        Returns:
            A batch whose counts add up again.
        """
        if not misfits:
            return self
        ordinals = pl.Series(ORDINAL, sorted(misfits), dtype=pl.Int64)
        gone = self.frame[ORDINAL].is_in(ordinals.implode())
        positions = self.frame.filter(gone)[ORDINAL]
        found: list[int] = positions.unique().sort().to_list()
        rejected = [self.rejection(position, misfits[position]) for position in found]
        return replace(
            self,
            frame=self.frame.filter(~gone),
            rejected=by_position([*self.rejected, *rejected]),
            derived=self.derived - (positions.len() - len(found)),
        )

    def suppress(self, rows: pl.Series) -> ChangeBatch:
        """Leaves records out, since they would bring an erased person back.

        Args:
            rows: Which rows of the frame would (Boolean); every other row of their records goes too.

        Returns:
            A batch whose counts add up again.
        """
        if not rows.any():
            return self
        gone = self.frame[ORDINAL].is_in(self.frame[ORDINAL].filter(rows).implode())
        left_out = self.frame.filter(gone)
        records = left_out[ORDINAL].n_unique()
        keys = left_out.select(self.key).unique()
        return replace(
            self,
            frame=self.frame.filter(~gone),
            derived=self.derived - (left_out.height - records),
            suppressed=self.suppressed + records,
            withheld=keys if self.withheld is None else pl.concat([self.withheld, keys]),
        )

    def rejection(self, position: int, misfit: Misfit) -> Rejected:
        """Describes a record of this batch as rejected.

        Args:
            position: Which record, from 0.
            misfit: Why.

        Returns:
            The rejection, with line and raw form where the origin knows them.
        """
        line = self.origin.line(position) if self.origin else None
        raw = self.origin.raw(position) if self.origin else None
        return Rejected(position=position, line=line, reason=misfit.reason, detail=misfit.detail, raw=raw)


def by_position(rejected: Sequence[Rejected]) -> tuple[Rejected, ...]:
    """Orders rejections by the position of their records.

    Args:
        rejected: In any order.

    Returns:
        The same, sorted; equal positions keep their order.
    """
    return tuple(sorted(rejected, key=lambda item: item.position))


def empty_frame(columns: Mapping[str, pl.DataType]) -> pl.DataFrame:
    """Makes a frame in normal form without rows.

    Args:
        columns: The business columns and their types.

    Returns:
        The frame, control columns included.
    """
    return pl.DataFrame(schema={**columns, **_CONTROL_TYPES})
