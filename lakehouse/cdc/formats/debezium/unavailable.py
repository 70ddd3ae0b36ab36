"""Placeholders for large values that an update did not touch and that the source's log does not hold.

PostgreSQL logs no unchanged TOAST values, Oracle no unchanged LOBs. Debezium writes a placeholder in their
place, in the shape of the column: the text itself, its bytes (base64, or hex), its byte codes in an array of
numbers, one element in an array of texts, one entry in a map. Such a cell is absent: what is stored stays.

The text can also be a real value. A snapshot reads values as they are, so in ``r`` it is always one. The
insert of a row holds all its values too, but the second half of a key change is written as one and
can hold the placeholder (the new row then has null there: the value is under the old key, in a row that
is gone). So ``c`` is taken at its word where it is the first change of its transaction (then
it can't be a second half) or has headers that name no old key, and its placeholders count everywhere else.
"""

from __future__ import annotations

import base64
import hashlib
import uuid
from collections.abc import Callable, Sequence

from lakehouse.cdc.formats.debezium.events import Event
from lakehouse.cdc.formats.values.decoded import kinds


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


def placeholder_finder(placeholder: str) -> Callable[[Sequence[object]], list[int]]:
    """Makes the function that finds placeholders in a column.

    Args:
        placeholder: Debezium's ``unavailable.value.placeholder``.

    Returns:
        A function of a column's values that gives the places of placeholders, in any of their shapes.
    """
    data = placeholder.encode()
    encoded = base64.b64encode(data).decode()
    spelled = {encoded, base64.urlsafe_b64encode(data).decode(), data.hex()}
    texts: list[object] = [placeholder, f'{{"{placeholder}":"{placeholder}"}}', *sorted(spelled)]
    lists: list[object] = [[placeholder], list(data), [_name_uuid(data)], [encoded]]
    mappings: list[object] = [{placeholder: placeholder}, {"scale": 0, "value": encoded}]

    def find(values: Sequence[object]) -> list[int]:
        found = kinds(values)
        wanted: list[object] = []
        for kind, spellings in ((str, texts), (list, lists), (dict, mappings)):
            wanted += spellings if kind in found else []
        if not any(item in values for item in wanted):
            return []
        return [place for place, value in enumerate(values) if value in wanted]

    return find


def _name_uuid(data: bytes) -> str:
    """What Java's ``UUID.nameUUIDFromBytes`` makes of some bytes: Debezium's element in an array of UUIDs."""
    return str(uuid.UUID(bytes=hashlib.md5(data, usedforsecurity=False).digest(), version=3))
