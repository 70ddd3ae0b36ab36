"""On versioned buckets, what was taken away or written over stays as an older version: those go too."""

from __future__ import annotations

from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime

from lakehouse.delta.vacuum_notes import FOLDER
from lakehouse.errors import NotFoundError, StorageError
from lakehouse.maintenance.vacuum.names import log_name
from lakehouse.requests.find import Found
from lakehouse.requests.purge.asking import holds, keys_of
from lakehouse.requests.purge.looking import WRITING_TAKES
from lakehouse.storage import Storage
from lakehouse.storage.object_versions import NoBotoError, ObjectVersion, object_versions
from lakehouse.timetravel.tags import FOLDER as TAGS


@dataclass(slots=True)
class OldDone:
    """What became of older versions.

    Args:
        versions: How many went, marks of deletion among them.
        uploads: How many unfinished uploads were ended.
        waiting: How many unfinished uploads are too young.
        notes: What could not be done.
    """

    versions: int = 0
    uploads: int = 0
    waiting: int = 0
    notes: list[str] = field(default_factory=list)


def take_older(
    storage: Storage, lake: Storage, *, table: str, paths: Collection[str], before: int | None, now: datetime
) -> OldDone:
    """Takes older versions of objects and unfinished uploads away.

    Args:
        storage: The table's folder.
        lake: The lake's root, for tags.
        table: The table's name.
        paths: What was taken away or replaced in the table's folder, by this purge or by one that was killed.
        before: The version with which the log begins; None where it was not cut.
        now: The time.

    Returns:
        What was done. Nothing is raised: what is left is told.
    """
    done = OldDone()
    try:
        store = object_versions(storage)
        if store is None:
            return done
        for upload in list(store.uploads()):
            if now - upload.started > WRITING_TAKES:
                store.abort(upload)
                done.uploads += 1
            else:
                done.waiting += 1
        if not store.versioned():
            return done
        found = list(store.list())
        marked = {each.path for each in found if each.latest and each.mark}
        going = [each for each in found if _goes(each, paths, marked, before)]
        store.delete(going)
        done.versions += len(going)
        tags = object_versions(lake)
        if tags is not None:
            old = list(tags.list(f"{TAGS}/{table}"))
            gone = {each.path for each in old if each.latest and each.mark}
            going = [each for each in old if each.path in gone]
            tags.delete(going)
            done.versions += len(going)
    except NoBotoError as error:
        done.notes.append(error.message)
    except StorageError as error:
        done.notes.append(f"older versions of objects stay: {error.message}")
    return done


def deleted_with_people(storage: Storage, found: Found, *, held: bool) -> tuple[frozenset[str], str]:
    """Objects that somebody deleted, and of which an older version holds people.

    Merges that had to try again, and vacuums of others, leave such. Nothing but their older versions says
    what was in them, so these are read.

    Args:
        storage: The table's folder.
        found: Where people are, and who they are.
        held: Whether rows of the table are held: nobody has asked these objects for them, so they stay.

    Returns:
        The objects' paths; and what could not be looked at.
    """
    try:
        store = object_versions(storage)
        if store is None or not store.versioned():
            return frozenset(), ""
        versions = list(store.list())
        marked = {each.path for each in versions if each.latest and each.mark}
        asked = [each for each in versions if each.path in marked and not each.mark and _may_hold(each.path)]
        if held:
            told = f"older versions of {len(asked)} deleted objects stay, since rows are held"
            return frozenset(), told if asked else ""
        keys = keys_of(found)
        return frozenset(each.path for each in asked if holds(store.get(each), keys)), ""
    except NotFoundError:
        return deleted_with_people(storage, found, held=held)
    except StorageError as error:
        return frozenset(), f"older versions of objects were not looked at: {error.message}"


def _may_hold(path: str) -> bool:
    return path.endswith(".parquet") and not path.startswith("_delta_log/")


def _goes(each: ObjectVersion, paths: Collection[str], marked: Collection[str], before: int | None) -> bool:
    if each.path.startswith("_delta_log/"):
        # Nothing of a log is ever written over, but to take values of people out of it.
        if not each.latest and not each.mark:
            return True
        version = log_name(each.path).version
        return each.path in marked and before is not None and version is not None and version < before
    return each.path in paths and (not each.latest or each.path in marked)


def forget_notes(storage: Storage) -> int:
    """Takes away what notes of purges and vacuums were before: they named files.

    Args:
        storage: The table's folder.

    Returns:
        How many versions went. Where it can't be done, the next purge does it.
    """
    with suppress(StorageError):
        store = object_versions(storage)
        if store is not None and store.versioned():
            found = list(store.list(FOLDER))
            gone = {each.path for each in found if each.latest and each.mark}
            going = [each for each in found if not each.latest or each.path in gone]
            store.delete(going)
            return len(going)
    return 0
