"""Actions as the JSON objects of the log (Delta protocol, section "Actions")."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

from lakehouse.delta.file_actions import AddCdcFile, AddFile, DeletionVector, RemoveFile
from lakehouse.delta.table_actions import (
    CheckpointMetadata,
    CommitInfo,
    DomainMetadata,
    Metadata,
    Protocol,
    SetTransaction,
    Sidecar,
)

Fields: TypeAlias = dict[str, Any]


def _protocol(action: Protocol) -> Fields:
    return {
        "minReaderVersion": action.min_reader_version,
        "minWriterVersion": action.min_writer_version,
        "readerFeatures": None if action.reader_features is None else list(action.reader_features),
        "writerFeatures": None if action.writer_features is None else list(action.writer_features),
    }


def _metadata(action: Metadata) -> Fields:
    return {
        "id": action.id,
        "name": action.name,
        "description": action.description,
        "format": {"provider": action.format_provider, "options": dict(action.format_options)},
        "schemaString": action.schema_string,
        "partitionColumns": list(action.partition_columns),
        "configuration": dict(action.configuration),
        "createdTime": action.created_time,
    }


def _vector(vector: DeletionVector | None) -> Fields | None:
    if vector is None:
        return None
    fields = {
        "storageType": vector.storage_type,
        "pathOrInlineDv": vector.path_or_inline_dv,
        "offset": vector.offset,
        "sizeInBytes": vector.size_in_bytes,
        "cardinality": vector.cardinality,
    }
    return {name: value for name, value in fields.items() if value is not None}


def _add(action: AddFile) -> Fields:
    return {
        "path": action.path,
        "partitionValues": dict(action.partition_values),
        "size": action.size,
        "modificationTime": action.modification_time,
        "dataChange": action.data_change,
        "stats": action.stats,
        "tags": action.tags,
        "deletionVector": _vector(action.deletion_vector),
        "baseRowId": action.base_row_id,
        "defaultRowCommitVersion": action.default_row_commit_version,
        "clusteringProvider": action.clustering_provider,
    }


def _remove(action: RemoveFile) -> Fields:
    return {
        "path": action.path,
        "deletionTimestamp": action.deletion_timestamp,
        "dataChange": action.data_change,
        "extendedFileMetadata": action.extended_file_metadata,
        "partitionValues": action.partition_values,
        "size": action.size,
        "stats": action.stats,
        "tags": action.tags,
        "deletionVector": _vector(action.deletion_vector),
        "baseRowId": action.base_row_id,
        "defaultRowCommitVersion": action.default_row_commit_version,
    }


def _cdc(action: AddCdcFile) -> Fields:
    return {
        "path": action.path,
        "partitionValues": dict(action.partition_values),
        "size": action.size,
        # Always false: change data does not change the table (section "Add CDC File").
        "dataChange": False,
        "tags": action.tags,
    }


def _commit_info(action: CommitInfo) -> Fields:
    # The in-commit timestamp stands first, as readers that stop early expect it there.
    return {
        "inCommitTimestamp": action.in_commit_timestamp,
        "timestamp": action.timestamp,
        "operation": action.operation,
        "operationParameters": dict(action.operation_parameters),
        "operationMetrics": dict(action.operation_metrics) or None,
        "readVersion": action.read_version,
        "isBlindAppend": action.is_blind_append,
        "engineInfo": action.engine_info,
        "txnId": action.txn_id,
        **action.extra,
    }


def _transaction(action: SetTransaction) -> Fields:
    return {"appId": action.app_id, "version": action.version, "lastUpdated": action.last_updated}


def _domain(action: DomainMetadata) -> Fields:
    return {"domain": action.domain, "configuration": action.configuration, "removed": action.removed}


def _checkpoint_metadata(action: CheckpointMetadata) -> Fields:
    return {"version": action.version, "tags": action.tags}


def _sidecar(action: Sidecar) -> Fields:
    return {
        "path": action.path,
        "sizeInBytes": action.size_in_bytes,
        "modificationTime": action.modification_time,
        "tags": action.tags,
    }


SERIALIZERS: Final[Mapping[type, tuple[str, Callable[[Any], Fields]]]] = {
    AddFile: ("add", _add),
    RemoveFile: ("remove", _remove),
    AddCdcFile: ("cdc", _cdc),
    CommitInfo: ("commitInfo", _commit_info),
    Protocol: ("protocol", _protocol),
    Metadata: ("metaData", _metadata),
    SetTransaction: ("txn", _transaction),
    DomainMetadata: ("domainMetadata", _domain),
    CheckpointMetadata: ("checkpointMetadata", _checkpoint_metadata),
    Sidecar: ("sidecar", _sidecar),
}
