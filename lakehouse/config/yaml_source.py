"""Reads YAML 1.2 into plain values, and remembers the line and column of each.

Only what a config needs: mappings with text keys, lists, text, numbers, true and false. A date stays the
text that it is. Anchors, aliases and merge keys work; tags of programming languages do not.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any, Final

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, ReusedAnchorWarning, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode
from ruamel.yaml.reader import ReaderError

from lakehouse.config.document import Document, Place, Steps, show_path
from lakehouse.errors import Problem

_TAG: Final = "tag:yaml.org,2002:"
_TEXTS: Final = frozenset({"str", "timestamp", "value"})
# Aliases of aliases can make a small file into a huge config.
_MOST_VALUES: Final = 100_000
_DEEPEST: Final = 60
_TOO_DEEP: Final = "the file nests too deeply"


def read_yaml(text: str, document: Document) -> None:
    """Reads a text into a document: its values, their places, and the problems met.

    Args:
        text: YAML.
        document: Is filled; its data stays None where the text is no YAML, or empty.
    """
    yaml = YAML(typ="safe", pure=True)
    yaml.max_depth = _DEEPEST
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ReusedAnchorWarning)
            root = yaml.compose(text)
    except MarkedYAMLError as error:
        _report_broken(document, error)
    except ReaderError as error:
        at = error.position if isinstance(error.position, int) and error.position < len(text) else 0
        shown = f"#x{ord(text[at]):04x}"
        document.report_at(place_in(text, at), f"not YAML: the character {shown} is not allowed")
    except (YAMLError, ValueError) as error:
        document.report_at(Place(1, 1), f"not YAML: {type(error).__name__}")
    except RecursionError:
        document.report_at(Place(1, 1), _TOO_DEEP)
    else:
        if root is not None:
            document.data = _Reader(yaml, document).value(root, ())


def place_in(text: str, at: int) -> Place:
    """Finds line and column of a character.

    Args:
        text: A text.
        at: Position in it, from 0.

    Returns:
        The place.
    """
    line_start = text.rfind("\n", 0, at) + 1
    return Place(text.count("\n", 0, at) + 1, at - line_start + 1)


def _report_broken(document: Document, error: MarkedYAMLError) -> None:
    # Only the words of the parser, never its picture of the line: there can be a secret in it.
    problem = str(error.problem or "")
    context = str(error.context or "")
    mark = error.problem_mark or error.context_mark
    if problem.startswith("maximum depth"):
        message = _TOO_DEEP
    elif problem.startswith("found character '\\t'"):
        message = "not YAML: a tab; blanks indent"
    elif problem.startswith("mapping values are not allowed"):
        message = (
            "not YAML: a `:` that can't stand here; is the indentation right, or does a text need quotes?"
        )
    elif "quoted scalar" in context and "end of" in problem:
        message, mark = "not YAML: a quote that is not closed", error.context_mark or mark
    elif context.startswith("while parsing a flow") and "expected ','" in problem:
        bracket = "[" if "sequence" in context else "{"
        message, mark = f"not YAML: a `{bracket}` that is not closed", error.context_mark or mark
    elif "another document" in problem:
        message = "a second document begins here; a config is one"
    elif "undefined alias" in problem:
        message = "an alias (`*name`) without its anchor (`&name`)"
    else:
        message = f"not YAML: {context + ', ' if context else ''}{problem}"
    document.report_at(Place(mark.line + 1, mark.column + 1) if mark is not None else Place(), message)


class _Reader:
    """Makes plain values of YAML nodes."""

    def __init__(self, yaml: YAML, document: Document) -> None:
        self._yaml = yaml
        self._document = document
        self._open: set[int] = set()
        self._count = 0

    def value(self, node: Node, way: Steps) -> Any:
        """The value of a node.

        Args:
            node: Of any kind.
            way: Where it is.

        Returns:
            A mapping, list or scalar.
        """
        self._document.values[way] = _place(node)
        self._count += 1
        if self._count > _MOST_VALUES or len(way) > _DEEPEST:
            return self._refuse(way, "the file is too large, or nests too deeply")
        if id(node) in self._open:
            return self._refuse(way, "contains itself")
        self._open.add(id(node))
        try:
            return self._read(node, way)
        finally:
            self._open.discard(id(node))

    def _read(self, node: Node, way: Steps) -> Any:
        tag = str(node.tag).removeprefix(_TAG)
        if isinstance(node, MappingNode) and tag == "map":
            return self._mapping(node, way)
        if isinstance(node, SequenceNode) and tag == "seq":
            return [self.value(each, (*way, position)) for position, each in enumerate(node.value)]
        if isinstance(node, ScalarNode) and tag in _TEXTS:
            return str(node.value)
        if isinstance(node, ScalarNode) and tag in {"null", "bool", "int", "float"}:
            try:
                return self._yaml.constructor.construct_object(node)
            except (YAMLError, ValueError, KeyError):
                return self._refuse(way, f"is no {tag}")
        return self._refuse(way, f"the tag `{tag}` is not understood")

    def _mapping(self, node: MappingNode, way: Steps) -> dict[str, Any]:
        result: dict[str, Any] = {}
        merged: list[tuple[str, Node, Node]] = []
        for key, value in node.value:
            if str(key.tag) == f"{_TAG}merge":
                merged.extend(self._merged(value, way))
            elif not isinstance(key, ScalarNode):
                self._document.report_at(_place(key), "a key must be a text")
            elif key.value in result:
                first = self._document.keys[(*way, str(key.value))]
                self._document.report_at(
                    _place(key), f"the key `{key.value}` is there twice, first on line {first.line}"
                )
            else:
                self._enter(result, way, key, value)
        for name, key, value in merged:
            if name not in result:
                self._enter(result, way, key, value)
        return result

    def _enter(self, result: dict[str, Any], way: Steps, key: Node, value: Node) -> None:
        name = str(key.value)
        self._document.keys[(*way, name)] = _place(key)
        result[name] = self.value(value, (*way, name))

    def _merged(self, node: Node, way: Steps) -> Iterator[tuple[str, Node, Node]]:
        """The keys that ``<<`` brings in."""
        sources = node.value if isinstance(node, SequenceNode) else [node]
        for source in sources:
            self._count += 1
            if self._count > _MOST_VALUES:
                return
            if not isinstance(source, MappingNode) or id(source) in self._open:
                self._document.report_at(_place(node), "`<<` takes an alias of a mapping, or a list of them")
                return
            for key, value in source.value:
                if str(key.tag) == f"{_TAG}merge":
                    yield from self._merged(value, way)
                elif isinstance(key, ScalarNode):
                    yield str(key.value), key, value

    def _refuse(self, way: Steps, message: str) -> None:
        if self._count <= _MOST_VALUES + 1:
            place = self._document.values[way]
            self._document.broken.add(way)
            self._document.problems.append(
                Problem(self._document.name, place.line, place.column, show_path(way), message)
            )


def _place(node: Node) -> Place:
    return Place(node.start_mark.line + 1, node.start_mark.column + 1)
