"""Making a table: its first commit, with the least protocol that it needs.

Delta protocol, sections "Change Metadata", "Table Features for New and Existing Tables" and "Schema
Serialization Format". delta-rs would do it too, but asks for features that the table doesn't use, which
keeps other engines out.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final
from uuid import uuid4

import orjson

from lakehouse.delta.actions import Action, CommitInfo, Metadata
from lakehouse.delta.datatypes import (
    VARIANT,
    DecimalType,
    OpaqueType,
    PrimitiveType,
    StructType,
    all_fields,
    walk,
)
from lakehouse.delta.protocol_changes import required_protocol
from lakehouse.delta.protocols import is_true
from lakehouse.delta.transaction import Committed, commit
from lakehouse.delta.type_names import type_string
from lakehouse.errors import ConflictError, UnsupportedFeatureError, UsageError
from lakehouse.storage.objects import Storage

# Properties that switch on what the first commit would have to bring more for than a feature's name.
_UNMAKEABLE: Final = {
    "delta.enableRowTracking": "rowTracking",
    "delta.enableIcebergCompatV1": "icebergCompatV1",
    "delta.enableIcebergCompatV2": "icebergCompatV2",
    "delta.enableIcebergCompatV3": "icebergCompatV3",
    "delta.enableTypeWidening": "typeWidening",
    "delta.enableVariantShredding": "variantShredding",
}
_UNPARTITIONABLE: Final = frozenset({"void", "variant", "binary"})


def create_table(
    storage: Storage,
    *,
    schema: StructType,
    partition_columns: Sequence[str] = (),
    properties: Mapping[str, str] | None = None,
    description: str | None = None,
    name: str | None = None,
    deletion_vectors: bool = False,
    now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
) -> int:
    """Make an empty table.

    Args:
        storage: The table's root.
        schema: Its columns.
        partition_columns: Columns whose values make folders; in order.
        properties: Table properties, such as ``delta.enableChangeDataFeed``.
        description: For people.
        name: For people.
        deletion_vectors: Whether rows may be marked as deleted instead of rewriting their files.
        now_ms: The clock.

    Returns:
        The version made: 0.

    Raises:
        UsageError: The columns can't make a table.
        UnsupportedFeatureError: A column or property needs a feature that is not made here.
        ConflictError: There is a table already; somebody else may have been faster.
        CommitUnknownError: See `commit`.
        StorageError: See `commit`.
    """
    configuration = dict(properties or {})
    if deletion_vectors:
        configuration["delta.enableDeletionVectors"] = "true"
    metadata = Metadata(
        id=str(uuid4()),
        schema_string=schema.to_json(),
        partition_columns=tuple(partition_columns),
        configuration=configuration,
        name=name,
        description=description,
        created_time=now_ms(),
    )
    check_columns(schema, partition_columns)
    _check_features(schema, metadata)
    actions: list[Action] = [required_protocol(schema, metadata), metadata]
    outcome = commit(storage, version=0, actions=actions, commit_info=_info(metadata), now_ms=now_ms)
    if not isinstance(outcome, Committed):
        raise ConflictError(
            f"there is a table at {storage.url} already",
            advice="open it; if it was made a moment ago, somebody else was faster",
        )
    return outcome.version


def _info(metadata: Metadata) -> CommitInfo:
    return CommitInfo(
        operation="CREATE TABLE",
        operation_parameters={
            "isManaged": "false",
            "partitionBy": orjson.dumps(list(metadata.partition_columns)).decode(),
            "properties": orjson.dumps(dict(metadata.configuration)).decode(),
        },
        is_blind_append=True,
    )


def check_columns(schema: StructType, partition_columns: Sequence[str]) -> None:
    """Refuse columns that can't make a table (section "Schema Serialization Format").

    Args:
        schema: The columns.
        partition_columns: Names of those that make folders.

    Raises:
        UsageError: It says what is wrong with which column.
    """
    if not len(schema):
        raise UsageError(
            "a table needs columns", advice="name them in the config, or let the first batch bring them"
        )
    for part in walk(schema):
        if isinstance(part, StructType):
            _check_names([item.name for item in part.fields])
    if len(set(partition_columns)) != len(partition_columns):
        raise UsageError("a partition column is named twice")
    for name in partition_columns:
        data_type = schema.field(name).type
        if isinstance(data_type, DecimalType):
            continue
        if not isinstance(data_type, PrimitiveType) or data_type.name in _UNPARTITIONABLE:
            raise UsageError(f"a table can't be partitioned by {name!r}, which is {type_string(data_type)}")
    if len(partition_columns) == len(schema):
        raise UsageError(
            "a table can't be partitioned by all of its columns", advice="leave one in the files"
        )


def _check_names(names: Sequence[str]) -> None:
    seen: dict[str, str] = {}
    for name in names:
        if not name:
            raise UsageError("a column has an empty name")
        # Without column mapping these characters can't stand in the names of Parquet columns elsewhere.
        if set(name) & set(" ,;{}()\n\t="):
            raise UsageError(
                f"the column name {name!r} has a character that Delta tables don't allow",
                advice="rename the column: no blanks, commas, semicolons, brackets or equals signs",
            )
        if name.lower() in seen:
            raise UsageError(
                f"columns {seen[name.lower()]!r} and {name!r} differ by case only, which Delta forbids"
            )
        seen[name.lower()] = name


def _check_features(schema: StructType, metadata: Metadata) -> None:
    needed = [feature for name, feature in _UNMAKEABLE.items() if is_true(metadata, name)]
    if metadata.configuration.get("delta.columnMapping.mode", "none").lower() != "none":
        needed.append("columnMapping")
    if any(part == VARIANT for part in walk(schema)):
        needed.append("variantType")
    if any(isinstance(part, OpaqueType) for part in walk(schema)):
        needed.append("a type that is not known here")
    if any(item.default_expression is not None for item in all_fields(schema)):
        needed.append("allowColumnDefaults")
    if needed:
        raise UnsupportedFeatureError(
            f"tables with {', '.join(needed)} are not made here",
            features=needed,
            advice="make the table with an engine that does, or leave the property or column out",
        )
