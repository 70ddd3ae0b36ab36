"""SQL conditions on a table's rows: the ``where`` of rules and of holds. What they say is never told.

Conditions are looked at on no rows first, so that an error can't show a value. Null counts as false, as in
any ``WHERE``.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import polars as pl

from lakehouse.delta.schema import StructType, to_polars
from lakehouse.errors import RefusedError

# Parts of an expression that look at more than one row: files are looked at a few at a time, so their answer
# would depend on how the rows happen to lie.
_MANY_ROWS: Final = frozenset(
    {"Agg", "Over", "Quantile", "Correlation", "Range", "DataFrameScan", "Explode", "Len", "Shift", "Diff"}
    | {"ShiftAndFill", "CumSum", "CumCount", "CumMin", "CumMax", "RollingExpr", "Rank"}
)


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition that can be evaluated on a table.

    Args:
        text: SQL; it can hold personal values.
        columns: The columns that it looks at.
    """

    text: str
    columns: tuple[str, ...]

    def mark(self, rows: pl.LazyFrame, name: str) -> pl.LazyFrame:
        """Adds a column that says for which rows it holds.

        Args:
            rows: With its columns.
            name: The new column's name.
        """
        # A whole query, unlike an expression, knows the columns' types and reads texts as times.
        marked = rows.sql(f'SELECT *, ({self.text}) AS "{name}" FROM self')  # noqa: S608 - from the lake's own
        return marked.with_columns(pl.col(name).fill_null(value=False))


def condition(text: str, schema: StructType, *, what: str, secret: bool) -> Condition:
    """Reads a condition.

    Args:
        text: SQL.
        schema: The table's schema.
        what: Whose it is, for errors: ``rule old``, ``hold h-1``.
        secret: Whether an error must not show anything of the text.

    Raises:
        RefusedError: It can't be read, names a column that is not there, or does not say true or false.
    """
    try:
        expression = pl.sql_expr(text)
        columns = tuple(dict.fromkeys(expression.meta.root_names()))
        if not _MANY_ROWS.isdisjoint(_parts(json.loads(expression.meta.serialize(format="json")))):
            raise _unusable(what, "it looks at other rows than the one that it is about", secret, "")
        missing = [name for name in columns if name not in schema]
        if missing:
            raise _unusable(
                what, "it names a column that the table does not have", secret, ", ".join(missing)
            )
        found = Condition(text, columns)
        empty = pl.LazyFrame(schema=dict(to_polars(schema)))
        kind = empty.sql(f'SELECT ({text}) AS "it" FROM self').collect().schema["it"]  # noqa: S608
    except pl.exceptions.PolarsError as error:
        raise _unusable(what, "it can't be read", secret, str(error).partition("\n")[0][:200]) from None
    if kind not in (pl.Boolean, pl.Null):
        raise _unusable(what, "it says neither true nor false", secret, "")
    return found


def _parts(tree: Any) -> Iterator[str]:
    """The kinds of nodes of an expression; names of columns and literals are none."""
    if isinstance(tree, dict):
        for name, inside in tree.items():
            yield name
            if name not in {"Literal", "Column"}:
                yield from _parts(inside)
    elif isinstance(tree, list):
        for inside in tree:
            yield from _parts(inside)
    elif isinstance(tree, str):
        yield tree


def _unusable(what: str, why: str, secret: bool, detail: str) -> RefusedError:
    shown = f": {detail}" if detail and not secret else ""
    return RefusedError(
        f"the condition of {what} can't be used: {why}{shown}",
        advice="nothing is done to the table until it can be: correct it, or take it away",
    )
