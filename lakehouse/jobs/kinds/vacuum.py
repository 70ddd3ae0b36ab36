"""The kind ``vacuum``: files that no version needs any more go, table by table."""

from __future__ import annotations

from lakehouse.jobs.context import JobContext, one_by_one
from lakehouse.jobs.result import JobResult, Tally
from lakehouse.table import Table


def work(context: JobContext) -> JobResult:
    """Vacuums tables. A run that ends within one is gone on with by the next.

    Args:
        context: The run.
    """
    tally = Tally()

    def vacuum(table: Table) -> None:
        done = table.vacuum(step=context.step)
        tally.add(files_removed=len(done.files), bytes_removed=done.bytes)
        context.log(f"{table.name}: {len(done.files)} files went ({done.bytes} bytes)")

    one_by_one(context, vacuum, alone=True)
    return tally.result
