"""The actions that speak of the table as a whole, and those that only checkpoints hold.

Delta protocol, sections "Protocol Evolution", "Change Metadata", "Transaction Identifiers", "Commit
Provenance Information", "Domain Metadata", "Sidecar File Information" and "Checkpoint Metadata".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from lakehouse.delta.datatypes import Json


@dataclass(frozen=True, slots=True)
class Protocol:
    """What a client must know to read and write the table (section "Protocol Evolution").

    Args:
        min_reader_version: 1 to 3.
        min_writer_version: 1 to 7.
        reader_features: Named features, sorted; None unless the reader version is 3.
        writer_features: Named features, sorted; None unless the writer version is 7.
    """

    min_reader_version: int
    min_writer_version: int
    reader_features: tuple[str, ...] | None = None
    writer_features: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Metadata:
    """The table's schema, partitioning and properties (section "Change Metadata").

    Args:
        id: The table's GUID; it never changes.
        schema_string: The schema as JSON; `lakehouse.delta.schema.parse_schema` reads it.
        partition_columns: Display names of the partition columns, in order.
        configuration: Table properties.
        name: The table's name, if it has one.
        description: For people.
        format_provider: Always ``parquet`` in tables of today.
        format_options: Options of the format.
        created_time: Milliseconds since the epoch.
    """

    id: str
    schema_string: str
    partition_columns: tuple[str, ...] = ()
    configuration: Mapping[str, str] = field(default_factory=dict)
    name: str | None = None
    description: str | None = None
    format_provider: str = "parquet"
    format_options: Mapping[str, str] = field(default_factory=dict)
    created_time: int | None = None


@dataclass(frozen=True, slots=True)
class SetTransaction:
    """How far an application has come (section "Transaction Identifiers").

    Args:
        app_id: Which application.
        version: How far, in its own counting.
        last_updated: Milliseconds since the epoch.
    """

    app_id: str
    version: int
    last_updated: int | None = None


@dataclass(frozen=True, slots=True)
class CommitInfo:
    """Who did what (section "Commit Provenance Information").

    Args:
        timestamp: Milliseconds since the epoch, by the writer's clock.
        operation: Such as ``WRITE`` or ``MERGE``.
        operation_parameters: Never values of rows.
        operation_metrics: Counts.
        engine_info: Which program.
        txn_id: The commit's own id.
        is_blind_append: True where nothing was read to make it.
        read_version: The version it was made from.
        in_commit_timestamp: See section "In-Commit Timestamps".
        extra: Every other field, as it stands in the log.
    """

    timestamp: int | None = None
    operation: str | None = None
    operation_parameters: Mapping[str, Json] = field(default_factory=dict)
    operation_metrics: Mapping[str, Json] = field(default_factory=dict)
    engine_info: str | None = None
    txn_id: str | None = None
    is_blind_append: bool | None = None
    read_version: int | None = None
    in_commit_timestamp: int | None = None
    extra: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class DomainMetadata:
    """A named piece of configuration (section "Domain Metadata").

    Args:
        domain: Its name; those starting with ``delta.`` belong to the protocol.
        configuration: A text, often JSON.
        removed: True where the domain is gone.
    """

    domain: str
    configuration: str
    removed: bool = False


@dataclass(frozen=True, slots=True)
class CheckpointMetadata:
    """What a V2 checkpoint says of itself (section "Checkpoint Metadata").

    Args:
        version: The version it holds.
        tags: Anything.
    """

    version: int
    tags: Mapping[str, str | None] | None = None


@dataclass(frozen=True, slots=True)
class Sidecar:
    """A file with a part of a V2 checkpoint (section "Sidecar File Information").

    Args:
        path: URI-encoded name, below ``_delta_log/_sidecars``.
        size_in_bytes: Bytes.
        modification_time: Milliseconds since the epoch.
        tags: Anything.
    """

    path: str
    size_in_bytes: int
    modification_time: int
    tags: Mapping[str, str | None] | None = None
