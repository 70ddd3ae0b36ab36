"""Paths to personal data inside columns: ``address.street``, ``phones[]``, ``payload$.user.email``.

The grammar, also that of the keys of ``pii`` in the config::

    path = name step*
    step = "." name        a field of a struct; behind "$" a member of a JSON object
         | "[]"            the elements of a list; behind "$" those of a JSON array
         | "{}"            the values of a map; behind "$" those of a JSON object that is used as one
         | "{key}"         the keys of the same
         | "$"             what the JSON in a text says
    name = a word without . [ ] { } $ `, or any text in backticks, which are doubled inside

A column that is called exactly like a path is meant before the path is.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final, Literal

from lakehouse.errors import UsageError

StepKind = Literal["field", "item", "value", "key", "json"]

_SIGNS: Final[dict[str, StepKind]] = {"[]": "item", "{}": "value", "{key}": "key", "$": "json"}
_WRITTEN: Final = {kind: sign for sign, kind in _SIGNS.items()}
_NAME: Final = r"(?:`(?:[^`]|``)+`|[^.\[\]{}$`]+)"
_TOKEN: Final = re.compile(rf"(?P<sign>\[\]|\{{\}}|\{{key\}}|\$)|\.(?P<name>{_NAME})", re.DOTALL)
_FIRST: Final = re.compile(_NAME, re.DOTALL)
_PLAIN: Final = re.compile(r"[^.\[\]{}$`]+", re.DOTALL)


@dataclass(frozen=True, slots=True, order=True)
class Step:
    """One step into a column.

    Args:
        kind: ``field`` of a struct or JSON object, ``item`` of a list, ``value`` or ``key`` of a map, or
            ``json``: into the text.
        name: The field's name; empty for the others.
    """

    kind: StepKind
    name: str = ""


@dataclass(frozen=True, slots=True, order=True)
class ColumnPath:
    """The way from a row to values.

    Args:
        column: The column's display name.
        steps: From there on; none for the column itself.
    """

    column: str
    steps: tuple[Step, ...] = ()

    def __str__(self) -> str:
        return format_path(self)

    def then(self, kind: StepKind, name: str = "") -> ColumnPath:
        """The path with one more step.

        Args:
            kind: Of which kind.
            name: The field's name, for a field.
        """
        return ColumnPath(self.column, (*self.steps, Step(kind, name)))

    @property
    def names(self) -> tuple[str, ...]:
        """The column and the fields on the way, from the outside in."""
        return (self.column, *(step.name for step in self.steps if step.kind == "field"))


def parse_path(text: str, *, columns: Collection[str] = ()) -> ColumnPath:
    """Reads a path.

    Args:
        text: As written.
        columns: The columns that there are; one that is called exactly like that is meant.

    Returns:
        The path.

    Raises:
        UsageError: It is none.
    """
    if text in columns:
        return ColumnPath(text)
    first = _FIRST.match(text)
    if first is None:
        raise _no_path(text)
    steps: list[Step] = []
    at = first.end()
    while at < len(text):
        found = _TOKEN.match(text, at)
        if found is None:
            raise _no_path(text)
        sign = found["sign"]
        steps.append(Step("field", _bare(found["name"])) if sign is None else Step(_SIGNS[sign]))
        at = found.end()
    return ColumnPath(_bare(first.group()), tuple(steps))


def format_path(path: ColumnPath) -> str:
    """Writes a path, so that `parse_path` with the same columns gives it back.

    Args:
        path: A path; one of a column alone is the column's name, whatever is in it.

    Returns:
        Such as ``payload$.user.email``.
    """
    if not path.steps:
        return path.column
    parts = [_quoted(path.column)]
    parts += (
        f".{_quoted(step.name)}" if step.kind == "field" else _WRITTEN[step.kind] for step in path.steps
    )
    return "".join(parts)


def column_of(text: str, *, columns: Collection[str] = ()) -> str:
    """The column that a path leads into; the text itself where it is no path.

    Args:
        text: As written.
        columns: The columns that there are.
    """
    try:
        return parse_path(text, columns=columns).column
    except UsageError:
        return text


def _bare(name: str) -> str:
    return name[1:-1].replace("``", "`") if name.startswith("`") else name


def _quoted(name: str) -> str:
    if _PLAIN.fullmatch(name):
        return name
    return "`" + name.replace("`", "``") + "`"


def _no_path(text: str) -> UsageError:
    return UsageError(
        f"`{text}` is no path to a column",
        advice="as `email`, `address.street`, `phones[]`, `labels{}`, `labels{key}`, `payload$.user.email`; "
        "names with other signs in them go into backticks",
    )
