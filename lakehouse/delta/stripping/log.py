"""Taking values of rows out of a whole log, where it lies.

Each file of the log that holds such values is written over, whole: readers see the old or the new one, and
both say the same of the table. Nothing is done twice; after a kill it is called again.

Whoever calls it sees to it that nobody cleans the log up meanwhile (a commit that goes between reading and
writing would be made anew on an object store), and calls it after the commit that takes the rows out: a
checkpoint that another writer makes at that moment, from what it read before, can bring old statistics
back, so what is left is looked at again (`lakehouse verify`, or this function once more).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias

import orjson

from lakehouse.delta.kept_times import rewrite_commit
from lakehouse.delta.locations import is_local
from lakehouse.delta.log_files import LAST_CHECKPOINT, LOG_FOLDER, commit_version
from lakehouse.delta.log_reading import in_parallel
from lakehouse.delta.parquet_edit.problems import CantEditError
from lakehouse.delta.stripping.files import partition_names, stripped_checkpoint, stripped_lines, tells_values
from lakehouse.delta.stripping.rules import Rules
from lakehouse.errors import CorruptTableError, NotFoundError
from lakehouse.storage import ObjectInfo, Storage

Kind: TypeAlias = Literal["commit", "compaction", "checkpoint", "checksum", "hint", "unknown"]

_CHECKPOINT: Final = ".checkpoint."
_VERSIONED: Final = re.compile(r"\d{20}\.")
_COMPACTED: Final = ".compacted.json"


@dataclass(frozen=True, slots=True)
class StrippedFile:
    """A file of the log that was changed.

    Args:
        path: Below the table's root.
        kind: What it is.
        before: Its bytes before.
        after: Its bytes now; 0 where it was removed.
        kept_time: Whether it still has the time of before. A commit without gives its version the time of
            now, unless the table has in-commit timestamps.
    """

    path: str
    kind: Kind
    before: int
    after: int
    kept_time: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class StrippedLog:
    """What became of a log.

    Args:
        files: The files that were changed.
        looked_at: How many files were read.
        unknown: Files of no known kind, which nobody looked into.
        partitions: Columns, of those given, that partition the table in some version: their values are in
            paths and in ``partitionValues``, from where they can't be taken.
    """

    files: tuple[StrippedFile, ...] = ()
    looked_at: int = 0
    unknown: tuple[str, ...] = ()
    partitions: tuple[str, ...] = ()

    @property
    def changed(self) -> bool:
        """Whether anything was changed."""
        return bool(self.files)

    @property
    def retimed(self) -> tuple[int, ...]:
        """Versions whose commits have lost their time."""
        lost = (commit_version(each.path) for each in self.files if not each.kept_time)
        return tuple(sorted(version for version in lost if version is not None))


@dataclass(slots=True)
class _Look:
    """What was found in one file."""

    file: StrippedFile | None = None
    kind: Kind = "unknown"
    partitions: frozenset[str] = field(default_factory=frozenset)


def strip_log(
    storage: Storage,
    columns: Iterable[Sequence[str]] | None,
    *,
    files: Collection[str] | None = None,
    but: Collection[str] = (),
    until: int | None = None,
) -> StrippedLog:
    """Take values of rows out of a table's log.

    What goes: minimum, maximum and number of nulls of the columns in the statistics of every file, living
    or removed, in commits, compactions and checkpoints of every kind; free texts of writers, as conditions
    and ``userMetadata`` (see `rules`); checksums of versions that repeat statistics. The number of nulls
    goes too, since it does not hold any more once cells are emptied. Everything else stays, byte for byte
    in JSON.

    Args:
        storage: The table's root.
        columns: The columns' physical names (`column_mapping.physical_names`), from the outside in; None
            means all columns that the table has or ever had.
        files: Paths, as in the log, of the files that held what has to go; None means all. Bounds of other
            files are values of rows that stay, and merges and queries of today need them.
        but: Paths, as in the log, of files that keep theirs: those of the newest version, say.
        until: The version to which that holds; what the log says of later ones is left alone. None means all.

    Returns:
        What was changed, and what could not be.

    Raises:
        CorruptTableError: A file of the log can't be read.
        CantEditError: A checkpoint can't be changed. Those before it were.
        StorageError: The store failed.
    """
    rules = Rules(columns, files=files, but=but)
    listed = [info for info in storage.list(LOG_FOLDER) if until is None or _last_version(info.path) <= until]
    commits = {version for info in listed if (version := commit_version(info.path)) is not None}

    def look(info: ObjectInfo) -> _Look:
        kind = kind_of(info.path)
        if kind in ("unknown", "hint"):
            return _Look(kind=kind)
        # What says when a version was made, where its commit is gone.
        dated = kind == "commit" or (kind == "checkpoint" and _version_of(info.path) not in commits)
        try:
            return _strip(storage, info, kind, rules, dated=dated)
        except NotFoundError:
            return _Look(kind=kind)

    found = list(in_parallel(look, listed, storage=storage))
    partitions = frozenset[str]().union(*(each.partitions for each in found))
    wanted = {path[0] for path in rules.columns if path}
    return StrippedLog(
        files=tuple(each.file for each in found if each.file is not None),
        looked_at=sum(each.kind not in ("unknown", "hint") for each in found),
        unknown=tuple(
            info.path
            for info, each in zip(listed, found, strict=True)
            if each.kind == "unknown" and not _is_hadoop_checksum(info.path)
        ),
        partitions=tuple(sorted(wanted & partitions)),
    )


def kind_of(path: str) -> Kind:  # noqa: PLR0911 - one for each kind
    """What a file of the log is, by its name.

    Args:
        path: Below the table's root.
    """
    name = path.rsplit("/", 1)[-1]
    if path == LAST_CHECKPOINT:
        return "hint"
    if name.startswith(".") or not path.startswith(f"{LOG_FOLDER}/"):
        return "unknown"
    if name.endswith(".parquet"):
        return "checkpoint"
    if name.endswith(".crc"):
        return "checksum"
    if name.endswith(_COMPACTED):
        return "compaction"
    if name.endswith(".json") and _VERSIONED.match(name):
        return "checkpoint" if _CHECKPOINT in name else "commit"
    return "unknown"


def drop_hadoop_checksum(storage: Storage, path: str) -> None:
    """Remove what Hadoop's local file system keeps beside each file, before the file changes.

    Spark refuses to read a file that does not agree with its checksum, and reads one that has none.

    Args:
        storage: Where the file is.
        path: The file.
    """
    if is_local(storage):
        folder, _, name = path.rpartition("/")
        storage.delete([f"{folder}/.{name}.crc" if folder else f".{name}.crc"])


def _strip(storage: Storage, info: ObjectInfo, kind: Kind, rules: Rules, *, dated: bool) -> _Look:
    data = storage.get(info.path)
    if kind == "checksum":
        if not tells_values(data, rules):
            return _Look(kind=kind)
        storage.delete([info.path])
        return _Look(StrippedFile(info.path, kind, len(data), 0), kind)
    if info.path.endswith(".parquet"):
        try:
            new = stripped_checkpoint(data, rules)
        except CantEditError as error:
            raise error.of(f"{storage.url}/{info.path}") from None
        except CorruptTableError as error:
            raise _damaged(storage, info, error) from None
        partitions = partition_names(data)
    else:
        # The size of a checkpoint is told by the hint, and by those who list it.
        try:
            new = stripped_lines(data, rules, keep_size=kind == "checkpoint")
        except CorruptTableError as error:
            raise _damaged(storage, info, error) from None
        partitions = _partition_columns(data)
    if new is data:
        return _Look(kind=kind, partitions=partitions)
    drop_hadoop_checksum(storage, info.path)
    kept = True
    if dated:
        kept = rewrite_commit(storage, info.path, new)
    else:
        storage.put(info.path, new)
    return _Look(StrippedFile(info.path, kind, len(data), len(new), kept), kind, partitions)


def _damaged(storage: Storage, info: ObjectInfo, error: CorruptTableError) -> CorruptTableError:
    return CorruptTableError(f"{storage.url}/{info.path}: {error.message}", advice=error.advice)


def _partition_columns(data: bytes) -> frozenset[str]:
    """What the partition values of files are told under."""
    found: set[str] = set()
    for line in data.split(b"\n"):
        if b'"partitionValues"' in line and b'"partitionValues":{}' not in line:
            for action in orjson.loads(line).values():
                found.update((action or {}).get("partitionValues") or {})
    return frozenset(found)


def _version_of(path: str) -> int | None:
    head = path.rsplit("/", 1)[-1].split(".", 1)[0]
    return int(head) if head.isascii() and head.isdigit() else None


def _last_version(path: str) -> int:
    """The last version of which a file of the log speaks; -1 where its name tells none."""
    name = path.rsplit("/", 1)[-1]
    if name.endswith(_COMPACTED):
        name = name.split(".", 1)[1]
    head = name.split(".", 1)[0]
    return int(head) if head.isascii() and head.isdigit() else -1


def _is_hadoop_checksum(path: str) -> bool:
    name = path.rsplit("/", 1)[-1]
    return name.startswith(".") and name.endswith(".crc")
