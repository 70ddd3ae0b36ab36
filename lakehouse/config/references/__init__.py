"""Names that point at other parts of the config: each must lead somewhere."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from lakehouse.config.models import Config
from lakehouse.config.references.charts import chart_findings
from lakehouse.config.references.derived import derived_findings
from lakehouse.config.references.lookup import Finding, Lookup, column_of
from lakehouse.config.references.operators import operator_findings
from lakehouse.config.references.people import people_findings
from lakehouse.config.references.shredding import shredding_findings
from lakehouse.config.references.store import store_findings
from lakehouse.config.references.tables import table_findings
from lakehouse.config.references.work import work_findings

__all__ = ["Finding", "check_references", "column_of"]


def check_references(config: Config, data: Any) -> Iterator[Finding]:
    """Looks up every name that the config points at.

    Args:
        config: The config, perhaps without parts that are wrong.
        data: The config as written: a name in a wrong part is there all the same.

    Yields:
        Every name that points nowhere, or that can't be.
    """
    yield from store_findings(config)
    lookup = Lookup(config, data)
    yield from table_findings(lookup)
    yield from people_findings(lookup)
    yield from derived_findings(lookup)
    yield from shredding_findings(lookup)
    yield from operator_findings(lookup)
    yield from work_findings(lookup)
    yield from chart_findings(lookup)
