"""Placeholders for large values that an update did not touch and that the source's log does not hold.

PostgreSQL logs no unchanged TOAST values, Oracle no unchanged LOBs. Debezium writes a placeholder in their
place, in the shape of the column: the text itself, its bytes (base64, or hex), its byte codes in an array of
numbers, one element in an array of texts, one entry in a map. Such a cell is absent: what is stored stays.

The text can also be a real value. A snapshot reads values as they are, so in ``r`` it is always one. The
insert of a row holds all its values too, but the second half of a key change is written as an insert and
can hold the placeholder: ``c`` is taken at its word where it is the first change of its transaction (then
it can't be a second half) or has headers that name no old key, and its placeholders count everywhere else.
"""

from __future__ import annotations

import base64
import hashlib
import uuid
from collections.abc import Callable, Sequence

from lakehouse.cdc.formats.debezium.events import Event
from lakehouse.cdc.formats.values.codec import Codec
from lakehouse.cdc.formats.values.decoded import kinds
from lakehouse.delta.datatypes import STRING


def may_be_unavailable(event: Event) -> bool:
    """Whether a placeholder in the row of an event stands for a value that is not known.

    Args:
        event: An insert, update or snapshot read.

    Returns:
        False where the text can only be a real value.
    """
    if event.op == "u":
        return True
    if event.op != "c":
        return False
    return event.total_order != 1 if event.moved is None else event.moved


def placeholder_finder(placeholder: str) -> Callable[[Sequence[object], Codec], list[int]]:
    """Makes the function that finds placeholders in a column.

    Args:
        placeholder: Debezium's ``unavailable.value.placeholder``.

    Returns:
        A function of a column's values and its codec that gives the places of placeholders. In a column
        that is known to be text only the placeholder itself counts, not its spelling as bytes.
    """
    data = placeholder.encode()
    encoded = base64.b64encode(data).decode()
    entry = f'{{"{placeholder}":"{placeholder}"}}'
    real = frozenset({placeholder, entry})
    texts = real | {encoded, base64.urlsafe_b64encode(data).decode(), data.hex()}
    lists: list[object] = [[placeholder], list(data), [_name_uuid(data)], [encoded]]
    mappings: list[object] = [{placeholder: placeholder}, {"scale": 0, "value": encoded}]

    def find(values: Sequence[object], codec: Codec) -> list[int]:
        found = kinds(values)
        plain = codec.type == STRING and codec.text == "plain"
        wanted: list[object] = []
        if str in found:
            wanted += real if plain else texts
        if list in found:
            wanted += lists
        if dict in found:
            wanted += mappings
        if not any(item in values for item in wanted):
            return []
        return [place for place, value in enumerate(values) if value in wanted]

    return find


def _name_uuid(data: bytes) -> str:
    """What Java's ``UUID.nameUUIDFromBytes`` makes of some bytes: Debezium's element in an array of UUIDs."""
    return str(uuid.UUID(bytes=hashlib.md5(data, usedforsecurity=False).digest(), version=3))
