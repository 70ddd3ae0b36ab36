"""SQL of a table's own rules, evaluated here where it means the same: conditions and generated columns.

Names are those of the table's columns in any case, as engines write them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from lakehouse.delta.schema import StructType


@dataclass(frozen=True, slots=True)
class Formula:
    """SQL over the columns of a table.

    Args:
        expression: The SQL as Polars reads it, over the names as they are written in it.
        written: Name as it is written to the column that is meant.
    """

    expression: pl.Expr
    written: Mapping[str, str]

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that it looks at."""
        return tuple(dict.fromkeys(self.written.values()))

    def evaluate(self, rows: pl.DataFrame) -> pl.Series | None:
        """Its value for each row.

        Args:
            rows: With its columns.

        Returns:
            The values; None where it can't be evaluated on these types.
        """
        copies = [rows[column].alias(name) for name, column in self.written.items()]
        try:
            found = pl.DataFrame(copies, height=rows.height).select(self.expression.alias("value"))["value"]
        except pl.exceptions.PolarsError:
            # The cause is not kept: its message can show values.
            return None
        return found.new_from_index(0, rows.height) if found.len() != rows.height == 1 else found


def formula(text: str, schema: StructType) -> Formula | None:
    """Reads SQL.

    Args:
        text: A SQL expression.
        schema: The table's schema.

    Returns:
        The formula; None where it can't be read, or speaks of no column of the table.
    """
    try:
        expression = pl.sql_expr(text)
    except pl.exceptions.PolarsError:
        return None
    by_lower = {name.lower(): name for name in schema.names}
    names = tuple(dict.fromkeys(expression.meta.root_names()))
    # SQL on no known column would hold for nothing.
    if not names or any(name.lower() not in by_lower for name in names):
        return None
    return Formula(expression, {name: by_lower[name.lower()] for name in names})
