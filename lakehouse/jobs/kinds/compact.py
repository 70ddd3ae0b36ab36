"""The kind ``compact``: small files are put together, table by table."""

from __future__ import annotations

from lakehouse.jobs.context import JobContext, one_by_one
from lakehouse.jobs.result import JobResult, Tally
from lakehouse.table import Table


def work(context: JobContext) -> JobResult:
    """Compacts tables.

    Args:
        context: The run.
    """
    tally = Tally()

    def compact(table: Table) -> None:
        done = table.compact()
        removed = 0 if done.version is None else done.files_removed
        tally.add(files_removed=removed, files_added=done.files_added, bytes_written=done.bytes_written)
        tally.made(table.name, done.version)
        context.log(f"{table.name}: {removed} files became {done.files_added}")

    one_by_one(context, compact, alone=True)
    return tally.result
