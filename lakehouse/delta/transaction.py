"""Commits: one file, written only where none is, with one of three outcomes.

Delta protocol, sections "Delta Log Entries", "Creation of New Log Entries", "Commit Provenance Information"
and "In-Commit Timestamps". An answer that was lost is never guessed: the file is looked up, and our own
``txnId`` in it tells whether the commit is ours.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from importlib import metadata as packages
from typing import Final, TypeAlias
from uuid import uuid4

import orjson

from lakehouse.delta.actions import (
    Action,
    AddCdcFile,
    AddFile,
    CheckpointMetadata,
    CommitInfo,
    DomainMetadata,
    Metadata,
    Protocol,
    RemoveFile,
    SetTransaction,
    Sidecar,
    serialize_all,
)
from lakehouse.delta.features import in_commit_timestamps
from lakehouse.delta.log_files import commit_path
from lakehouse.delta.snapshot import Snapshot
from lakehouse.errors import CommitUnknownError, NotFoundError, StorageError, StoreRefusedError, UsageError
from lakehouse.storage.objects import Storage

_PAUSES: Final = (0.1, 0.3, 1.0, 2.0)


@dataclass(frozen=True, slots=True)
class Committed:
    """The commit is in the table.

    Args:
        version: The version it made.
        timestamp_ms: Its time as written into it, in milliseconds since the epoch.
        txn_id: Its own id.
        content: The commit's file, so that nobody has to read it again.
    """

    version: int
    timestamp_ms: int
    txn_id: str
    content: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True)
class Conflicted:
    """Somebody else made that version; nothing of ours is in the table.

    Args:
        version: The version that was wanted.
    """

    version: int


Outcome: TypeAlias = Committed | Conflicted


def commit(
    storage: Storage,
    *,
    version: int,
    actions: Sequence[Action],
    commit_info: CommitInfo,
    base: Snapshot | None = None,
    now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
    sleep: Callable[[float], None] = time.sleep,
    last_look: Callable[[], None] = lambda: None,
) -> Outcome:
    """Try to make one version.

    Args:
        storage: The table's root.
        version: The version to make.
        actions: What it does, without ``commitInfo``. No two of them may reconcile with each other.
        commit_info: Operation, parameters, metrics and whatever else is to be told; never values of rows.
            Time, engine, id and (where not given) the read version are filled in here.
        base: The snapshot of ``version - 1``, on which the actions were worked out; None only for version 0.
            Tables with in-commit timestamps need it for theirs, which must rise.
        now_ms: The clock.
        sleep: How to wait between tries.
        last_look: Called right before the file is sent, and raises where the commit may not happen any more.

    Returns:
        `Committed` or `Conflicted`.

    Raises:
        UsageError: The actions can't stand in one commit, or the base is of another version.
        CommitUnknownError: The answer was lost and the store can't be asked. The commit may be in the
            table: keep every file it names, and look for its ``txnId`` before trying again.
        StorageError: The store failed, and each look-up showed that nothing was written.
    """
    _check(version, actions, base)
    stamped = _stamp(commit_info, version=version, actions=actions, base=base, now_ms=now_ms())
    data = serialize_all([stamped, *actions])
    path, identity = commit_path(version), stamped.txn_id or ""
    done = Committed(version, stamped.in_commit_timestamp or stamped.timestamp or 0, identity, data)
    for pause in (*_PAUSES, None):
        failure: StorageError | None = None
        last_look()
        try:
            if storage.put_if_absent(path, data):
                return done
        except StoreRefusedError:
            raise
        except StorageError as error:
            failure = error
        # A file that was there already can be ours too: stores repeat requests whose answer was lost.
        found = _look_up(storage, path, identity)
        if found is _Found.OURS:
            return done
        if found is _Found.OTHERS:
            return Conflicted(version)
        if pause is None:
            break
        sleep(pause)
    raise _gave_up(storage, version, found=found, failure=failure)


class _Found(Enum):
    OURS = "ours"
    OTHERS = "others"
    NOTHING = "nothing"
    UNKNOWN = "unknown"


def _look_up(storage: Storage, path: str, identity: str) -> _Found:
    """Whose commit is there?"""
    try:
        data = storage.get(path)
    except NotFoundError:
        return _Found.NOTHING
    except StorageError:
        return _Found.UNKNOWN
    for line in data.splitlines():
        try:
            value = orjson.loads(line)
        except orjson.JSONDecodeError:
            continue
        info = value.get("commitInfo") if isinstance(value, dict) else None
        if isinstance(info, dict) and info.get("txnId") == identity:
            return _Found.OURS
    return _Found.OTHERS


def _gave_up(
    storage: Storage, version: int, *, found: _Found, failure: StorageError | None
) -> CommitUnknownError | StorageError:
    if found is _Found.UNKNOWN:
        unknown = CommitUnknownError(
            f"nobody knows whether version {version} of {storage.url} was committed: the store didn't answer",
            advice="wait until it answers again, then look at the table's history before trying again",
        )
        unknown.__cause__ = failure
        return unknown
    if failure is not None:
        return failure
    return StorageError(
        f"version {version} of {storage.url} can't be written: it is there by one answer, gone by another",
        advice="something deletes files of the log; find it before writing again",
    )


def _stamp(
    info: CommitInfo, *, version: int, actions: Sequence[Action], base: Snapshot | None, now_ms: int
) -> CommitInfo:
    """Fill in what only the moment of the commit can tell."""
    protocol = next((item for item in actions if isinstance(item, Protocol)), base.protocol if base else None)
    metadata = next((item for item in actions if isinstance(item, Metadata)), base.metadata if base else None)
    inside = protocol is not None and metadata is not None and in_commit_timestamps(protocol, metadata)
    if inside and base is not None:
        # Section "Writer Requirements for In-Commit Timestamps": at least 1 ms after the last.
        now_ms = max(now_ms, base.timestamp_ms + 1)
    return replace(
        info,
        timestamp=now_ms,
        in_commit_timestamp=now_ms if inside else None,
        engine_info=info.engine_info or _engine(),
        txn_id=info.txn_id or str(uuid4()),
        read_version=version - 1 if info.read_version is None and version else info.read_version,
    )


def _engine() -> str:
    try:
        return f"lakehouse/{packages.version('lakehouse')}"
    except packages.PackageNotFoundError:
        # Run from a source tree that was never installed.
        return "lakehouse/0"


def _check(version: int, actions: Sequence[Action], base: Snapshot | None) -> None:
    """Refuse what no single log entry may hold (section "Delta Log Entries" of the writers' requirements)."""
    if (base.version + 1 if base is not None else 0) != version:
        stands_on = "nothing" if base is None else f"version {base.version}"
        raise UsageError(f"version {version} can't be committed on {stands_on}")
    misplaced = [item for item in actions if isinstance(item, CommitInfo | CheckpointMetadata | Sidecar)]
    if misplaced:
        raise UsageError(f"a commit can't hold a {type(misplaced[0]).__name__} action")
    # At most one action of the same type for one path, regardless of its vector ("Add File and Remove File").
    twice = [name for name, count in Counter(_identity(item) for item in actions).items() if count > 1]
    if twice:
        raise UsageError(f"a commit can't hold two {twice[0][0]} actions for the same {twice[0][1]}")
    added = {item.key for item in actions if isinstance(item, AddFile)}
    if any(item.key in added for item in actions if isinstance(item, RemoveFile)):
        raise UsageError("a commit can't add and remove the same file with the same deletion vector")


def _identity(action: Action) -> tuple[str, str, str]:
    match action:
        case AddFile(path=path) | RemoveFile(path=path) | AddCdcFile(path=path):
            return type(action).__name__, "path", path
        case SetTransaction(app_id=name):
            return "SetTransaction", "application", name
        case DomainMetadata(domain=name):
            return "DomainMetadata", "domain", name
        case _:
            return type(action).__name__, "table", ""
