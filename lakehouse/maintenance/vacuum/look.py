"""Looks at a table: gathers what a decision rests on, and looks again at what may have changed since."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from lakehouse.delta.checkpoint import checkpoint_interval
from lakehouse.delta.checkpoints_read import has_sidecars, sidecar_paths
from lakehouse.delta.column_mapping import physical_schema
from lakehouse.delta.features import ensure_readable, ensure_writable
from lakehouse.delta.intervals import DELETED_FILES, LOG, retention_of
from lakehouse.delta.locations import map_files
from lakehouse.delta.log_files import LOG_FOLDER, SIDECAR_FOLDER, LogListing, sort_files
from lakehouse.delta.log_reading import Commit, last_checkpoint, read_actions
from lakehouse.delta.segments import plan_segment
from lakehouse.delta.snapshot import Snapshot, load_snapshot
from lakehouse.delta.vacuum_notes import RESERVED, VacuumNote, read_notes, reservations
from lakehouse.delta.versions import commit_times, moment_of
from lakehouse.errors import CorruptTableError
from lakehouse.maintenance.vacuum.decide import Facts, Needs, decide, unreadable_after
from lakehouse.maintenance.vacuum.holding import Held, held_rows
from lakehouse.maintenance.vacuum.leftovers import inside, staging_files
from lakehouse.maintenance.vacuum.plan import Going, VacuumPlan
from lakehouse.maintenance.vacuum.references import References, read_on
from lakehouse.protection import Protection
from lakehouse.protection.versions import Verdict, VersionMade, VersionRule, judge_versions
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
        return tuple(note for note in self.notes if note.finished is None)

    @property
    def abandoned(self) -> tuple[VacuumNote, ...]:
        """Those of them that were killed."""
        return tuple(note for note in self.notes if note.abandoned(self.now))


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
    listing = _log_of(objects)
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


def plan_of(
    seen: Look,
    *,
    but: str | None = None,
    clock_ahead: timedelta = timedelta(0),
    only: Collection[str] | None = None,
) -> VacuumPlan:
    """Decides on what was seen, with the tags, holds and reservations of now.

    Args:
        seen: What was seen.
        but: A vacuum whose own note does not count.
        clock_ahead: How far this machine's clock is ahead of the store's.
        only: Nothing goes but these paths.

    Returns:
        The plan.
    """
    target, storage = seen.target, seen.target.storage
    protection = target.protection()
    now = seen.now - max(clock_ahead, timedelta(0))
    if protection.whole:
        return _nothing(seen, protection)
    notes = [note for note in seen.notes if note.run != but]
    listing = _log_of(seen.objects)
    tags = {version: list(names) for version, names in target.tags().items()}
    for version in seen.reserved:
        tags.setdefault(version, []).append("(a restore is under way)")
    versions = _readable(seen, listing, notes, wanted=tags)
    if not versions or versions[-1].version != seen.newest.version:
        raise CorruptTableError(
            f"the newest version of table {target.name} can't be worked out from its log; nothing was done",
            advice="`lakehouse verify` says more; if somebody is cleaning the log, try again",
        )

    def judged(holds: Mapping[int, Sequence[str]]) -> tuple[Verdict, ...]:
        return judge_versions(
            versions,
            rules=target.rules,
            tags=tags,
            holds=holds,
            now=now,
            window=retention_of(seen.newest.metadata, DELETED_FILES),
            grace=target.grace,
        )

    facts = _facts(seen, listing, judged({}), now)
    held = Held({}, {})
    if protection.conditions:
        plan = decide(facts)
        held = held_rows(
            storage,
            seen.references,
            kept=facts.kept,
            others=[each.path for each in plan.files if _may_hold_rows(each)],
            protection=protection,
            newest=seen.newest,
            load=lambda version: load_snapshot(storage, version=version),
        )
        facts = replace(facts, verdicts=judged(held.versions), held=held.files)
    facts = replace(facts, memories=_memories(target, facts))
    return replace(
        decide(facts, only=only),
        holds={hold.id: hold.reason for hold in protection.holds},
        unfinished=tuple(note.run for note in notes if note.abandoned(now)),
        notes=_remarks(held, [note for note in notes if note.finished is None and not note.abandoned(now)]),
    )


def _may_hold_rows(each: Going) -> bool:
    return each.kind in ("leftover", "change_data") and each.path.endswith(".parquet")


def _nothing(seen: Look, protection: Protection) -> VacuumPlan:
    ids = ", ".join(hold.id for hold in protection.whole)
    return VacuumPlan(
        table=seen.target.name,
        version=seen.newest.version,
        holds={hold.id: hold.reason for hold in protection.holds},
        notes=(
            f"the whole table is held ({ids}): nothing of it goes, leftovers of crashed writers included",
        ),
    )


def _remarks(held: Held, beside: Sequence[VacuumNote]) -> tuple[str, ...]:
    found = [f"the vacuum {note.run} is at work too, or was killed less than an hour ago" for note in beside]
    if held.unsure:
        found.append(f"{held.unsure} files stay since nobody can say whether a held row is in them")
    return tuple(found)


def _facts(seen: Look, listing: LogListing, verdicts: tuple[Verdict, ...], now: datetime) -> Facts:
    metadata, storage = seen.newest.metadata, seen.target.storage
    return Facts(
        table=seen.target.name,
        objects=seen.objects,
        references=seen.references,
        verdicts=verdicts,
        held={},
        memories=(),
        partition_columns={*metadata.partition_columns, *physical_schema(seen.newest.schema).names},
        log=listing,
        sidecars=_sidecars(storage, seen.objects, listing),
        hint=last_checkpoint(storage),
        tombstones=seen.target.memory.folder,
        now=now,
        orphans=seen.target.orphans,
        log_retention=retention_of(metadata, LOG),
        interval=checkpoint_interval(metadata),
    )


def _log_of(objects: Sequence[ObjectInfo]) -> LogListing:
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


def _readable(
    seen: Look, listing: LogListing, notes: Sequence[VacuumNote], *, wanted: Collection[int]
) -> list[VersionMade]:
    """The versions that can be read, with their times as time travel counts them.

    A vacuum that is not done may have noted a version that it will leave alone, since it was tagged just
    then: those that are wanted count as there until a vacuum has said for good that it took them.
    """
    made = commit_times(seen.target.storage)
    found: list[VersionMade] = []
    for first, last in listing.readable():
        for number in range(first, last + 1):
            if number > seen.references.version or any(
                note.takes(number) for note in notes if note.finished is not None or number not in wanted
            ):
                continue
            known = Commit(number, seen.references.made[number], ())
            found.append(VersionMade(number, moment_of(made(known))))
    return found


def _sidecars(storage: Storage, objects: Sequence[ObjectInfo], listing: LogListing) -> dict[str, list[str]]:
    there = [item.path for item in objects if item.path.startswith(f"{SIDECAR_FOLDER}/")]
    if not there:
        return {}
    found: dict[str, list[str]] = {}
    for items in listing.checkpoints.values():
        for checkpoint in items:
            name = checkpoint.files[0].path
            if has_sidecars(name):
                try:
                    found[name] = sidecar_paths(storage, checkpoint)
                except CorruptTableError:
                    # Nobody knows which are its own, so all stay.
                    found[f"{name} (damaged)"] = there
    return found


def _memories(target: VacuumTarget, facts: Facts) -> frozenset[str]:
    """The tombstones of all versions that stay readable, also of those that only happen to."""
    lost = unreadable_after(facts, set(Needs.of(facts).known))
    stay = [
        each.version
        for each in facts.verdicts
        if not any(first <= each.version <= last for first, last in lost)
    ]
    numbers = sorted(facts.references.memories(stay))
    try:
        found = map_files(target.memory.files, numbers, storage=target.storage)
    except CorruptTableError:
        # What one of them needs is not known, so all stay.
        return frozenset(item.path for item in facts.objects if item.path.startswith(f"{facts.tombstones}/"))
    return frozenset(path for paths in found for path in paths)
