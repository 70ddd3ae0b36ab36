"""The kind ``freshness``: how old the newest data is, against what the config expects."""

from __future__ import annotations

from lakehouse.jobs.context import JobContext, one_by_one
from lakehouse.jobs.result import JobResult, Tally
from lakehouse.maintenance.freshness import freshness
from lakehouse.table import Table


def work(context: JobContext) -> JobResult:
    """Judges tables by their expectations with ``freshness``; those with ``on_fail: fail`` fail the run.

    Args:
        context: The run.
    """
    tally = Tally()

    def judge(table: Table) -> None:
        found = freshness(table.storage, table.snapshot(), table.config.expect, now=context.clock())
        tally.add(expectations=len(found), stale=sum(not each.ok for each in found))
        for each in found:
            if not each.ok:
                into = tally.found if each.on_fail == "fail" else tally.notes
                into.append(f"{table.name}: {each.detail}")

    one_by_one(context, judge, alone=False)
    return tally.result
