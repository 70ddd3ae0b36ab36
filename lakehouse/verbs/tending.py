"""The verbs on a table as a whole, rows and files that are there already: going back, compacting, checking.

What takes files away or mends them belongs here too, one function a verb.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial

import polars as pl

from lakehouse.checking import Check, check_and_repair, check_table
from lakehouse.delta.actions import SetTransaction
from lakehouse.delta.snapshot import Snapshot
from lakehouse.errors import LakehouseError, TableNotFoundError, UsageError
from lakehouse.maintenance.compact import compact as put_together
from lakehouse.maintenance.compact_plan import CompactPlan
from lakehouse.maintenance.vacuum import Memory, Step, VacuumPlan, VacuumTarget, silent
from lakehouse.maintenance.vacuum import vacuum as clear_away
from lakehouse.maintenance.vacuum.rules import grace_of, rules_of
from lakehouse.maintenance.verify import VerifyReport
from lakehouse.merge.tombstones import APP_ID as TOMBSTONES
from lakehouse.merge.tombstones import FOLDER as TOMBSTONES_FOLDER
from lakehouse.merge.tombstones import files_of, load_manifest, rewrite
from lakehouse.protection.gate import judge
from lakehouse.records import operator
from lakehouse.state.rows import ActionRecord
from lakehouse.timetravel.coming import Keeping
from lakehouse.timetravel.damage import naming_damage
from lakehouse.timetravel.resolve import checked_version
from lakehouse.timetravel.restore import RestorePlan
from lakehouse.timetravel.restore import restore as go_back
from lakehouse.timetravel.tags import list_tags, versions_of
from lakehouse.verbs.opened import OpenTable


def restore(
    table: OpenTable,
    *,
    version: int | None,
    timestamp: datetime | str | None,
    tag: str | None,
    dry_run: bool,
) -> RestorePlan:
    """Does `lakehouse.table.Table.restore`."""
    table.refuse_quarantine("can't be restored")
    table.refuse_copy("can't be restored")
    if version is None and timestamp is None and tag is None:
        raise UsageError("restore needs to know where to", advice="give a version, a timestamp or a tag")
    target = table.pick(version=version, timestamp=timestamp, tag=tag)
    if not dry_run:
        table.before_write()
    keeping = None if table.suppression is None else table.suppression.of_rows()
    return go_back(
        table.storage,
        table=table.name,
        current=table.snapshot(),
        target=target,
        carried=(TOMBSTONES,),
        protection=table.protection,
        now=table.clock(),
        dry_run=dry_run,
        keeping=keeping,
        forget=None if keeping is None else partial(_forget, table, target, keeping),
    )


def _forget(
    table: OpenTable, target: Snapshot, keeping: Keeping, now_ms: int, written: list[str]
) -> SetTransaction | None:
    """Writes the memory of deletes that a version comes back with anew, without keys of erased people."""
    memory = load_manifest(table.storage, target)

    def left(rows: pl.DataFrame) -> pl.DataFrame:
        return rows.filter(~keeping.gone(rows, target.schema))

    return rewrite(table.storage, memory, left, now_ms=now_ms, written=written)


def ensure_free_to_drop(table: OpenTable) -> None:
    """Refuses to throw rejected records of a held table away.

    Raises:
        ProtectedError: A hold keeps them.
    """
    judge("quarantine", table.protection()).ensure()


def compact(table: OpenTable, *, dry_run: bool) -> CompactPlan:
    """Does `lakehouse.table.Table.compact`."""
    if not dry_run:
        table.before_write()
    newest = table.snapshot()
    with naming_damage(table.storage, snapshots=[newest], table=table.name):
        return put_together(
            table.storage,
            newest,
            table=table.name,
            clock=table.clock,
            cluster_by=table.cluster_by,
            dry_run=dry_run,
        )


def vacuum(
    table: OpenTable,
    *,
    dry_run: bool,
    plan: VacuumPlan | None,
    grace: timedelta | str,
    step: Step | None,
) -> VacuumPlan:
    """Does `lakehouse.table.Table.vacuum`."""
    if not dry_run:
        table.before_write()
    table.snapshot()
    rules, orphans = rules_of(table.config.retention)
    target = VacuumTarget(
        name=table.name,
        storage=table.storage,
        rules=rules,
        orphans=orphans,
        grace=grace_of(grace),
        tags=lambda: versions_of(list_tags(table.lake, table=table.name)),
        protection=table.protection,
        memory=Memory(TOMBSTONES, TOMBSTONES_FOLDER, lambda number: files_of(table.storage, number)),
        clock=table.clock,
    )
    done = clear_away(target, dry_run=dry_run, shown=plan, step=step or silent)
    if done.run is None or done.changes_nothing:
        return done
    record = ActionRecord(
        kind="vacuum",
        action="delete",
        table=table.name,
        at=table.clock(),
        author=operator(),
        rule=_rules_that_decide(table),
        version_after=done.version,
        files=len(done.files),
        bytes=done.bytes,
        detail={"run": done.run},
    )
    try:
        table.records.add([record])
    except LakehouseError as error:
        # The files are gone all the same; the note in the table's folder says so too.
        return replace(done, notes=(*done.notes, f"what went could not be recorded: {error.message}"))
    return done


def _rules_that_decide(table: OpenTable) -> str:
    """Which rules say what a vacuum may take; the table's property where the config has none."""
    named = [rule.name for rule in table.config.retention if rule.kind != "rows"]
    return ", ".join(named) or "delta.deletedFileRetentionDuration"


def verify(
    table: OpenTable,
    *,
    version: int | None,
    full: bool,
    seed: int | None,
    repair: bool,
    dry_run: bool,
    found: VerifyReport | None,
    progress: Callable[[str, int, int], None] | None,
) -> VerifyReport:
    """Does `lakehouse.table.Table.verify`."""
    if not repair and (dry_run or found is not None):
        word = "dry_run" if dry_run else "found"
        raise UsageError(f"a check mends nothing: {word} belongs to repair", advice=f"leave {word} out")
    if version is not None:
        version = checked_version(version, table=table.name)
        if repair:
            raise UsageError("only the newest version can be repaired", advice="leave the version out")
    check = Check(
        table=table.name, config=table.config, clock=table.clock, full=full, seed=seed, step=progress
    )
    if not repair or dry_run:
        try:
            return check_table(table.storage, check, version=version)
        except TableNotFoundError:
            table.snapshot()
            raise
    table.before_write()
    try:
        return check_and_repair(table.storage, check, found=found)
    finally:
        # What is known of the newest version may come from a checkpoint that was wrong.
        table.newest.forget()
