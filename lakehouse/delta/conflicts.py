"""What others committed meanwhile, and whether our change still stands after it.

A list of named checks, each a function of our change and one winner's commit. No finding means that the
actions can be committed as they are, one version later. The checks are those of optimistic concurrency
control in the Delta protocol's reference implementation; the protocol itself asks for them in sections
"Transaction Identifiers" and "Domain Metadata" and leaves the rest to the isolation that a writer promises.
Promised here: serializable, blind appends included.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from lakehouse.delta.actions import (
    Action,
    AddFile,
    DomainMetadata,
    Metadata,
    Protocol,
    RemoveFile,
    SetTransaction,
)
from lakehouse.delta.log import Commit

_AGAIN: Final = "work the change out again from the newest version"


def _matches_all(_: AddFile) -> bool:
    return True


def _matches_none(_: AddFile) -> bool:
    return False


@dataclass(frozen=True, slots=True)
class ReadSet:
    """What a change was worked out from.

    Args:
        files: Paths (as in the log) of the files that were read; None for all files of the table.
        matches: Whether a file that the read did not see could have changed its outcome: by partition, by
            statistics, by keys. The default is that of `files`: everything, or nothing for a blind append.
        applications: Applications whose transaction was looked at; those that the change sets count anyway.
        metadata_id: The table's id, to notice that it was made anew; None not to look.
    """

    files: Collection[str] | None = ()
    matches: Callable[[AddFile], bool] = _matches_none
    applications: Collection[str] = ()
    metadata_id: str | None = None

    @classmethod
    def everything(cls, *, applications: Collection[str] = (), metadata_id: str | None = None) -> ReadSet:
        """A read of the whole table.

        Args:
            applications: See the class.
            metadata_id: See the class.

        Returns:
            A set that every file of the table belongs to.
        """
        return cls(None, _matches_all, applications, metadata_id)


@dataclass(frozen=True, slots=True)
class Finding:
    """One reason why a change can't be committed as it is.

    Args:
        name: The check: ``protocol_changed``, ``metadata_changed``, ``table_replaced``,
            ``concurrent_append``, ``concurrent_delete_read``, ``concurrent_delete_delete``,
            ``concurrent_transaction`` or ``domain_metadata_changed``.
        version: The winner's version.
        message: What happened.
        advice: What to do.
        rebase: Whether working the change out again from the newest version can succeed.
    """

    name: str
    version: int
    message: str
    advice: str
    rebase: bool = True


def check(ours: Sequence[Action], winners: Sequence[Commit], *, reads: ReadSet) -> list[Finding]:
    """Compare a change with everything that was committed since its read version.

    Args:
        ours: The actions that we want to commit.
        winners: Every commit after the version that the change was worked out from, in order.
        reads: What it was worked out from.

    Returns:
        Findings by version; none where the actions can be committed as they are.
    """
    return [finding for winner in winners for one in _CHECKS for finding in one(ours, winner, reads)]


def _protocol_changed(ours: Sequence[Action], winner: Commit, reads: ReadSet) -> Iterator[Finding]:
    del ours, reads
    if any(isinstance(action, Protocol) for action in winner.actions):
        message = "the table's protocol was changed"
        yield Finding(
            "protocol_changed", winner.version, message, f"{_AGAIN}, whose features are checked anew"
        )


def _metadata_changed(ours: Sequence[Action], winner: Commit, reads: ReadSet) -> Iterator[Finding]:
    del ours
    for action in winner.actions:
        if not isinstance(action, Metadata):
            continue
        if reads.metadata_id is not None and action.id != reads.metadata_id:
            message = "the table was replaced by another one"
            advice = "look at the table before writing to it again"
            yield Finding("table_replaced", winner.version, message, advice, rebase=False)
        else:
            message = "the table's schema, partitioning or properties were changed"
            yield Finding("metadata_changed", winner.version, message, _AGAIN)


def _concurrent_append(ours: Sequence[Action], winner: Commit, reads: ReadSet) -> Iterator[Finding]:
    # Files that only move rows add none; that a file which was read is gone then is for the next check.
    del ours
    added = [item for item in winner.actions if isinstance(item, AddFile) and item.data_change]
    count = sum(1 for item in added if reads.matches(item))
    if count:
        message = f"{_files(count)} added that the change would have had to read"
        yield Finding("concurrent_append", winner.version, message, _AGAIN)


def _concurrent_delete(ours: Sequence[Action], winner: Commit, reads: ReadSet) -> Iterator[Finding]:
    gone = {item.path for item in winner.actions if isinstance(item, RemoveFile)}
    removed = gone & {item.path for item in ours if isinstance(item, RemoveFile)}
    read = gone if reads.files is None else gone & set(reads.files)
    if removed:
        message = f"{_files(len(removed))} removed or marked that the change removes or marks too"
        yield Finding("concurrent_delete_delete", winner.version, message, _AGAIN)
    if read - removed:
        message = f"{_files(len(read - removed))} removed or marked that the change read"
        yield Finding("concurrent_delete_read", winner.version, message, _AGAIN)


def _concurrent_transaction(ours: Sequence[Action], winner: Commit, reads: ReadSet) -> Iterator[Finding]:
    mine = {item.app_id for item in ours if isinstance(item, SetTransaction)} | set(reads.applications)
    theirs = {item.app_id for item in winner.actions if isinstance(item, SetTransaction)}
    if mine & theirs:
        message = "the same application committed at the same time: another run of it is active"
        advice = f"{_AGAIN}, which may hold this batch already; let only one run of a source write"
        yield Finding("concurrent_transaction", winner.version, message, advice)


def _domain_metadata(ours: Sequence[Action], winner: Commit, reads: ReadSet) -> Iterator[Finding]:
    del reads
    mine = {item.domain for item in ours if isinstance(item, DomainMetadata)}
    for name in sorted(mine & {item.domain for item in winner.actions if isinstance(item, DomainMetadata)}):
        message = f"the metadata domain {name!r} was changed"
        yield Finding("domain_metadata_changed", winner.version, message, _AGAIN)


def _files(count: int) -> str:
    return "1 file was" if count == 1 else f"{count} files were"


_CHECKS: Final[Sequence[Callable[[Sequence[Action], Commit, ReadSet], Iterator[Finding]]]] = (
    _protocol_changed,
    _metadata_changed,
    _concurrent_append,
    _concurrent_delete,
    _concurrent_transaction,
    _domain_metadata,
)
