"""The kind ``verify``: tables are checked, and a run that finds something has failed."""

from __future__ import annotations

from lakehouse.jobs.context import JobContext, one_by_one
from lakehouse.jobs.result import JobResult, Tally
from lakehouse.table import Table


def work(context: JobContext) -> JobResult:
    """Checks tables; nothing is mended.

    Args:
        context: The run.
    """
    tally = Tally()

    def verify(table: Table) -> None:
        report = table.verify(progress=context.step)
        tally.add(files=report.files, rows_read=report.rows_read, findings=len(report.findings))
        if not report.ok:
            kinds = sorted({each.kind for each in report.findings})
            tally.found.append(f"{table.name}: {len(report.findings)} findings ({', '.join(kinds)})")

    one_by_one(context, verify, alone=False)
    return tally.result
