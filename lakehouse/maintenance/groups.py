"""Which files a compaction puts together: pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from lakehouse.delta.actions import AddFile
from lakehouse.delta.snapshot import Snapshot

TARGET_SIZE: Final = 128 * 1024 * 1024
"""Bytes that a compacted file is meant to have, unless the table's property ``delta.targetFileSize`` says
otherwise."""

SMALL_SHARE: Final = 0.75
"""A file below this share of the target size is worth being put together with others."""

DEAD_SHARE: Final = 0.05
"""A file with a larger share of hidden rows than this is written anew, even alone."""


@dataclass(frozen=True, slots=True)
class Group:
    """Files that become one (or a few) new ones.

    Args:
        files: At least one; all of the same partition.
        size: Their bytes together.
        hidden_rows: Rows in them that vectors hide.
    """

    files: tuple[AddFile, ...]
    size: int
    hidden_rows: int


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


def plan_groups(files: Sequence[AddFile], *, target_size: int = TARGET_SIZE) -> tuple[Group, ...]:
    """Decides which files to put together: pure.

    Args:
        files: The table's files in their order.
        target_size: Bytes that a new file is meant to have.

    Returns:
        Groups of the same partition. A file is in a group if it is small or has many hidden rows; a group
        of a single file is made only where that file has hidden rows to leave behind.
    """
    by_partition: dict[tuple[tuple[str, str | None], ...], list[AddFile]] = defaultdict(list)
    for add in files:
        if _is_small(add, target_size) or _is_worn(add):
            by_partition[tuple(sorted(add.partition_values.items()))].append(add)
    groups: list[Group] = []
    for members in by_partition.values():
        groups += [
            group for group in _fill(members, target_size) if len(group.files) > 1 or _is_worn(group.files[0])
        ]
    return tuple(groups)


def _fill(files: Sequence[AddFile], target_size: int) -> list[Group]:
    """Fills groups in the order of the files, so that rows that lie together stay together."""
    groups: list[Group] = []
    current: list[AddFile] = []
    size = 0.0
    for add in files:
        live = _live_size(add)
        if current and size + live > target_size:
            groups.append(_group(current))
            current, size = [], 0.0
        current.append(add)
        size += live
    if current:
        groups.append(_group(current))
    return groups


def _group(files: Sequence[AddFile]) -> Group:
    return Group(
        files=tuple(files), size=sum(add.size for add in files), hidden_rows=sum(map(_hidden, files))
    )


def _hidden(add: AddFile) -> int:
    return add.deletion_vector.cardinality if add.deletion_vector else 0


def _live_size(add: AddFile) -> float:
    records = add.physical_records
    return add.size * (1 - _hidden(add) / records) if records else add.size


def _is_small(add: AddFile, target_size: int) -> bool:
    return add.size < target_size * SMALL_SHARE


def _is_worn(add: AddFile) -> bool:
    records = add.physical_records
    return bool(_hidden(add)) and (records is None or _hidden(add) > DEAD_SHARE * records)


def plan_compaction(snapshot: Snapshot, *, table: str) -> CompactPlan:
    """Decides what a compaction of a version does: pure.

    Args:
        snapshot: The version to look at.
        table: The table's name.
    """
    files = tuple(snapshot.files.values())
    groups = plan_groups(files, target_size=target_size(snapshot))
    return CompactPlan(
        table=table,
        read_version=snapshot.version,
        groups=groups,
        files_before=len(files),
        files_removed=sum(len(group.files) for group in groups),
        bytes_read=sum(group.size for group in groups),
    )


def target_size(snapshot: Snapshot) -> int:
    """The size of files that is aimed at, in bytes: ``delta.targetFileSize``, or `TARGET_SIZE`."""
    text = snapshot.configuration.get("delta.targetFileSize", "")
    return int(text) if text.isascii() and text.isdigit() and int(text) > 0 else TARGET_SIZE
