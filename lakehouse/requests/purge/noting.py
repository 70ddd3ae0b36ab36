"""What a purge writes down before anything goes."""

from __future__ import annotations

import hashlib
import os
from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Final

from lakehouse.delta.locations import is_local, map_files
from lakehouse.delta.vacuum_notes import VacuumNote
from lakehouse.errors import NotFoundError
from lakehouse.requests.purge.plan import Going, PurgePlan
from lakehouse.storage import Storage

_PIECE: Final = 8 << 20
_WORTH_THREADS: Final = 32 << 20


def first_note(plan: PurgePlan, run: str, begun: datetime) -> VacuumNote:
    """What everybody can see of a purge: which versions close, and which files go.

    Args:
        plan: What it does.
        run: Its name.
        begun: When it began.

    Returns:
        The note, with all that killed purges had noted and this one finishes.
    """
    files: defaultdict[str, list[tuple[str, int]]] = defaultdict(list)
    for each in plan.going:
        files[each.kind].append((each.path, each.bytes))
    for each in plan.emptied:
        files["emptied"].append((each.path, each.bytes))
    known = {path for listed in files.values() for path, _ in listed}
    for old in plan.unfinished:
        for kind, listed in old.files.items():
            files[kind] += [(path, size) for path, size in listed if path not in known]
    return VacuumNote(
        run=run,
        started=begun,
        by="erasure",
        pruned=plan.pruned,
        log_before=plan.log_before,
        feed=plan.feed,
        files={kind: tuple(listed) for kind, listed in files.items()},
    )


def digests_of(storage: Storage, files: Sequence[Going]) -> list[str]:
    """The SHA-256 of objects, large ones on several cores; empty for those that are gone.

    Args:
        storage: Where they are.
        files: Which.
    """
    if is_local(storage) and sum(each.bytes for each in files) > _WORTH_THREADS:
        with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
            return list(pool.map(lambda each: digest_of(storage, each.path), files))
    return map_files(lambda each: digest_of(storage, each.path), files, storage=storage)


def digest_of(storage: Storage, path: str) -> str:
    """The SHA-256 of an object, read in pieces; empty where it is gone.

    Args:
        storage: Where it is.
        path: The object.
    """
    found, at = hashlib.sha256(), 0
    try:
        while piece := storage.get_range(path, start=at, length=_PIECE):
            found.update(piece)
            at += len(piece)
            if len(piece) < _PIECE:
                break
    except NotFoundError:
        return ""
    return found.hexdigest()
