"""The format ``debezium``: JSON change events of Debezium's connectors, in every shape that they come in.

What an event does, whatever the source:

- ``c``, ``r``, ``u`` are upserts of ``after``. A column that ``after`` lacks is absent: the event's row had
  another shape (a column was added later or dropped before), which says nothing about it. So a stored row
  keeps the values of columns that the source has dropped, and a new row has null there.
- ``d`` deletes the key. Nothing else of ``before`` is used: with PostgreSQL's default replica identity the
  connector invents values for columns that are NOT NULL.
- ``u`` whose ``before`` has another key (full replica identity, no key in the message) is a delete of the old
  key and an upsert of the new one; both rows share the record's ordinal and sequence.
- ``t`` empties the table. Tombstones, heartbeats, transaction borders, logical messages (``m``), schema
  changes and events of other tables are ignored and counted.

The columns of the key are taken from ``after``, else from the message's key, else from ``before``; for a
delete from the message's key first. In the flattened form the field ``__deleted`` (or ``__op``) marks
deletes; a stream that marks them by tombstones alone does not show them here: set
``delete.tombstone.handling.mode=rewrite``.
"""

from __future__ import annotations

from typing import Final

import polars as pl

from lakehouse.cdc.changes import OP, SEQUENCE, TIME, ChangeBatch, Misfit, Rejected
from lakehouse.cdc.formats.assemble import assemble
from lakehouse.cdc.formats.base import Settings
from lakehouse.cdc.formats.debezium.changes import Changes
from lakehouse.cdc.formats.debezium.events import Event, EventReader
from lakehouse.cdc.formats.debezium.schemas import Schemas
from lakehouse.cdc.formats.debezium.tables import TableFilter
from lakehouse.cdc.formats.debezium.unavailable import placeholder_finder
from lakehouse.cdc.formats.finish import Draft, finish
from lakehouse.cdc.records import as_items, as_records, rejection

_PART: Final = 64
"""How many records are objects in memory at a time: few enough to stay in the processor's cache."""


def read(records: object, *, settings: Settings) -> ChangeBatch:
    """Reads events.

    Args:
        records: An iterable of events: objects, or JSON as bytes or text, each with or without the message
            around it; or columns, taken row by row.
        settings: How the table's changes look.

    Returns:
        The batch.

    Raises:
        DataError: Changes of several tables and no ``source_table``; no event has the key; names of
            columns that differ by case only; no key is configured.
    """
    taken = as_items(as_records(records))
    tables = TableFilter(settings.source_table)
    schemas = Schemas(settings)
    changes = Changes(settings=settings, schemas=schemas)
    reader = EventReader()
    rejected: list[Rejected] = []
    ignored = 0
    for first in range(0, len(taken), _PART):
        for position, found in enumerate(reader.read(taken.items[first : first + _PART], first=first), first):
            if isinstance(found, Misfit):
                rejected.append(rejection(taken, position, found))
            elif isinstance(found, Event) and tables.takes(found):
                changes.add(found)
            else:
                ignored += 1
    tables.check()
    frame, misfits = assemble(
        changes.rows(), choose=schemas.codec, unavailable=placeholder_finder(settings.unavailable_value)
    )
    frame, sequence = _with_sequence(frame, changes, settings)
    return finish(
        Draft(
            frame=frame,
            key=settings.key,
            sequence=sequence,
            origin=taken,
            total=len(taken),
            ignored=ignored,
            rejected=rejected,
            misfits=misfits,
            ignore_null_updates=settings.ignore_null_updates,
        )
    )


def _with_sequence(
    frame: pl.DataFrame, changes: Changes, settings: Settings
) -> tuple[pl.DataFrame, tuple[str, ...]]:
    """The frame with the events' own order, unless the config names columns or no event has one."""
    if settings.sequence is not None:
        return frame, settings.sequence
    if not any(changes.sequences):
        return frame, ()
    order = pl.Series(SEQUENCE, changes.sequences, dtype=pl.String)
    frame = frame.insert_column(frame.get_column_index(OP), order)
    if settings.wants_times:
        frame = frame.with_columns(pl.Series(TIME, changes.times, dtype=pl.Datetime("us", "UTC")))
    return frame, (SEQUENCE,)
