"""The kind ``erase``: what people asked for is carried out, all that is due in one run."""

from __future__ import annotations

from collections import Counter

from lakehouse.jobs.context import JobContext
from lakehouse.jobs.result import JobResult, Tally


def work(context: JobContext) -> JobResult:
    """Carries requests out. A run that ends early is gone on with by the next.

    Args:
        context: The run.
    """
    tally = Tally()
    lake = context.lake
    # People are in tables of all sorts, and in their old versions: nobody else takes anything away meanwhile.
    with context.alone(*lake.tables):
        report = lake.requests.run(author=context.author, step=context.step)
    statuses = Counter(each.status for each in report.outcomes)
    tally.add(
        requests=len(report.outcomes),
        certificates=sum(each.certificate is not None for each in report.outcomes),
        rows_deleted=sum(each.deleted for each in report.erased),
        rows_anonymized=sum(each.anonymized for each in report.erased),
    )
    for each in report.erased:
        if each.committed:
            tally.made(each.table, each.version)
    tally.notes += [f"{number} {status}" for status, number in sorted(statuses.items())]
    braked = sum(bool(each.brakes) for each in report.plans)
    if report.failed:
        tally.found.append("somebody who should be gone was found again: see `lakehouse request list`")
    if braked:
        tally.found.append(
            f"{braked} requests find more than one person can have: see `lakehouse request run --dry-run`"
        )
    return tally.result
