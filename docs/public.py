"""What users of the Python API get into their hands: the public classes, and what their methods return."""

from __future__ import annotations

import ast
import dataclasses
import inspect
import re
import sys
from collections.abc import Iterator
from functools import cache, cached_property
from importlib import import_module
from types import ModuleType
from typing import Any, Final

_PACKAGE: Final = "lakehouse"
_PLUMBING: Final = (
    "lakehouse.cdc.generations",
    "lakehouse.config",
    "lakehouse.delta",
    "lakehouse.errors",
    "lakehouse.jobs.context",
    "lakehouse.jobs.observing",
    "lakehouse.jobs.runner",
    "lakehouse.jobs.working",
    "lakehouse.merge.company",
    "lakehouse.merge.quarantine",
    "lakehouse.merge.target",
    "lakehouse.pii.mask.copy",
    "lakehouse.pii.mask.copy_shape",
    "lakehouse.pii.mask.rows",
    "lakehouse.records",
    "lakehouse.requests.erase",
    "lakehouse.retention.conditions",
    "lakehouse.retention.cutoff",
    "lakehouse.retention.decide",
    "lakehouse.retention.neutral",
    "lakehouse.retention.work",
    "lakehouse.state.database",
    "lakehouse.storage",
    "lakehouse.verbs",
)
"""Modules of what is handed on from part to part. Errors and the config have pages of their own."""


def members(kind: type) -> dict[str, object]:
    """The public members of a class and of those that it is made of, in the order of their definition.

    Args:
        kind: The class.
    """
    ours = [each for each in reversed(kind.__mro__) if each.__module__.startswith(_PACKAGE)]
    return {name: each for part in ours for name, each in vars(part).items() if not name.startswith("_")}


def returned_by(kinds: tuple[type, ...]) -> list[type]:
    """The classes that public methods, properties and fields of some classes give, and theirs in turn.

    Args:
        kinds: The classes to begin with, which are not among what is returned.
    """
    found: dict[type, None] = dict.fromkeys(kinds)
    for kind in (queue := list(kinds)):
        for each in _given(kind):
            if each not in found:
                found[each] = None
                queue.append(each)
    return list(found)[len(kinds) :]


def _given(kind: type) -> Iterator[type]:
    for part, annotation in _annotations(kind):
        names = _names(sys.modules[part.__module__])
        for name in re.findall(r"\b[A-Z]\w+", annotation):
            module, original = names.get(name, ("", ""))
            if not module.startswith(_PACKAGE):
                continue
            given = getattr(import_module(module), original)
            # Where a room hands on what one of its modules defines, that module counts.
            if isinstance(given, type) and not _is_plumbing(given.__module__):
                yield given


def _is_plumbing(module: str) -> bool:
    return any(module == each or module.startswith(f"{each}.") for each in _PLUMBING)


def _annotations(kind: type) -> Iterator[tuple[type, str]]:
    """What members give, as it is written, and the class whose module knows the names in it."""
    for part in kind.__mro__:
        if not part.__module__.startswith(_PACKAGE):
            continue
        for name, member in vars(part).items():
            function = _function(member)
            if function is not None and not name.startswith("_"):
                yield part, str(inspect.get_annotations(function).get("return", ""))
        fields = dataclasses.fields(part) if dataclasses.is_dataclass(part) else ()
        yield from ((part, str(field.type)) for field in fields if not field.name.startswith("_"))


def _function(member: Any) -> Any:
    if isinstance(member, property):
        return member.fget
    if isinstance(member, cached_property):
        return member.func
    if isinstance(member, classmethod | staticmethod):
        return member.__func__
    return member if inspect.isfunction(member) else None


@cache
def _names(module: ModuleType) -> dict[str, tuple[str, str]]:
    """Where the names that a module uses come from, those that only type checkers import included."""
    names: dict[str, tuple[str, str]] = {}
    for node in ast.walk(ast.parse(inspect.getsource(module))):
        if isinstance(node, ast.ImportFrom) and node.module:
            names |= {each.asname or each.name: (node.module, each.name) for each in node.names}
        elif isinstance(node, ast.ClassDef):
            names[node.name] = (module.__name__, node.name)
    return names
