"""From events to rows: what is upserted, what is deleted, and in which order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from lakehouse.cdc.changes import DELETE, TRUNCATE, UPSERT
from lakehouse.cdc.formats.assemble import Row, Rows
from lakehouse.cdc.formats.base import Settings
from lakehouse.cdc.formats.debezium.events import METADATA, Event, Fields
from lakehouse.cdc.formats.debezium.schemas import Schemas
from lakehouse.cdc.formats.debezium.sequence import micros_of, sequence_of
from lakehouse.cdc.formats.debezium.unavailable import may_be_unavailable

_NOTHING: Final[Row] = {}


class Changes:
    """The rows of a batch in the making.

    Args:
        settings: How the table's changes look.
        schemas: Numbers the events' schemas.
    """

    def __init__(self, *, settings: Settings, schemas: Schemas) -> None:
        self._settings = settings
        self._schemas = schemas
        self._ordinals: list[int] = []
        self._ops: list[int] = []
        self._rows: list[Row] = []
        self._numbers: list[int] = []
        self._uncertain: list[bool] = []
        self.befores: list[Row] = []
        """What each row's event says of the row before it, where that is wanted; nothing of deletes."""
        self.sequences: list[str | None] = []
        """The place of each row in its source's log, None where there is none."""
        self.times: list[int | None] = []
        """When each change was made in its source, in microseconds since the epoch; None where not told."""

    def add(self, event: Event) -> None:
        """Takes an event in: one row, or two for a key change.

        Args:
            event: An event of the table, later than those before it.
        """
        sequence = None
        if self._settings.sequence is None:
            sequence = sequence_of(event.source, op=event.op, total_order=event.total_order)
        number = self._schemas.number(event.schema)
        uncertain = may_be_unavailable(event)
        for op, row in _rows(event, self._settings):
            self._ordinals.append(event.position)
            self._ops.append(op)
            self._rows.append(row)
            self._numbers.append(number)
            self._uncertain.append(uncertain)
            self.sequences.append(sequence)
            self.times.append(micros_of(event.source))
            if self._settings.before:
                # Of a delete the connector invents values.
                self.befores.append(event.before if event.op == "u" else _NOTHING)

    def rows(self) -> Rows:
        """The rows as `lakehouse.cdc.formats.assemble` takes them.

        Returns:
            All rows that were added.
        """
        return Rows(
            ordinals=self._ordinals,
            ops=self._ops,
            rows=self._rows,
            schemas=self._numbers if any(self._numbers) else None,
            uncertain=self._uncertain if any(self._uncertain) else None,
        )


def _rows(event: Event, settings: Settings) -> list[tuple[int, Row]]:
    order = _order(event, settings)
    if event.op == "t":
        return [(TRUNCATE, order)]
    if event.op == "d":
        return [(DELETE, {**_key(settings.key, event.key, event.before), **order})]
    row = _upsert(event, settings)
    if order:
        row = {**row, **order}
    old = _old_key(event, row, settings.key) if event.op == "u" and event.before else None
    return [(UPSERT, row)] if old is None else [(DELETE, {**old, **order}), (UPSERT, row)]


def _order(event: Event, settings: Settings) -> Row:
    """The values of the configured sequence columns, where the row is not their only place."""
    if not settings.sequence:
        return _NOTHING
    row = event.before if event.op == "d" else event.after
    order: dict[str, object] = {}
    for name in settings.sequence:
        if name in row:
            order[name] = row[name]
        elif name.startswith(METADATA):
            order[name] = event.source.get(name[len(METADATA) :].removeprefix("source_"))
    return order


def _upsert(event: Event, settings: Settings) -> Row:
    """The row after the change, its key completed from the message where the row does not give it."""
    row = event.after
    missing = [name for name in settings.key if _is_open(row.get(name), settings.unavailable_value)]
    if not missing:
        return row
    known = _key(missing, event.key, event.before)
    return {**row, **known} if known else row


def _is_open(value: object, placeholder: str) -> bool:
    return value is None or value == placeholder


def _key(names: Sequence[str], *places: Fields) -> dict[str, object]:
    """Key columns from the first place that has them."""
    return {name: place[name] for name in names for place in reversed(places) if name in place}


def _old_key(event: Event, row: Mapping[str, object], names: Sequence[str]) -> dict[str, object] | None:
    """The key that an update left behind, or None.

    Where the message's key holds the table's key, a connector splits a key change into two events itself.
    A different key in ``before`` is then real only if it is no invented one (zeros and empty texts).
    """
    old = {name: event.before.get(name) for name in names}
    if None in old.values() or all(row.get(name) == value for name, value in old.items()):
        return None
    invented = not any(old.values()) and all(name in event.key for name in names)
    return None if invented else old
