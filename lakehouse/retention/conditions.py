"""SQL conditions on a table's rows: the ``where`` of rules and of holds. What they say is never told.

Conditions are looked at on no rows first, so that an error can't show a value. Null counts as false, as in
any ``WHERE``.
"""

from __future__ import annotations

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
    try:
        expression = pl.sql_expr(text)
        columns = tuple(dict.fromkeys(expression.meta.root_names()))
        # Files are looked at a few at a time, so the answer must not depend on how the rows happen to lie.
        if not looks_at_single_rows(expression):
            raise _unusable(what, "it looks at other rows than the one that it is about", secret, "")
        missing = [name for name in columns if name not in schema]
        if missing:
            raise _unusable(
                what, "it names a column that the table does not have", secret, ", ".join(missing)
            )
        found = Condition(text, columns)
        kind = marked(pl.LazyFrame(schema=dict(to_polars(schema))), text, _ANSWER).collect().schema[_ANSWER]
    except pl.exceptions.PolarsError as error:
        raise _unusable(what, "it can't be read", secret, str(error).partition("\n")[0][:200]) from None
    if kind not in (pl.Boolean, pl.Null):
        raise _unusable(what, "it says neither true nor false", secret, "")
    return found


def _unusable(what: str, why: str, secret: bool, detail: str) -> RefusedError:
    shown = f": {detail}" if detail and not secret else ""
    return RefusedError(
        f"the condition of {what} can't be used: {why}{shown}",
        advice="nothing is done to the table until it can be: correct it, or take it away",
    )
