"""Makes a masked copy of a table, or brings it up to date with what changed since, in one commit.

The rows and the version of the source that they come from are committed together, so a run that was killed is
simply repeated: it finds the copy as it was before or as it was meant to be.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Final

from lakehouse.copies import CopyEntry, find_copy, register
from lakehouse.delta.actions import Action, AddFile
from lakehouse.delta.checkpoint import checkpoint_if_due
from lakehouse.delta.features import ensure_readable, ensure_writable
from lakehouse.delta.log import Commit
from lakehouse.delta.snapshot import Snapshot, load_snapshot
from lakehouse.delta.transaction import Committed, Outcome, commit
from lakehouse.errors import ConflictError, LakehouseError, RefusedError, VersionNotFoundError
from lakehouse.merge.after import mode_of
from lakehouse.merge.company import gave_up, pause, winners
from lakehouse.pii.mask.changes import Changes, NotFollowableError, changes_between, others_wrote
from lakehouse.pii.mask.copy_plan import CopyResult, Step, decide, notes_of, version_in
from lakehouse.pii.mask.copy_shape import CopyShape
from lakehouse.pii.mask.copy_writing import (
    CopyWork,
    Sleep,
    commit_info,
    follow,
    head_of,
    metadata_after,
    new_metadata,
    transaction,
    write_anew,
)
from lakehouse.pii.mask.rows import Masker
from lakehouse.timetravel.reading import explaining
from lakehouse.timetravel.restore import live_rows
from lakehouse.verbs.opened import OpenTable

_TRIES: Final = 20


@dataclass(slots=True, kw_only=True)
class CopyRun:
    """One run of a masked copy.

    Args:
        source: The table that is copied.
        snapshot: Its newest version.
        target: The copy, as its verbs see it.
        shape: What the copy looks like.
        masker: Masks rows.
        planned: The result so far: what there is to say whatever is done.
        anew: Whether all rows are to be copied in any case.
        dry_run: Only plan.
        sleep: How to wait between tries.
    """

    source: OpenTable
    snapshot: Snapshot
    target: OpenTable
    shape: CopyShape
    masker: Masker
    planned: CopyResult
    anew: bool = False
    dry_run: bool = False
    sleep: Sleep = time.sleep
    _fresh: tuple[CopyWork, list[AddFile]] | None = None
    _tail: list[Action] = field(default_factory=list)

    def run(self) -> CopyResult:
        """Does it.

        Returns:
            What was done.

        Raises:
            RefusedError: The name is another table's, or two keys would have one mask.
            ConflictError: Others were faster in all tries.
            CommitUnknownError: The commit's answer was lost and could not be looked up.
        """
        ensure_readable(self.snapshot)
        try:
            return self._tries()
        except BaseException as error:
            # Of a commit of which nobody knows whether it is there every file stays.
            if self._fresh is not None and isinstance(error, ConflictError | RefusedError):
                self._fresh[0].clean_up()
            raise

    def _tries(self) -> CopyResult:
        winner: Commit | None = None
        for attempt in range(1, _TRIES + 1):
            now = self.target.find()
            if now is not None:
                ensure_writable(now)
            overtaken = self._overtaken(now)
            if overtaken is not None:
                self._drop_fresh()
                return overtaken
            others = now is not None and others_wrote(self.target.storage, now, self.shape)
            step = decide(self.target.name, self.snapshot, now, self.shape, anew=self.anew, others=others)
            done = self._attempt(now, step)
            if done is not None:
                return done
            found = self._others(now)
            winner = found[-1] if found else winner
            self.sleep(pause(attempt))
        raise gave_up(self.target.name, tries=_TRIES, winner=winner)

    def _overtaken(self, now: Snapshot | None) -> CopyResult | None:
        """The result where the copy has a newer version of the same source than this run began with.

        To copy the older one would bring back what went since, erased people among it.
        """
        since = None if now is None else version_in(now, self.shape)
        if now is None or since is None or since <= self.snapshot.version:
            return None
        newest = self.source.find()
        if newest is None or newest.metadata.id != self.shape.about.table or newest.version < since:
            # It was made anew, or brought back from a backup.
            return None
        name = self.source.name
        return replace(
            self.planned,
            why=f"it has version {since} of {name}, which came meanwhile",
            source_version=since,
            since=since,
            version=now.version,
        )

    def _attempt(self, now: Snapshot | None, step: Step) -> CopyResult | None:
        notes = (*self.planned.notes, *notes_of(now, self.shape))
        planned = replace(self.planned, action=step.action, why=step.why, since=step.since, notes=notes)
        if step.action == "nothing":
            self._drop_fresh()
            return replace(planned, version=now.version if now is not None else None)
        if step.action == "follow" and now is not None and step.since is not None:
            try:
                changes = self._changes(step.since)
                if self.dry_run:
                    return _counted(planned, changes, key=self.shape.key)
                return self._follow(now, planned, changes)
            except NotFollowableError as error:
                planned = replace(planned, action="anew", why=error.why)
            except VersionNotFoundError as error:
                planned = replace(planned, action="anew", why=f"{error.message}: {error.advice}")
        if self.dry_run:
            return replace(planned, inserted=live_rows(self.snapshot) or 0, dry_run=True)
        return self._copy_all(now, planned)

    def _changes(self, since: int) -> Changes:
        columns = list(self.shape.schema.names)
        if since == self.snapshot.version:
            before = self.snapshot
        else:
            before = load_snapshot(self.source.storage, version=since)
        with explaining(self.source.storage, snapshots=(before, self.snapshot), table=self.source.name):
            return changes_between(
                self.source.storage, before, self.snapshot, key=self.shape.key, columns=columns
            )

    def _follow(self, now: Snapshot, planned: CopyResult, changes: Changes) -> CopyResult | None:
        target = self.target
        now_ms = self._now_ms()
        work = follow(
            target.storage,
            now,
            changes,
            masker=self.masker,
            shape=self.shape,
            mode=mode_of(target.target(), now),
            now_ms=now_ms,
        )
        actions = [*work.head, *work.total.actions]
        return self._commit(now, work, actions, planned, now_ms=now_ms)

    def _copy_all(self, now: Snapshot | None, planned: CopyResult) -> CopyResult | None:
        if self._fresh is None:
            with explaining(self.source.storage, snapshots=(self.snapshot,), table=self.source.name):
                self._fresh = write_anew(
                    self.source.storage,
                    self.snapshot,
                    self.target.storage,
                    masker=self.masker,
                    shape=self.shape,
                    table=self.source.name,
                )
        work, adds = self._fresh
        now_ms = self._now_ms()
        if now is None:
            metadata = new_metadata(
                self.shape,
                name=self.target.name,
                description=self.target.config.description,
                vectors=self.target.config.merge != "on_write",
                now_ms=now_ms,
            )
        else:
            metadata = metadata_after(now, self.shape)
        old = [] if now is None else [add.remove(at_ms=now_ms) for add in now.files.values()]
        work.total.removed = len(old)
        actions: list[Action] = [*head_of(now, self.shape, metadata), *old, *adds]
        return self._commit(now, work, actions, planned, now_ms=now_ms, anew=True)

    def _commit(
        self,
        now: Snapshot | None,
        work: CopyWork,
        actions: Sequence[Action],
        planned: CopyResult,
        *,
        now_ms: int,
        anew: bool = False,
    ) -> CopyResult | None:
        outcome: Outcome = commit(
            self.target.storage,
            version=0 if now is None else now.version + 1,
            actions=[*actions, transaction(self.shape, self.snapshot.version, now_ms=now_ms)],
            commit_info=commit_info(
                work,
                self.shape,
                version=self.snapshot.version,
                anew=anew,
                read=None if now is None else now.version,
            ),
            base=now,
            now_ms=lambda: now_ms,
        )
        if not isinstance(outcome, Committed):
            if not anew:
                work.clean_up()
            return None
        if not anew:
            self._drop_fresh()
        self._look_after(now, outcome)
        return replace(
            planned,
            inserted=work.inserted,
            updated=work.updated,
            deleted=work.deleted,
            files=work.total.added,
            bytes=work.total.bytes_written,
            version=outcome.version,
        )

    def _drop_fresh(self) -> None:
        if self._fresh is not None:
            self._fresh[0].clean_up()
            self._fresh = None

    def _look_after(self, now: Snapshot | None, done: Committed) -> None:
        """Sees to checkpoints. The work is done, whatever fails now."""
        with suppress(LakehouseError):
            after = load_snapshot(self.target.storage, base=now, known={done.version: done.content})
            self.target.newest.remember(after)
            checkpoint_if_due(
                self.target.storage, done.version, after.metadata, last=after.checkpoint_version
            )

    def _others(self, before: Snapshot | None) -> list[Commit] | None:
        after = self.target.find()
        if before is None or after is None:
            return None
        return winners(self.target.storage, since=before, until=after)

    def _now_ms(self) -> int:
        return int(self.source.clock().timestamp() * 1000)


def _counted(planned: CopyResult, changes: Changes, *, key: Sequence[str]) -> CopyResult:
    updated = changes.updated(list(key))
    return replace(
        planned,
        inserted=changes.come.height - updated,
        updated=updated,
        deleted=changes.gone.height - updated,
        dry_run=True,
    )


def ensure_name(
    name: str, *, source: OpenTable, lake_has: Callable[[str], bool], taken: Callable[[], bool]
) -> CopyEntry | None:
    """Makes sure that a copy may have a name.

    Args:
        name: The name.
        source: The table that is to be copied.
        lake_has: Whether the config has a table whose name is this one in small letters.
        taken: Whether there is a Delta table in the folder of that name.

    Returns:
        What is registered under it.

    Raises:
        RefusedError: The name is taken.
    """
    if lake_has(name.casefold()):
        raise RefusedError(
            f"{name} is a table of the config, and a copy would take its place",
            advice="choose another name for the copy",
        )
    known = find_copy(source.lake, name)
    if known is not None and known.source != source.name:
        raise RefusedError(
            f"{name} is a copy of {known.source}, and can't be one of {source.name} too",
            advice=f"choose another name, or drop it: lakehouse pii mask --drop {name}",
        )
    if known is None and taken():
        raise RefusedError(
            f"there is a table in the folder {name} already, which is no copy that this lake made",
            advice="choose another name for the copy",
        )
    return known


def begin(source: OpenTable, name: str, snapshot: Snapshot) -> CopyEntry:
    """Registers a copy before its first commit, so that whoever looks for copies never overlooks one.

    Args:
        source: The table that is copied.
        name: The copy.
        snapshot: The source's newest version.
    """
    return register(
        source.lake,
        CopyEntry(name=name, source=source.name, source_version=snapshot.version, created=source.clock()),
    )
