"""Takes people out of the newest version of a table: one commit for all requests, files written anew.

No deletion vector: a marked row is still in its file. What the log says of it are counts; the old files are
named without statistics, since bounds can be a person's values.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final
from uuid import uuid4

import polars as pl

from lakehouse.delta import protocols
from lakehouse.delta.actions import Action, AddFile, CommitInfo
from lakehouse.delta.aftercare import look_after
from lakehouse.delta.data import read_rows_at
from lakehouse.delta.log import Commit
from lakehouse.delta.snapshot import Snapshot
from lakehouse.delta.transaction import Committed, Conflicted, commit
from lakehouse.errors import ProtectedError
from lakehouse.merge.company import gave_up, pause, winners
from lakehouse.merge.tombstones import Manifest, deletes_of, load_manifest, rewrite
from lakehouse.pii.mask.changes import ERASE
from lakehouse.protection.gate import ADVICE
from lakehouse.requests.find import Found
from lakehouse.requests.forgetting import keys_to_forget
from lakehouse.requests.locate import FILE, POSITION
from lakehouse.requests.rewriting import Changes, changes_of, ensure_erasable
from lakehouse.requests.rewritten import Drafts, Written, clean_up, rewrite_file
from lakehouse.verbs.opened import OpenTable

_TRIES: Final = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Erased:
    """What erasing did to one table.

    Args:
        table: The table.
        version: The version from which on the people are gone.
        committed: Whether a commit was needed.
        deleted: Rows that went.
        anonymized: Rows that were emptied.
        files: Files that were written anew or dropped.
        bytes: Their size.
    """

    table: str
    version: int
    committed: bool = False
    deleted: int = 0
    anonymized: int = 0
    files: int = 0
    bytes: int = 0


class _HoldsChangedError(Exception):
    """A hold was placed or released since the rows were found."""


def erase(
    table: OpenTable,
    found: Found,
    *,
    again: Callable[[], Found],
    sleep: Callable[[float], None] = time.sleep,
    drafts: Drafts | None = None,
) -> Erased:
    """Erases people from the newest version.

    Args:
        table: The table.
        found: Their rows.
        again: Finds them anew, on the version that is newest then.
        sleep: How to wait between tries.
        drafts: Keeps what is written until it is committed; for callers who go on with what ``again`` found.

    Raises:
        ProtectedError: Rows are held; leave the requests out that wait for them (`Found.without`).
        RefusedError: A column that is to be emptied must not be.
        ConflictError: Other writers were faster in every try.
        StorageError: The store failed.
    """
    with drafts or Drafts(table) as kept:
        return _erase(table, found, again=again, sleep=sleep, drafts=kept)


def _erase(
    table: OpenTable,
    found: Found,
    *,
    again: Callable[[], Found],
    sleep: Callable[[float], None],
    drafts: Drafts,
) -> Erased:
    winner: Commit | None = None
    for attempt in range(1, _TRIES + 1):
        ensure_erasable(found, fixed=fixed_columns(table))
        ensure_free(found)
        newest = found.past.newest
        chosen = _chosen(table, found)
        memory = load_manifest(table.storage, newest)
        forgetting = keys_to_forget(table, found) if memory.files else None
        if not chosen and (forgetting is None or not _remembers(table, memory, forgetting)):
            return Erased(table=table.name, version=newest.version)
        done = _attempt(table, found, chosen, memory, forgetting, drafts=drafts)
        if done is not None:
            return done
        after = table.snapshot()
        won = winners(table.storage, since=newest, until=after)
        winner = won[-1] if won else winner
        sleep(pause(attempt))
        found = drafts.unseen(again())
    raise gave_up(table.name, tries=_TRIES, winner=winner)


def fixed_columns(table: OpenTable) -> tuple[str, ...]:
    """The columns of a table that say which row is meant, and which change is newer."""
    if table.quarantine_of is not None:
        return ()
    return (*table.config.key, *(table.config.changes.sequence or ()))


def left_to_erase(table: OpenTable, found: Found) -> bool:
    """Whether the newest version still holds something that is to be erased.

    Args:
        table: The table.
        found: The rows of people, in that version and all others.
    """
    return bool(_chosen(table, found))


def holds_anything(table: OpenTable, found: Found, number: int, rows: pl.DataFrame) -> bool:
    """Whether a file of any version holds something that is to be erased.

    Args:
        table: The table.
        found: The rows of people.
        number: The file, among those of `Found.past`.
        rows: Its rows, of `Found.going`.
    """
    return _has_work(table, found, number, changes_of(found, rows))


def ensure_free(found: Found) -> None:
    """Refuses to erase rows that are held.

    Args:
        found: The rows of people.

    Raises:
        ProtectedError: Some are; leave the requests out that wait for them (`Found.without`).
    """
    holds = list(dict.fromkeys(hold for each in found.held.values() for hold in each))
    if holds:
        raise ProtectedError(
            f"erasure is refused: rows of table {found.table} are held by {', '.join(holds)}", advice=ADVICE
        )


def _chosen(table: OpenTable, found: Found) -> dict[int, Changes]:
    """Number of each file of the newest version with such rows, dead ones too, and what is to be done."""
    current = found.past.newest.files
    rows = found.going
    numbers = [number for number in sorted(set(rows[FILE])) if found.past.files[number].add.path in current]
    parts = rows.filter(pl.col(FILE).is_in(numbers)).partition_by(FILE, as_dict=True)
    chosen = {number: changes_of(found, parts[(number,)]) for number in numbers}
    return {number: changes for number, changes in chosen.items() if _has_work(table, found, number, changes)}


def _has_work(table: OpenTable, found: Found, number: int, changes: Changes) -> bool:
    """Rows that are only to be emptied, and are empty already, are no work."""
    current = found.past.files[number].add.path in found.past.newest.files
    if changes.gone.size or (current and changes.any_dead):
        return True
    if not changes.columns:
        return False
    snapshot, add = found.past.newest, found.past.files[number].add
    there = read_rows_at(
        table.storage, snapshot, add, changes.positions, columns=changes.columns, row_index=POSITION
    )
    return changes.applied(there).anonymized > 0


def _remembers(table: OpenTable, memory: Manifest, keys: pl.DataFrame) -> bool:
    return deletes_of(table.storage, memory, keys=keys) is not None


def _attempt(
    table: OpenTable,
    found: Found,
    chosen: dict[int, Changes],
    memory: Manifest,
    forgetting: pl.DataFrame | None,
    *,
    drafts: Drafts,
) -> Erased | None:
    """One try to commit. None where another writer was faster."""
    snapshot = found.past.newest
    now_ms = int(table.clock().timestamp() * 1000)
    adds = [snapshot.files[found.past.files[number].add.path] for number in chosen]
    # Readers of a change feed would look for the rows in files that are about to go.
    change = not protocols.change_feed(snapshot.protocol, snapshot.metadata)
    written = drafts.write(found, list(zip(adds, chosen.values(), strict=True)))
    remembered: list[str] = []
    pointer = None
    if forgetting is not None:
        try:
            pointer = rewrite(table.storage, memory, _without(forgetting), now_ms=now_ms, written=remembered)
        except BaseException:
            clean_up(table, remembered)
            raise
    removes = [replace(add.remove(at_ms=now_ms), stats=None, tags=None, data_change=change) for add in adds]
    fresh = [replace(add, data_change=change) for add in written.adds]
    tail: list[Action] = [pointer] if pointer is not None else []
    outcome = _commit(table, found, [*removes, *fresh, *tail], written, adds, drafts=drafts, now_ms=now_ms)
    if not isinstance(outcome, Committed):
        clean_up(table, remembered)
        return None
    table.newest.remember(look_after(table.storage, base=snapshot, done=outcome))
    return Erased(
        table=table.name,
        version=outcome.version,
        committed=True,
        deleted=written.deleted,
        anonymized=written.anonymized,
        files=len(adds),
        bytes=sum(add.size for add in adds),
    )


def _commit(
    table: OpenTable,
    found: Found,
    actions: Sequence[Action],
    written: Written,
    adds: Sequence[AddFile],
    *,
    drafts: Drafts,
    now_ms: int,
) -> Committed | Conflicted | None:
    """None where holds changed, and nothing was committed."""
    snapshot = found.past.newest

    def refuse_new_holds() -> None:
        if table.protection() != found.protection:
            raise _HoldsChangedError

    try:
        outcome = commit(
            table.storage,
            version=snapshot.version + 1,
            actions=actions,
            commit_info=_commit_info(snapshot, written, adds),
            base=snapshot,
            now_ms=lambda: now_ms,
            last_look=refuse_new_holds,
        )
    except _HoldsChangedError:
        return None
    except BaseException:
        # It may have been committed.
        drafts.keep()
        raise
    if isinstance(outcome, Committed):
        drafts.keep()
    return outcome


def _without(keys: pl.DataFrame) -> Callable[[pl.DataFrame], pl.DataFrame]:
    """Takes keys out of remembered deletes."""

    def left(rows: pl.DataFrame) -> pl.DataFrame:
        if not set(keys.columns) <= set(rows.columns):
            return rows
        same = keys.cast({name: rows.schema[name] for name in keys.columns}, strict=False)
        return rows.join(same, on=keys.columns, how="anti", maintain_order="left")

    return left


def write_rest(
    table: OpenTable, found: Found, number: int, rows: pl.DataFrame
) -> tuple[list[AddFile], int, int] | None:
    """Writes what an erasure leaves of a file into files beside it; the file itself stays, for now.

    Args:
        table: The table.
        found: The rows of people.
        number: The file, among those of `Found.past`.
        rows: Its rows, of `Found.going`.

    Returns:
        The new files, how many rows went, and how many were emptied; None where there is nothing to do.
    """
    changes = changes_of(found, rows)
    if not _has_work(table, found, number, changes):
        return None
    written = Written()
    try:
        rewrite_file(table, found, found.past.files[number].add, changes, written)
    except BaseException:
        clean_up(table, written.paths)
        raise
    return written.adds, written.deleted, written.anonymized


def _commit_info(snapshot: Snapshot, written: Written, adds: Sequence[AddFile]) -> CommitInfo:
    """What the log says: counts."""
    return CommitInfo(
        operation=ERASE,
        operation_parameters={},
        operation_metrics={
            "numDeletedRows": written.deleted,
            "numUpdatedRows": written.anonymized,
            "numRemovedFiles": len(adds),
            "numAddedFiles": len(written.adds),
        },
        txn_id=str(uuid4()),
        read_version=snapshot.version,
        is_blind_append=False,
    )
