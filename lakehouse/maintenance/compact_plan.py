"""The plan of a compaction: from a version of a table to groups of files. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from lakehouse.delta import column_mapping
from lakehouse.delta.actions import AddFile
from lakehouse.delta.datatypes import VARIANT, VOID
from lakehouse.delta.features import clustering_columns
from lakehouse.delta.schema import DecimalType, PrimitiveType
from lakehouse.delta.snapshot import Snapshot
from lakehouse.delta.stats import bounds_frame, max_name, min_name
from lakehouse.maintenance.layout import Bounds, Group, Policy, plan_groups

TARGET_SIZE: Final = 128 * 1024 * 1024
"""Bytes that a compacted file is meant to have, unless the table's property ``delta.targetFileSize`` says
otherwise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CompactPlan:
    """What a compaction does, or, after it is carried out, has done.

    Args:
        table: The table's name.
        read_version: The version that was looked at.
        groups: The files to put together.
        files_before: Data files now.
        files_removed: Files that the groups hold.
        files_added: Files written; 0 while it is only a plan.
        bytes_read: Bytes of the files that the groups hold.
        bytes_written: Bytes of the new files; 0 while it is only a plan.
        version: The version that was made; None while it is only a plan, or where there was nothing to do.
    """

    table: str
    read_version: int
    groups: tuple[Group, ...]
    files_before: int
    files_removed: int
    bytes_read: int
    files_added: int = 0
    bytes_written: int = 0
    version: int | None = None

    @property
    def changes_nothing(self) -> bool:
        """Whether there is nothing to put together."""
        return not self.groups


def plan_compaction(
    snapshot: Snapshot, *, table: str, cluster_by: Sequence[str] = (), policy: Policy | None = None
) -> CompactPlan:
    """Decides what a compaction of a version does: pure.

    Args:
        snapshot: The version to look at.
        table: The table's name.
        cluster_by: The columns by which rows are to lie together; those of the table itself, where it is
            clustered, stand above them.
        policy: What is worth it; None for everything that is.
    """
    files = tuple(snapshot.files.values())
    columns = clustering(snapshot, cluster_by)
    groups = plan_groups(
        files,
        policy=policy or Policy.thorough(target_size(snapshot)),
        bounds=_bounds(snapshot, files, columns[0]) if columns else None,
    )
    return CompactPlan(
        table=table,
        read_version=snapshot.version,
        groups=groups,
        files_before=len(files),
        files_removed=sum(len(group.files) for group in groups),
        bytes_read=sum(group.size for group in groups),
    )


def clustering(snapshot: Snapshot, wanted: Sequence[str] = ()) -> tuple[str, ...]:
    """The columns by which the rows of a table lie together (Delta protocol, section "Clustered Table").

    Args:
        snapshot: The table.
        wanted: What the config says, or the table's key.

    Returns:
        Those that the table itself is clustered by, else those wanted, as far as rows can be sorted by them.
    """
    mapped = column_mapping.mode(snapshot.metadata, protocol=snapshot.protocol)
    display = {text: name for name, text in column_mapping.physical_names(snapshot.schema, mapped).items()}
    own = [display.get(name, name) for name in clustering_columns(snapshot.domains)]
    return tuple(
        name
        for name in (own or wanted)
        if (item := snapshot.schema.get(name)) is not None
        and name not in snapshot.metadata.partition_columns
        and isinstance(item.type, PrimitiveType | DecimalType)
        and item.type not in (VOID, VARIANT)
    )


def _bounds(snapshot: Snapshot, files: Sequence[AddFile], column: str) -> list[Bounds]:
    found = bounds_frame(files, [column], snapshot=snapshot)
    pairs = zip(found[min_name(column)], found[max_name(column)], strict=True)
    return [None if low is None or high is None else (low, high) for low, high in pairs]


def target_size(snapshot: Snapshot) -> int:
    """The size of files that is aimed at, in bytes: ``delta.targetFileSize``, or `TARGET_SIZE`."""
    text = snapshot.configuration.get("delta.targetFileSize", "")
    return int(text) if text.isascii() and text.isdigit() and int(text) > 0 else TARGET_SIZE
