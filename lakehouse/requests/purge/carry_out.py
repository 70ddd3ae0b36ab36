"""Carrying out a purge: a note first, then a second look, then the files, the log after them.

The note says which versions close and which files go; so reads can say why a version is gone, nobody tags or
restores one that is about to go, and a purge that was killed is finished by the next one. Files go before
the log forgets them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Final

import polars as pl

from lakehouse.delta.parquet_edit.problems import CantEditError
from lakehouse.delta.schema import to_polars
from lakehouse.delta.snapshot import load_snapshot
from lakehouse.delta.stripping.log import drop_hadoop_checksum
from lakehouse.delta.vacuum_notes import new_run, note_path, write_note
from lakehouse.errors import ConflictError, NotFoundError, ProtectedError
from lakehouse.protection.gate import judge
from lakehouse.requests.purge.emptying import empty
from lakehouse.requests.purge.folders import drop_folders
from lakehouse.requests.purge.log import LogDone, cut, strip
from lakehouse.requests.purge.looking import columns_of, reserved
from lakehouse.requests.purge.noting import digests_of, first_note
from lakehouse.requests.purge.older import forget_notes, take_older
from lakehouse.requests.purge.plan import Going, Purged, PurgedFile, PurgePlan, joined
from lakehouse.requests.purge.unnamed import sought_of, unnamed
from lakehouse.requests.redact.replace import Replaced
from lakehouse.requests.search.names import shown
from lakehouse.requests.search.sought import Sought
from lakehouse.timetravel.tags import list_tags, remove_tag
from lakehouse.verbs.opened import OpenTable

Note = Callable[[Sequence[PurgedFile]], None]

_A_PART: Final = 200


def purge(table: OpenTable, plan: PurgePlan, *, note: Note) -> Purged:
    """Carries a plan out.

    Args:
        table: The table.
        plan: What was planned just now.
        note: Is told what goes or is emptied, with digests, before that happens; in several parts. After a
            kill it may be told again of the same.

    Returns:
        What was done. It is done only if it is `Purged.complete`.

    Raises:
        ProtectedError: The whole table is held now.
        ConflictError: Holds, rows or readers came in between: plan again.
        StorageError: The store failed; planned and carried out again, it goes on where it stopped.
    """
    if plan.changes_nothing:
        return Purged(table=plan.table, version=plan.version, waiting=plan.waiting, notes=plan.notes)
    table.before_write()
    sought = sought_of(plan.found.people) if plan.sought is None else plan.sought
    with unnamed(sought):
        return _Purge(table, plan, note, sought).run()


@dataclass(slots=True)
class _Counts:
    removed: int = 0
    redacted: int = 0
    bytes: int = 0
    tags: list[str] = field(default_factory=list)
    fallbacks: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


class _Purge:
    def __init__(self, table: OpenTable, plan: PurgePlan, note: Note, sought: Sought) -> None:
        self._table, self._plan, self._tell = table, plan, note
        self._counts = _Counts(fallbacks=list(plan.fallbacks))
        self._sought = sought
        begun = datetime.now(UTC)
        self._note = first_note(plan, new_run(begun), begun)

    def run(self) -> Purged:
        """All of it."""
        table, plan = self._table, self._plan
        storage = table.storage
        write_note(storage, self._note)
        try:
            self._look_again()
        except (ConflictError, ProtectedError):
            # Nothing was done, so nothing is closed.
            storage.delete([note_path(self._note.run)])
            raise
        self._drop_tags()
        failed = [file for file in plan.emptied if not self._emptied(file) and not file.held]
        if failed:
            self._close_for(failed)
        self._remove([*plan.going, *failed])
        drop_folders(storage, self._listed())
        log = self._log()
        older = take_older(
            storage,
            table.lake,
            table=plan.table,
            paths=self._listed() | plan.older,
            before=self._note.log_before,
            now=table.clock(),
        )
        self._finish()
        older.versions += forget_notes(storage)
        counts = self._counts
        return Purged(
            table=plan.table,
            version=load_snapshot(storage).version,
            removed=counts.removed,
            redacted=counts.redacted,
            bytes=counts.bytes,
            log_removed=log.removed,
            log_stripped=log.stripped,
            retimed=tuple(sorted(log.retimed)),
            closed_versions=tuple(n for first, last in self._note.pruned for n in range(first, last + 1)),
            dropped_tags=tuple(counts.tags),
            object_versions=older.versions,
            uploads=older.uploads,
            waiting=plan.waiting + older.waiting,
            fallbacks=(*counts.fallbacks, *log.fallbacks),
            notes=tuple(dict.fromkeys((*plan.notes, *counts.notes, *log.problems, *older.notes))),
            run=self._note.run,
        )

    def _listed(self) -> set[str]:
        """All that is taken away or emptied, now or by purges that were killed."""
        return {path for files in self._note.files.values() for path, _ in files}

    def _look_again(self) -> None:
        """Makes sure that the plan still stands, now that everybody can see the note.

        Raises:
            ProtectedError: The whole table is held.
            ConflictError: It does not stand.
        """
        self._ensure_free()
        table, plan = self._table, self._plan
        taken = reserved(table.storage, table.clock())
        newest = load_snapshot(table.storage)
        going = {each.path for each in (*plan.going, *plan.emptied)}
        if any(add.relative_path(table.storage.url) in going for add in newest.files.values()):
            raise ConflictError(
                f"table {plan.table} has files again that are to be purged: somebody went back to an older "
                "version",
                advice="erase and purge again",
            )
        emptied = [span for spans, _ in plan.needed_by.values() for span in spans]
        wanted = [
            version
            for version in taken
            if self._note.takes(version) or any(first <= version <= last for first, last in emptied)
        ]
        if wanted:
            raise ConflictError(
                f"somebody is making something of version {wanted[0]} of table {plan.table}, which is to be "
                "closed",
                advice="try again in a while",
            )

    def _ensure_free(self) -> None:
        """Asks for holds once more.

        Raises:
            ProtectedError: The whole table is held.
            ConflictError: Rows are held that were not, when people were found.
        """
        held = self._table.protection()
        if held == self._plan.protection:
            return
        schema = pl.Schema(to_polars(self._plan.found.past.newest.schema))
        judge("erase", held, schema=schema).ensure()
        new = [hold.id for hold in held.holds if hold not in self._plan.protection.holds]
        if new:
            raise ConflictError(
                f"hold {new[0]} was placed on table {self._plan.table} while people were purged: it stopped",
                advice="find anew and purge again: that takes what is left and not held",
            )

    def _drop_tags(self) -> None:
        lake, name = self._table.lake, self._table.name
        for tag in list_tags(lake, table=name):
            if self._note.takes(tag.version):
                with suppress(NotFoundError):
                    remove_tag(lake, table=name, name=tag.name)
                    self._counts.tags.append(tag.name)

    def _emptied(self, file: Going) -> bool:
        """Whether a file could be emptied where it lies."""
        storage = self._table.storage

        def before(done: Replaced) -> None:
            self._ensure_free()
            self._tell([self._told(file, "redacted", done.after)])

        try:
            done = empty(storage, self._plan.found, file, before=before)
        except CantEditError as error:
            if file.held:
                said = f"a file with held rows stays, and can't be emptied in place, since {error.reason}"
                self._counts.notes.append(said)
            else:
                self._counts.fallbacks.append(f"a file can't be emptied in place, since {error.reason}")
            return False
        except NotFoundError:
            return True
        if done is not None:
            self._counts.redacted += 1
            self._counts.bytes += file.bytes
        return True

    def _close_for(self, files: Sequence[Going]) -> None:
        """Closes the versions that need files which have to go after all."""
        needs = [self._plan.needed_by[each.path] for each in files]
        self._note = replace(
            self._note,
            pruned=joined((*self._note.pruned, *(span for spans, _ in needs for span in spans))),
            feed=joined((*self._note.feed, *(span for _, spans in needs for span in spans))),
        )
        write_note(self._table.storage, self._note)
        self._look_again()
        self._drop_tags()

    def _remove(self, files: Sequence[Going]) -> None:
        storage = self._table.storage
        for at in range(0, len(files), _A_PART):
            part = files[at : at + _A_PART]
            self._ensure_free()
            # Half-written files of this machine can be deleted, but not read by a store.
            whole = [each for each in part if "#" not in each.path]
            digests = digests_of(storage, whole)
            there = [(each, digest) for each, digest in zip(whole, digests, strict=True) if digest]
            self._tell([self._told(each, "removed", digest) for each, digest in there])
            for each, _ in there:
                drop_hadoop_checksum(storage, each.path)
            storage.delete([each.path for each in part])
            self._counts.removed += len(there)
            self._counts.bytes += sum(each.bytes for each, _ in there)

    def _told(self, file: Going, action: str, digest: str) -> PurgedFile:
        below = self._table.storage.url.removeprefix(f"{self._table.lake.url}/")
        folder = self._plan.table if "://" in below or below.startswith("/") else below
        return PurgedFile(
            table=self._plan.table,
            path=f"{folder}/{shown(file.path, self._sought)}",
            action="removed" if action == "removed" else "redacted",
            bytes=file.bytes,
            sha256=digest,
            requests=file.requests,
        )

    def _log(self) -> LogDone:
        storage, plan, done = self._table.storage, self._plan, LogDone()
        self._ensure_free()
        before = self._note.log_before
        if before is not None:
            cut(
                storage,
                before,
                named=plan.named_in_log,
                now=self._table.clock(),
                still=self._ensure_free,
                done=done,
            )
        subjects = set(plan.found.people.known["subject"])
        rules = [rule for rule in plan.found.rules if rule.subject in subjects and rule.do != "keep"]
        strip(storage, columns_of(rules, plan.found.past.newest), done)
        self._table.newest.forget()
        return done

    def _finish(self) -> None:
        storage, note = self._table.storage, self._note
        counts = {kind: (len(files), sum(size for _, size in files)) for kind, files in note.files.items()}
        write_note(storage, replace(note, files={}, removed=counts, finished=datetime.now(UTC)))
        storage.delete([note_path(old.run) for old in self._plan.unfinished])
