"""From what was seen of a table to a plan: with the tags, holds and reservations of now."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from lakehouse.delta.checkpoint import checkpoint_interval
from lakehouse.delta.checkpoints_read import has_sidecars, sidecar_paths
from lakehouse.delta.column_mapping import physical_schema
from lakehouse.delta.intervals import DELETED_FILES, LOG, retention_of
from lakehouse.delta.locations import map_files
from lakehouse.delta.log_files import SIDECAR_FOLDER, LogListing
from lakehouse.delta.log_reading import Commit, last_checkpoint
from lakehouse.delta.snapshot import load_snapshot
from lakehouse.delta.vacuum_notes import VacuumNote
from lakehouse.delta.versions import commit_times, moment_of
from lakehouse.errors import CorruptTableError
from lakehouse.maintenance.vacuum.decide import Facts, Needs, decide, unreadable_after
from lakehouse.maintenance.vacuum.holding import Held, held_rows
from lakehouse.maintenance.vacuum.look import Look, VacuumTarget, log_of
from lakehouse.maintenance.vacuum.plan import Going, VacuumPlan
from lakehouse.protection import Protection, TableHold
from lakehouse.protection.gate import judge
from lakehouse.protection.versions import Verdict, VersionMade, judge_versions
from lakehouse.storage import ObjectInfo, Storage


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
    verdict = judge("vacuum", protection)
    if not verdict.allowed:
        return _nothing(seen, protection, verdict.refused_by)
    notes = [note for note in seen.notes if note.run != but]
    listing = log_of(seen.objects)
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


def _nothing(seen: Look, protection: Protection, refused_by: Sequence[TableHold]) -> VacuumPlan:
    ids = ", ".join(hold.id for hold in refused_by)
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
