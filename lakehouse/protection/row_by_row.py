"""Whether an expression says the same of a row, whatever rows are beside it.

Polars has an answer of its own (``meta.is_row_separable``), which takes ``a > AVG(a)`` for one that does and
fails on ``IN``. So the expression is looked at piece by piece, and only pieces pass that are known to look at
one row alone.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import orjson
import polars as pl

_FUNCTIONS: Final = frozenset(
    {
        "Abs",
        "Ceil",
        "Coalesce",
        "FillNull",
        "Floor",
        "MaxHorizontal",
        "MinHorizontal",
        "Negate",
        "Round",
        "Sign",
    }
)
_KINDS: Final = frozenset({"Boolean", "Pow", "Round", "StringExpr", "TemporalExpr"})
"""Groups of functions that look at one row, but for `_OTHERS`."""

_OF_SQL: Final = frozenset({"Binary", "IsIn", "Round", "ToFloat"})
_OTHERS: Final = frozenset(
    {"All", "Any", "ConcatVertical", "IsDuplicated", "IsFirstDistinct", "IsLastDistinct", "IsUnique"}
)


def looks_at_single_rows(expression: pl.Expr) -> bool:
    """Whether every part of an expression looks at one row.

    Args:
        expression: Any expression.

    Returns:
        False also where that can't be told: for parts that are not known here, and very deep nesting.
    """
    return all_known(expression, _parts)


def all_known(expression: pl.Expr, parts_of: Callable[[Any], list[Any] | None]) -> bool:
    """Whether every piece of an expression is known, as Polars writes it down.

    Args:
        expression: Any expression.
        parts_of: Gives the pieces that a piece is made of; None for one that is not known.

    Returns:
        False also for very deep nesting.
    """
    try:
        todo: list[Any] = [orjson.loads(expression.meta.serialize(format="json"))]
    except (ValueError, pl.exceptions.PolarsError):
        return False
    while todo:
        parts = parts_of(todo.pop())
        if parts is None:
            return False
        todo += parts
    return True


def name_of(inner: Any) -> str:
    """The name of a function within its group, with or without settings.

    Args:
        inner: As Polars writes it down.
    """
    return next(iter(inner), "") if isinstance(inner, dict) else str(inner)


def _parts(node: Any) -> list[Any] | None:
    """What an expression is made of; None where it is none that looks at one row."""
    match node:
        case {"Column": _} | {"Literal": _}:
            return []
        case {"Alias": [inner, _]} | {"Cast": {"expr": inner}}:
            return [inner]
        case {"BinaryExpr": {"left": left, "right": right}}:
            return [left, right]
        case {"Ternary": {"predicate": predicate, "truthy": truthy, "falsy": falsy}}:
            return [predicate, truthy, falsy]
        case {"Function": {"input": list(inputs), "function": function}} if _known(function):
            return inputs
        case _:
            return None


def _known(function: Any) -> bool:
    match function:
        case str():
            return function in _FUNCTIONS
        case dict() if len(function) == 1:
            kind, inner = next(iter(function.items()))
            name = name_of(inner)
            return name in _OF_SQL if kind == "Sql" else kind in _KINDS and name not in _OTHERS
        case _:
            return False
