"""Checks a document against the models and collects everything that is wrong with it.

What is wrong is left out and the rest is checked again, so that one mistake does not hide another, and so
that the names in the right parts can be looked up even where other parts are wrong.
"""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any, Final

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from lakehouse.config.document import Document, Steps
from lakehouse.config.explain import broken_rule, explain
from lakehouse.config.models import Config

_ROUNDS: Final = 12
# What is said of a section as a whole, and shown at its key.
_OF_SECTIONS: Final = frozenset({"missing", "value_error"})


@dataclass(frozen=True, slots=True)
class Checked:
    """What a document makes.

    Args:
        config: The config without the parts that are wrong; None where nothing useful is left.
        broken: The ways to the parts that were left out.
    """

    config: Config | None
    broken: frozenset[Steps]


def check_models(document: Document) -> Checked:
    """Makes the models, and reports what does not fit them.

    Args:
        document: The config as written, variables replaced; problems are added.

    Returns:
        What could be made.
    """
    broken = set(document.broken)
    for _ in range(_ROUNDS):
        try:
            return Checked(Config.model_validate(_without(document.data, broken, ())), frozenset(broken))
        except ValidationError as error:
            found = _innermost(error.errors(include_url=False, include_input=False))
        for each in found:
            _report(each, document, broken)
        size = len(broken)
        broken |= {_culprit(each, document, broken) for each in found}
        if len(broken) == size or () in broken:
            break
    return Checked(None, frozenset(broken))


def original_way(location: Steps, data: Any, broken: AbstractSet[Steps]) -> Steps:
    """Translates a place in what was checked into the place in the document.

    Args:
        location: The way in a document without its broken parts.
        data: The whole document.
        broken: The ways to the parts that were left out.

    Returns:
        The way in the document: positions count the entries that were left out too.
    """
    way: Steps = ()
    here = data
    for step in location:
        if isinstance(here, list) and isinstance(step, int):
            kept = [at for at in range(len(here)) if (*way, at) not in broken]
            step = kept[step] if step < len(kept) else step  # noqa: PLW2901
            here = here[step] if step < len(here) else None
        else:
            here = here.get(step) if isinstance(here, dict) else None
        way = (*way, step)
    return way


def _without(data: Any, broken: AbstractSet[Steps], way: Steps) -> Any:
    """A copy of a document that lacks its broken parts."""
    if isinstance(data, dict):
        return {
            key: _without(value, broken, (*way, key))
            for key, value in data.items()
            if (*way, key) not in broken
        }
    if isinstance(data, list):
        return [
            _without(value, broken, (*way, at)) for at, value in enumerate(data) if (*way, at) not in broken
        ]
    return data


def _innermost(found: list[ErrorDetails]) -> list[ErrorDetails]:
    """Leaves out what is only said of a list because its entries are wrong, as that it is too short."""
    locations = [error["loc"] for error in found]
    return [
        error
        for error in found
        if not any(
            len(each) > len(error["loc"]) and each[: len(error["loc"])] == error["loc"] for each in locations
        )
    ]


def _report(error: ErrorDetails, document: Document, broken: AbstractSet[Steps]) -> None:
    location, on_key = _location(error)
    way = original_way(location, document.data, broken)
    # What a section says once a part of it is left out may only be due to that.
    if any(each[: len(way)] == way for each in broken):
        return
    rule = broken_rule(error)
    where = (*way, rule) if rule else way
    message = explain(error, way if error["type"] in {"missing", "extra_forbidden"} else where, document)
    about_section = not rule and error["type"] in _OF_SECTIONS and isinstance(document.at(where), dict)
    document.report(where, message, on_key=on_key or about_section or error["type"] == "extra_forbidden")


def _culprit(error: ErrorDetails, document: Document, broken: AbstractSet[Steps]) -> Steps:
    location, _ = _location(error)
    way = document.known_part(original_way(location, document.data, broken))
    while way and way in broken:
        # A part that is needed was left out: the section can't stand without it.
        way = way[:-1]
    return way


def _location(error: ErrorDetails) -> tuple[Steps, bool]:
    location: Steps = tuple(error["loc"])
    if location and location[-1] == "[key]":
        return location[:-1], True
    return location, False
