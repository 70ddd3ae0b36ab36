"""Rules over charts: the tables and jobs that they name."""

from __future__ import annotations

from collections.abc import Iterator

from lakehouse.config.nearest import suggestion
from lakehouse.config.references.lookup import Finding, Lookup


def chart_findings(lookup: Lookup) -> Iterator[Finding]:
    """Looks up the names of ``charts.tables`` and ``charts.jobs``.

    Args:
        lookup: The names that there are.

    Yields:
        What is wrong.
    """
    charts = lookup.config.charts
    for name in charts.tables:
        message = lookup.no_table(name)
        if message:
            yield Finding(("charts", "tables", name), message, on_key=True)
    for name in charts.jobs:
        if name not in lookup.jobs:
            near = suggestion(name, lookup.jobs, what="jobs")
            yield Finding(("charts", "jobs", name), f"there is no job `{name}`{near}", on_key=True)
