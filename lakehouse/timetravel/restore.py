"""Going back: a new commit that makes the table what it was, and takes nothing away from its history."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final, TypeAlias

from lakehouse.cdc.control import CONTROL_COLUMNS
from lakehouse.delta.actions import Action, AddFile, CommitInfo, SetTransaction
from lakehouse.delta.aftercare import look_after
from lakehouse.delta.column_mapping import restored_metadata
from lakehouse.delta.features import ensure_readable, ensure_writable
from lakehouse.delta.locations import locate
from lakehouse.delta.protocol_changes import merged_protocol
from lakehouse.delta.protocols import append_only
from lakehouse.delta.schema import StructField
from lakehouse.delta.snapshot import Snapshot
from lakehouse.delta.transaction import Committed, commit
from lakehouse.delta.vacuum_notes import reserved, taken_by
from lakehouse.errors import ConflictError, NotFoundError, RefusedError, VersionNotFoundError
from lakehouse.protection.holds import Protection
from lakehouse.storage import Storage
from lakehouse.timetravel.coming import Coming, Keeping, coming_back
from lakehouse.timetravel.held import HeldRows, ensure_held_rows_stay

Forget: TypeAlias = Callable[[int, list[str]], SetTransaction | None]
"""Given the commit's time and a list for the paths that it writes; None where there is nothing to forget."""

_REPEAT: Final = "look at the plan again with --dry-run, then repeat"


@dataclass(frozen=True, slots=True, kw_only=True)
class RestorePlan:
    """What a restore does, or, after it is carried out, has done.

    Args:
        table: The table's name.
        current: The version that the table has.
        target: The version whose rows come back.
        files_added: Data files that come back (or get back the vector that they had).
        files_removed: Data files that go.
        rows_before: Rows now; None where the log does not say.
        rows_after: Rows afterwards; None where the log does not say.
        rows_suppressed: Rows that the older version has and that stay away, since they are of erased people.
        schema_changes: Whether the table's columns change too (control columns don't count).
        version: The version that was made; None while it is only a plan, or where there was nothing to do.
    """

    table: str
    current: int
    target: int
    files_added: int
    files_removed: int
    rows_before: int | None
    rows_after: int | None
    schema_changes: bool
    version: int | None = None
    rows_suppressed: int = 0

    @property
    def changes_nothing(self) -> bool:
        """Whether the table is already what it was."""
        return self.files_added == self.files_removed == 0 and not self.schema_changes


def plan_restore(*, table: str, current: Snapshot, target: Snapshot) -> RestorePlan:
    """Compares two versions: pure.

    Args:
        table: The table's name.
        current: The newest version.
        target: The version to go back to.
    """
    coming, going = _difference(current, target)
    return RestorePlan(
        table=table,
        current=current.version,
        target=target.version,
        files_added=len(coming),
        files_removed=len(going),
        rows_before=live_rows(current),
        rows_after=live_rows(target),
        schema_changes=_columns(current) != _columns(target),
    )


def check_allowed(*, table: str, current: Snapshot, target: Snapshot) -> None:
    """Makes sure that the table may be written, now and once it is what it was: pure.

    Args:
        table: The table's name.
        current: The newest version.
        target: The version to go back to.

    Raises:
        UnsupportedFeatureError: A feature that is not known here is in the way.
        RefusedError: Rows would go from a table that only grows.
    """
    ensure_writable(current)
    ensure_readable(target)
    ensure_writable(_restored(current, target))
    _, going = _difference(current, target)
    if going and append_only(current.protocol, current.metadata):
        raise RefusedError(
            f"table {table} only takes new rows (delta.appendOnly), and version {target.version} lacks rows "
            "that it has now",
            advice="read the old version instead, or take the property away first",
        )


def check_files(storage: Storage, *, table: str, current: Snapshot, target: Snapshot) -> None:
    """Makes sure that every file that comes back is still there, and every deletion vector.

    Raises:
        VersionNotFoundError: Some are gone.
    """
    coming, _ = _difference(current, target)
    there = {item.path for item in storage.list()} if coming else set()
    vectors = [add.deletion_vector for add in coming if add.deletion_vector is not None]
    places = {add.path for add in coming} | {
        place for vector in vectors if (place := vector.place()) is not None
    }
    gone = [place for place in sorted(places) if not _is_there(storage, place, there)]
    if gone:
        note = taken_by(storage, target.version)
        why = "they were vacuumed" if note is None else note.spoken()
        raise VersionNotFoundError(
            f"version {target.version} of table {table} can't come back: {len(gone)} of its files are gone",
            advice=f"{why}; restore a younger version, or one that is tagged",
        )


def _is_there(storage: Storage, place: str, there: set[str]) -> bool:
    home, path = locate(storage, place)
    if home is storage:
        return path in there
    try:
        home.head(path)
    except NotFoundError:
        return False
    return True


def restore_actions(
    *,
    current: Snapshot,
    target: Snapshot,
    now_ms: int,
    carried: Sequence[str],
    coming: Sequence[AddFile] | None = None,
    instead: SetTransaction | None = None,
) -> list[Action]:
    """The actions that lead back.

    Args:
        current: The newest version.
        target: The version to go back to.
        now_ms: The commit's time in milliseconds since the epoch.
        carried: ``appId`` of transactions that belong to the rows and go back with them. Others (how far a
            source has been merged) stay where they are.
        coming: The files that come back; None means those of the older version, as they are.
        instead: A transaction that takes the place of a carried one.

    Returns:
        ``remove`` and ``add`` actions, protocol and metadata if they differ, and the carried transactions.
    """
    old, going = _difference(current, target)
    restored = _restored(current, target)
    actions: list[Action] = []
    if restored.protocol != current.protocol:
        actions.append(restored.protocol)
    if restored.metadata != current.metadata:
        actions.append(restored.metadata)
    actions += [add.remove(at_ms=now_ms) for add in going]
    actions += [replace(add, data_change=True) for add in (old if coming is None else coming)]
    for app_id in carried:
        if instead is not None and instead.app_id == app_id:
            actions.append(instead)
            continue
        then, now = target.transactions.get(app_id), current.transactions.get(app_id)
        if now is not None and then != now:
            # 0 stands for "nothing yet": a transaction can't be taken out of the log again.
            actions.append(
                SetTransaction(app_id=app_id, version=then.version if then else 0, last_updated=now_ms)
            )
    return actions


def live_rows(snapshot: Snapshot) -> int | None:
    """The rows of a version, from its statistics; None where a file has none."""
    total = 0
    for add in snapshot.files.values():
        rows = add.live_records
        if rows is None:
            return None
        total += rows
    return total


def _difference(current: Snapshot, target: Snapshot) -> tuple[list[AddFile], list[AddFile]]:
    now = {add.key for add in current.files.values()}
    then = {add.key for add in target.files.values()}
    coming = [add for add in target.files.values() if add.key not in now]
    going = [add for add in current.files.values() if add.key not in then]
    return coming, going


def _columns(snapshot: Snapshot) -> list[StructField]:
    return [item for item in snapshot.schema.fields if item.name not in CONTROL_COLUMNS]


def _restored(current: Snapshot, target: Snapshot) -> Snapshot:
    """Protocol, metadata and schema as they will be; the files are not looked at.

    No feature goes that the table has by now, and none may be lacking that the old rows were written with.
    """
    return replace(
        target,
        protocol=merged_protocol(current.protocol, target.protocol),
        metadata=restored_metadata(current.metadata, target.metadata),
    )


def restore(
    storage: Storage,
    *,
    table: str,
    current: Snapshot,
    target: Snapshot,
    carried: Sequence[str],
    protection: Callable[[], Protection],
    now: datetime,
    dry_run: bool,
    keeping: Keeping | None = None,
    forget: Forget | None = None,
) -> RestorePlan:
    """Plans a restore and, unless it is a dry run, carries it out.

    Args:
        storage: The table's folder.
        table: The table's name.
        current: The newest version.
        target: The version to go back to.
        carried: See `restore_actions`.
        protection: Gives the active holds on the table.
        now: The time.
        dry_run: Only plan.
        keeping: Keeps erased people out; None where nobody can be erased.
        forget: Writes what a version remembers anew, without them.

    Raises:
        VersionNotFoundError: Files that would come back are gone, or a vacuum is about to take them.
        UnsupportedFeatureError: The table needs a feature that is not known here.
        RefusedError: Rows would go from a table that only grows.
        ProtectedError: A hold forbids it.
        ConflictError: Another writer changed the table meanwhile, or somebody was erased: the plan would no
            longer be what was shown.
        KeysError: People were erased, and the key is not there.
    """
    check_allowed(table=table, current=current, target=target)
    plan = plan_restore(table=table, current=current, target=target)
    if dry_run or plan.changes_nothing:
        check_files(storage, table=table, current=current, target=target)
        if plan.changes_nothing:
            return plan
        ensure_held_rows_stay(storage, current=current, target=target, protection=protection())
        return _without(plan, _coming(storage, current, target, keeping, write=False))
    now_ms = int(now.timestamp() * 1000)
    with reserved(storage, target.version, table=table) as still:
        check_files(storage, table=table, current=current, target=target)
        gate = HeldRows(storage, current, target, protection)
        gate.ask()
        coming = _coming(storage, current, target, keeping, write=True)
        plan = _without(plan, coming)
        look = _LastLook([gate.ask, still], keeping=keeping, table=table)
        try:
            forgotten = forget(now_ms, coming.written) if forget is not None and coming.anybody else None
            outcome = commit(
                storage,
                version=current.version + 1,
                actions=restore_actions(
                    current=current,
                    target=target,
                    now_ms=now_ms,
                    carried=carried,
                    coming=coming.adds,
                    instead=forgotten,
                ),
                commit_info=_commit_info(plan, current, target),
                base=current,
                now_ms=lambda: now_ms,
                last_look=look,
            )
        except BaseException:
            if not look.passed:
                coming.clean_up(storage)
            raise
    if not isinstance(outcome, Committed):
        coming.clean_up(storage)
        raise ConflictError(
            f"table {table} was changed by another writer, so version {target.version} was not restored",
            advice=_REPEAT,
        )
    look_after(storage, base=current, done=outcome)
    return replace(plan, version=outcome.version)


def _coming(
    storage: Storage, current: Snapshot, target: Snapshot, keeping: Keeping | None, *, write: bool
) -> Coming:
    old, _ = _difference(current, target)
    restored = _restored(current, target)
    return coming_back(storage, old, target=target, restored=restored, keeping=keeping, write=write)


def _without(plan: RestorePlan, coming: Coming) -> RestorePlan:
    """The plan without the rows that stay away."""
    after = plan.rows_after
    return replace(
        plan,
        rows_after=None if after is None else after - coming.suppressed,
        rows_suppressed=coming.suppressed,
    )


def _commit_info(plan: RestorePlan, current: Snapshot, target: Snapshot) -> CommitInfo:
    metrics = {"numAddedFiles": plan.files_added, "numRemovedFiles": plan.files_removed}
    if plan.rows_suppressed:
        metrics["numSuppressedRows"] = plan.rows_suppressed
    return CommitInfo(
        operation="RESTORE",
        operation_parameters={"version": target.version},
        operation_metrics=metrics,
        read_version=current.version,
        is_blind_append=False,
    )


class _LastLook:
    """Looks right before the commit is sent; knows whether it may have been."""

    def __init__(self, looks: Sequence[Callable[[], None]], *, keeping: Keeping | None, table: str) -> None:
        self._looks = looks
        self._keeping = keeping
        self._table = table
        self.passed = False

    def __call__(self) -> None:
        for look in self._looks:
            look()
        if self._keeping is not None and self._keeping.changed():
            raise ConflictError(
                f"people were erased from table {self._table} meanwhile, so nothing was restored",
                advice=_REPEAT,
            )
        self.passed = True
