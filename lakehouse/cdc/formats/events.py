"""What the formats of change events have in common: sorting records, the events' own order, the batch."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import polars as pl

from lakehouse.cdc.changes import OP, SEQUENCE, TIME, ChangeBatch, Misfit, Rejected, before
from lakehouse.cdc.formats.base import Settings
from lakehouse.cdc.formats.finish import Draft, finish
from lakehouse.cdc.records import Records, rejection
from lakehouse.errors import DataError

Found = TypeVar("Found")


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Sorted:
    """What became of the records of a batch of events before they were in columns.

    Args:
        records: All of them.
        rejected: Those that can't be used.
        ignored: How many are no change of the table's rows.
    """

    records: Records
    rejected: Sequence[Rejected]
    ignored: int

    def batch(
        self,
        frame: pl.DataFrame,
        *,
        sequence: tuple[str, ...],
        misfits: Mapping[int, Misfit],
        settings: Settings,
    ) -> ChangeBatch:
        """Makes the events that were taken a batch.

        Args:
            frame: Their columns, as for `lakehouse.cdc.formats.finish.Draft`.
            sequence: The columns that order them.
            misfits: Why some of them are rejected after all, by ordinal.
            settings: How the table's changes look.

        Raises:
            DataError: As for `lakehouse.cdc.formats.finish.finish`.
        """
        return finish(
            Draft(
                frame=frame,
                key=settings.key,
                sequence=sequence,
                origin=self.records,
                total=len(self.records),
                ignored=self.ignored,
                rejected=self.rejected,
                misfits=misfits,
                ignore_null_updates=settings.ignore_null_updates,
            )
        )


def sort_out(records: Records, found: Iterable[Found], *, take: Callable[[Found], bool]) -> Sorted:
    """Sorts records into events, those that can't be used, and those that are none of the table's.

    Args:
        records: All records.
        found: What each of them is, in their order; a `Misfit` is why it can't be used.
        take: Takes an event of the table, and says whether it is one; is not asked of misfits.
    """
    rejected: list[Rejected] = []
    ignored = 0
    for position, each in enumerate(found):
        if isinstance(each, Misfit):
            rejected.append(rejection(records, position, each))
        elif not take(each):
            ignored += 1
    return Sorted(records=records, rejected=rejected, ignored=ignored)


def one_table(names: Iterable[str]) -> None:
    """Refuses a stream of several tables of which none was asked for.

    Args:
        names: The tables that were seen.

    Raises:
        DataError: There are several; it names them.
    """
    named = sorted(set(names))
    if len(named) > 1:
        raise DataError(
            f"the events are of {len(named)} tables: {', '.join(named)}",
            advice="say which table is meant with source_table, for each table of the lake in turn",
        )


def with_before(
    frame: pl.DataFrame, rows: Sequence[Mapping[str, object]], names: Sequence[str]
) -> pl.DataFrame:
    """Adds what columns were before the changes, as text; what is neither text nor a number is not told.

    Args:
        frame: The events' columns.
        rows: What each row's event says of the row before it.
        names: The columns.
    """
    told = [
        pl.Series(before(name), [_plain(row.get(name)) for row in rows], dtype=pl.String) for name in names
    ]
    return frame.with_columns(each for each in told if each.null_count() < each.len())


def _plain(value: object) -> str | None:
    is_plain = isinstance(value, str | int | float) and not isinstance(value, bool)
    return str(value) if is_plain else None


def in_own_order(
    frame: pl.DataFrame,
    *,
    sequences: Sequence[str | None],
    times: Sequence[int | None],
    settings: Settings,
) -> pl.DataFrame:
    """Adds the order that the events bring themselves.

    Args:
        frame: The events' columns.
        sequences: The place of each row's event, as text whose order is theirs.
        times: When each was made, in microseconds since the epoch.
        settings: Says whether the times are wanted.
    """
    order = pl.Series(SEQUENCE, sequences, dtype=pl.String)
    frame = frame.insert_column(frame.get_column_index(OP), order)
    if settings.wants_times:
        frame = frame.with_columns(pl.Series(TIME, times, dtype=pl.Datetime("us", "UTC")))
    return frame
