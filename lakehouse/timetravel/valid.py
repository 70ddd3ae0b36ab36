"""The other clock: rows of a table with full history as they held at a moment of the business."""

from __future__ import annotations

from datetime import date, datetime
from typing import TypeAlias

import polars as pl

from lakehouse.cdc.timeline import VALID_FROM, VALID_TO
from lakehouse.errors import UsageError
from lakehouse.timetravel.resolve import aware

Moment: TypeAlias = datetime | date | int | float | str
"""A place in the sequence of a table: a time, or a number where the sequence is one."""


def valid_at(rows: pl.LazyFrame, moment: Moment, *, table: str) -> pl.LazyFrame:
    """Keeps the versions of rows that held at a moment.

    A version holds from ``_valid_from`` on and until ``_valid_to``, which is not part of it.

    Args:
        rows: The rows of a table with full history, with those two columns.
        moment: In the table's own terms: a time (aware where the table's are), text in ISO 8601, or a number.
        table: The table's name, for errors.

    Returns:
        The rows, lazily; at most one of each key.

    Raises:
        UsageError: The table keeps no history, or its times are of another kind.
    """
    schema = rows.collect_schema()
    if VALID_FROM not in schema or VALID_TO not in schema:
        raise UsageError(
            f"table {table} keeps no history of its rows, so they can't be read as of a moment",
            advice="`history: full` keeps it; an older version of the table is read by version or timestamp",
        )
    at = pl.lit(_fitted(moment, schema[VALID_FROM], table)).cast(schema[VALID_FROM])
    return rows.filter((pl.col(VALID_FROM) <= at) & (pl.col(VALID_TO).is_null() | (pl.col(VALID_TO) > at)))


def _fitted(moment: Moment, kind: pl.DataType, table: str) -> Moment:
    """The moment as a value of the column's type."""
    if isinstance(kind, pl.Datetime):
        if kind.time_zone is not None and isinstance(moment, str | datetime):
            return aware(moment)
        found = datetime.fromisoformat(moment) if isinstance(moment, str) and _is_iso(moment) else moment
        if isinstance(found, datetime) and found.tzinfo is None:
            return found
    elif kind == pl.Date:
        found = (
            datetime.fromisoformat(moment).date() if isinstance(moment, str) and _is_iso(moment) else moment
        )
        if isinstance(found, date):
            return found.date() if isinstance(found, datetime) else found
    elif kind == pl.String:
        return str(moment)
    elif kind.is_numeric():
        number = _number(moment)
        if number is not None:
            return number
    raise UsageError(
        f"table {table} dates its rows by {_called(kind)}, which the moment given is not",
        advice="see the column _valid_from for how it looks",
    )


def _is_iso(text: str) -> bool:
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True


def _number(moment: Moment) -> int | float | None:
    if isinstance(moment, int | float):
        return moment
    try:
        return int(str(moment))
    except ValueError:
        return None


def _called(kind: pl.DataType) -> str:
    if kind == pl.Date:
        return "dates"
    return "times without a timezone" if isinstance(kind, pl.Datetime) else "numbers"
