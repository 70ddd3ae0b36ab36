"""What of a config can't be masked as it says, found without any table or key: for ``config check``."""

from __future__ import annotations

from collections.abc import Iterator

from lakehouse.config.models import Config
from lakehouse.config.models.operators import setting_problems
from lakehouse.config.references import Finding
from lakehouse.delta.schema import StructType
from lakehouse.errors import LakehouseError, MissingPackageError
from lakehouse.merge.tables import declared_schema
from lakehouse.pii.keys.ring import Key
from lakehouse.pii.mask.plan import Planning


class _NoKeys:
    """Stands in for the keys, so that operators can be asked what they take; nothing is masked with it."""

    def current(self, purpose: str) -> Key:
        return self.version(purpose, 1)

    def version(self, purpose: str, version: int) -> Key:
        return Key(purpose, version, bytes(32))

    def versions(self, purpose: str) -> tuple[int, ...]:  # noqa: ARG002
        return (1,)


def mask_findings(config: Config) -> Iterator[Finding]:
    """Looks for columns that can't be masked by the operators of their entities.

    Types are only known where a table has a ``schema``. What masks key, partition and sequence columns is
    checked in any case.

    Args:
        config: The config.

    Yields:
        What is wrong.
    """
    for name, table in config.tables.items():
        schema = declared_schema(table.column_schema) if table.column_schema else StructType()
        planning = Planning(name, config=config, schema=schema, ring=_NoKeys())
        for written, about in table.pii.items():
            if any(_misset(config, entity) for entity in about.entities):
                # Said once, where the operator is.
                continue
            try:
                planning.checked(written, about)
            except MissingPackageError:
                # The config can be right all the same.
                continue
            except LakehouseError as error:
                message = error.message.removeprefix(f"table {name}, ").removeprefix(f"table {name}: ")
                yield Finding(("tables", name, "pii", written), f"{message}; {error.advice}")


def _misset(config: Config, entity: str) -> bool:
    operators = config.pii.operators
    found = operators.get(entity) or operators.get("DEFAULT")
    return found is not None and any(setting_problems(found.operator, found.settings))
