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

from collections.abc import Iterator
from typing import Final

import polars as pl

from lakehouse.cdc.changes import SEQUENCE, ChangeBatch, Misfit
from lakehouse.cdc.formats.assemble import assemble
from lakehouse.cdc.formats.base import Settings
from lakehouse.cdc.formats.debezium.changes import Changes
from lakehouse.cdc.formats.debezium.events import Event, EventReader, Ignored
from lakehouse.cdc.formats.debezium.schemas import Schemas
from lakehouse.cdc.formats.debezium.tables import TableFilter
from lakehouse.cdc.formats.debezium.unavailable import placeholder_finder
from lakehouse.cdc.formats.events import in_own_order, sort_out, with_before
from lakehouse.cdc.records import Records, as_items, as_records

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

    def take(found: Event | Ignored | Misfit) -> bool:
        if not isinstance(found, Event) or not tables.takes(found):
            return False
        changes.add(found)
        return True

    done = sort_out(taken, _read_in_parts(taken), take=take)
    tables.check()
    frame, misfits = assemble(
        changes.rows(), choose=schemas.codec, unavailable=placeholder_finder(settings.unavailable_value)
    )
    frame = with_before(frame, changes.befores, settings.before)
    frame, sequence = _with_sequence(frame, changes, settings)
    return done.batch(frame, sequence=sequence, misfits=misfits, settings=settings)


def _read_in_parts(records: Records) -> Iterator[Event | Ignored | Misfit]:
    reader = EventReader()
    for first in range(0, len(records), _PART):
        yield from reader.read(records.items[first : first + _PART], first=first)


def _with_sequence(
    frame: pl.DataFrame, changes: Changes, settings: Settings
) -> tuple[pl.DataFrame, tuple[str, ...]]:
    """The frame with the events' own order, unless the config names columns or no event has one."""
    if settings.sequence is not None:
        return frame, settings.sequence
    if not any(changes.sequences):
        return frame, ()
    ordered = in_own_order(frame, sequences=changes.sequences, times=changes.times, settings=settings)
    return ordered, (SEQUENCE,)
