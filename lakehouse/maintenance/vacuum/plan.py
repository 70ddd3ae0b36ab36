"""What a vacuum does, or has done: every file that goes with its reason, and why the others stay."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias

from lakehouse.protection.versions import Verdict

Kind: TypeAlias = Literal[
    "data",
    "vector",
    "change_data",
    "tombstones",
    "leftover",
    "temporary",
    "commit",
    "checkpoint",
    "sidecar",
    "compaction",
    "checksum",
]


@dataclass(frozen=True, slots=True)
class Going:
    """A file that goes.

    Args:
        path: Below the table's folder.
        kind: What it is.
        bytes: Its size.
        reason: Why it goes.
        version: Of files of the log, the version that it is about.
    """

    path: str
    kind: Kind
    bytes: int
    reason: str
    version: int | None = None


@dataclass(frozen=True, slots=True)
class Amount:
    """How much of something there is.

    Args:
        files: How many.
        bytes: Their size together.
    """

    files: int
    bytes: int


NOTHING: Final = Amount(0, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class VacuumPlan:
    """What a vacuum would take away, or, once it is carried out, has taken away.

    Args:
        table: The table's name.
        version: The newest version.
        files: All files that go.
        kept: Why files stay, and how many for that reason: each file counts once.
        versions: What becomes of each version that could be read, oldest first.
        pruned: Versions that can't be read after it, though their commits stay, as ranges.
        feed: Versions whose change data goes, as ranges.
        log_before: The log's commits before this version go; None where none do.
        checkpoint_at: A checkpoint is written at this version first, so that the log before it can go.
        holds: The holds that keep something, each with its reason.
        object_versions: On versioned buckets: older versions of objects, and marks of deletion, that go.
        uploads: Unfinished uploads that are ended.
        unfinished: Vacuums that were begun and killed, and are finished by this one.
        notes: What else there is to say.
        run: The name of the vacuum, once it is carried out; None while it is only a plan.
    """

    table: str
    version: int
    files: tuple[Going, ...] = ()
    kept: Mapping[str, Amount] = field(default_factory=dict)
    versions: tuple[Verdict, ...] = ()
    pruned: tuple[tuple[int, int], ...] = ()
    feed: tuple[tuple[int, int], ...] = ()
    log_before: int | None = None
    checkpoint_at: int | None = None
    holds: Mapping[str, str] = field(default_factory=dict)
    object_versions: Amount = NOTHING
    uploads: int = 0
    unfinished: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    run: str | None = None

    @property
    def bytes(self) -> int:
        """The size of all files that go, older object versions included."""
        return sum(each.bytes for each in self.files) + self.object_versions.bytes

    @property
    def kinds(self) -> dict[Kind, Amount]:
        """What goes, by kind."""
        files: Counter[Kind] = Counter()
        sizes: Counter[Kind] = Counter()
        for each in self.files:
            files[each.kind] += 1
            sizes[each.kind] += each.bytes
        return {kind: Amount(files[kind], sizes[kind]) for kind in files}

    @property
    def changes_nothing(self) -> bool:
        """Whether there is nothing to take away."""
        return not (self.files or self.object_versions.files or self.uploads or self.unfinished)


def ranges(versions: list[int]) -> tuple[tuple[int, int], ...]:
    """Numbers as ranges of first and last.

    Args:
        versions: Any, in any order.
    """
    found: list[tuple[int, int]] = []
    for version in sorted(set(versions)):
        if found and version == found[-1][1] + 1:
            found[-1] = found[-1][0], version
        else:
            found.append((version, version))
    return tuple(found)
