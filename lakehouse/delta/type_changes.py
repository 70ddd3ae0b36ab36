"""Wider types: what a schema says of columns whose type was changed.

Delta protocol, section "Type Widening": a field whose type was changed tells each change under
``delta.typeChanges``, with ``fieldPath`` where it is the element of a list or a part of a map that changed.
Files from before keep the old type, and readers widen while they read.
"""

from __future__ import annotations

from dataclasses import replace

from lakehouse.delta.actions import Metadata, Protocol
from lakehouse.delta.datatypes import (
    TYPE_CHANGES,
    ArrayType,
    DataType,
    Json,
    MapType,
    StructField,
    StructType,
    type_to_json,
)
from lakehouse.delta.protocol_changes import with_features, with_properties
from lakehouse.delta.protocols import is_true, supports

_PROPERTY = "delta.enableTypeWidening"
_FEATURE = "typeWidening"


def widens_by_metadata(protocol: Protocol, metadata: Metadata) -> bool:
    """Whether a table lets types be widened without a file being touched.

    Args:
        protocol: The table's protocol.
        metadata: The table's metadata.

    Returns:
        True where the feature is supported and switched on.
    """
    known = supports(protocol, _FEATURE) or supports(protocol, f"{_FEATURE}-preview")
    return known and is_true(metadata, _PROPERTY)


def enable_type_widening(protocol: Protocol, metadata: Metadata) -> tuple[Protocol, Metadata]:
    """Switch type widening on; every feature that the table has stays.

    Args:
        protocol: The table's protocol.
        metadata: The table's metadata.

    Returns:
        Both, changed where need be; the same objects where it is on already.
    """
    if widens_by_metadata(protocol, metadata):
        return protocol, metadata
    return with_features(protocol, (_FEATURE,)), with_properties(metadata, {_PROPERTY: "true"})


def traced(known: StructType, wanted: StructType) -> StructType:
    """The wanted schema, in which every field tells how its type was changed.

    Args:
        known: The schema as it is.
        wanted: The same with wider types and more fields.

    Returns:
        The wanted schema; fields whose type is the same are those of ``wanted``.
    """
    fields = []
    for item in wanted.fields:
        before = known.get(item.name)
        fields.append(item if before is None else _traced_field(before, item))
    return StructType(tuple(fields))


def _traced_field(known: StructField, wanted: StructField) -> StructField:
    changes: list[Json] = []
    kind = _traced_type(known.type, wanted.type, "", changes)
    if not changes:
        return replace(wanted, type=kind)
    earlier = wanted.metadata.get(TYPE_CHANGES)
    told = [*(earlier if isinstance(earlier, list) else []), *changes]
    return replace(wanted, type=kind, metadata={**wanted.metadata, TYPE_CHANGES: told})


def _traced_type(known: DataType, wanted: DataType, path: str, changes: list[Json]) -> DataType:
    match known, wanted:
        case StructType(), StructType():
            return traced(known, wanted)
        case ArrayType(), ArrayType():
            return replace(
                wanted,
                element=_traced_type(known.element, wanted.element, _below(path, "element"), changes),
            )
        case MapType(), MapType():
            return replace(
                wanted,
                key=_traced_type(known.key, wanted.key, _below(path, "key"), changes),
                value=_traced_type(known.value, wanted.value, _below(path, "value"), changes),
            )
        case _ if known != wanted:
            change: dict[str, Json] = {"fromType": type_to_json(known), "toType": type_to_json(wanted)}
            changes.append({**change, "fieldPath": path} if path else change)
    return wanted


def _below(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
