"""On versioned buckets a deleted object stays as an older version: those of vacuumed files go too.

Only of objects that vacuum takes, and of those that somebody deleted so long ago that nobody wants them back.
A deleted object that a kept version needs is left alone: its older version is what saves it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import timedelta

from lakehouse.delta.log_files import LOG_FOLDER
from lakehouse.delta.vacuum_notes import FOLDER, VacuumNote
from lakehouse.errors import StorageError
from lakehouse.maintenance.vacuum.look import Look
from lakehouse.maintenance.vacuum.names import log_name
from lakehouse.maintenance.vacuum.plan import NOTHING, Amount, VacuumPlan
from lakehouse.protection import Protection
from lakehouse.storage import Storage
from lakehouse.storage.object_versions import (
    NoBotoError,
    ObjectVersion,
    ObjectVersions,
    Upload,
    object_versions,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class OldObjects:
    """What there is of older versions and unfinished uploads.

    Args:
        store: Lists and deletes them; None where there is nothing to ask.
        deleted: Paths that somebody deleted long ago and that no kept version needs, and those of vacuums
            that were killed. None where rows are held: nobody has asked those objects for them.
        versions: How many older versions go, as far as they were there when it was planned.
        uploads: Uploads that are old enough to be ended.
        notes: What could not be looked at.
    """

    store: ObjectVersions | None = None
    deleted: Collection[str] = ()
    versions: Amount = NOTHING
    uploads: Sequence[Upload] = ()
    notes: tuple[str, ...] = ()

    def on(self, plan: VacuumPlan) -> VacuumPlan:
        """A plan that also says this."""
        return replace(
            plan,
            object_versions=self.versions,
            uploads=len(self.uploads),
            notes=(*plan.notes, *self.notes),
        )


def find_old(storage: Storage, plan: VacuumPlan, seen: Look, *, protection: Protection) -> OldObjects:
    """Looks for older versions and unfinished uploads.

    Args:
        storage: The table's folder.
        plan: Which files go.
        seen: What was seen of the table.
        protection: The holds on it: of a table that is held nothing goes, and where rows are held only the
            older versions of files that were asked for them.
    """
    if protection.whole:
        return OldObjects()
    try:
        store = object_versions(storage)
        if store is None:
            return OldObjects()
        least = seen.target.orphans
        uploads = [each for each in store.uploads() if seen.now - each.started > least]
        if not store.versioned():
            return OldObjects(store=store, uploads=uploads)
        going = {each.path for each in plan.files}
        versions = list(store.list())
    except NoBotoError as error:
        return OldObjects(notes=(error.message,))
    except StorageError as error:
        return OldObjects(notes=(f"older versions of objects were not looked at: {error.message}",))
    deleted: set[str] = set()
    if not protection.holds:
        deleted = _long_deleted(versions, plan, seen, least) | _begun(seen.unfinished)
    wanted = going | deleted
    old = [each for each in versions if each.path in wanted and (each.mark or not each.latest)]
    return OldObjects(
        store=store,
        deleted=deleted,
        versions=Amount(len(old), sum(each.size for each in old)),
        uploads=uploads,
    )


def _begun(unfinished: Sequence[VacuumNote]) -> set[str]:
    return {path for note in unfinished for files in note.files.values() for path, _ in files}


def _long_deleted(
    versions: Sequence[ObjectVersion], plan: VacuumPlan, seen: Look, least: timedelta
) -> set[str]:
    kept = [each.version for each in plan.versions if each.keep]
    needed: set[str | None] = set()
    for life in seen.references.lifetimes:
        if life.needed(kept) is not None:
            needed |= {life.path, life.vector}
    needed |= {path for path, version in seen.references.change_data.items() if version in set(kept)}
    first = min(seen.references.made, default=0)

    def unwanted(path: str) -> bool:
        if path.startswith(f"{LOG_FOLDER}/"):
            # A commit that was deleted by mistake can be brought back; those before the log's beginning are
            # done with.
            version = log_name(path).version
            return version is not None and version < first
        return path not in needed

    return {
        each.path
        for each in versions
        if each.latest and each.mark and seen.now - each.modified > least and unwanted(each.path)
    }


def take_old(old: OldObjects, plan: VacuumPlan, step: Callable[[str, int, int], None]) -> VacuumPlan:
    """Takes older versions and uploads away, once the files themselves are gone.

    Args:
        old: What was found.
        plan: Which files went.
        step: Told how far it is.

    Returns:
        The plan with what went.
    """
    if old.store is None:
        return plan
    step("deleting older versions", 0, 0)
    notes = list(plan.notes)
    count, size, ended = 0, 0, 0
    try:
        for upload in old.uploads:
            old.store.abort(upload)
            ended += 1
        if old.store.versioned():
            wanted = {each.path for each in plan.files} | set(old.deleted)
            found = list(old.store.list())
            # What is there again has been written anew since; its older versions are left to the next vacuum.
            gone = {each.path for each in found if each.latest and each.mark} & wanted
            going = [each for each in found if each.path in gone]
            old.store.delete(going)
            count, size = len(going), sum(each.size for each in going)
    except StorageError as error:
        notes.append(f"older versions of objects stay: {error.message}")
    return replace(plan, object_versions=Amount(count, size), uploads=ended, notes=tuple(notes))


def forget_notes(old: OldObjects) -> None:
    """Takes away what vacuum's own notes were before: they named the files that went.

    Args:
        old: What was found.
    """
    if old.store is None:
        return
    # The next vacuum does it where this one can't.
    with suppress(StorageError):
        if old.store.versioned():
            found = list(old.store.list(FOLDER))
            gone = {each.path for each in found if each.latest and each.mark}
            old.store.delete([each for each in found if not each.latest or each.path in gone])
