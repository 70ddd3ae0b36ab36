"""SQL over the tables of a lake: which tables a query names, and what to say where it can't be answered."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

import polars as pl

from lakehouse.copies import CopyEntry
from lakehouse.errors import LakehouseError, RefusedError, TableNotFoundError, UsageError
from lakehouse.merge.result import QUARANTINE
from lakehouse.protection.asked import ensure_no_files
from lakehouse.protection.given import text_of
from lakehouse.table import Table
from lakehouse.timetravel.damage import find_damage
from lakehouse.timetravel.reading import told

_QUESTION: Final = re.compile(
    r"(\s|--[^\n]*(\n|$)|/\*.*?\*/|\()*(select|with|from|values|show|explain)\b|\s*$",
    re.IGNORECASE | re.DOTALL,
)
"""How a query begins that only asks; an empty one is left for the parser to name."""

_EXPLAIN: Final = re.compile(r"(\s|--[^\n]*(\n|$)|/\*.*?\*/|\()*explain\b", re.IGNORECASE | re.DOTALL)


def run_query(
    query: str,
    *,
    tables: Sequence[str],
    copies: Callable[[], Iterable[CopyEntry]],
    table: Callable[[str], Table],
    role: str | None = None,
) -> pl.DataFrame:
    """Answers a query with Polars' SQL; only the tables that it names are opened.

    Args:
        query: The query.
        tables: The tables of the config.
        copies: Gives the masked copies.
        table: Opens one of them, or a quarantine.
        role: In which role; None sees all.

    Raises:
        NotFoundError: There is no such role.
        RefusedError: The role may not read a table that the query names, or the query reads files or asks for
            its plan, which a role does not see.
        UsageError: The query is no question, can't be read, or does not fit the rows.
        TableNotFoundError: It names a table that has not been made.
        CorruptTableError: A file of a table is gone or damaged.
    """
    # Polars would carry out a DELETE or DROP on frames of its own, and it would look as if it were done.
    if not _QUESTION.match(text_of(query, "a query")):
        raise UsageError(
            "the query is no SELECT, and SQL only reads here: nothing was done",
            advice="`lakehouse merge` changes rows; `DELETE` is a change with `_op: delete`",
        )
    named = [table(name) for name in _named(query, tables, copies())]
    if role is not None:
        for each in named:
            each.opened.views(role)
        ensure_no_files(query)
        if _EXPLAIN.match(query):
            raise RefusedError(
                "a plan names files and the condition of the role, which roles do not see",
                advice="ask without EXPLAIN",
            )
    frames = {each.name: each.scan(role=role) for each in named if each.exists() or each.name not in tables}
    try:
        return pl.SQLContext(frames).execute(query, eager=True)
    except (OSError, pl.exceptions.PolarsError) as error:
        _ensure_made(named, frames)
        damage = _damage(named)
        if damage is not None:
            raise damage from error
        if isinstance(error, OSError):
            raise
        # A role is not told of tables that it may not read.
        known = tables if role is None else tuple(frames)
        raise _query_error(frames, query, error, known=known) from None


def _named(query: str, tables: Sequence[str], copies: Iterable[CopyEntry]) -> list[str]:
    """The tables, quarantines and copies whose names are words of a query."""
    words = set(re.findall(r"[^\W\d]\w*", query))
    names = [each for name in tables for each in (name, f"{name}{QUARANTINE}") if each in words]
    return names + [each.name for each in copies if each.name in words and each.name not in tables]


def _ensure_made(named: Sequence[Table], frames: Mapping[str, object]) -> None:
    unmade = [table.name for table in named if table.name not in frames]
    if unmade:
        raise TableNotFoundError(
            f"table {unmade[0]} has not been made yet", advice="`apply` makes it, or its first merge"
        ) from None


def _damage(named: Sequence[Table]) -> LakehouseError | None:
    """What of a query's tables is gone or damaged; None where they are whole."""
    for table in named:
        if table.exists():
            damage = find_damage(table.storage, table.snapshot(), table=table.name)
            if damage is not None:
                return damage
    return None


def _query_error(
    frames: Mapping[str, pl.LazyFrame], query: str, error: Exception, *, known: Sequence[str]
) -> UsageError:
    """What to say of a query that Polars does not answer.

    Its message can show values of rows, so the one is told that it has for the same tables without rows.
    """
    empty = {name: pl.LazyFrame(schema=frame.collect_schema()) for name, frame in frames.items()}
    try:
        pl.SQLContext(empty).execute(query, eager=True)
    except pl.exceptions.PolarsError as safe:
        return UsageError(
            f"the query can't be answered: {told(safe)}",
            advice=f"tables are: {', '.join(known)}" if known else "",
        )
    return UsageError(
        f"the query does not fit the rows of its tables ({type(error).__name__})",
        advice="a value can't be converted or compared as the query says; TRY_CAST gives null instead",
    )
