"""What only SQL and the tables' types can tell of a config: conditions that no merge could use."""

from __future__ import annotations

from collections.abc import Iterator

from lakehouse.config.models import Config
from lakehouse.config.references import Finding, column_of
from lakehouse.merge.expectations import fault_of
from lakehouse.merge.tables import declared_schema


def columns_to_come(config: Config) -> Iterator[str]:
    """Names columns in ``pii`` that are not in the table's ``schema``: right if they come, wrong if misspelt.

    Args:
        config: The config.

    Yields:
        A sentence for each.
    """
    for name, table in config.tables.items():
        for column in table.pii:
            known = table.column_schema
            if known is not None and column not in known and column_of(column) not in known:
                yield (
                    f"tables.{name}.pii.{column}: `{column}` is not in the `schema` of `{name}`; "
                    "nothing is masked by it until such a column comes"
                )


def condition_findings(config: Config) -> Iterator[Finding]:
    """Reads the conditions of all expectations, against the columns that the config names for their table.

    Where it names none, only the SQL itself is read: which columns there are is then in the table alone.

    Args:
        config: The config.

    Yields:
        What is wrong.
    """
    for name, table in config.tables.items():
        schema = declared_schema(table.column_schema) if table.column_schema else None
        for at, each in enumerate(table.expect):
            fault = fault_of(each.check, schema) if each.check is not None else ""
            if fault:
                yield Finding(
                    ("tables", name, "expect", at, "check"), f"the condition can't be used: {fault}"
                )
