"""A config as it was written: plain values, the place of each in the file, and problems found on the way."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeAlias

from lakehouse.config.variables import Expanded
from lakehouse.errors import Problem

Steps: TypeAlias = tuple[str | int, ...]
"""The way to a value: keys and positions in lists."""

_PLAIN_KEY: Final = re.compile(r"[\w-]+")


@dataclass(frozen=True, slots=True)
class Place:
    """A place in a file.

    Args:
        line: From 1; 0 where not known.
        column: From 1; 0 where not known.
    """

    line: int = 0
    column: int = 0


@dataclass(slots=True)
class Document:
    """What is known of a config before it is checked.

    Args:
        name: What problems call the file.
        source: The file as the user named it; empty for a mapping.
        base_dir: The folder that relative paths are meant from; absolute.
        data: Mappings, lists and scalars.
        values: Where each value stands.
        keys: Where the key of each value stands.
        problems: What is wrong, so far.
        broken: Ways to values that can't be used; they are left out of further checks.
    """

    name: str
    source: str
    base_dir: Path
    data: Any = None
    values: dict[Steps, Place] = field(default_factory=dict)
    keys: dict[Steps, Place] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    broken: set[Steps] = field(default_factory=set)

    def report(self, steps: Iterable[str | int], message: str, *, on_key: bool = False) -> None:
        """Adds a problem.

        Args:
            steps: The way to the value; as much of it as the file has is used.
            message: What is wrong.
            on_key: Whether the key is wrong, not the value.
        """
        way = self.known_part(steps)
        place = self._place(way, on_key=on_key)
        shown = _without_values(message, self.at(way))
        problem = Problem(self.name, place.line, place.column, show_path(way), shown)
        if problem not in self.problems:
            self.problems.append(problem)

    def report_at(self, place: Place, message: str) -> None:
        """Adds a problem that has a place in the file but none among the values.

        Args:
            place: Where.
            message: What is wrong.
        """
        self.problems.append(Problem(self.name, place.line, place.column, "", message))

    def known_part(self, steps: Iterable[str | int]) -> Steps:
        """As much of the way to a value as this config has.

        Args:
            steps: Keys and positions.

        Returns:
            The longest beginning that leads to a value.
        """
        way: list[str | int] = []
        here = self.data
        for step in steps:
            if not has(here, step):
                break
            here = here[step]
            way.append(step)
        return tuple(way)

    def at(self, steps: Iterable[str | int]) -> Any:
        """The value that a way leads to.

        Args:
            steps: Keys and positions.

        Returns:
            The value; where the way leads nowhere, the last that it touches.
        """
        here = self.data
        for step in self.known_part(steps):
            here = here[step]
        return here

    def _place(self, way: Steps, *, on_key: bool) -> Place:
        first, second = (self.keys, self.values) if on_key else (self.values, self.keys)
        while way:
            place = first.get(way) or second.get(way)
            if place is not None:
                return place
            way = way[:-1]
        return Place(1, 1) if self.values else Place()


def _without_values(message: str, value: object) -> str:
    """A message that names variables where it named what came out of them."""
    for each in value if isinstance(value, list) else [value]:
        if isinstance(each, Expanded) and each:
            message = message.replace(f"`{each}`", f"`{each.template}`")
    return message


def has(container: object, step: str | int) -> bool:
    """Whether a mapping has a key, or a list a position.

    Args:
        container: Any value.
        step: Key or position.

    Returns:
        False for scalars.
    """
    if isinstance(container, dict):
        return step in container
    return isinstance(container, list) and isinstance(step, int) and 0 <= step < len(container)


def show_path(steps: Iterable[str | int]) -> str:
    """Writes the way to a value.

    Args:
        steps: Keys and positions.

    Returns:
        Such as ``tables.orders.retention[0].keep``.
    """
    text = ""
    for step in steps:
        if isinstance(step, int):
            text += f"[{step}]"
            continue
        # As JSON writes it: a key with a line break in it must not make two lines of a problem.
        shown = step if _PLAIN_KEY.fullmatch(step) else json.dumps(step, ensure_ascii=False)
        text += f".{shown}" if text else shown
    return text
