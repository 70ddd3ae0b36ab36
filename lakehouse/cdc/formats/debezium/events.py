"""What a Debezium record is: the layers around it taken off, its parts apart.

A record can be the envelope itself (``before``, ``after``, ``op``, ``source``), wrapped in ``{schema,
payload}`` (Kafka Connect's JSON converter with schemas), inside a message of ``{key, value, headers, ...}``,
or the flattened form that ``ExtractNewRecordState`` makes (the row's fields with ``__op``, ``__deleted``,
``__lsn`` and the like). Each layer can be an object or JSON that is yet to be read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple, TypeAlias

from lakehouse.cdc.changes import Misfit
from lakehouse.cdc.documents import Broken
from lakehouse.cdc.formats.debezium.parsing import DocumentReader
from lakehouse.cdc.formats.finish import UNKNOWN_OP
from lakehouse.cdc.records import BROKEN_JSON

Fields: TypeAlias = Mapping[str, object]
_Message: TypeAlias = tuple[object, object, object, object]
"""Key, value, headers and topic of a record."""

NOT_AN_EVENT: Final = "not_an_event"
NO_ROW: Final = "no_row"
METADATA: Final = "__"
"""What the names of added fields begin with in the flattened form."""

_EMPTY: Final[Fields] = {}
_TOPIC: Final = ("destination", "topic")
_MESSAGE: Final = frozenset(
    {
        "key",
        "value",
        "headers",
        "partition",
        "offset",
        "timestamp",
        "timestampType",
        "timestamp_type",
        *_TOPIC,
    }
)
_DOCUMENT: Final = frozenset({"schema", "payload"})
_ENVELOPE: Final = frozenset({"before", "after", "source"})
_FLATTENED: Final = frozenset(
    {"__op", "__deleted", "__lsn", "__table", "__source_ts_ms", "__source_lsn", "__ts_ms"}
)
_HEARTBEAT: Final = frozenset({"ts_ms", "ts_us", "ts_ns"})
_OPS: Final = ("c", "r", "u", "d", "t")
_ROWLESS: Final = ("d", "t")
_TRUE: Final = ("true", True)
_NOT_AN_EVENT: Final = Misfit(NOT_AN_EVENT, "the record is no Debezium event")
_NO_OP: Final = Misfit(UNKNOWN_OP, "op is none of c, r, u, d, t, m")
_NO_AFTER: Final = Misfit(NO_ROW, "the event has no row after the change")


class Event(NamedTuple):
    """One change event.

    Args:
        position: Which record it is, from 0.
        op: ``c`` insert, ``r`` read by a snapshot, ``u`` update, ``d`` delete, ``t`` truncate.
        before: The row before, as far as the source gives it.
        after: The row after; empty for deletes and truncates.
        key: The message's key, empty where there is none.
        source: Where in the source the change was made; in the flattened form the fields that begin
            with ``__`` or ``__source_``, without that.
        total_order: Its number in its transaction, from 1, or None.
        schema: The Kafka Connect fields of the row, or None.
        topic: The message's topic, or None.
        moved: Whether it is known to be the second half of a key change: True, False, None not known.
    """

    position: int
    op: str
    before: Fields
    after: Fields
    key: Fields
    source: Fields
    total_order: int | None
    schema: Sequence[Fields] | None
    topic: object
    moved: bool | None


class Ignored:
    """Stands for a record that is no change of a row."""

    __slots__ = ()


IGNORED: Final = Ignored()


class EventReader:
    """Takes the layers off the records of one batch, part after part."""

    def __init__(self) -> None:
        self._documents = DocumentReader()
        self._messages: dict[tuple[str, ...], bool] = {}

    def read(self, items: Sequence[object], *, first: int) -> list[Event | Ignored | Misfit]:
        """Reads some records.

        Args:
            items: The records.
            first: The position of the first of them.

        Returns:
            One for each: the event; `IGNORED` for tombstones, heartbeats, transaction borders, logical
            messages and schema changes; or why the record can't be used.
        """
        messages = [self._message(item) for item in self._documents.read(items)]
        keys = self._documents.read([message[0] for message in messages])
        values = self._documents.read([message[1] for message in messages])
        read = self._event
        return [
            read(position, message, key, value)
            for position, (message, key, value) in enumerate(zip(messages, keys, values, strict=True), first)
        ]

    def _message(self, item: object) -> _Message:
        if type(item) is not dict or "value" not in item:
            return (None, item, None, None)
        shape = tuple(item)
        wrapped = self._messages.get(shape)
        if wrapped is None:
            wrapped = self._messages[shape] = len(shape) > 1 and _MESSAGE.issuperset(shape)
        if not wrapped:
            return (None, item, None, None)
        topic = item.get("destination") or item.get("topic")
        return (item.get("key"), item["value"], item.get("headers"), topic)

    def _payload(self, part: object) -> tuple[object, object]:
        """A part's payload and its Kafka Connect schema, if it has one."""
        if type(part) is dict and len(part) == 2 and "payload" in part and "schema" in part:
            return part["payload"], self._documents.schema(part["schema"])
        return part, None

    def _event(
        self, position: int, message: _Message, key: object, value: object
    ) -> Event | Ignored | Misfit:
        payload, schema = self._payload(value)
        if not isinstance(payload, dict):
            if payload is None:
                return IGNORED
            return BROKEN_JSON if isinstance(payload, Broken) else _NOT_AN_EVENT
        named, _ = self._payload(key)
        key_fields = named if type(named) is dict else _EMPTY
        if "op" in payload and "__op" not in payload and not _ENVELOPE.isdisjoint(payload):
            return _enveloped(position, message, key_fields, payload, schema)
        if not payload:
            return _NOT_AN_EVENT
        if _FLATTENED.isdisjoint(payload) and _is_no_change(payload):
            return IGNORED
        return _flattened(position, message, key_fields, payload, schema)


def _is_no_change(payload: Fields) -> bool:
    """Transaction borders, heartbeats and schema changes."""
    if payload.keys() <= _HEARTBEAT or ("ddl" in payload and "source" in payload):
        return True
    return payload.get("status") in {"BEGIN", "END"} and "event_count" in payload


def _enveloped(
    position: int, message: _Message, key: Fields, payload: Fields, schema: object
) -> Event | Ignored | Misfit:
    op = payload["op"]
    if op not in _OPS:
        return IGNORED if op == "m" else _NO_OP
    before, after, source = payload.get("before"), payload.get("after"), payload.get("source")
    if op in _ROWLESS:
        after = _EMPTY
    elif type(after) is not dict:
        return _NO_AFTER
    transaction = payload.get("transaction")
    return Event(
        position,
        str(op),
        before if isinstance(before, dict) else _EMPTY,
        after,
        key,
        source if isinstance(source, dict) else _EMPTY,
        _number(transaction.get("total_order")) if isinstance(transaction, dict) else None,
        None if schema is None else _row_fields(schema),
        message[3],
        _moved(message[2]) if message[2] else None,
    )


def _flattened(
    position: int, message: _Message, key: Fields, payload: Fields, schema: object
) -> Event | Ignored | Misfit:
    added = {name: value for name, value in payload.items() if name.startswith(METADATA)}
    op = added.get("__op") or "u"
    if added.get("__deleted") in _TRUE:
        op = "d"
    if op not in _OPS:
        return IGNORED if op == "m" else _NO_OP
    row = {name: value for name, value in payload.items() if not name.startswith(METADATA)}
    source = {name[len(METADATA) :].removeprefix("source_"): value for name, value in added.items()}
    return Event(
        position,
        str(op),
        row if op == "d" else _EMPTY,
        _EMPTY if op in _ROWLESS else row,
        key,
        source,
        _number(source.get("transaction_total_order")),
        None if schema is None else _fields(schema),
        message[3],
        _moved(message[2]) if message[2] else None,
    )


def _number(value: object) -> int | None:
    if isinstance(value, str) and value.isdecimal():
        return int(value)
    return value if isinstance(value, int) else None


def _row_fields(schema: object) -> Sequence[Fields] | None:
    """The fields of the row in an envelope's schema."""
    for field in _fields(schema) or ():
        if field.get("field") in {"after", "before"}:
            return _fields(field)
    return None


def _fields(schema: object) -> Sequence[Fields] | None:
    fields = schema.get("fields") if isinstance(schema, dict) else None
    return fields if isinstance(fields, list) else None


def _moved(headers: object) -> bool | None:
    """Whether the headers name the row's old key; None where there are no headers to look at."""
    if isinstance(headers, dict):
        return "__debezium.oldkey" in headers
    if not isinstance(headers, (list, tuple)):
        return None
    names = [item.get("key") if isinstance(item, dict) else item[0] for item in headers if item]
    return "__debezium.oldkey" in names
