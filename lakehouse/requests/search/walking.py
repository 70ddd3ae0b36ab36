"""Documents (JSON, rows of checkpoints) looked through value by value."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import unquote

import orjson

from lakehouse.requests.search.tally import Tally
from lakehouse.requests.search.values import Values

# What may be shown of the way to a value: names that the protocol and we ourselves give. Any other key could
# be somebody's name.
_SHOWN: Final = frozenset(
    {
        "add",
        "remove",
        "cdc",
        "metaData",
        "commitInfo",
        "txn",
        "protocol",
        "domainMetadata",
        "checkpointMetadata",
        "sidecar",
        "stats",
        "minValues",
        "maxValues",
        "nullCount",
        "numRecords",
        "tags",
        "partitionValues",
        "partitionValues_parsed",
        "stats_parsed",
        "path",
        "deletionVector",
        "operationParameters",
        "operationMetrics",
        "predicate",
        "operation",
        "userMetadata",
        "configuration",
        "schemaString",
        "engineInfo",
        "clientVersion",
        "description",
        "name",
        "reason",
        "author",
        "version",
        "table",
        "record",
        "records",
        "key",
        "before",
        "after",
    }
)
_STATISTICS: Final = frozenset({"minValues", "maxValues"})
_COUNTS: Final = frozenset({"nullCount", "operationMetrics"})
"""What is below these is a number of rows, whatever it is called."""
_LITERAL: Final = re.compile(r"'((?:[^']|'')*)'|(?<![\w.])(-?\d+(?:\.\d+)?)(?![\w.])")
_DEEPEST: Final = 100


@dataclass(frozen=True, slots=True)
class _Text:
    text: str
    way: tuple[str, ...]


class _Packed(str):
    """A text that is JSON: what it says is looked at, value by value."""

    __slots__ = ()


def look_through(documents: Iterable[Any], tally: Tally, *, place: str = "") -> None:
    """Looks through documents: each text, JSON in texts too, percents decoded, and values of columns.

    Args:
        documents: As `orjson` or Arrow hand them out.
        tally: Where finds are noted.
        place: What comes before the way to a value.
    """
    last = {column.rsplit(".", 1)[-1]: values for column, values in tally.columns.items()}
    texts: list[_Text] = []
    for document in documents:
        for way, value in _values(document, ()):
            tally.cells += 1
            _compare(way, value, tally, last, place)
            if isinstance(value, str) and not isinstance(value, _Packed):
                texts.append(_Text(value, way))
                if _STATISTICS.intersection(way):
                    for number in tally.sought.cut_off(value):
                        tally.hit(number, _place(place, way, tally))
    _search(texts, tally, place)


def _values(value: Any, way: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    """All values with the keys that lead to them; keys are values too."""
    if len(way) > _DEEPEST or value is None:
        return
    if isinstance(value, dict):
        for key, each in value.items():
            yield way, key if isinstance(key, str) else str(key)
            yield from _values(each, (*way, str(key)))
    elif isinstance(value, list):
        for each in value:
            # Arrow hands out maps as pairs.
            if isinstance(each, tuple) and len(each) == 2 and isinstance(each[0], str):
                yield way, each[0]
                yield from _values(each[1], (*way, each[0]))
            else:
                yield from _values(each, way)
    elif isinstance(value, tuple):
        for each in value:
            yield from _values(each, way)
    elif isinstance(value, bytes):
        yield way, value.decode("utf-8", "surrogateescape")
    else:
        inside = _json(value) if isinstance(value, str) else None
        yield way, value if inside is None else _Packed(value)
        if inside is not None:
            yield from _values(inside, way)


def _json(text: str) -> Any:
    if text.lstrip()[:1] not in ("{", "[", '"'):
        return None
    try:
        return orjson.loads(text)
    except ValueError:
        return None


def _compare(way: tuple[str, ...], value: Any, tally: Tally, last: dict[str, Values], place: str) -> None:
    if not last or not way or _COUNTS.intersection(way):
        return
    values = last.get(tally.names.get(way[-1], way[-1]))
    if values is not None:
        for number in values.of(value):
            tally.hit(number, _place(place, way, tally))
    elif isinstance(value, str) and "operationParameters" in way:
        # A condition such as `id = 42`: its literals, where it names a column that identifies.
        for column, those in last.items():
            if re.search(rf"\b{re.escape(column)}\b", value):
                for literal in _LITERAL.finditer(value):
                    found = literal.group(1) if literal.group(1) is not None else literal.group(2)
                    for number in those.literal(found):
                        tally.hit(number, _place(place, way, tally))


def _search(texts: list[_Text], tally: Tally, place: str) -> None:
    spelled = [_spelled(each.text) for each in texts]
    seen: set[tuple[int, int]] = set()
    for cell, number, whole in tally.sought.finds_in(
        [text.encode("utf-8", "surrogateescape") for text in spelled]
    ):
        if not whole:
            tally.inside += 1
        elif (cell, number) not in seen:
            seen.add((cell, number))
            tally.hit(number, _place(place, texts[cell].way, tally))


def _spelled(text: str) -> str:
    """The text, and behind it what its percents stand for."""
    if "%" not in text:
        return text
    once = unquote(text)
    return "\n".join(dict.fromkeys((text, once, unquote(once))))


def _place(place: str, way: tuple[str, ...], tally: Tally) -> str:
    names = (tally.names.get(part, part) for part in way)
    shown = ".".join(part if part in _SHOWN or part in tally.named else "…" for part in names)
    return " ".join(part for part in (place, shown) if part) or "text"
