"""Reading the files of the log: listings, commits, compactions.

Delta protocol, sections "Delta Log Entries", "Log Compaction Files" and "Last Checkpoint File".
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import Final, TypeVar

import orjson

from lakehouse.delta.actions import Action, CommitInfo, parse_action
from lakehouse.delta.locations import is_local
from lakehouse.delta.log_files import (
    LAST_CHECKPOINT,
    LOG_FOLDER,
    LogListing,
    commit_path,
    listing_start,
    sort_files,
)
from lakehouse.delta.segments import log_gap
from lakehouse.errors import CorruptTableError, NotFoundError, VersionNotFoundError
from lakehouse.storage.objects import ObjectInfo, Storage

_READERS: Final = 8
_FEW: Final = 3
_HEAD_BYTES: Final = 65_536
_T = TypeVar("_T")
_R = TypeVar("_R")


@dataclass(frozen=True, slots=True)
class Commit:
    """One version's commit.

    Args:
        version: The version.
        timestamp_ms: When it was made, in milliseconds since the epoch: the in-commit timestamp where the
            commit has one, else the file's modification time.
        actions: What it did, in the order of the file; unknown actions are left out.
    """

    version: int
    timestamp_ms: int
    actions: tuple[Action, ...]

    @property
    def info(self) -> CommitInfo | None:
        """Who did what, if the commit says so."""
        return next((action for action in self.actions if isinstance(action, CommitInfo)), None)


def list_log(storage: Storage, *, start: int | None = None) -> LogListing:
    """See what the log holds.

    Args:
        storage: The table's root.
        start: Only files of this version and of later ones; None means all.

    Returns:
        The files, told by their names.
    """
    after = None if start is None else listing_start(start)
    return sort_files(storage.list(LOG_FOLDER, after=after))


def last_checkpoint(storage: Storage) -> int | None:
    """The version that ``_last_checkpoint`` points at: a hint, which can be stale, wrong or missing.

    Args:
        storage: The table's root.

    Returns:
        The version, or None where there is no hint that can be read.
    """
    try:
        hint = orjson.loads(storage.get(LAST_CHECKPOINT))
    except (NotFoundError, orjson.JSONDecodeError):
        return None
    version = hint.get("version") if isinstance(hint, dict) else None
    return version if isinstance(version, int) and version >= 0 else None


def read_commit(storage: Storage, version: int) -> Commit:
    """Read one commit.

    Args:
        storage: The table's root.
        version: Which one.

    Returns:
        The commit.

    Raises:
        VersionNotFoundError: There is no such commit file.
        CorruptTableError: A line of it can't be read; the message names file and line.
    """
    try:
        info = storage.head(commit_path(version))
        return read_commit_file(storage, version, info)
    except NotFoundError as error:
        raise VersionNotFoundError(
            f"version {version} of {storage.url} has no commit file",
            advice="it was cleaned up, or the version was never made",
        ) from error


def commits(storage: Storage, *, start: int = 0, end: int | None = None) -> Iterator[Commit]:
    """Read commits, oldest first.

    Args:
        storage: The table's root.
        start: First version. Commits that were cleaned up are passed over.
        end: Last version, inclusive; None means to the newest.

    Yields:
        Each commit that is there.

    Raises:
        CorruptTableError: A commit can't be read, or one is missing between two others.
    """
    listing = list_log(storage, start=start)
    versions = [number for number in sorted(listing.commits) if end is None or number <= end]
    for before, after in itertools.pairwise(versions):
        if after != before + 1:
            raise log_gap(listing, before + 1)

    def read(version: int) -> Commit:
        return read_commit_file(storage, version, listing.commits[version])

    yield from in_parallel(read, versions, storage=storage)


def read_commit_file(storage: Storage, version: int, info: ObjectInfo) -> Commit:
    """Read one commit whose file was listed before.

    Args:
        storage: The table's root.
        version: Its version.
        info: Its file.

    Returns:
        The commit.

    Raises:
        NotFoundError: The file is gone.
        CorruptTableError: A line of it can't be read; the message names file and line.
    """
    actions = read_actions(storage, info.path)
    stamp = next((item.in_commit_timestamp for item in actions if isinstance(item, CommitInfo)), None)
    return Commit(version, to_millis(info.modified) if stamp is None else stamp, actions)


def read_actions(storage: Storage, path: str) -> tuple[Action, ...]:
    """Read a file of JSON lines: a commit, a compaction or a V2 checkpoint.

    Args:
        storage: The table's root.
        path: The file.

    Returns:
        Its actions; unknown ones are left out.

    Raises:
        NotFoundError: The file is gone.
        CorruptTableError: It is empty, or a line of it can't be read; the message names file and line.
    """
    return parse_actions(storage.get(path), f"{storage.url}/{path}")


def parse_actions(data: bytes, name: str) -> tuple[Action, ...]:
    """Read the content of a file of JSON lines.

    Args:
        data: Its bytes.
        name: What errors call it.

    Returns:
        As `read_actions`.

    Raises:
        CorruptTableError: As `read_actions`.
    """
    found: list[Action] = []
    for number, line in enumerate(data.split(b"\n"), start=1):
        if not line.strip():
            continue
        try:
            value = orjson.loads(line)
            if not isinstance(value, dict):
                raise CorruptTableError("it is no JSON object")
            action = parse_action(value)
        except (orjson.JSONDecodeError, CorruptTableError) as error:
            why = error.message if isinstance(error, CorruptTableError) else "it is not valid JSON"
            raise CorruptTableError(
                f"line {number} of {name} can't be read: {why}",
                advice="the file was cut off or changed; restore it from a backup or another replica",
            ) from error
        if action is not None:
            found.append(action)
    if not data.strip():
        raise CorruptTableError(
            f"{name} is empty",
            advice="a writer died while it wrote; if no later version exists, the file can be removed",
        )
    return tuple(found)


def read_commit_info(storage: Storage, info: ObjectInfo) -> CommitInfo | None:
    """Read only the ``commitInfo`` of a commit, which stands first where it matters.

    Args:
        storage: The table's root.
        info: The commit's file.

    Returns:
        It, or None where the commit has none.

    Raises:
        NotFoundError: The file is gone.
        CorruptTableError: The commit can't be read.
    """
    head = storage.get_range(info.path, start=0, length=_HEAD_BYTES)
    line, end, _ = head.partition(b"\n")
    if end or len(head) < _HEAD_BYTES:
        try:
            first = parse_action(orjson.loads(line))
        except (orjson.JSONDecodeError, CorruptTableError, AttributeError):
            first = None
        if isinstance(first, CommitInfo):
            return first
    actions = read_actions(storage, info.path)
    return next((action for action in actions if isinstance(action, CommitInfo)), None)


def in_parallel(function: Callable[[_T], _R], items: Sequence[_T], *, storage: Storage) -> Iterator[_R]:
    """Do the same with many files, several at once where there are more than a few, or answers take long.

    Args:
        function: What to do; it is called from other threads.
        items: With what.
        storage: Where the files are.

    Yields:
        The results, in the order of the items.
    """
    if len(items) <= (_FEW if is_local(storage) else 1):
        yield from map(function, items)
        return
    with ThreadPoolExecutor(max_workers=_READERS) as pool:
        # In slices, so that a long log is not held in memory as a whole.
        for at in range(0, len(items), _READERS * 8):
            yield from pool.map(function, items[at : at + _READERS * 8])


def to_millis(moment: datetime) -> int:
    """A moment as the log counts time.

    Args:
        moment: Aware.

    Returns:
        Milliseconds since the epoch, rounded down.
    """
    # By whole units: a float of seconds is off by a millisecond now and then.
    return int(moment.timestamp()) * 1000 + moment.microsecond // 1000
