"""The format ``maxwell``: the JSON that Maxwell's daemon makes of a MySQL binlog, one object per row change.

- ``insert``, ``bootstrap-insert`` and ``update`` are upserts of ``data``, which is the whole row. An update
  whose ``old`` has a key column is a changed key: the row under the old key goes.
- ``delete`` is a delete; ``data`` is the row that went.
- Everything else (``bootstrap-start`` and ``-complete``, changes of schemas, heartbeats) is ignored.

**Order.** Without ``changes.sequence`` the events' own order is taken where they have one: ``position``
(binlog file and offset, with ``output_binlog_position``) and, within a transaction, ``xoffset``; the event
that ends a transaction has ``commit`` instead and comes last. Rows of a bootstrap have no position: they
come before everything that was streamed. Where no event has a position arrival is the order. A position
holds within one server's binlogs: not across ``RESET MASTER`` or another server.

Maxwell's documentation, "Reference: data format", names the fields.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final, NamedTuple

import polars as pl

from lakehouse.cdc.changes import DELETE, SEQUENCE, UPSERT, ChangeBatch, Misfit, Rejected
from lakehouse.cdc.documents import Broken
from lakehouse.cdc.formats.assemble import Row, Rows, assemble
from lakehouse.cdc.formats.base import Settings
from lakehouse.cdc.formats.debezium.parsing import DocumentReader
from lakehouse.cdc.formats.encodings import declared_codec
from lakehouse.cdc.formats.events import in_own_order, one_table, sort_out, with_before
from lakehouse.cdc.formats.values.codec import Codec
from lakehouse.cdc.records import BROKEN_JSON, as_items, as_records

NOT_AN_EVENT: Final = "not_an_event"
"""Reason: a record is no event of Maxwell."""

_NOT_AN_EVENT: Final = Misfit(NOT_AN_EVENT, "the record is no Maxwell event: an object with type and data")
_UPSERTS: Final = frozenset({"insert", "bootstrap-insert", "update"})
_POSITION: Final = re.compile(r"(\d+):(\d+)$")
_BOOTSTRAP: Final = f"{0:010}.{0:020}.{0:010}"
_LAST: Final = 10**10 - 1
_NO_FIELDS: Final[Row] = {}


class _Event(NamedTuple):
    """One change of a row."""

    position: int
    op: int
    data: Row
    old: Row
    sequence: str | None
    seconds: int | None
    database: object
    table: object


def read(records: object, *, settings: Settings) -> ChangeBatch:
    """Reads events.

    Args:
        records: An iterable of events: objects, or JSON as bytes or text.
        settings: How the table's changes look; ``source_table`` is ``table`` or ``database.table``.

    Returns:
        The batch.

    Raises:
        DataError: Changes of several tables and no ``source_table``; no event has the key; names of
            columns that differ by case only; no key is configured.
    """
    taken = as_items(as_records(records))
    events: list[_Event] = []
    tables: set[str] = set()

    def take(found: _Event | Misfit | None) -> bool:
        if not isinstance(found, _Event):
            return False
        named = f"{found.database}.{found.table}"
        tables.add(named)
        if settings.source_table not in (None, found.table, named):
            return False
        events.append(found)
        return True

    documents = DocumentReader().read(taken.items)
    done = sort_out(taken, map(_event, range(len(documents)), documents), take=take)
    if settings.source_table is None:
        one_table(tables)
    frame, sequence, misfits = _frame(events, settings)
    return done.batch(frame, sequence=sequence, misfits=misfits, settings=settings)


def _event(position: int, value: object) -> _Event | Misfit | None:
    """A record's change of a row; None where it is none, or why the record can't be used."""
    if value is None or isinstance(value, Rejected):
        return None if value is None else Misfit(value.reason, value.detail)
    if isinstance(value, Broken):
        return BROKEN_JSON
    if not isinstance(value, dict) or not isinstance(kind := value.get("type"), str):
        return _NOT_AN_EVENT
    if kind not in _UPSERTS and kind != "delete":
        return None
    data, old = value.get("data"), value.get("old")
    if not isinstance(data, dict) or not data:
        return _NOT_AN_EVENT
    seconds = value.get("ts")
    return _Event(
        position,
        DELETE if kind == "delete" else UPSERT,
        data,
        old if isinstance(old, dict) and kind == "update" else _NO_FIELDS,
        _BOOTSTRAP if kind == "bootstrap-insert" else _sequence(value),
        seconds if isinstance(seconds, int) else None,
        value.get("database"),
        value.get("table"),
    )


def _sequence(event: Mapping[str, object]) -> str | None:
    """The place of an event in the binlogs, as text whose order is theirs; None where it is not told."""
    found = _POSITION.search(str(event.get("position") or ""))
    if found is None:
        return None
    place = event.get("xoffset")
    within = place if isinstance(place, int) else _LAST
    return f"{int(found[1]):010d}.{int(found[2]):020d}.{within:010d}"


def _frame(
    events: list[_Event], settings: Settings
) -> tuple[pl.DataFrame, tuple[str, ...], dict[int, Misfit]]:
    """The events as columns, and what orders them."""
    own = settings.sequence is None and any(event.sequence not in {None, _BOOTSTRAP} for event in events)
    ordinals: list[int] = []
    ops: list[int] = []
    rows: list[Row] = []
    befores: list[Row] = []
    sequences: list[str | None] = []
    times: list[int | None] = []
    for event in events:
        for op, row in _rows(event, settings):
            ordinals.append(event.position)
            ops.append(op)
            rows.append(row)
            befores.append({**event.data, **event.old} if event.old else _NO_FIELDS)
            sequences.append(event.sequence)
            times.append(None if event.seconds is None else event.seconds * 1_000_000)

    def choose(name: str, _schema: int) -> Codec:
        return declared_codec(name, settings=settings)

    frame, misfits = assemble(Rows(ordinals=ordinals, ops=ops, rows=rows), choose=choose)
    frame = with_before(frame, befores, settings.before)
    if not own:
        return frame, settings.sequence or (), misfits
    ordered = in_own_order(frame, sequences=sequences, times=times, settings=settings)
    return ordered, (SEQUENCE,), misfits


def _rows(event: _Event, settings: Settings) -> list[tuple[int, Row]]:
    """The row of an event, or two for a changed key: the old key goes, the new one comes."""
    if event.op == DELETE:
        kept = (*settings.key, *(settings.sequence or ()))
        return [(DELETE, {name: event.data[name] for name in kept if name in event.data})]
    if not any(name in event.old for name in settings.key):
        return [(UPSERT, event.data)]
    order = {name: event.data[name] for name in settings.sequence or () if name in event.data}
    old = {name: event.old.get(name, event.data.get(name)) for name in settings.key}
    return [(DELETE, {**old, **order}), (UPSERT, event.data)]
