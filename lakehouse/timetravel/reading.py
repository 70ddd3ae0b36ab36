"""Reading rows for people: conditions in SQL, and errors that say what is gone and why."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import polars as pl

from lakehouse.delta.snapshot import Snapshot
from lakehouse.errors import LakehouseError, StorageError, UsageError, VersionNotFoundError
from lakehouse.storage import Storage


def condition(where: str | pl.Expr) -> pl.Expr:
    """A condition on rows.

    Args:
        where: SQL text, or an expression, which is taken as it is.

    Raises:
        UsageError: The text can't be read.
    """
    if isinstance(where, pl.Expr):
        return where
    try:
        return pl.sql_expr(where)
    except pl.exceptions.PolarsError:
        raise UsageError(
            "the condition of `where` is not SQL that can be read",
            advice="as in \"country = 'DE' AND quantity > 3\"",
        ) from None


@contextmanager
def explaining(storage: Storage, *, snapshots: Sequence[Snapshot], table: str) -> Iterator[None]:
    """Turns what goes wrong while rows are read into errors that say what to do.

    Args:
        storage: The table's folder.
        snapshots: The versions that are read.
        table: The table's name.

    Raises:
        VersionNotFoundError: A file of a version is gone.
        UsageError: The condition names a column that is not there, or compares what can't be compared.
        StorageError: The store failed.
    """
    try:
        yield
    except LakehouseError:
        raise
    except pl.exceptions.ColumnNotFoundError as error:
        raise UsageError(
            f"table {table} has no column {str(error).splitlines()[0]}",
            advice=f"its columns are: {', '.join(snapshots[-1].schema.names)}",
        ) from None
    except (pl.exceptions.SchemaError, pl.exceptions.InvalidOperationError):
        raise UsageError(
            f"the condition does not fit the types of table {table}",
            advice="compare numbers with numbers, dates with dates",
        ) from None
    except (OSError, pl.exceptions.PolarsError) as error:
        for snapshot in snapshots:
            _explain_missing(storage, snapshot, table)
        raise StorageError(
            f"table {table} could not be read ({type(error).__name__})",
            advice="`lakehouse verify` says which file is damaged",
        ) from error


def collect(lazy: pl.LazyFrame, *, storage: Storage, snapshot: Snapshot, table: str) -> pl.DataFrame:
    """Collects rows; see `explaining` for what is raised."""
    with explaining(storage, snapshots=[snapshot], table=table):
        return lazy.collect()


def _explain_missing(storage: Storage, snapshot: Snapshot, table: str) -> None:
    there = {item.path for item in storage.list()}
    paths = [add.relative_path(storage.url) for add in snapshot.files.values()]
    gone = [path for path in paths if path is not None and path not in there]
    if gone:
        raise VersionNotFoundError(
            f"version {snapshot.version} of table {table} can't be read any more: {len(gone)} of its "
            f"{len(paths)} files are gone",
            advice="they were vacuumed; read a younger version, and tag those that must stay",
        )
