"""Looks at a table: gathers what a decision rests on, and looks again at what may have changed since."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from lakehouse.delta.features import ensure_readable, ensure_writable
from lakehouse.delta.log_files import LOG_FOLDER, LogListing, sort_files
from lakehouse.delta.log_reading import read_actions
from lakehouse.delta.segments import plan_segment
from lakehouse.delta.snapshot import Snapshot, load_snapshot
from lakehouse.delta.vacuum_notes import RESERVED, VacuumNote, read_notes, reservations
from lakehouse.errors import CorruptTableError
from lakehouse.maintenance.vacuum.leftovers import inside, staging_files
from lakehouse.maintenance.vacuum.references import References, read_on
from lakehouse.protection import Protection
from lakehouse.protection.versions import VersionRule
from lakehouse.storage import ObjectInfo, Storage


@dataclass(frozen=True, slots=True)
class Memory:
    """Where a table remembers its deletes.

    Args:
        app_id: Which ``txn`` action points at it.
        folder: Where its files are, below the table's folder.
        files: Given what the pointer says, the paths of the files that it means.
    """

    app_id: str
    folder: str
    files: Callable[[int], Collection[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class VacuumTarget:
    """The table to vacuum, and what its vacuum goes by.

    Args:
        name: The table's name.
        storage: Its folder.
        rules: Which versions stay readable; none means Delta's own retention.
        orphans: How old leftovers must be; at least a day, since writers may take so long.
        grace: With rules: how long a version stays after another one took its place.
        tags: Gives the tagged versions with their names.
        protection: Gives the holds on the table.
        memory: Where it remembers its deletes.
        clock: Gives the time.
    """

    name: str
    storage: Storage
    rules: Sequence[VersionRule]
    orphans: timedelta
    grace: timedelta
    tags: Callable[[], Mapping[int, Sequence[str]]]
    protection: Callable[[], Protection]
    memory: Memory
    clock: Callable[[], datetime]


@dataclass(slots=True)
class Look:
    """What has been seen of a table; a second look goes on from it.

    Args:
        target: The table.
        now: When.
        objects: What is in its folder.
        newest: The newest version.
        references: What each version needs.
        notes: What vacuums before noted.
        reserved: Versions that somebody is making something of.
    """

    target: VacuumTarget
    now: datetime
    objects: Sequence[ObjectInfo]
    newest: Snapshot
    references: References
    notes: tuple[VacuumNote, ...]
    reserved: frozenset[int]

    @property
    def unfinished(self) -> tuple[VacuumNote, ...]:
        """Vacuums that were begun and not finished: killed, or at work right now."""
        return tuple(note for note in self.notes if note.finished is None and note.by == "vacuum")

    @property
    def abandoned(self) -> tuple[VacuumNote, ...]:
        """Those of them that were killed."""
        return tuple(note for note in self.unfinished if note.abandoned(self.now))


def look(target: VacuumTarget) -> Look:
    """Looks at a table for the first time.

    Args:
        target: The table.

    Raises:
        TableNotFoundError: There is none.
        CorruptTableError: Its log can't be read, or has a gap.
        UnsupportedFeatureError: It needs a feature that is not known here, which may name files of its own.
    """
    storage, now = target.storage, target.clock()
    # Files first: what is written after that is not looked at, so it can't be taken for a leftover.
    objects = [*inside(storage, storage.list()), *staging_files(storage)]
    notes, reserved = read_notes(storage), _reserved(storage, now)
    newest = load_snapshot(storage)
    ensure_readable(newest)
    ensure_writable(newest)
    # And the log last, so that it has all that the newest version is made of.
    objects = _with_log(storage, objects)
    listing = log_of(objects)
    first = _first(storage, listing)
    references = References(root=storage.url, pointer=target.memory.app_id)
    base = newest if first == newest.version else load_snapshot(storage, version=first)
    own = listing.commits.get(first)
    references.begin(base, () if own is None else read_actions(storage, own.path))
    read_on(storage, references, until=newest.version)
    return Look(target, now, objects, newest, references, notes, reserved)


def _with_log(storage: Storage, objects: Sequence[ObjectInfo]) -> list[ObjectInfo]:
    """The same objects with the log as it is now."""
    log = inside(storage, storage.list(LOG_FOLDER))
    staged = [item for item in objects if "#" in item.path]
    known = {item.path for item in log}
    return [
        *(item for item in objects if not item.path.startswith(f"{LOG_FOLDER}/")),
        *(item for item in staged if item.path.startswith(f"{LOG_FOLDER}/") and item.path not in known),
        *log,
    ]


def look_again(before: Look) -> Look:
    """Looks at what may have changed: the log, notes, reservations. Data files need no second look.

    Args:
        before: The first look; what it knows of versions is taken over and gone on with.
    """
    storage = before.target.storage
    # In this order: whoever has given up a reservation since has committed before, which is seen then.
    reserved = _reserved(storage, before.now)
    newest = load_snapshot(storage, base=before.newest)
    if newest.metadata.id != before.newest.metadata.id or newest.version < before.newest.version:
        raise CorruptTableError(
            f"table {before.target.name} was made anew while it was vacuumed", advice="try again"
        )
    read_on(storage, before.references, until=newest.version)
    return replace(
        before,
        objects=_with_log(storage, before.objects),
        newest=newest,
        notes=read_notes(storage),
        reserved=reserved,
    )


def _reserved(storage: Storage, now: datetime) -> frozenset[int]:
    return reservations(storage.list(RESERVED), now=now)


def log_of(objects: Sequence[ObjectInfo]) -> LogListing:
    """The log among a table's objects, told by their names."""
    return sort_files(item for item in objects if item.path.startswith(f"{LOG_FOLDER}/"))


def _first(storage: Storage, listing: LogListing) -> int:
    """The oldest version that can be worked out. A log with a gap is no ground for taking anything away."""
    ranges = listing.readable()
    latest = -1 if listing.latest is None else listing.latest
    if len(ranges) == 1 and ranges[0][1] == latest:
        return ranges[0][0]
    plan_segment(listing, latest)
    raise CorruptTableError(
        f"the log of {storage.url} has a gap, so nobody knows which files are needed; nothing was done",
        advice="`lakehouse verify` says more; restore the missing commits from a backup",
    )
