"""Columns by exactly their names, which Polars would take for patterns in places."""

from __future__ import annotations

import polars as pl


def column(name: str) -> pl.Expr:
    """A column by exactly its name, even where Polars would take it for a pattern.

    Args:
        name: A column's name.

    Returns:
        An expression.
    """
    if name == "*" or (name.startswith("^") and name.endswith("$")):
        return pl.selectors.by_name(name).as_expr()
    return pl.col(name)
