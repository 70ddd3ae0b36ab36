"""The kind ``pii-scan``: columns with personal data are looked for, table by table."""

from __future__ import annotations

from lakehouse.jobs.context import JobContext, one_by_one
from lakehouse.jobs.result import JobResult, Tally
from lakehouse.table import Table


def work(context: JobContext) -> JobResult:
    """Scans samples of tables.

    Args:
        context: The run.
    """
    tally = Tally()

    def scan(table: Table) -> None:
        found = context.lake.pii.scan([table.name])
        for each in found.tables:
            tally.add(columns=len(each.columns), undeclared=len(each.undeclared), rows_sampled=each.sampled)
            if each.undeclared:
                tally.notes.append(f"{each.table}: not in the config: {', '.join(each.undeclared)}")
        if found.missing and found.missing not in tally.notes:
            tally.notes.append(found.missing)

    one_by_one(context, scan, alone=False)
    return tally.result
