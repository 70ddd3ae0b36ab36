"""The page of the Python API, from the docstrings of the public names and of what they return."""

from __future__ import annotations

import dataclasses
import enum
import inspect
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from functools import cached_property
from types import MappingProxyType
from typing import Final

import lakehouse
from docs.public import members, returned_by

_MAIN: Final[tuple[type, ...]] = (lakehouse.Lakehouse, lakehouse.Table, lakehouse.MergeResult)

_HEAD: Final = """\
# Python API

This page is made from the docstrings: `python -m docs.build`. Everything on it is typed and synchronous,
and can be used from many threads. `from lakehouse import Lakehouse` loads nothing but what is used.
"""
_SECTION: Final = re.compile(r"^(Args|Returns|Raises|Yields):$")
_ITEM: Final = re.compile(r"^(\*{0,2}[\w.]+): (.*)$")
_DEPTH: Final = 4
_AS_IS: Final[Mapping[str, str]] = MappingProxyType({"Args": "Takes"})


def api_markdown() -> str:
    """Renders the page.

    Returns:
        Markdown.
    """
    parts = [_HEAD]
    for kind in _MAIN:
        parts += _class(kind)
    parts.append("## What methods return\n")
    returned = returned_by(_MAIN)
    times = Counter(kind.__name__ for kind in returned)
    for kind in returned:
        room = f" ({kind.__module__.split('.')[1]})" if times[kind.__name__] > 1 else ""
        parts += _class(kind, level=3, room=room)
    parts += _errors()
    return "\n".join(parts)


def _class(kind: type, *, level: int = 2, room: str = "") -> list[str]:
    # Nobody makes a lake, a table or a result: how they are made is not shown, what a result holds is.
    fields = {"Args": "Fields"} if dataclasses.is_dataclass(kind) else {"Args": ""}
    parts = [f"{'#' * level} {kind.__name__}{room}\n", *_docstring(kind, fields)]
    for name, member in members(kind).items():
        if dataclasses.is_dataclass(kind) and name in kind.__dataclass_fields__:
            continue
        title = _title(kind, name, member)
        if title is not None:
            parts += [f"{'#' * (level + 1)} `{title}`\n", *_docstring(getattr(kind, name))]
    return parts


def _title(kind: type, name: str, member: object) -> str | None:
    """How a method is called, or a property named; None for what is neither."""
    if isinstance(member, property | cached_property):
        return name
    if isinstance(member, classmethod):
        return f"{kind.__name__}.{name}{_signature(member.__func__)}"
    return f"{name}{_signature(member)}" if inspect.isfunction(member) else None


def _signature(function: object) -> str:
    """Names and defaults; what the types are stands in the text."""
    assert callable(function)  # noqa: S101 -- a slip of this module
    parameters = list(inspect.signature(function).parameters.values())[1:]
    shown: list[str] = []
    for each in parameters:
        if each.kind is each.KEYWORD_ONLY and "*" not in shown:
            shown.append("*")
        default = "" if each.default is each.empty else f"={_plain(each.default)}"
        shown.append(f"{each.name}{default}")
    return f"({', '.join(shown)})"


def _plain(default: object) -> str:
    if isinstance(default, enum.Enum):
        return default.name
    if inspect.isroutine(default):
        # What it does stands in the text; how it is shown otherwise differs from run to run.
        return default.__name__ if default.__name__.isidentifier() else "..."
    return repr(default)


def _docstring(thing: object, names: Mapping[str, str] = _AS_IS) -> list[str]:
    text = inspect.getdoc(thing)
    return list(_rendered(text, names)) if text else []


def _rendered(text: str, names: Mapping[str, str]) -> Iterator[str]:
    """A docstring in Google's style as Markdown: sections become lists, under other names where asked."""
    parts = re.split(r"\n(?=(?:Args|Returns|Raises|Yields):\n)", text)
    for part in parts:
        first, _, rest = part.partition("\n")
        section = _SECTION.match(first)
        if section is None:
            yield _inline(part.strip()) + "\n"
            continue
        title = names.get(section[1], section[1])
        if not title:
            continue
        yield f"**{title}**\n"
        items = list(_items(rest))
        named = [item for item in items if item[0]]
        if named:
            yield "\n".join(f"- `{name}`: {_inline(body)}" for name, body in named) + "\n"
        else:
            yield _inline(" ".join(body for _, body in items)) + "\n"


def _items(text: str) -> Iterator[tuple[str, str]]:
    """The entries of a section: name (empty where there is none) and text."""
    name, body = "", list[str]()
    for line in text.splitlines():
        item = _ITEM.match(line[_DEPTH:]) if line[:_DEPTH].isspace() else None
        if item is not None:
            if body:
                yield name, " ".join(body)
            name, body = item[1], [item[2]]
        elif line.strip():
            body.append(line.strip())
    if body:
        yield name, " ".join(body)


def _inline(text: str) -> str:
    """Doubled backticks become single ones."""
    return text.replace("``", "`")


def _errors() -> list[str]:
    rows = ["## Errors\n", "All of them are in `lakehouse`, and each carries `message` and `advice`.\n"]
    rows += ["| error | below | exit code | a retry can help | what it means |", "|---|---|---|---|---|"]
    for name in sorted(lakehouse.__all__):
        kind = getattr(lakehouse, name)
        if isinstance(kind, type) and issubclass(kind, lakehouse.LakehouseError):
            retry = "yes" if kind.retryable else "no"
            meaning = (inspect.getdoc(kind) or "").partition("\n")[0]
            rows.append(
                f"| `{name}` | `{kind.__mro__[1].__name__}` | {kind.exit_code} | {retry} | {meaning} |"
            )
    return [*rows, ""]
