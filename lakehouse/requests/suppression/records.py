"""Recognises erased people in records that could not be used, by what they say as they came.

Such a record has no columns: it is searched. In JSON every object counts in which the columns of a condition
stand side by side, whatever is around it: the event itself, the row before the change, the key. Of what is no
JSON every word counts that is long enough to be no accident.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import orjson

from lakehouse.cdc.changes import Rejected
from lakehouse.requests.needles import Needle
from lakehouse.requests.suppression.conditions import Condition
from lakehouse.requests.suppression.recognising import Ask, Known, Recogniser

_WORD: Final = re.compile(r"[^\s,;|\"'`{}\[\]()<>=\\]+")

Said = list[tuple[tuple[str, ...], ...]]
"""What a record says for a condition: each time, for each of its columns, the ways to write the value."""


def recognise(
    rejected: Sequence[Rejected], conditions: Sequence[Condition], recogniser: Recogniser
) -> dict[int, frozenset[str]]:
    """Finds the records of erased people.

    Args:
        rejected: Records that could not be used.
        conditions: Which rows are a person's.
        recogniser: Knows who was erased.

    Returns:
        By place in ``rejected`` what the conditions that fit do; nothing for the others.
    """
    said = {
        number: [_said(found, each) for each in conditions]
        for number, each in enumerate(rejected)
        if each.raw is not None
        for found in [_parsed(each.raw)]
    }
    wanted: dict[Ask, dict[str, None]] = {}
    for many in said.values():
        for condition, times in zip(conditions, many, strict=True):
            for time in times:
                for (_, identifier), ways in zip(condition.where, time, strict=True):
                    wanted.setdefault((condition.subject, identifier), {}).update(dict.fromkeys(ways))
    known = recogniser.known(wanted)
    found = {
        number: frozenset(
            condition.do
            for condition, times in zip(conditions, many, strict=True)
            if any(_fits(condition, time, known) for time in times)
        )
        for number, many in said.items()
    }
    # What stays on a ground is not left out.
    found = {number: does - {"keep", "delete"} if "keep" in does else does for number, does in found.items()}
    return {number: does for number, does in found.items() if does}


def _fits(condition: Condition, time: Sequence[Sequence[str]], known: Known) -> bool:
    none: frozenset[str] = frozenset()
    common: frozenset[str] | None = None
    for (_, identifier), ways in zip(condition.where, time, strict=True):
        hit = known.get((condition.subject, identifier), {})
        mine = none.union(*(hit.get(way, none) for way in ways))
        common = mine if common is None else common & mine
    return bool(common)


def _parsed(raw: bytes) -> list[dict[str, Any]] | list[str]:
    """All objects of a record, or its words where it is no JSON."""
    try:
        return list(_objects(orjson.loads(raw)))
    except orjson.JSONDecodeError:
        text = raw.decode("utf-8", errors="replace")
    words = {word: None for whole in _WORD.findall(text) for word in (whole, *whole.split(":"))}
    return [word for word in words if Needle("", "", word).anywhere]


def _objects(value: Any) -> Iterator[dict[str, Any]]:
    waiting = [value]
    while waiting:
        each = waiting.pop()
        if isinstance(each, dict):
            yield each
            waiting += each.values()
        elif isinstance(each, list):
            waiting += each


def _said(found: Sequence[Mapping[str, Any] | str], condition: Condition) -> Said:
    said: Said = []
    for each in found:
        if isinstance(each, str):
            said += [((each,),)] if len(condition.where) == 1 else []
        elif all(name in each for name in condition.names):
            time = tuple(_ways(each[name]) for name in condition.names)
            said += [time] if all(time) else []
    return said


def _ways(value: Any) -> tuple[str, ...]:
    if isinstance(value, str):
        return (value,)
    if isinstance(value, bool):
        return ()
    if isinstance(value, float) and value.is_integer():
        return (str(value), str(int(value)))
    return (str(value),) if isinstance(value, int | float) else ()
