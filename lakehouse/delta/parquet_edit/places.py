"""Finding a Delta column in the schema of a Parquet file.

A path goes by what Delta calls things: names (or field ids) of columns and fields, ``element`` for what is
in a list, ``key`` and ``value`` for what is in a map. Lists are told by the rules for backward
compatibility of the Apache Parquet format (LogicalTypes, "Nested Types").
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, TypeAlias

from lakehouse.delta.parquet_edit import footer as f
from lakehouse.delta.parquet_edit.footer import Node

Step: TypeAlias = str | int
"""A name, or a field id."""

ELEMENT: Final = "element"
KEY: Final = "key"
VALUE: Final = "value"


def find(root: Node, path: Sequence[Step]) -> Node | None:
    """Find what a path leads to.

    Args:
        root: The schema.
        path: From the column down.

    Returns:
        The element that holds the values; None where the file has none.
    """
    node: Node | None = root
    for step in path:
        if node is None:
            return None
        node = _inside(node, step)
    return None if node is root else node


def _inside(node: Node, step: Step) -> Node | None:
    if node.parent is not None:
        match node.kind:
            case "list":
                return _element(node) if step == ELEMENT else None
            case "map":
                pair = node.children[0].children
                if len(pair) > 2 or step not in (KEY, VALUE):
                    return None
                return pair[0] if step == KEY else pair[-1] if len(pair) == 2 else None
    if isinstance(step, int):
        return next((child for child in node.children if child.field_id == step), None)
    return next((child for child in node.children if child.name == step), None)


def _element(node: Node) -> Node | None:
    repeated = node.children[0]
    if repeated.repeats != f.REPEATED:
        return None
    named = repeated.name in {"array", f"{node.name}_tuple"}
    # Older writers repeat the element itself.
    if len(repeated.children) != 1 or named:
        return repeated
    return repeated.children[0]
