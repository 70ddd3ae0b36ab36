"""Actions from the JSON objects of the log (Delta protocol, section "Actions").

Fields that the protocol asks for must be there; unknown fields are ignored.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias, TypeVar

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

_Fields: TypeAlias = Mapping[str, Any]
_T = TypeVar("_T")

_COMMIT_INFO: Final = frozenset(
    {
        "timestamp",
        "operation",
        "operationParameters",
        "operationMetrics",
        "engineInfo",
        "txnId",
        "isBlindAppend",
        "readVersion",
        "inCommitTimestamp",
    }
)


def _of(kind: type[_T], value: object) -> _T:
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise TypeError(kind.__name__)
    return value


def _maybe(kind: type[_T], value: object) -> _T | None:
    return None if value is None else _of(kind, value)


def _texts(value: object) -> tuple[str, ...] | None:
    return None if value is None else tuple(_of(str, item) for item in _of(list, value))


def _mapping(value: object) -> dict[str, Any]:
    return {} if value is None else _of(dict, value)


def _protocol(fields: _Fields) -> Protocol:
    reader, writer = _texts(fields.get("readerFeatures")), _texts(fields.get("writerFeatures"))
    return Protocol(
        min_reader_version=_of(int, fields["minReaderVersion"]),
        min_writer_version=_of(int, fields["minWriterVersion"]),
        reader_features=None if reader is None else tuple(sorted(reader)),
        writer_features=None if writer is None else tuple(sorted(writer)),
    )


def _metadata(fields: _Fields) -> Metadata:
    form = _mapping(fields.get("format"))
    return Metadata(
        id=_of(str, fields["id"]),
        schema_string=_of(str, fields["schemaString"]),
        partition_columns=_texts(fields.get("partitionColumns")) or (),
        configuration=_mapping(fields.get("configuration")),
        name=_maybe(str, fields.get("name")),
        description=_maybe(str, fields.get("description")),
        format_provider=form.get("provider", "parquet"),
        format_options=_mapping(form.get("options")),
        created_time=_maybe(int, fields.get("createdTime")),
    )


def _vector(fields: _Fields | None) -> DeletionVector | None:
    if fields is None:
        return None
    return DeletionVector(
        storage_type=_of(str, fields["storageType"]),
        path_or_inline_dv=_of(str, fields["pathOrInlineDv"]),
        size_in_bytes=_of(int, fields["sizeInBytes"]),
        cardinality=_of(int, fields["cardinality"]),
        offset=_maybe(int, fields.get("offset")),
    )


def _add(fields: _Fields) -> AddFile:
    return AddFile(
        path=_of(str, fields["path"]),
        partition_values=_mapping(fields.get("partitionValues")),
        size=_of(int, fields["size"]),
        modification_time=_maybe(int, fields.get("modificationTime")) or 0,
        data_change=fields.get("dataChange") is not False,
        stats=_maybe(str, fields.get("stats")),
        tags=_maybe(dict, fields.get("tags")),
        deletion_vector=_vector(fields.get("deletionVector")),
        base_row_id=_maybe(int, fields.get("baseRowId")),
        default_row_commit_version=_maybe(int, fields.get("defaultRowCommitVersion")),
        clustering_provider=_maybe(str, fields.get("clusteringProvider")),
    )


def _remove(fields: _Fields) -> RemoveFile:
    return RemoveFile(
        path=_of(str, fields["path"]),
        data_change=fields.get("dataChange") is not False,
        deletion_timestamp=_maybe(int, fields.get("deletionTimestamp")),
        extended_file_metadata=_maybe(bool, fields.get("extendedFileMetadata")),
        partition_values=_maybe(dict, fields.get("partitionValues")),
        size=_maybe(int, fields.get("size")),
        stats=_maybe(str, fields.get("stats")),
        tags=_maybe(dict, fields.get("tags")),
        deletion_vector=_vector(fields.get("deletionVector")),
        base_row_id=_maybe(int, fields.get("baseRowId")),
        default_row_commit_version=_maybe(int, fields.get("defaultRowCommitVersion")),
    )


def _cdc(fields: _Fields) -> AddCdcFile:
    return AddCdcFile(
        path=_of(str, fields["path"]),
        partition_values=_mapping(fields.get("partitionValues")),
        size=_of(int, fields["size"]),
        tags=_maybe(dict, fields.get("tags")),
    )


def _transaction(fields: _Fields) -> SetTransaction:
    return SetTransaction(
        app_id=_of(str, fields["appId"]),
        version=_of(int, fields["version"]),
        last_updated=_maybe(int, fields.get("lastUpdated")),
    )


def _commit_info(fields: _Fields) -> CommitInfo:
    # Free-form by the protocol: a field of an unexpected type is not known rather than wrong.
    def known(kind: type[_T], name: str) -> _T | None:
        value = fields.get(name)
        return value if isinstance(value, kind) else None

    return CommitInfo(
        timestamp=known(int, "timestamp"),
        operation=known(str, "operation"),
        operation_parameters=known(dict, "operationParameters") or {},
        operation_metrics=known(dict, "operationMetrics") or {},
        engine_info=known(str, "engineInfo"),
        txn_id=known(str, "txnId"),
        is_blind_append=known(bool, "isBlindAppend"),
        read_version=known(int, "readVersion"),
        in_commit_timestamp=known(int, "inCommitTimestamp"),
        extra={name: value for name, value in fields.items() if name not in _COMMIT_INFO},
    )


def _domain(fields: _Fields) -> DomainMetadata:
    return DomainMetadata(
        domain=_of(str, fields["domain"]),
        configuration=_maybe(str, fields.get("configuration")) or "",
        removed=fields.get("removed") is True,
    )


def _checkpoint_metadata(fields: _Fields) -> CheckpointMetadata:
    return CheckpointMetadata(version=_of(int, fields["version"]), tags=_maybe(dict, fields.get("tags")))


def _sidecar(fields: _Fields) -> Sidecar:
    return Sidecar(
        path=_of(str, fields["path"]),
        size_in_bytes=_of(int, fields["sizeInBytes"]),
        modification_time=_maybe(int, fields.get("modificationTime")) or 0,
        tags=_maybe(dict, fields.get("tags")),
    )


PARSERS: Final[Mapping[str, Callable[[_Fields], Any]]] = {
    "protocol": _protocol,
    "metaData": _metadata,
    "add": _add,
    "remove": _remove,
    "cdc": _cdc,
    "txn": _transaction,
    "commitInfo": _commit_info,
    "domainMetadata": _domain,
    "checkpointMetadata": _checkpoint_metadata,
    "sidecar": _sidecar,
}
