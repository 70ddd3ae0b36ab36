"""The log of a table: without gaps, every commit readable, the hint at a checkpoint that is there.

Reading all commits also tells which files the table has or had (for the search for orphans), and which change
data there should be. Delta protocol, sections "Delta Log Entries", "Last Checkpoint File", "Add CDC File".
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import orjson

from lakehouse.delta import paths
from lakehouse.delta.actions import Action, AddCdcFile, AddFile, DeletionVector, RemoveFile
from lakehouse.delta.checkpoints_read import checkpoint_removes, read_checkpoint
from lakehouse.delta.log_files import LAST_CHECKPOINT, Checkpoint, LogListing, commit_path
from lakehouse.delta.log_reading import in_parallel, list_log, read_commit_file
from lakehouse.errors import CorruptTableError, NotFoundError
from lakehouse.maintenance.verify.report import Finding, Notice, Repair
from lakehouse.storage import Storage


@dataclass(frozen=True, slots=True)
class ChangeFile:
    """A file of change data that a commit names.

    Args:
        version: The commit.
        timestamp_ms: When it was made.
        path: As in the log.
        size: Bytes.
    """

    version: int
    timestamp_ms: int
    path: str
    size: int


@dataclass(slots=True)
class LogFacts:
    """What the log says.

    Args:
        named: Every file below the table's folder that a commit or a checkpoint names, also removed ones.
        change_files: Change data.
        vacuums: Versions that say that files were vacuumed.
        whole: Whether all of the log could be read.
        findings: What is wrong with it.
    """

    named: set[str] = field(default_factory=set)
    change_files: list[ChangeFile] = field(default_factory=list)
    vacuums: list[int] = field(default_factory=list)
    whole: bool = True
    findings: list[Finding] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Commit:
    """What is kept of one commit."""

    named: list[str]
    change_files: list[ChangeFile]
    vacuum: bool


def read_log(storage: Storage, listing: LogListing) -> LogFacts:
    """Read every commit, and the checkpoints that stand for those that are gone.

    Args:
        storage: The table's folder.
        listing: What the log holds.

    Returns:
        What it says, and what is wrong with it.
    """
    facts = LogFacts()
    versions = sorted(listing.commits)
    for before, after in itertools.pairwise(versions):
        if after > before + 1:
            facts.whole = False
            gone = after - before - 1
            detail = f"{gone} commit{'s are' if gone > 1 else ' is'} missing before version {after}"
            facts.findings.append(Finding("bad_log", commit_path(before + 1), detail))

    def read(version: int) -> _Commit | CorruptTableError | None:
        try:
            commit = read_commit_file(storage, version, listing.commits[version])
        except NotFoundError:
            return None  # cleaned up since it was listed
        except CorruptTableError as error:
            return error
        info = commit.info
        return _Commit(
            named=list(_named(storage, commit.actions)),
            change_files=[
                ChangeFile(version, commit.timestamp_ms, item.path, item.size)
                for item in commit.actions
                if isinstance(item, AddCdcFile)
            ],
            vacuum=info is not None and (info.operation or "").startswith("VACUUM"),
        )

    for version, commit in zip(versions, in_parallel(read, versions, storage=storage), strict=True):
        if isinstance(commit, _Commit):
            facts.named.update(commit.named)
            facts.change_files += commit.change_files
            facts.vacuums += [version] if commit.vacuum else []
            continue
        facts.whole = False
        if commit is not None:
            facts.findings.append(Finding("bad_log", commit_path(version), commit.message))
    for start, _ in listing.readable():
        facts.whole &= start == 0 or _take_in(storage, listing, start, facts)
    return facts


def _take_in(storage: Storage, listing: LogListing, version: int, facts: LogFacts) -> bool:
    """Whether a checkpoint of a version tells which files there are."""
    for checkpoint in listing.checkpoints.get(version, ()):
        try:
            facts.named.update(_named(storage, read_checkpoint(storage, checkpoint)))
            facts.named.update(_named(storage, checkpoint_removes(storage, checkpoint)))
        except CorruptTableError:
            continue
        return True
    return False


def _named(storage: Storage, actions: Iterable[Action]) -> Iterator[str]:
    for action in actions:
        if not isinstance(action, AddFile | RemoveFile | AddCdcFile):
            continue
        yield from _inside(storage, action.path)
        vector: DeletionVector | None = getattr(action, "deletion_vector", None)
        if vector is None:
            continue
        try:
            place = vector.place()
        except (CorruptTableError, ValueError):
            continue
        if place is not None:
            yield from _inside(storage, place)


def _inside(storage: Storage, path: str) -> Iterator[str]:
    relative = paths.relative(path, root=storage.url)
    if relative is not None:
        yield relative


def check_hint(storage: Storage, listing: LogListing) -> tuple[Finding | Notice | None, Repair | None]:
    """Check that ``_last_checkpoint`` points at a checkpoint that is there and whole.

    Args:
        storage: The table's folder.
        listing: What the log holds.

    Returns:
        What is wrong, and how to mend it. That the hint is missing is no damage: readers list the log then.
    """
    newest = max(listing.checkpoints, default=None)
    mend = Repair(
        "last_checkpoint",
        LAST_CHECKPOINT,
        "it is removed: there is no checkpoint"
        if newest is None
        else f"it is made to point at version {newest}",
    )
    try:
        data = storage.get(LAST_CHECKPOINT)
    except NotFoundError:
        if newest is None:
            return None, None
        detail = "_delta_log/_last_checkpoint is missing: readers list the whole log to find the checkpoint"
        return Notice("no_last_checkpoint", detail), mend
    wrong = _hint_problem(data, listing)
    if wrong is not None and _hint_problem(data, list_log(storage)) is None:
        wrong = None  # the checkpoint was written since the log was listed
    if wrong is None:
        return None, None
    return Finding("bad_last_checkpoint", LAST_CHECKPOINT, wrong, repairable=True), mend


def _hint_problem(data: bytes, listing: LogListing) -> str | None:
    try:
        hint: Any = orjson.loads(data)
    except orjson.JSONDecodeError:
        return "it is no JSON"
    version = hint.get("version") if isinstance(hint, dict) else None
    if not isinstance(version, int) or isinstance(version, bool):
        return "it names no version"
    there = listing.checkpoints.get(version, ())
    if not there:
        return f"it points at a checkpoint of version {version}, which is not there or not whole"
    parts = hint.get("parts") or 1
    if all(len(item.files) != parts for item in there):
        return f"it points at a checkpoint of version {version} in {parts} parts, which is not there"
    return None


def hint_for(checkpoint: Checkpoint, *, size: int) -> bytes:
    """What ``_last_checkpoint`` says of a checkpoint.

    Args:
        checkpoint: The checkpoint.
        size: How many actions it holds.

    Returns:
        JSON.
    """
    count = len(checkpoint.files)
    return orjson.dumps(
        {"version": checkpoint.version, "size": size, **({"parts": count} if count > 1 else {})}
    )
