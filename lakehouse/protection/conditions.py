"""The SQL conditions of holds: which ones can be taken, and what they mean on the rows of a version.

A condition must mean the same of a row whatever rows are beside it and whenever it is asked: a hold is not to
let go of a row because another one came or a day passed. No message repeats a part of it: it can be personal.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import polars as pl

from lakehouse.cdc.cells import CELLS
from lakehouse.errors import UsageError
from lakehouse.protection.holds import Protection
from lakehouse.protection.row_by_row import looks_at_single_rows

LONGEST: Final = 10_000
"""Characters of a condition; deeply nested ones would need more stack than there is."""

_ROOM: Final = 16
"""Parentheses that can come around a condition when it is joined with those of other holds."""

_TEXTS: Final = re.compile(r"'(?:[^']|'')*'")
_CLOCKS: Final = re.compile(
    r"\b(now|today|current_date|current_time|current_timestamp|localtime|localtimestamp|getdate|sysdate)\b",
    re.IGNORECASE,
)
_NOTE: Final = "its condition does not fit the table's columns any more, so that all rows are kept"


def columns_of_condition(where: str, schema: pl.Schema, *, table: str) -> tuple[str, ...]:
    """Checks a condition before a hold is placed.

    Args:
        where: SQL, as ``customer_id = 7``.
        schema: The table's columns.
        table: The table's name, for errors.

    Returns:
        The columns that it names.

    Raises:
        UsageError: It can't be read, names no column or an unknown one, or is not about single rows.
    """
    # Lakehouse's own column is none that a person knows of.
    shown = ", ".join(name for name in schema if name != CELLS)
    what = f"the condition of the hold on table {table}"
    if len(where) > LONGEST:
        raise UsageError(
            f"{what} has {len(where):,} characters and may have {LONGEST:,}", advice="place several holds"
        )
    try:
        expression = pl.sql_expr(where)
        names = tuple(dict.fromkeys(expression.meta.root_names()))
    except pl.exceptions.PolarsError:
        raise UsageError(
            f"{what} can't be read as SQL", advice=f"as in customer_id = 7; its columns are: {shown}"
        ) from None
    if not names:
        raise UsageError(
            f"{what} names no column, so that it is true of all rows or of none",
            advice="leave the condition out to hold the whole table",
        )
    if any(name not in schema for name in names):
        raise UsageError(
            f"{what} names a column that the table does not have",
            advice=f"a text stands in single quotes; the columns are: {shown}",
        )
    if not looks_at_single_rows(expression) or _CLOCKS.search(_TEXTS.sub("''", where)):
        raise UsageError(
            f"{what} depends on other rows or on the time, so that rows could fall out of it",
            advice="compare the columns of single rows with fixed values; many of them with IN (...)",
        )
    # Deeper than it is, since it will stand beside others.
    if not readable(f"{'(' * _ROOM}{where}\n{')' * _ROOM}", schema):
        raise UsageError(
            f"{what} is no condition, compares what can't be compared, or is nested too deeply",
            advice=f"compare columns with values of their types; the columns are: {shown}",
        )
    return names


def readable(where: str, schema: pl.Schema) -> bool:
    """Whether a condition can be evaluated on these columns.

    Args:
        where: The condition.
        schema: The columns of a version.
    """
    try:
        matching(pl.LazyFrame(schema=schema), where).collect()
    except pl.exceptions.PolarsError:
        return False
    return True


def matching(rows: pl.LazyFrame, where: str) -> pl.LazyFrame:
    """The rows for which a condition of a hold is true, as everywhere else in the product.

    Args:
        rows: The rows of a version, with all of its columns.
        where: A hold's condition, or `Protection.condition`.

    Returns:
        The rows, lazily. Collecting them can fail on values that don't fit; then all of them count as held.
    """
    return rows.sql(f"SELECT * FROM self WHERE ({where}\n)")  # noqa: S608 - checked when it was placed


def marked(rows: pl.LazyFrame, where: str, name: str) -> pl.LazyFrame:
    """Says of each row whether a condition is true for it, as `matching` reads it: null counts as false.

    Args:
        rows: With the columns that the condition names.
        where: SQL.
        name: The new column's name.

    Returns:
        The rows with one more column, lazily.
    """
    # A whole query, unlike an expression, knows the columns' types and reads texts as times.
    found = rows.sql(f'SELECT *, ({where}\n) AS "{name}" FROM self')  # noqa: S608 - the lake's own
    return found.with_columns(pl.col(name).fill_null(value=False))


def fitting(protection: Protection, schema: pl.Schema) -> Protection:
    """What a protection means on the columns of one version: never less than asked.

    Args:
        protection: The holds.
        schema: The version's columns.

    Returns:
        The same, but holds whose condition can't be evaluated on these columns hold the whole table.
    """
    holds = tuple(
        hold if hold.where is None or readable(hold.where, schema) else replace(hold, where=None, note=_NOTE)
        for hold in protection.holds
    )
    return Protection(protection.table, holds)


def equality(column: str, values: Sequence[str], kind: pl.DataType) -> str | None:
    """The condition that a column has one of some values.

    Args:
        column: Its name.
        values: As text, as they come from a command line.
        kind: The column's type.

    Returns:
        SQL; None where a value can't be one of that type.
    """
    literals = [_literal(value, kind) for value in values]
    if any(literal is None for literal in literals):
        return None
    name = '"' + column.replace('"', '""') + '"'
    parts = [f"{name} = {literal}" for literal in literals]
    return parts[0] if len(parts) == 1 else f"({' OR '.join(parts)})"


def _literal(value: str, kind: pl.DataType) -> str | None:
    text = "'" + value.replace("'", "''") + "'"
    if kind == pl.String:
        return text
    if kind.is_integer():
        return value.strip() if re.fullmatch(r"\s*-?[0-9]{1,19}\s*", value, re.ASCII) else None
    if kind.is_numeric():
        return (
            value.strip() if re.fullmatch(r"\s*-?[0-9]{1,38}(\.[0-9]{1,38})?\s*", value, re.ASCII) else None
        )
    if kind == pl.Boolean:
        return value.strip().lower() if value.strip().lower() in {"true", "false"} else None
    return text if kind.is_temporal() else None
