"""What only SQL and the tables' columns can tell of the rules in a config: which no run could carry out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from lakehouse.cdc.changes import SEQUENCE
from lakehouse.config.models import Config, RetentionRule
from lakehouse.config.nearest import suggestion
from lakehouse.config.references import Finding
from lakehouse.merge.tables import declared_schema
from lakehouse.retention.conditions import fault_of

_HISTORY: Final = ("_valid_from", "_valid_to", "_is_current")


def rule_findings(config: Config) -> Iterator[Finding]:
    """Looks up the columns of rules for rows, and reads their conditions.

    Against the columns that the config declares for a table; where it declares none, only the SQL itself is
    read. A rule for all tables is looked at where a table has its column.

    Args:
        config: The config.

    Yields:
        What is wrong.
    """
    for name, table in config.tables.items():
        for at, rule in enumerate(table.retention):
            yield from _of_rule(config, name, rule, ("tables", name, "retention", at))
    for at, rule in enumerate(config.retention):
        yield from _of_shared(config, rule, at)


def _of_shared(config: Config, rule: RetentionRule, at: int) -> Iterator[Finding]:
    told = False
    for name, table in config.tables.items():
        if rule in config.retention_of(name) and rule.column in (table.column_schema or {}):
            for finding in _of_rule(config, name, rule, ("retention", at)):
                yield Finding(finding.way, f"{finding.message} (table `{name}`)")
                told = True
    fault = fault_of(rule.where, None, what=f"rule {rule.name}") if rule.where is not None else ""
    if fault and not told:
        yield Finding(("retention", at, "where"), fault)


def _of_rule(config: Config, name: str, rule: RetentionRule, way: tuple[str | int, ...]) -> Iterator[Finding]:
    table = config.tables[name]
    columns = table.column_schema
    beside = (SEQUENCE, *(_HISTORY if table.history.mode == "full" else ()))
    if columns and rule.column is not None and rule.column not in (*columns, *beside):
        near = suggestion(rule.column, tuple(columns), what="columns")
        message = (
            f"`{rule.column}` is not in the `schema` of `{name}`{near}; if it comes later, declare it there"
        )
        yield Finding((*way, "column"), message)
    if rule.where is None:
        return
    schema = declared_schema(columns) if columns else None
    fault = fault_of(rule.where, schema, beside=beside, what=f"rule {rule.name}")
    if fault:
        yield Finding((*way, "where"), fault)
