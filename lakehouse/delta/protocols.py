"""A table's protocol and properties: which features it supports, and which of them are switched on.

Delta protocol, sections "Table Features", "Protocol Evolution" and "Table Properties". Whether this release
can handle them is for `features` to say, and how a table gets more of them for `protocol_changes`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import orjson

from lakehouse.delta.actions import DomainMetadata, Metadata, Protocol

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


def _implied(table: Mapping[int, tuple[str, ...]], version: int) -> tuple[str, ...]:
    return tuple(sorted(name for since, names in table.items() if since <= version for name in names))
