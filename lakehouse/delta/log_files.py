"""The files of ``_delta_log``: what their names mean, and which of them together make a version.

Delta protocol, sections "Delta Log Entries", "Checkpoints", "Log Compaction Files" and "Checkpoint Naming
Scheme". Names that mean nothing here (version checksums, staged commits, files of other tools) are ignored.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from lakehouse.storage.objects import ObjectInfo

LOG_FOLDER: Final = "_delta_log"
SIDECAR_FOLDER: Final = "_delta_log/_sidecars"
LAST_CHECKPOINT: Final = "_delta_log/_last_checkpoint"

_COMMIT: Final = re.compile(r"_delta_log/(\d{20})\.json")
_COMPACTION: Final = re.compile(r"_delta_log/(\d{20})\.(\d{20})\.compacted\.json")
_CHECKPOINT: Final = re.compile(
    r"_delta_log/(?P<version>\d{20})\.checkpoint\."
    r"(?:(?P<part>\d{10})\.(?P<parts>\d{10})\.parquet|(?P<uuid>[0-9A-Za-z-]+)\.(?:json|parquet)|parquet)"
)


@dataclass(frozen=True, slots=True)
class Compaction:
    """A file that stands for several commits (section "Log Compaction Files").

    Args:
        start: First version that it holds.
        end: Last version that it holds.
        file: The file.
    """

    start: int
    end: int
    file: ObjectInfo


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A complete checkpoint (section "Checkpoints").

    Args:
        version: The version that it holds.
        files: One file, or all parts of a multi-part checkpoint, in order.
    """

    version: int
    files: tuple[ObjectInfo, ...]


@dataclass(frozen=True, slots=True)
class LogListing:
    """What a listing of the log shows.

    Args:
        commits: Version to commit file.
        checkpoints: Version to its complete checkpoints: V2 first, then classic, then multi-part.
        compactions: Compaction files.
        broken: Names of multi-part checkpoints that lack a part, as ``version: names of missing parts``.
    """

    commits: Mapping[int, ObjectInfo] = field(default_factory=dict)
    checkpoints: Mapping[int, tuple[Checkpoint, ...]] = field(default_factory=dict)
    compactions: tuple[Compaction, ...] = ()
    broken: Mapping[int, tuple[str, ...]] = field(default_factory=dict)

    @property
    def latest(self) -> int | None:
        """The newest version that the listing shows; None where it shows no table."""
        return max((*self.commits, *self.checkpoints), default=None)

    def newest_first(self, version: int) -> Iterator[Checkpoint]:
        """The checkpoints that a version can start from.

        Args:
            version: The version wanted.

        Yields:
            Complete checkpoints of that version and older, newest first.
        """
        for number in sorted(self.checkpoints, reverse=True):
            if number <= version:
                yield from self.checkpoints[number]

    def readable(self) -> list[tuple[int, int]]:
        """The versions that can be rebuilt.

        Returns:
            Ranges of first and last version, ascending. More than one where the log has a gap.
        """
        starts = sorted({*self.checkpoints, *({0} & set(self.commits))})
        ranges: list[tuple[int, int]] = []
        for start in starts:
            if ranges and start <= ranges[-1][1]:
                continue
            end = start
            while end + 1 in self.commits:
                end += 1
            if ranges and start == ranges[-1][1] + 1:
                ranges[-1] = ranges[-1][0], end
            else:
                ranges.append((start, end))
        return ranges


def commit_path(version: int) -> str:
    """Where the commit of a version is.

    Args:
        version: From 0.

    Returns:
        Path below the table's root.
    """
    return f"{LOG_FOLDER}/{version:020d}.json"


def listing_start(version: int) -> str:
    """What to list after, to see every file of a version and of those that follow.

    Args:
        version: From 0.

    Returns:
        A path that sorts directly before all of them.
    """
    return f"{LOG_FOLDER}/{version:020d}"


def commit_version(path: str) -> int | None:
    """The version that a path is the commit of.

    Args:
        path: Path below the table's root.

    Returns:
        The version, or None for any other file.
    """
    found = _COMMIT.fullmatch(path)
    return int(found[1]) if found else None


def sort_files(files: Iterable[ObjectInfo]) -> LogListing:
    """Tell the files of the log by their names.

    Args:
        files: Objects with paths below the table's root.

    Returns:
        What they are.
    """
    commits: dict[int, ObjectInfo] = {}
    compactions: list[Compaction] = []
    single: dict[int, list[tuple[bool, Checkpoint]]] = defaultdict(list)
    parts: dict[tuple[int, int], dict[int, ObjectInfo]] = defaultdict(dict)
    for info in files:
        version = commit_version(info.path)
        if version is not None:
            commits[version] = info
        elif found := _COMPACTION.fullmatch(info.path):
            compactions.append(Compaction(int(found[1]), int(found[2]), info))
        elif found := _CHECKPOINT.fullmatch(info.path):
            version = int(found["version"])
            if found["part"]:
                parts[version, int(found["parts"])][int(found["part"])] = info
            else:
                single[version].append((found["uuid"] is None, Checkpoint(version, (info,))))
    checkpoints = {
        version: [item for _, item in sorted(items, key=lambda pair: pair[0])]
        for version, items in single.items()
    }
    broken = _add_multi_part(checkpoints, parts)
    return LogListing(
        commits=commits,
        checkpoints={version: tuple(items) for version, items in checkpoints.items()},
        compactions=tuple(compactions),
        broken=broken,
    )


def _add_multi_part(
    checkpoints: dict[int, list[Checkpoint]], parts: Mapping[tuple[int, int], Mapping[int, ObjectInfo]]
) -> dict[int, tuple[str, ...]]:
    broken: dict[int, tuple[str, ...]] = {}
    for (version, count), files in parts.items():
        # Readers must ignore multi-part checkpoints with missing parts (section "Checkpoints").
        missing = [number for number in range(1, count + 1) if number not in files]
        if missing:
            broken[version] = tuple(
                f"{LOG_FOLDER}/{version:020d}.checkpoint.{number:010d}.{count:010d}.parquet"
                for number in missing
            )
        else:
            found = Checkpoint(version, tuple(files[number] for number in range(1, count + 1)))
            checkpoints.setdefault(version, []).append(found)
    return broken
