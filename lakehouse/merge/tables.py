"""Makes a table as its section of the config says."""

from __future__ import annotations

from collections.abc import Mapping

from lakehouse.delta.create import create_table
from lakehouse.delta.schema import StructField, StructType, parse_type
from lakehouse.merge.history import fields_of_config
from lakehouse.merge.target import MergeTarget


def declared_schema(columns: Mapping[str, str]) -> StructType:
    """The schema that a config declares.

    Args:
        columns: Column to type, as ``{"id": "long"}``.
    """
    return StructType(tuple(StructField(name, parse_type(text)) for name, text in columns.items()))


def make_table(target: MergeTarget, schema: StructType) -> None:
    """Makes an empty table.

    Args:
        target: The table.
        schema: Its columns.

    Raises:
        ConflictError: The table is there already.
        UsageError: The columns can't make a table.
    """
    config = target.config
    properties = {"delta.enableChangeDataFeed": "true"} if config.change_feed else {}
    if target.masks is not None:
        properties |= target.masks.properties(schema, {})
    create_table(
        target.storage,
        schema=schema.append(fields_of_config(config, schema)),
        partition_columns=config.partition_by,
        properties=properties,
        description=config.description or None,
        name=target.name,
        deletion_vectors=config.merge != "on_write",
        now_ms=lambda: int(target.clock().timestamp() * 1000),
    )
