"""Rules over charts: the tables and jobs that they name."""

from __future__ import annotations

from collections.abc import Iterator

from lakehouse.config.models.charts import LONGEST_RULE, never_enough
from lakehouse.config.nearest import suggestion
from lakehouse.config.references.lookup import Finding, Lookup


def chart_findings(lookup: Lookup) -> Iterator[Finding]:
    """Looks up the names of ``charts.tables`` and ``charts.jobs``, and whether their sections fit the lake's.

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
    for section, overrides in (("tables", charts.tables), ("jobs", charts.jobs)):
        for name, own in overrides.items():
            baseline, fewest = own.baseline or charts.baseline, own.min_points or charts.min_points
            key = "baseline" if own.baseline is not None else "min_points"
            if isinstance(baseline, int) and baseline < fewest:
                yield Finding(("charts", section, name, key), never_enough(baseline, fewest))
            elif isinstance(baseline, int) and baseline + LONGEST_RULE > charts.keep:
                message = f"is more than `keep` allows ({charts.keep} points)"
                yield Finding(("charts", section, name, key), message)
