"""The written reference of the config: one row for each key, from the JSON schema of the models."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from lakehouse.config.models.base import KIND

_HEAD: Final = """\
# Config reference

Every key of `lakehouse.yaml`; others are refused. `<name>` stands for a name of yours, `[]` for an entry of a
list. Durations (`30m`, `12h`, `7d`) count seconds, with 30 days to a month and 365 to a year; periods (`10d`,
`2w`, `6mo`, `3y`) follow the calendar. `${NAME}` and `${NAME:-default}` take environment variables, and `$${`
stands for `${`.
"""
_SIMPLE: Final[Mapping[str, str]] = {
    "string": "text",
    "integer": "whole number",
    "number": "number",
    "boolean": "`true` or `false`",
}


@dataclass(frozen=True, slots=True)
class Key:
    """One key of the config.

    Args:
        path: Such as ``tables.<name>.key``.
        type: What it takes, in words.
        default: As written in a file; empty where there is none.
        required: Whether its section needs it.
        description: What it means.
    """

    path: str
    type: str
    default: str
    required: bool
    description: str


def keys_of_schema(schema: Mapping[str, Any]) -> list[Key]:
    """Lists every key of a config.

    Args:
        schema: The JSON schema as pydantic makes it of the models.

    Returns:
        The keys in the order of the models, each section before its keys.
    """
    return list(_keys(schema, "", schema.get("$defs", {})))


def markdown(keys: Sequence[Key]) -> str:
    """Writes the reference.

    Args:
        keys: All keys.

    Returns:
        Markdown: a heading and a table for each section of the top level.
    """
    parts = [_HEAD, _table([key for key in keys if "." not in key.path and "[" not in key.path])]
    for top in (key for key in keys if "." not in key.path and "[" not in key.path):
        inner = [key for key in keys if key.path.startswith((f"{top.path}.", f"{top.path}["))]
        if inner:
            parts.append(f"## {top.path}\n\n{top.description}\n")
            parts.append(_table(inner))
    return "\n".join(parts)


def _table(keys: Sequence[Key]) -> str:
    lines = ["| key | type | default | meaning |", "|---|---|---|---|"]
    for key in keys:
        default = "required" if key.required else f"`{key.default}`" if key.default else ""
        cells = (f"`{key.path}`", key.type, default, key.description)
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines) + "\n"


def _keys(schema: Mapping[str, Any], path: str, definitions: Mapping[str, Any]) -> Iterator[Key]:
    required = schema.get("required", [])
    for name, raw in schema.get("properties", {}).items():
        own = f"{path}.{name}" if path else name
        resolved = _resolved(raw, definitions)
        yield Key(
            path=own,
            type=_type(resolved, definitions),
            default=_default(raw),
            required=name in required,
            description=str(raw.get("description", resolved.get("description", ""))),
        )
        yield from _below(resolved, own, definitions)


def _below(schema: Mapping[str, Any], path: str, definitions: Mapping[str, Any]) -> Iterator[Key]:
    """The keys of the sections inside a value."""
    for option in _options(schema, definitions):
        if "properties" in option:
            yield from _keys(option, path, definitions)
        elif isinstance(option.get("additionalProperties"), Mapping):
            inner = _resolved(option["additionalProperties"], definitions)
            yield from _below(inner, f"{path}.<name>", definitions)
        elif isinstance(option.get("items"), Mapping):
            yield from _below(_resolved(option["items"], definitions), f"{path}[]", definitions)


def _type(schema: Mapping[str, Any], definitions: Mapping[str, Any]) -> str:
    options = _options(schema, definitions)
    words = dict.fromkeys(_word(option, definitions) for option in options)
    return " or ".join(words)


def _word(schema: Mapping[str, Any], definitions: Mapping[str, Any]) -> str:
    word = _SIMPLE.get(str(schema.get("type")), "any")
    if KIND in schema:
        word = str(schema[KIND])
    elif "const" in schema:
        word = f"`{schema['const']}`"
    elif "enum" in schema:
        word = ", ".join(f"`{each}`" for each in schema["enum"])
    elif "properties" in schema:
        word = "section"
    elif isinstance(schema.get("additionalProperties"), Mapping):
        inner = _resolved(schema["additionalProperties"], definitions)
        word = f"name: {_type(inner, definitions)}"
    elif "items" in schema:
        word = f"list of: {_type(_resolved(schema['items'], definitions), definitions)}"
    elif schema.get("format") == "password":
        word = "secret"
    return word


def _options(schema: Mapping[str, Any], definitions: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """What a schema allows, one by one; that nothing is allowed too goes without saying."""
    resolved = _resolved(schema, definitions)
    if "anyOf" not in resolved or KIND in resolved:
        inner = [
            each
            for each in (_resolved(raw, definitions) for raw in resolved.get("anyOf", ()))
            if "properties" in each
        ]
        return [resolved, *inner]
    return [
        option
        for each in resolved["anyOf"]
        if each.get("type") != "null"
        for option in _options(each, definitions)
    ]


def _resolved(schema: Mapping[str, Any], definitions: Mapping[str, Any]) -> Mapping[str, Any]:
    reference = schema.get("$ref")
    if not isinstance(reference, str):
        return schema
    return definitions[reference.rpartition("/")[2]]  # type: ignore[no-any-return]


def _default(schema: Mapping[str, Any]) -> str:
    value = schema.get("default")
    if value is None or value in ("", {}):
        return ""
    return value if isinstance(value, str) else json.dumps(value).replace('"', "")
