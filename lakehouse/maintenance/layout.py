"""Which files a compaction puts together, and how the rows lie afterwards: pure.

Files are worth it if they are small or if much of them is hidden by deletion vectors. They are taken in the
order of the table's clustering columns (Delta protocol, section "Clustered Table", or the table's key), and
those whose values overlap stay in one group: its rows are sorted and cut into files that overlap no more.
Whoever looks for few neighbouring keys then opens few files, since statistics leave out the others.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from lakehouse.delta.actions import AddFile

SMALL_SHARE: Final = 0.75
"""A file below this share of the target size is worth being put together with others."""

DEAD_SHARE: Final = 0.05
"""A file with a larger share of hidden rows than this is written anew, even alone."""

AFTER_MERGE_BYTES: Final = 32 * 1024 * 1024
"""Bytes of data files that a compaction after a merge reads at most: it bounds how long the merge waits."""

_SMALL_AFTER_MERGE: Final = AFTER_MERGE_BYTES // 4
# A group that overlaps without end is cut here all the same, so that no plan is one endless group.
_MOST_PARTS: Final = 64

Bounds = tuple[Any, Any] | None
"""The smallest and largest value of the first clustering column in a file; None where that is not known."""

_Partition = tuple[tuple[str, str | None], ...]


@dataclass(frozen=True, slots=True)
class Group:
    """Files whose rows are written anew together.

    Args:
        files: At least one; all of the same partition.
        size: Their bytes together.
        hidden_rows: Rows in them that vectors hide.
        parts: How many files they become, each with a stretch of the clustering column of its own.
    """

    files: tuple[AddFile, ...]
    size: int
    hidden_rows: int
    parts: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """When a file is worth being written anew.

    Args:
        target_size: Bytes that a new file is meant to have.
        small_size: Files below this many bytes are put together with others.
        dead_share: Files with a larger share of hidden rows are written anew, even alone; None never.
        after: A partition is left alone while it has no more small files than this.
        budget: Bytes of data files to read at most; None for no bound.
    """

    target_size: int
    small_size: float
    dead_share: float | None = DEAD_SHARE
    after: int = 0
    budget: int | None = None

    @classmethod
    def thorough(cls, target_size: int) -> Policy:
        """Everything that is worth it.

        Args:
            target_size: Bytes that a new file is meant to have.
        """
        return cls(target_size=target_size, small_size=target_size * SMALL_SHARE)

    @classmethod
    def after_merge(cls, target_size: int, *, after: int) -> Policy:
        """Only what a merge can wait for: small files of partitions that have many.

        A file that has a quarter of the budget is no longer small, so the same rows are not written again
        and again, and at least four files become one each time.

        Args:
            target_size: Bytes that a new file is meant to have.
            after: A partition may have so many small files.
        """
        small = min(_SMALL_AFTER_MERGE, target_size * SMALL_SHARE)
        return cls(
            target_size=target_size,
            small_size=small,
            dead_share=None,
            after=after,
            budget=AFTER_MERGE_BYTES,
        )


def plan_groups(
    files: Sequence[AddFile], *, policy: Policy, bounds: Sequence[Bounds] | None = None
) -> tuple[Group, ...]:
    """Decides which files to put together.

    Args:
        files: The table's files in their order.
        policy: What is worth it.
        bounds: Those of each file; None where the rows have no order.

    Returns:
        Groups of the same partition. A group of a single file is made only where that file has hidden rows
        to leave behind.
    """
    spans: Sequence[Bounds] = bounds if bounds is not None else [None] * len(files)
    by_partition: dict[_Partition, list[_Candidate]] = defaultdict(list)
    for add, span in zip(files, spans, strict=True):
        if _is_small(add, policy) or _is_worn(add, policy):
            by_partition[tuple(sorted(add.partition_values.items()))].append(_Candidate(add, span))
    groups: list[Group] = []
    for members in _within_budget(by_partition.values(), policy):
        # Files whose place is not known come last, in their order.
        known = sorted((one for one in members if one.span is not None), key=lambda one: one.low)
        unknown = [one for one in members if one.span is None]
        found = [*_fill(known, policy), *_fill(unknown, policy)]
        groups += [group for group in found if len(group.files) > 1 or _is_worn(group.files[0], policy)]
    return tuple(groups)


@dataclass(frozen=True, slots=True)
class _Candidate:
    add: AddFile
    span: Bounds

    @property
    def low(self) -> Any:
        return None if self.span is None else self.span[0]


@dataclass(slots=True)
class _Filling:
    """A group that is being filled."""

    files: list[AddFile] = field(default_factory=list)
    size: float = 0.0
    high: Any = None

    def has_room(self, one: _Candidate, target_size: int) -> bool:
        size = self.size + _live_size(one.add)
        overlaps = one.span is not None and self.high is not None and one.span[0] < self.high
        return size <= target_size * (_MOST_PARTS if overlaps else 1)

    def take(self, one: _Candidate) -> None:
        self.files.append(one.add)
        self.size += _live_size(one.add)
        if one.span is not None:
            self.high = one.span[1] if self.high is None else max(self.high, one.span[1])

    def close(self, target_size: int) -> Group:
        return Group(
            files=tuple(self.files),
            size=sum(add.size for add in self.files),
            hidden_rows=sum(map(_hidden, self.files)),
            # Half a file more or less: none of them is small again.
            parts=max(1, int(self.size / target_size + 0.5)),
        )


def _fill(members: Sequence[_Candidate], policy: Policy) -> list[Group]:
    groups: list[Group] = []
    current = _Filling()
    for one in members:
        if current.files and not current.has_room(one, policy.target_size):
            groups.append(current.close(policy.target_size))
            current = _Filling()
        current.take(one)
    if current.files:
        groups.append(current.close(policy.target_size))
    return groups


def _within_budget(partitions: Iterable[list[_Candidate]], policy: Policy) -> list[list[_Candidate]]:
    """What the policy lets be done at once: partitions with the most small files first, small files first."""
    crowded = [members for members in partitions if len(members) > policy.after]
    if policy.budget is None:
        return crowded
    chosen: list[list[_Candidate]] = []
    left = policy.budget
    for members in sorted(crowded, key=len, reverse=True):
        taken: list[_Candidate] = []
        for one in sorted(members, key=lambda each: each.add.size):
            if one.add.size > left:
                break
            left -= one.add.size
            taken.append(one)
        chosen.append(taken)
    return chosen


def _hidden(add: AddFile) -> int:
    return add.deletion_vector.cardinality if add.deletion_vector else 0


def _live_size(add: AddFile) -> float:
    records = add.physical_records
    return add.size * (1 - _hidden(add) / records) if records else add.size


def _is_small(add: AddFile, policy: Policy) -> bool:
    return add.size < policy.small_size


def _is_worn(add: AddFile, policy: Policy) -> bool:
    records = add.physical_records
    if policy.dead_share is None or not _hidden(add):
        return False
    return records is None or _hidden(add) > policy.dead_share * records
