"""Reading rows for people: conditions in SQL, and errors that say what is gone and why."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import polars as pl

from lakehouse.delta.snapshot import Snapshot
from lakehouse.errors import LakehouseError, StorageError, UsageError
from lakehouse.storage import Storage
from lakehouse.timetravel.damage import naming_damage


def filtered(rows: pl.LazyFrame, where: object, *, table: str, shown: Sequence[str]) -> pl.LazyFrame:
    """Keeps the rows that meet a condition.

    Args:
        rows: The rows.
        where: SQL text, in which times and dates may be written as text, or a Polars expression.
        table: The table's name, for errors.
        shown: The columns that an error names.

    Returns:
        The rows, lazily.

    Raises:
        UsageError: The condition can't be read, names a column that is not there, or compares what can't be
            compared. It is tried on no rows first, so that no value can be in the message.
    """
    if not isinstance(where, str | pl.Expr):
        raise UsageError(
            f"the condition on table {table} is a {type(where).__name__}",
            advice="give SQL text, as \"country = 'DE'\", or a Polars expression",
        )
    nothing = pl.LazyFrame(schema=rows.collect_schema())
    try:
        _keep(nothing, where).collect()
    except pl.exceptions.PolarsError as error:
        raise UsageError(
            f"the condition on table {table} can't be used: {told(error)}",
            advice="as in \"country = 'DE' AND updated_at > '2026-01-31'\"; its columns are: "
            + ", ".join(shown),
        ) from None
    return _keep(rows, where)


def told(error: Exception) -> str:
    """What Polars says of a query's text, in one line, without the columns that it lists behind."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[0].partition("; valid columns:")[0][:200]


def _keep(rows: pl.LazyFrame, where: str | pl.Expr) -> pl.LazyFrame:
    if isinstance(where, pl.Expr):
        return rows.filter(where)
    pl.sql_expr(where)  # one expression and nothing behind it
    # A whole query, unlike an expression, knows the columns' types and reads texts as times where they are.
    return rows.sql(f"SELECT * FROM self WHERE ({where})")  # noqa: S608 - the rows are the caller's own


@contextmanager
def explaining(
    storage: Storage, *, snapshots: Sequence[Snapshot], table: str, where: object = None
) -> Iterator[None]:
    """Turns what goes wrong while rows are read into errors that say what to do.

    Args:
        storage: The table's folder.
        snapshots: The versions that are read.
        table: The table's name.
        where: The condition by which somebody asks for rows, which can be what does not fit them.

    Raises:
        UsageError: The condition converts or compares what can't be.
        VersionNotFoundError: A file of an older version is gone.
        CorruptTableError: A file of the newest version is gone, or a file is damaged.
        StorageError: The store failed.
    """
    try:
        with naming_damage(storage, snapshots=snapshots, table=table):
            yield
    except LakehouseError as error:
        told_again = _as_it_was(error)
        if told_again is error:
            raise
        raise told_again from None
    except OSError as error:
        raise StorageError(
            f"table {table} could not be read ({type(error).__name__})",
            advice="`lakehouse verify` says which file is damaged",
        ) from error
    except pl.exceptions.PolarsError as error:
        # Both without the cause, which can show values.
        if where is not None and isinstance(error, pl.exceptions.InvalidOperationError):
            raise UsageError(
                f"the condition on table {table} does not fit its rows ({type(error).__name__})",
                advice="a value can't be converted or compared as it says; TRY_CAST gives null instead",
            ) from None
        raise StorageError(
            f"table {table} could not be read ({type(error).__name__})",
            advice="where a condition converts values, it may not fit them (TRY_CAST gives null instead); "
            "else `lakehouse verify` says which file is damaged",
        ) from None


def collect(
    lazy: pl.LazyFrame, *, storage: Storage, snapshot: Snapshot, table: str, where: object = None
) -> pl.DataFrame:
    """Collects rows; see `explaining` for what is raised."""
    with explaining(storage, snapshots=[snapshot], table=table, where=where):
        return lazy.collect()


def _as_it_was(error: LakehouseError) -> LakehouseError:
    """An error that came up inside of a query, without what Polars adds to it, which makes it anew."""
    message, inside, _ = error.message.partition("\n\nThis error occurred")
    return type(error)(message) if inside else error
