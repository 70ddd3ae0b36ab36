"""Table features: which tables can be read here, which can be written, and what a new table needs.

Delta protocol, sections "Table Features", "Valid Feature Names in Table Features", "Reader Version
Requirements" and "Writer Version Requirements". A feature that only counts while something in the schema
or the properties uses it ("active") is refused only then.

=====================  ======================================  ===============================================
feature                reading                                 writing
=====================  ======================================  ===============================================
appendOnly             -                                       yes; the caller minds `append_only`
invariants             -                                       yes; the caller checks the rows
checkConstraints       -                                       yes; the caller checks the rows
changeDataFeed         -                                       yes; the caller writes change files
generatedColumns       -                                       yes; the caller computes the columns
columnMapping          yes                                     yes, by physical names
deletionVectors        yes                                     yes
timestampNtz           yes                                     yes
v2Checkpoint           yes                                     yes; classic checkpoints stay allowed
domainMetadata         -                                       yes; domains are carried along untouched
inCommitTimestamp      -                                       yes
vacuumProtocolCheck    yes, asks nothing of readers            yes; concerns only vacuum
clustering             -                                       yes: files need not be clustered, but the
                                                               columns of `clustering_columns` need statistics
typeWidening           yes, for the changes that the           yes; types are not changed by a write
(also -preview)        protocol lists
variantType            yes; a variant is its two binary        only while no column is a variant
(also -preview)        parts, metadata and value
variantShredding       only while no column is a variant       only while no column is a variant
(also -preview)
allowColumnDefaults    -                                       only while no column has a default
identityColumns        -                                       only while no column is an identity
rowTracking            -                                       only while suspended: row ids are not made here
icebergCompatV1 V2 V3  -                                       only while not enabled in the properties
everything else        no                                      no
=====================  ======================================  ===============================================

"Everything else" has ``catalogManaged`` in it: such a table can only be reached through its catalog.
"""

from __future__ import annotations

import re
import typing
from collections.abc import Callable, Mapping
from typing import Final, TypeAlias

from lakehouse.delta.actions import Metadata, Protocol
from lakehouse.delta.datatypes import TYPE_CHANGES, VARIANT, Json, StructType, all_fields, walk
from lakehouse.delta.protocol_changes import enable_deletion_vectors, with_features, with_properties
from lakehouse.delta.protocols import (
    READER_VERSION,
    WRITER_VERSION,
    append_only,
    change_feed,
    check_constraints,
    clustering_columns,
    column_mapping,
    deletion_vectors,
    in_commit_timestamps,
    is_true,
    reader_features,
    supports,
    writer_features,
)
from lakehouse.errors import UnsupportedFeatureError

__all__ = [
    "Described",
    "append_only",
    "change_feed",
    "check_constraints",
    "clustering_columns",
    "column_mapping",
    "deletion_vectors",
    "enable_deletion_vectors",
    "ensure_readable",
    "ensure_writable",
    "in_commit_timestamps",
    "is_true",
    "reader_features",
    "supports",
    "unreadable_features",
    "unwritable_features",
    "with_features",
    "with_properties",
    "writer_features",
]


class Described(typing.Protocol):
    """Anything with a protocol, metadata and schema: a snapshot, above all."""

    @property
    def protocol(self) -> Protocol:
        """What a client must know."""

    @property
    def metadata(self) -> Metadata:
        """Schema text, partitioning, properties."""

    @property
    def schema(self) -> StructType:
        """The schema."""


def ensure_readable(snapshot: Described) -> None:
    """Refuse a table that can't be read right here.

    Args:
        snapshot: The table.

    Raises:
        UnsupportedFeatureError: It names every feature that is in the way.
    """
    unknown = unreadable_features(snapshot)
    if unknown:
        raise _refusal("read", unknown)


def ensure_writable(snapshot: Described) -> None:
    """Refuse a table that can't be written right here (writers must know all reader features too).

    Args:
        snapshot: The table.

    Raises:
        UnsupportedFeatureError: It names every feature that is in the way.
    """
    unknown = unwritable_features(snapshot)
    if unknown:
        raise _refusal("written", unknown)


def unreadable_features(snapshot: Described) -> tuple[str, ...]:
    """What keeps a table from being read here.

    Args:
        snapshot: The table.

    Returns:
        Names of features, or ``reader version 4`` and the like; none where it can be read.
    """
    version = snapshot.protocol.min_reader_version
    if version > READER_VERSION:
        return (f"reader version {version}",)
    names = reader_features(snapshot.protocol)
    found = [name for name in names if not _READ.get(name, _never)(snapshot)]
    return (*found, *_strange_type_changes(snapshot))


def unwritable_features(snapshot: Described) -> tuple[str, ...]:
    """What keeps a table from being written here.

    Args:
        snapshot: The table.

    Returns:
        Names of features, or ``writer version 8`` and the like; none where it can be written.
    """
    version = snapshot.protocol.min_writer_version
    if version > WRITER_VERSION:
        return (*unreadable_features(snapshot), f"writer version {version}")
    names = writer_features(snapshot.protocol)
    found = {name for name in names if not _WRITE.get(name, _never)(snapshot)}
    found.update(unreadable_features(snapshot))
    if snapshot.metadata.format_provider != "parquet":
        found.add(f"format {snapshot.metadata.format_provider}")
    return tuple(sorted(found))


_Rule: TypeAlias = Callable[[Described], bool]


def _always(_: Described) -> bool:
    return True


def _never(_: Described) -> bool:
    return False


def _no_variant(table: Described) -> bool:
    return all(item != VARIANT for item in walk(table.schema))


def _no_default(table: Described) -> bool:
    return all(item.default_expression is None for item in all_fields(table.schema))


def _no_identity(table: Described) -> bool:
    fields = all_fields(table.schema)
    return not any(key.startswith("delta.identity.") for item in fields for key in item.metadata)


def _off(name: str) -> _Rule:
    def rule(table: Described) -> bool:
        return not is_true(table.metadata, name)

    return rule


def _suspended(table: Described) -> bool:
    return is_true(table.metadata, "delta.rowTrackingSuspended")


_READ: Final[Mapping[str, _Rule]] = {
    "columnMapping": _always,
    "deletionVectors": _always,
    "timestampNtz": _always,
    "v2Checkpoint": _always,
    "vacuumProtocolCheck": _always,
    "typeWidening": _always,
    "typeWidening-preview": _always,
    "variantType": _always,
    "variantType-preview": _always,
    "variantShredding": _no_variant,
    "variantShredding-preview": _no_variant,
}
_WRITE: Final[Mapping[str, _Rule]] = {
    **_READ,
    "appendOnly": _always,
    "invariants": _always,
    "checkConstraints": _always,
    "changeDataFeed": _always,
    "generatedColumns": _always,
    "domainMetadata": _always,
    "inCommitTimestamp": _always,
    "clustering": _always,
    "variantType": _no_variant,
    "variantType-preview": _no_variant,
    "allowColumnDefaults": _no_default,
    "identityColumns": _no_identity,
    "rowTracking": _suspended,
    "icebergCompatV1": _off("delta.enableIcebergCompatV1"),
    "icebergCompatV2": _off("delta.enableIcebergCompatV2"),
    "icebergCompatV3": _off("delta.enableIcebergCompatV3"),
}

_WHOLE: Final = frozenset({"byte", "short", "integer", "long"})
_WIDENINGS: Final = frozenset(
    {
        ("byte", "short"),
        ("byte", "integer"),
        ("byte", "long"),
        ("short", "integer"),
        ("short", "long"),
        ("integer", "long"),
        ("float", "double"),
        ("byte", "double"),
        ("short", "double"),
        ("integer", "double"),
        ("date", "timestamp_ntz"),
    }
)
_DECIMAL: Final = re.compile(r"decimal\((\d+),\s*(\d+)\)")


def _strange_type_changes(table: Described) -> tuple[str, ...]:
    """Type changes that the protocol does not list (section "Reader Requirements for Type Widening")."""
    strange: list[str] = []
    for item in all_fields(table.schema):
        changes = item.metadata.get(TYPE_CHANGES)
        for change in changes if isinstance(changes, list) else []:
            before, after = _change(change)
            if not _widens(before, after):
                strange.append(f"typeWidening (column {item.name!r} from {before} to {after})")
    return tuple(strange)


def _change(change: Json) -> tuple[str, str]:
    found = change if isinstance(change, dict) else {}
    return str(found.get("fromType")), str(found.get("toType"))


def _widens(before: str, after: str) -> bool:
    if (before, after) in _WIDENINGS:
        return True
    new = _DECIMAL.fullmatch(after)
    if new is None:
        return False
    old = _DECIMAL.fullmatch(before)
    if old is None:
        digits, scale = (20 if before == "long" else 10), 0
        if before not in _WHOLE:
            return False
    else:
        digits, scale = int(old[1]), int(old[2])
    more, finer = int(new[1]) - digits, int(new[2]) - scale
    return more >= finer >= 0


def _refusal(verb: str, unknown: tuple[str, ...]) -> UnsupportedFeatureError:
    return UnsupportedFeatureError(
        f"this table can't be {verb} here, as it uses {', '.join(unknown)}",
        features=unknown,
        advice="use an engine that knows these features, or drop them from the table there",
    )
