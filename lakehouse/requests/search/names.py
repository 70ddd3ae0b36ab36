"""Names of objects: looked through as texts, and shown without what may be personal in them."""

from __future__ import annotations

from typing import Final
from urllib.parse import unquote

from lakehouse.requests.search.sought import Sought
from lakehouse.requests.search.tally import Tally

_NULL: Final = "__HIVE_DEFAULT_PARTITION__"
PLACE: Final = "name of the object"


def look_at_name(path: str, tally: Tally) -> None:
    """Looks through an object's name: partition values, percents decoded, and everything else.

    Args:
        path: The name below the place that is searched.
        tally: Where finds are noted.
    """
    seen: set[int] = set()
    for part in path.split("/"):
        key, equals, value = part.partition("=")
        # In a file's name, dots and dashes join a value with what else is there.
        free = part if not equals else ""
        texts = {text.encode("utf-8", "surrogateescape") for text in _spelled(value if equals else part)}
        for text in texts:
            found = tally.sought.in_bytes(text) if free else tally.sought.in_texts([text])
            seen.update(found.whole)
            tally.inside += sum(found.inside.values())
        if equals and value != _NULL:
            values = tally.columns.get(tally.names.get(unquote(key), unquote(key)))
            if values is not None:
                seen.update(number for spelled in _spelled(value) for number in values.of(spelled))
    for number in seen:
        tally.hit(number, PLACE)


def shown(path: str, sought: Sought) -> str:
    """A path without partition values, and without needles.

    Args:
        path: The path.
        sought: What is looked for.
    """
    parts = []
    for part in path.split("/"):
        key, equals, _ = part.partition("=")
        parts.append(f"{key}=…" if equals else part)
    text = "/".join(parts)
    data = text.encode("utf-8", "surrogateescape")
    for begin, end, number in sorted(sought.spans(text), reverse=True):
        data = data[:begin] + f"[{sought.needles[number].identifier}]".encode() + data[end:]
    return data.decode("utf-8", "replace")


def _spelled(text: str) -> set[str]:
    return {text, unquote(text), unquote(unquote(text))}
