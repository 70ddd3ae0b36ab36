"""Carrying out a vacuum: a note first, then a second look, then the files, the log last.

In this order a kill at any moment leaves a table in which all kept versions are whole: the note names
everything that may be gone, files go before the log forgets them, and of the log the oldest part goes first.
The next vacuum finds the note and finishes what was begun.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Final, TypeAlias

from lakehouse.delta.checkpoint import write_checkpoint
from lakehouse.delta.checkpoints_check import check_checkpoints
from lakehouse.delta.locations import map_files
from lakehouse.delta.vacuum_notes import Ranges, VacuumNote, new_run, note_path, write_note
from lakehouse.errors import ConflictError, RefusedError
from lakehouse.maintenance.vacuum.look import Look, VacuumTarget, look, look_again
from lakehouse.maintenance.vacuum.names import log_name
from lakehouse.maintenance.vacuum.old_versions import OldObjects, find_old, forget_notes, take_old
from lakehouse.maintenance.vacuum.plan import Going, Kind, VacuumPlan, ranges
from lakehouse.maintenance.vacuum.planning import plan_of
from lakehouse.storage import Storage

Step: TypeAlias = Callable[[str, int, int], None]
"""Called with what is being done, how much of it is done and how much there is (0: not known)."""

_A_PART: Final = 500
_AT_ONCE: Final = 8 * _A_PART
_BEAT_SECONDS: Final = 60.0
_TOO_LATE_SECONDS: Final = 1800.0
_CLOCKS_MAY_DIFFER: Final = timedelta(minutes=10)
_NOTES_KEPT: Final = timedelta(days=90)
_LOG_KINDS: Final = frozenset({"commit", "checkpoint", "compaction", "checksum", "sidecar"})
_FIRST: Final[tuple[Kind, ...]] = ("temporary", "leftover", "tombstones", "change_data", "data", "vector")


def silent(_what: str, _done: int, _total: int) -> None:
    """Tells nobody how far it is."""


def vacuum(
    target: VacuumTarget, *, dry_run: bool, shown: VacuumPlan | None = None, step: Step = silent
) -> VacuumPlan:
    """Plans a vacuum and, unless it is a dry run, carries it out.

    Args:
        target: The table, and what its vacuum goes by.
        dry_run: Only plan.
        shown: A plan that somebody has agreed to: nothing goes that is not in it.
        step: Told how far it is.

    Returns:
        The plan; with ``run`` where it was carried out, and then exactly what went.

    Raises:
        TableNotFoundError: There is no table.
        CorruptTableError: The log can't be read or has a gap: nothing was done.
        UnsupportedFeatureError: The table needs a feature that is not known here.
        RefusedError: A property or a clock makes it unsafe: nothing was done.
        StorageError: The store failed; the next vacuum goes on where this one stopped.
    """
    step("looking at the files", 0, 0)
    seen = look(target)
    plan = plan_of(seen)
    old = find_old(target.storage, plan, seen, protection=target.protection())
    plan = old.on(plan)
    if dry_run:
        return plan
    agreed = None if shown is None else {each.path for each in shown.files}
    if plan.checkpoint_at is not None and _checkpointed(target, plan.checkpoint_at):
        seen = look_again(seen)
        agreed = None if agreed is None else agreed | _log_before(seen, plan.checkpoint_at)
        plan = old.on(plan_of(seen, only=agreed))
    elif agreed is not None:
        plan = old.on(plan_of(seen, only=agreed))
    if plan.changes_nothing:
        return plan
    return _carry_out(seen, plan, old, step)


def _log_before(seen: Look, version: int) -> set[str]:
    """The files of the log of which a plan that was shown said that they go once there is a checkpoint."""
    return {item.path for item in seen.objects if (log_name(item.path).version or version) < version}


def _checkpointed(target: VacuumTarget, version: int) -> bool:
    """Writes a checkpoint so that the log before it can go; whether it says what the log says."""
    made = write_checkpoint(target.storage, version)
    return made.made and not check_checkpoints(target.storage, version)


def _carry_out(seen: Look, plan: VacuumPlan, old: OldObjects, step: Step) -> VacuumPlan:
    storage, begun = seen.target.storage, datetime.now(UTC)
    run = new_run(begun)
    note = _note(run, begun, plan, seen.unfinished)
    write_note(storage, note)
    ahead = _clock_ahead(storage, run)
    # From here on whoever wants one of the versions sees the note; whoever wanted it before is seen by us.
    step("looking again", 0, 0)
    only = {each.path for each in plan.files}
    again = plan_of(look_again(seen), but=run, clock_ahead=ahead, only=only)
    final = replace(
        again,
        object_versions=plan.object_versions,
        uploads=plan.uploads,
        unfinished=plan.unfinished,
        notes=plan.notes,
        run=run,
    )
    if final.files != plan.files:
        note = _note(run, begun, final, seen.unfinished)
        write_note(storage, note)
    pulse = _Pulse(storage, note)

    def before_each_part() -> None:
        pulse.beat()
        _ensure_no_new_hold(seen.target, final)

    _delete(storage, final.files, step, before_each_part)
    if again.holds != plan.holds:
        # Held since: then nothing goes of which nobody has asked whether a held row is in it.
        old = replace(old, deleted=(), uploads=())
    done = take_old(old, final, step)
    write_note(storage, _finished(note, final))
    _forget(storage, seen)
    forget_notes(old)
    return replace(final, object_versions=done.object_versions, uploads=done.uploads, notes=done.notes)


def _note(run: str, begun: datetime, plan: VacuumPlan, unfinished: Sequence[VacuumNote]) -> VacuumNote:
    """What this vacuum takes, and what those took that it finishes."""
    files: defaultdict[str, list[tuple[str, int]]] = defaultdict(list)
    for each in plan.files:
        files[each.kind].append((each.path, each.bytes))
    kept = {each.version for each in plan.versions if each.keep}
    taking: list[VacuumNote | VacuumPlan] = [*unfinished, plan]
    why = next((verdict.why_not for verdict in plan.versions if verdict.why_not), "")
    return VacuumNote(
        run=run,
        started=begun,
        why=why or next((note.why for note in unfinished if note.why), ""),
        pruned=_but(kept, [each.pruned for each in taking]),
        log_before=max((each.log_before for each in taking if each.log_before is not None), default=None),
        feed=_but(kept, [each.feed for each in taking]),
        files={kind: tuple(paths) for kind, paths in files.items()},
    )


def _but(kept: Collection[int], noted: Sequence[Ranges]) -> Ranges:
    """The versions that were noted, but those that are kept.

    One that was noted by a vacuum that was killed, and is kept after all (tagged in that moment), lost
    nothing.
    """
    found = [number for spans in noted for first, last in spans for number in range(first, last + 1)]
    return ranges([version for version in found if version not in kept])


def _finished(note: VacuumNote, plan: VacuumPlan) -> VacuumNote:
    # Paths can tell of rows (partition values), so they don't stay longer than they are needed.
    removed: dict[str, tuple[int, int]] = {
        kind: (amount.files, amount.bytes) for kind, amount in plan.kinds.items()
    }
    return replace(note, files={}, removed=removed, finished=datetime.now(UTC))


def _clock_ahead(storage: Storage, run: str) -> timedelta:
    """How far this machine's clock is ahead of the store's, by the note that was just written.

    Raises:
        RefusedError: So far that everything would look too old.
    """
    ahead = datetime.fromtimestamp(time.time(), UTC) - storage.head(note_path(run)).modified
    if ahead > _CLOCKS_MAY_DIFFER:
        storage.delete([note_path(run)])
        raise RefusedError(
            f"this machine's clock is {ahead} ahead of the store's: young files look old; nothing was done",
            advice="set the clock right",
        )
    return ahead


class _Pulse:
    """Shows other vacuums that this one is alive, by writing its note anew.

    Args:
        storage: The table's folder.
        note: The note.
    """

    def __init__(self, storage: Storage, note: VacuumNote) -> None:
        self._storage = storage
        self._note = note
        self._last = time.monotonic()

    def beat(self) -> None:
        """Shows it, if it is time.

        Raises:
            ConflictError: So much time has passed that others take this vacuum for dead.
        """
        since = time.monotonic() - self._last
        if since > _TOO_LATE_SECONDS:
            raise ConflictError("the vacuum was asleep for too long, and stops", advice="run it again")
        if since > _BEAT_SECONDS:
            write_note(self._storage, self._note)
            self._last = time.monotonic()


def _ensure_no_new_hold(target: VacuumTarget, plan: VacuumPlan) -> None:
    """Stops a vacuum during which a hold was placed: nobody has asked whether held rows are in its files.

    Raises:
        ConflictError: Somebody did.
    """
    new = [hold.id for hold in target.protection().holds if hold.id not in plan.holds]
    if new:
        raise ConflictError(
            f"hold {new[0]} was placed on table {target.name} while a vacuum was deleting: it stopped",
            advice="run it again: it takes what is left and not held",
        )


def _delete(storage: Storage, files: Sequence[Going], step: Step, before: Callable[[], None]) -> None:
    """Deletes files first, then the log from its oldest version on."""
    total, done = len(files), 0

    def take(paths: Sequence[str]) -> None:
        nonlocal done
        before()
        # Some at once where answers take their time.
        parts = [paths[at : at + _A_PART] for at in range(0, len(paths), _A_PART)]
        map_files(storage.delete, parts, storage=storage)
        done += len(paths)
        step("deleting", done, total)

    for kind in _FIRST:
        paths = [each.path for each in files if each.kind == kind]
        for at in range(0, len(paths), _AT_ONCE):
            take(paths[at : at + _AT_ONCE])
    log = sorted(
        (each for each in files if each.kind in _LOG_KINDS),
        key=lambda each: (each.version is None, each.version or 0, each.path),
    )
    # One part after the other: whatever is left of a log must be its end.
    for at in range(0, len(log), _A_PART):
        take([each.path for each in log[at : at + _A_PART]])


def _forget(storage: Storage, seen: Look) -> None:
    """Takes away the notes that this vacuum has taken over, and old ones that say nothing of today's log."""
    oldest = min(seen.references.made, default=0)
    stale = [
        note
        for note in seen.notes[:-1]
        if note.finished is not None
        and datetime.now(UTC) - note.finished > _NOTES_KEPT
        and all(last < oldest for _, last in (*note.pruned, *note.feed))
    ]
    storage.delete([note_path(note.run) for note in (*seen.abandoned, *stale)])
