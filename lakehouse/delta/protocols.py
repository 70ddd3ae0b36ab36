"""A table's protocol and properties: which features it supports, and which of them are switched on.

Delta protocol, sections "Table Features", "Protocol Evolution" and "Table Properties". Whether this release
can handle them is for `features` to say.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Final

import orjson

from lakehouse.delta.actions import DomainMetadata, Metadata, Protocol
from lakehouse.delta.datatypes import TIMESTAMP_NTZ, StructType, all_fields, walk

READER_VERSION: Final = 3
WRITER_VERSION: Final = 7
CONSTRAINT: Final = "delta.constraints."
"""What the names of properties with conditions on rows begin with."""

# Features that readers must know too; all others are for writers alone.
READER_WRITER_FEATURES: Final = frozenset(
    {"columnMapping", "deletionVectors", "timestampNtz", "v2Checkpoint", "vacuumProtocolCheck"}
    | {"typeWidening", "variantType", "variantShredding", "catalogManaged"}
    | {"typeWidening-preview", "variantType-preview", "variantShredding-preview"}
)

# What the writer versions before named features stood for; each also means all those below it.
LEGACY_WRITER_FEATURES: Final[Mapping[int, tuple[str, ...]]] = {
    2: ("appendOnly", "invariants"),
    3: ("checkConstraints",),
    4: ("changeDataFeed", "generatedColumns"),
    5: ("columnMapping",),
    6: ("identityColumns",),
}
LEGACY_READER_FEATURES: Final[Mapping[int, tuple[str, ...]]] = {2: ("columnMapping",)}


def reader_features(protocol: Protocol) -> tuple[str, ...]:
    """The features that a reader must know, named or implied by the version.

    Args:
        protocol: A table's protocol.

    Returns:
        Names, sorted.
    """
    if protocol.min_reader_version >= READER_VERSION:
        return tuple(sorted(protocol.reader_features or ()))
    return _implied(LEGACY_READER_FEATURES, protocol.min_reader_version)


def writer_features(protocol: Protocol) -> tuple[str, ...]:
    """The features that a writer must know, named or implied by the version.

    Args:
        protocol: A table's protocol.

    Returns:
        Names, sorted.
    """
    if protocol.min_writer_version >= WRITER_VERSION:
        return tuple(sorted(protocol.writer_features or ()))
    implied = _implied(LEGACY_WRITER_FEATURES, protocol.min_writer_version)
    if protocol.min_reader_version >= 2:
        return implied
    # What readers must know too can't be in use while the reader version says nothing of it: tables with
    # identity columns are of reader version 1 and writer version 6.
    return tuple(name for name in implied if name not in READER_WRITER_FEATURES)


def supports(protocol: Protocol, feature: str) -> bool:
    """Whether a table supports a feature (section "Supported Features").

    Args:
        protocol: The table's protocol.
        feature: Its name.

    Returns:
        True where the protocol names or implies it.
    """
    return feature in writer_features(protocol) or feature in reader_features(protocol)


def is_true(metadata: Metadata, name: str) -> bool:
    """Whether a table property is switched on.

    Args:
        metadata: The table's metadata.
        name: Such as ``delta.appendOnly``.

    Returns:
        True for ``true`` in any case.
    """
    return metadata.configuration.get(name, "").lower() == "true"


def deletion_vectors(protocol: Protocol, metadata: Metadata) -> bool:
    """Whether new deletion vectors may be written (section "Deletion Vectors").

    Args:
        protocol: The table's protocol.
        metadata: The table's metadata.

    Returns:
        True where the feature is supported and switched on.
    """
    return supports(protocol, "deletionVectors") and is_true(metadata, "delta.enableDeletionVectors")


def append_only(protocol: Protocol, metadata: Metadata) -> bool:
    """Whether rows may only be added (section "Append-only Tables").

    Args:
        protocol: The table's protocol.
        metadata: The table's metadata.

    Returns:
        True where the feature is supported and switched on.
    """
    return supports(protocol, "appendOnly") and is_true(metadata, "delta.appendOnly")


def change_feed(protocol: Protocol, metadata: Metadata) -> bool:
    """Whether commits must come with change data (section "Add CDC File").

    Args:
        protocol: The table's protocol.
        metadata: The table's metadata.

    Returns:
        True where the feature is supported and switched on.
    """
    return supports(protocol, "changeDataFeed") and is_true(metadata, "delta.enableChangeDataFeed")


def in_commit_timestamps(protocol: Protocol, metadata: Metadata) -> bool:
    """Whether commits carry their own time (section "In-Commit Timestamps").

    Args:
        protocol: The table's protocol.
        metadata: The table's metadata.

    Returns:
        True where the feature is supported and switched on.
    """
    return supports(protocol, "inCommitTimestamp") and is_true(metadata, "delta.enableInCommitTimestamps")


def column_mapping(protocol: Protocol, metadata: Metadata) -> str:
    """How columns are found in data files (section "Column Mapping").

    Args:
        protocol: The table's protocol.
        metadata: The table's metadata.

    Returns:
        ``none``, ``name`` or ``id``; ``none`` too where the property is set but the feature is not supported.
    """
    mode = metadata.configuration.get("delta.columnMapping.mode", "none").lower()
    return mode if supports(protocol, "columnMapping") and mode in {"name", "id"} else "none"


def check_constraints(metadata: Metadata) -> dict[str, str]:
    """The conditions that every row must satisfy (section "CHECK Constraints").

    Args:
        metadata: The table's metadata.

    Returns:
        Name to SQL text.
    """
    found = metadata.configuration.items()
    return {name.removeprefix(CONSTRAINT): text for name, text in found if name.startswith(CONSTRAINT)}


def clustering_columns(domains: Mapping[str, DomainMetadata]) -> tuple[str, ...]:
    """The columns that a clustered table needs statistics of (section "Clustered Table").

    Args:
        domains: The table's domains.

    Returns:
        Physical names, dotted where nested; none for a table that is not clustered.
    """
    domain = domains.get("delta.clustering")
    if domain is None:
        return ()
    try:
        columns = orjson.loads(domain.configuration).get("clusteringColumns", [])
    except (orjson.JSONDecodeError, AttributeError):
        return ()
    return tuple(".".join(item) if isinstance(item, list) else str(item) for item in columns)


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


def _implied(table: Mapping[int, tuple[str, ...]], version: int) -> tuple[str, ...]:
    return tuple(sorted(name for since, names in table.items() if since <= version for name in names))
