"""The kind ``retention``: what is past its time goes, table by table."""

from __future__ import annotations

from lakehouse.jobs.context import JobContext, one_by_one
from lakehouse.jobs.result import JobResult, Tally
from lakehouse.table import Table


def work(context: JobContext) -> JobResult:
    """Carries the rules for rows out.

    Args:
        context: The run.
    """
    tally = Tally()

    def apply(table: Table) -> None:
        if not any(rule.kind == "rows" for rule in context.lake.config.retention_of(table.name)):
            return
        for each in context.lake.retention.apply(tables=[table.name]).tables:
            tally.add(
                rows_deleted=each.rows_deleted,
                rows_archived=each.rows_archived,
                rows_anonymized=each.rows_anonymized,
                bytes_written=each.bytes_written,
            )
            tally.made(each.table, each.version)
            context.log(f"{each.table}: {each.rows_deleted} rows deleted, {each.rows_anonymized} anonymized")

    one_by_one(context, apply, alone=True)
    return tally.result
