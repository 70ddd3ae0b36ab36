"""Settings of operators: each must be one that the operator knows, and right."""

from __future__ import annotations

from collections.abc import Iterator

from lakehouse.config.models.operators import setting_problems
from lakehouse.config.references.lookup import Finding, Lookup


def operator_findings(lookup: Lookup) -> Iterator[Finding]:
    """Checks the settings of all operators.

    Args:
        lookup: The names that there are.

    Yields:
        What is wrong; never a value.
    """
    for entity, operator in lookup.config.pii.operators.items():
        way = ("pii", "operators", entity)
        for name, message in setting_problems(operator.operator, operator.settings):
            unknown = bool(name) and "has no setting" in message
            yield Finding((*way, name) if name else way, message, on_key=unknown or not name)
