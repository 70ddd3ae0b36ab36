"""SQL conditions on a table's rows: the ``where`` of rules and of holds. What they say is never told.

Conditions are looked at on no rows first, so that an error can't show a value. Null counts as false, as in
any ``WHERE``.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import polars as pl

from lakehouse.delta.schema import StructType, to_polars
from lakehouse.errors import RefusedError
from lakehouse.protection.conditions import marked
from lakehouse.protection.row_by_row import looks_at_single_rows

_ANSWER = "__answer"


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
        return marked(rows, self.text, name)


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
    columns = _columns(text, what=what, secret=secret)
    missing = [name for name in columns if name not in schema]
    if missing:
        raise _unusable(what, "it names a column that the table does not have", secret, ", ".join(missing))
    try:
        kind = marked(pl.LazyFrame(schema=dict(to_polars(schema))), text, _ANSWER).collect().schema[_ANSWER]
    except pl.exceptions.PolarsError as error:
        raise _unreadable(what, secret, error) from None
    if kind not in (pl.Boolean, pl.Null):
        raise _unusable(what, "it says neither true nor false", secret, "")
    return Condition(text, columns)


def fault_of(text: str, schema: StructType | None, *, beside: Collection[str] = (), what: str) -> str:
    """What is wrong with the condition of a rule; empty where nothing is that can be told yet.

    Args:
        text: SQL.
        schema: The columns that the config declares; None where it does not say, which leaves the grammar.
        beside: Columns that the table has besides, of types that are not known.
        what: Whose it is: ``rule old``.
    """
    try:
        columns = _columns(text, what=what, secret=False)
        if schema is not None and set(columns).isdisjoint(beside):
            condition(text, schema, what=what, secret=False)
        elif schema is not None:
            missing = [name for name in columns if name not in schema and name not in beside]
            return f"it names a column that the table does not have: {', '.join(missing)}" if missing else ""
    except RefusedError as error:
        return error.message
    return ""


def _columns(text: str, *, what: str, secret: bool) -> tuple[str, ...]:
    """The columns that a condition looks at, each of a single row."""
    try:
        expression = pl.sql_expr(text)
        columns = tuple(dict.fromkeys(expression.meta.root_names()))
        # Files are looked at a few at a time, so the answer must not depend on how the rows happen to lie.
        alone = looks_at_single_rows(expression)
    except pl.exceptions.PolarsError as error:
        raise _unreadable(what, secret, error) from None
    if not alone:
        raise _unusable(what, "it looks at other rows than the one that it is about", secret, "")
    return columns


def _unreadable(what: str, secret: bool, error: Exception) -> RefusedError:
    return _unusable(what, "it can't be read", secret, str(error).partition("\n")[0][:200])


def _unusable(what: str, why: str, secret: bool, detail: str) -> RefusedError:
    shown = f": {detail}" if detail and not secret else ""
    return RefusedError(
        f"the condition of {what} can't be used: {why}{shown}",
        advice="nothing is done to the table until it can be: correct it, or take it away",
    )
