"""The actions of the log, as frozen values: one class for each, one JSON line for each.

Delta protocol, section "Actions". Fields carry the protocol's meaning under Python's spelling. What is
not known here (other actions, other fields) is ignored on reading, as section "Protocol Evolution" asks.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

import orjson

from lakehouse.delta.action_reading import PARSERS
from lakehouse.delta.action_writing import SERIALIZERS
from lakehouse.delta.file_actions import AddCdcFile, AddFile, DeletionVector, FileStatistics, RemoveFile
from lakehouse.delta.table_actions import (
    CheckpointMetadata,
    CommitInfo,
    DomainMetadata,
    Metadata,
    Protocol,
    SetTransaction,
    Sidecar,
)
from lakehouse.errors import CorruptTableError

__all__ = [
    "Action",
    "AddCdcFile",
    "AddFile",
    "CheckpointMetadata",
    "CommitInfo",
    "DeletionVector",
    "DomainMetadata",
    "FileStatistics",
    "Metadata",
    "Protocol",
    "RemoveFile",
    "SetTransaction",
    "Sidecar",
    "parse_action",
    "serialize",
    "serialize_all",
]

Action: TypeAlias = (
    Protocol
    | Metadata
    | AddFile
    | RemoveFile
    | AddCdcFile
    | SetTransaction
    | CommitInfo
    | DomainMetadata
    | CheckpointMetadata
    | Sidecar
)


def parse_action(line: Mapping[str, Any]) -> Action | None:
    """Read one action.

    Args:
        line: One JSON object of the log, such as ``{"add": {...}}``.

    Returns:
        The action, or None for one that is not known here.

    Raises:
        CorruptTableError: A required field is missing or of the wrong type.
    """
    for name, fields in line.items():
        parser = PARSERS.get(name)
        if parser is None or fields is None:
            continue
        try:
            action: Action = parser(fields)
            return action
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise CorruptTableError(
                f"a {name!r} action lacks a field or has one of the wrong type"
            ) from error
    return None


def serialize(action: Action) -> bytes:
    """Write one action.

    Args:
        action: Any action.

    Returns:
        One JSON line, without the line break. Optional fields without a value are left out.
    """
    name, fields_of = SERIALIZERS[type(action)]
    fields = fields_of(action)
    return orjson.dumps({name: {key: value for key, value in fields.items() if value is not None}})


def serialize_all(actions: Iterable[Action]) -> bytes:
    """Write the content of one commit file.

    Args:
        actions: In order.

    Returns:
        One JSON line for each, with line breaks.
    """
    return b"".join(serialize(action) + b"\n" for action in actions)
