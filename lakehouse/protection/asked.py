"""What somebody who sees only part of a lake may ask: nothing that reads files, and what can't fail."""

from __future__ import annotations

import re
from typing import Any, Final

import polars as pl

from lakehouse.errors import RefusedError
from lakehouse.protection.row_by_row import all_known, name_of

_READERS: Final = re.compile(
    r"\b(?:" + "|".join(name for name in dir(pl) if name.startswith(("read_", "scan_"))) + r")\b",
    re.IGNORECASE,
)
"""Functions of Polars that read files. Those that its SQL knows are some of them."""

_COMPARISONS: Final = frozenset({"Eq", "NotEq", "EqValidity", "NotEqValidity", "Lt", "LtEq", "Gt", "GtEq"})
_LOGIC: Final = frozenset({"And", "Or", "LogicalAnd", "LogicalOr"})
_TESTS: Final = frozenset({"IsIn", "IsNotNull", "IsNull", "Not"})
_TEXT: Final = frozenset({"EndsWith", "LenChars", "Lowercase", "StartsWith", "Uppercase"})
_WITH_PATTERN: Final = frozenset({"Contains"})


def ensure_no_files(text: str) -> None:
    """Refuses SQL that reads files, which would be read as they are.

    Args:
        text: A query or condition. Also a text in it that only reads so is refused.

    Raises:
        RefusedError: It names a function that reads files.
    """
    found = _READERS.search(text)
    if found is not None:
        raise RefusedError(
            f"{found[0].lower()} reads files, and a role sees only tables",
            advice="name a table of the lake",
        )


def never_fails(expression: pl.Expr) -> bool:
    """Whether an expression has an answer for every row, whatever its values: comparisons and the like.

    Args:
        expression: A condition that fits the types of its columns.

    Returns:
        False also where that can't be told.
    """
    return all_known(expression, _parts)


def _parts(node: Any) -> list[Any] | None:
    """What has to be looked at besides; None where a value could make it fail."""
    match node:
        case {"Column": _} | {"Literal": _}:
            return []
        case {"Cast": {"expr": inner, "dtype": {"Literal": "Boolean"}}} if _is_truth(inner):
            return [inner]
        case {"BinaryExpr": {"left": left, "right": right, "op": op}} if op in _COMPARISONS | _LOGIC:
            return [left, right]
        case {"Function": {"input": list(inputs), "function": function}} if _known(function, inputs):
            return inputs
        case _:
            return None


def _is_truth(node: Any) -> bool:
    match node:
        case {"BinaryExpr": {"op": op}}:
            return op in _COMPARISONS | _LOGIC
        case {"Function": {"function": {"Boolean": _} | {"Sql": {"IsIn": _}}}}:
            return True
        case {"Function": {"function": {"StringExpr": "StartsWith" | "EndsWith" | {"Contains": _}}}}:
            return True
        case _:
            return False


def _known(function: Any, inputs: list[Any]) -> bool:
    if not isinstance(function, dict) or len(function) != 1:
        return False
    kind, inner = next(iter(function.items()))
    name = name_of(inner)
    if kind in {"Boolean", "Sql"}:
        return name in _TESTS
    if kind == "StringExpr":
        # A pattern that is made of values can be one that can't be read.
        return name in _TEXT or (name in _WITH_PATTERN and all("Literal" in each for each in inputs[1:]))
    return False
