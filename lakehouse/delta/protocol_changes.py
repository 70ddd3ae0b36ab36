"""Protocols and properties as a table gets them: the least for a new one, and more for one that is there.

Delta protocol, sections "Table Features for New and Existing Tables" and "Table Properties". Nothing that a
table has is ever dropped here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from lakehouse.delta.actions import Metadata, Protocol
from lakehouse.delta.datatypes import TIMESTAMP_NTZ, StructType, all_fields, walk
from lakehouse.delta.protocols import (
    LEGACY_WRITER_FEATURES,
    READER_VERSION,
    READER_WRITER_FEATURES,
    WRITER_VERSION,
    check_constraints,
    is_true,
    reader_features,
    supports,
    writer_features,
)


def enable_deletion_vectors(protocol: Protocol, metadata: Metadata) -> tuple[Protocol, Metadata]:
    """Switch deletion vectors on, which brings a table to named features.

    Nothing that the table has is dropped: every named feature stays, and what an old version implied is
    named, since "the client must assume a feature has been used, unless it can prove" otherwise (section
    "Table Features for New and Existing Tables").

    Args:
        protocol: The table's protocol.
        metadata: The table's metadata.

    Returns:
        Both, changed where need be; the same objects where vectors are on already.
    """
    return (
        with_features(protocol, ("deletionVectors",)),
        with_properties(metadata, {"delta.enableDeletionVectors": "true"}),
    )


def with_features(protocol: Protocol, names: Iterable[str]) -> Protocol:
    """Add features to a protocol.

    Args:
        protocol: What is there.
        names: Features to add.

    Returns:
        A protocol on named features with all that was there or implied, and the new ones; the same object
        where nothing is missing. The reader version only rises for features that readers must know.
    """
    added = set(names)
    if added <= set(writer_features(protocol)) and protocol.min_writer_version >= WRITER_VERSION:
        return protocol
    readers = set(reader_features(protocol)) | (added & READER_WRITER_FEATURES)
    writers = set(writer_features(protocol)) | added | readers
    named = protocol.min_reader_version >= READER_VERSION or bool(added & READER_WRITER_FEATURES)
    return Protocol(
        min_reader_version=READER_VERSION if named else protocol.min_reader_version,
        min_writer_version=WRITER_VERSION,
        reader_features=tuple(sorted(readers)) if named else None,
        writer_features=tuple(sorted(writers)),
    )


def merged_protocol(now: Protocol, then: Protocol) -> Protocol:
    """The least protocol that has all features of two.

    Args:
        now: A table's protocol.
        then: Another one, such as that of an older version.

    Returns:
        It; ``now`` itself where it has all that ``then`` has.
    """
    lacking = {*reader_features(then), *writer_features(then)} - {
        *reader_features(now),
        *writer_features(now),
    }
    if not lacking:
        return now
    if max(now.min_writer_version, then.min_writer_version) < WRITER_VERSION:
        return Protocol(
            max(now.min_reader_version, then.min_reader_version),
            max(now.min_writer_version, then.min_writer_version),
        )
    return with_features(now, lacking)


def with_types_of(protocol: Protocol, schema: StructType) -> Protocol:
    """Add the features that the types of a schema ask for (section "Timestamp without timezone").

    Args:
        protocol: What is there.
        schema: The schema that the table gets.

    Returns:
        The protocol; the same object where nothing is missing.
    """
    if TIMESTAMP_NTZ not in walk(schema) or supports(protocol, "timestampNtz"):
        return protocol
    return with_features(protocol, ("timestampNtz",))


def with_properties(metadata: Metadata, properties: Mapping[str, str]) -> Metadata:
    """Set table properties.

    Args:
        metadata: What is there.
        properties: Name to value.

    Returns:
        The changed metadata; the same object where nothing changes.
    """
    changed = {**metadata.configuration, **properties}
    return metadata if changed == metadata.configuration else replace(metadata, configuration=changed)


def required_protocol(schema: StructType, metadata: Metadata) -> Protocol:
    """The least protocol that a new table needs.

    Args:
        schema: Its schema.
        metadata: Its properties.

    Returns:
        Reader 1 and writer 2 to 4 where old versions will do; named features, and only the needed ones,
        where they won't.
    """
    needed = _needed_features(schema, metadata)
    legacy = {name: version for version, names in LEGACY_WRITER_FEATURES.items() for name in names}
    if needed <= set(legacy):
        return Protocol(1, max([2, *(legacy[name] for name in needed)]))
    return with_features(Protocol(1, WRITER_VERSION, None, ()), needed)


def _needed_features(schema: StructType, metadata: Metadata) -> set[str]:
    fields = tuple(all_fields(schema))
    policy = metadata.configuration.get("delta.checkpointPolicy", "").lower()
    rules = {
        "appendOnly": is_true(metadata, "delta.appendOnly"),
        "invariants": any(item.invariant is not None for item in fields),
        "checkConstraints": bool(check_constraints(metadata)),
        "changeDataFeed": is_true(metadata, "delta.enableChangeDataFeed"),
        "generatedColumns": any(item.generation_expression is not None for item in fields),
        "deletionVectors": is_true(metadata, "delta.enableDeletionVectors"),
        "timestampNtz": any(item == TIMESTAMP_NTZ for item in walk(schema)),
        "inCommitTimestamp": is_true(metadata, "delta.enableInCommitTimestamps"),
        "v2Checkpoint": policy == "v2",
    }
    return {name for name, needed in rules.items() if needed}
