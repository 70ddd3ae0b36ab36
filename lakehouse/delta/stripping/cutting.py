"""Members cut out of JSON texts; every other character stays as it was written.

Numbers that no type of Python holds, spaces and the order of members survive that way.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

_JSON: Final = json.JSONDecoder(strict=False)
_SPACE: Final = re.compile(r"[ \t\n\r]*")
_PLAIN: Final = re.compile(r"[^\s,\]}]+")
_NESTED: Final = re.compile(r'["\[\]{}]')


@dataclass(frozen=True, slots=True)
class Member:
    """A member of an object, or an element of an array.

    Args:
        key: Its name; empty for elements.
        start: Where it starts, its name included.
        value: Where its value starts.
        end: Where it ends.
    """

    key: str
    start: int
    value: int
    end: int


def members(text: str, at: int = 0) -> Iterator[Member]:
    """The members of an object, or the elements of an array.

    Args:
        text: Holds it.
        at: Where it starts.

    Yields:
        Each in order; none for any other value.

    Raises:
        ValueError: It is no JSON.
    """
    at = _skip(text, at)
    opening = text[at : at + 1]
    if opening not in ("{", "["):
        return
    closing = "}" if opening == "{" else "]"
    at = _skip(text, at + 1)
    if text[at : at + 1] == closing:
        return
    while True:
        start = value = at
        key = ""
        if opening == "{":
            if text[at : at + 1] != '"':
                raise ValueError("no name of a member")
            key, after = _JSON.raw_decode(text, at)
            value = _skip(text, after)
            if text[value : value + 1] != ":":
                raise ValueError("no colon behind a name")
            value = _skip(text, value + 1)
        end = value_end(text, value)
        yield Member(key, start, value, end)
        at = _skip(text, end)
        if text[at : at + 1] == closing:
            return
        if text[at : at + 1] != ",":
            raise ValueError("no comma between members")
        at = _skip(text, at + 1)


def value_end(text: str, at: int) -> int:
    """Where a value ends.

    Args:
        text: Holds it.
        at: Where it starts.

    Raises:
        ValueError: It is no JSON.
    """
    first = text[at : at + 1]
    if first == '"':
        return _string_end(text, at)
    if first not in ("{", "["):
        found = _PLAIN.match(text, at)
        if found is None:
            raise ValueError("no value")
        return found.end()
    depth = 0
    while True:
        sign = _NESTED.search(text, at)
        if sign is None:
            raise ValueError("an object or array has no end")
        at = sign.end()
        match sign.group():
            case '"':
                at = _string_end(text, sign.start())
            case "{" | "[":
                depth += 1
            case _:
                depth -= 1
                if depth == 0:
                    return at


def replaced(text: str, at: int, change: Callable[[str, str], Any]) -> str:
    """Change members of an object or elements of an array.

    Args:
        text: Holds it.
        at: Where it starts.
        change: Gets a name (empty for elements) and the text of the value; gives ``...`` to leave it, None to
            cut it out, or the new text.

    Returns:
        The whole text; itself where nothing changes.
    """
    found = list(members(text, at))
    new = [change(item.key, text[item.value : item.end]) for item in found]
    if all(each is ... for each in new):
        return text
    kept = [
        text[item.start : item.end] if each is ... else text[item.start : item.value] + each
        for item, each in zip(found, new, strict=True)
        if each is not None
    ]
    return text[: found[0].start] + ",".join(kept) + text[found[-1].end :]


def text_of(value: str) -> str | None:
    """What a JSON string says.

    Args:
        value: As it is written, with its quotes.

    Returns:
        The text, or None for any other value.
    """
    return str(_JSON.raw_decode(value)[0]) if value.startswith('"') else None


def quoted(text: str) -> str:
    """A text as a JSON string.

    Args:
        text: Any.
    """
    return json.dumps(text, ensure_ascii=False)


def _string_end(text: str, at: int) -> int:
    return int(_JSON.raw_decode(text, at)[1])


def _skip(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    return at if found is None else found.end()
