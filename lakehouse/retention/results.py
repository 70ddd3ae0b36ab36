"""What became of a run of retention, table by table."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from lakehouse.errors import LakehouseError
from lakehouse.retention.plan import RetentionPlan, TableRetention


@dataclass(frozen=True, slots=True, kw_only=True)
class TableResult:
    """What became of one table.

    Args:
        table: Its name.
        status: ``done``; ``nothing`` to do; ``refused`` or ``failed``, with the error.
        plan: What was carried out (or would have been).
        version: The version that was made; None without one.
        run: The run's id, which is the commit's ``txnId``; None without a commit.
        rows_deleted: Rows that left the table, archived ones included.
        rows_archived: Those of them that are in an archive.
        rows_anonymized: Rows that were written over.
        files_dropped: Files that left the table.
        files_added: Files that came.
        vectors: Files that got a deletion vector, or a larger one.
        bytes_written: Bytes of all objects written into the table.
        archives: Ids of the archives.
        attempts: How often a commit was tried.
        error: Why not.
    """

    table: str
    status: Literal["done", "nothing", "refused", "failed"]
    plan: TableRetention
    version: int | None = None
    run: str | None = None
    rows_deleted: int = 0
    rows_archived: int = 0
    rows_anonymized: int = 0
    files_dropped: int = 0
    files_added: int = 0
    vectors: int = 0
    bytes_written: int = 0
    archives: tuple[str, ...] = ()
    attempts: int = 0
    error: LakehouseError | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class RetentionResult:
    """What a run did.

    Args:
        plan: The plan that was carried out, or would be.
        tables: What became of each table.
        dry_run: Whether it was only planned.
    """

    plan: RetentionPlan
    tables: tuple[TableResult, ...] = ()
    dry_run: bool = False

    @property
    def errors(self) -> tuple[LakehouseError, ...]:
        """Why tables were refused or failed."""
        return tuple(each.error for each in self.tables if each.error is not None)


def first_error(result: RetentionResult) -> LakehouseError:
    """The first error of a run, with what became of the other tables.

    Args:
        result: With errors.
    """
    first, *others = [(each.table, each.error) for each in result.tables if each.error is not None]
    done = [each.table for each in result.tables if each.status == "done"]
    notes = [f"not done either: {table} ({error.message})" for table, error in others]
    notes += [f"done: {', '.join(done)}"] if done else []
    error = first[1]
    if notes:
        error.advice = "; ".join([*([error.advice] if error.advice else []), *notes])
    return error
