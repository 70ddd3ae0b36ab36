"""Turns what pydantic found into sentences for people, with the nearest valid name."""

from __future__ import annotations

import re
from typing import Any, Final

from pydantic_core import ErrorDetails

from lakehouse.config.document import Document, Steps
from lakehouse.config.models import RuleError
from lakehouse.config.nearest import listed, nearest, suggestion
from lakehouse.config.shape import homes_of, keys_at
from lakehouse.config.variables import template_of

_QUOTED: Final = re.compile(r"'([^']*)'")
_SECTION_ERRORS: Final = frozenset({"model_type", "model_attributes_type", "dict_type", "mapping_type"})
_KINDS: Final = (
    (bool, "true or false"),
    (int | float, "a number"),
    (str, "text"),
    (dict, "a section"),
    (list, "a list"),
)
_LIST_ERRORS: Final = frozenset({"tuple_type", "list_type"})


def explain(error: ErrorDetails, way: Steps, document: Document) -> str:
    """Says what is wrong with a value, without showing it where it came from the environment.

    Args:
        error: What pydantic found.
        way: The way to the value, in the document.
        document: The config as written.

    Returns:
        A sentence without a full stop.
    """
    context: dict[str, Any] = error.get("ctx", {})
    match error["type"]:
        case "value_error":
            return str(context["error"])
        case "extra_forbidden":
            return unknown_key(str(way[-1]), way[:-1])
        case "missing":
            return f"`{way[-1]}` is missing"
        case "literal_error":
            return _unknown_value(document.at(way), str(context.get("expected", "")))
    return (
        _of_kind(error["type"], document.at(way))
        or _of_limits(error["type"], context)
        or error["msg"][:1].lower() + error["msg"][1:]
    )


def broken_rule(error: ErrorDetails) -> str:
    """The key that a broken rule of a section is about.

    Args:
        error: What pydantic found.

    Returns:
        The key; empty where it is the section as a whole.
    """
    cause = error.get("ctx", {}).get("error")
    return cause.at if isinstance(cause, RuleError) else ""


def unknown_key(key: str, section: Steps) -> str:
    """Says that a section does not know a key.

    Args:
        key: As written.
        section: The way to the section.

    Returns:
        The sentence, with the nearest key of the section, or the section that the key belongs to.
    """
    known = keys_at(section)
    near = nearest(key, known, cutoff=0.8)
    homes = homes_of(key)
    if near is None and 0 < len(homes) <= 2:
        return f"unknown key `{key}` here; it belongs to {' or '.join(homes)}"
    return f"unknown key `{key}`{suggestion(key, known, what='keys here')}"


def _unknown_value(value: object, expected: str) -> str:
    options = _QUOTED.findall(expected)
    if not options:
        return f"expected {expected}, got {_described(value)}"
    if not isinstance(value, str):
        return f"expected one of {listed(options)}, got {_described(value)}"
    near = nearest(value, options)
    end = f"did you mean `{near}`?" if near else f"one of {listed(options)}"
    if near and len(options) > 1:
        end += f" (one of {listed(options)})"
    return f"unknown value `{template_of(value)}`; {end}"


def _of_kind(kind: str, value: object) -> str:
    if kind in _SECTION_ERRORS:
        return f"expected a section with keys, got {_described(value)}"
    if kind in _LIST_ERRORS:
        return f"expected a list, got {_described(value)}"
    if kind in {"string_type", "string_sub_type"}:
        advice = "; put it in quotes" if isinstance(value, bool | int | float) else ""
        return f"expected text, got {_described(value)}{advice}"
    return ""


def _of_limits(kind: str, context: dict[str, Any]) -> str:
    match kind:
        case "greater_than_equal":
            return f"must be at least {context['ge']:g}"
        case "less_than_equal":
            return f"must be at most {context['le']:g}"
        case "string_too_short":
            return "is empty"
        case "too_short":
            return "needs at least one entry"
        case "finite_number":
            return "must be a number"
    return ""


def _described(value: object) -> str:
    for kind, words in _KINDS:
        if isinstance(value, kind):
            return words
    return "nothing" if value is None else f"a {type(value).__name__}"
