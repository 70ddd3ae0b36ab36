"""The verbs on a table as a whole, rows and files that are there already: going back, compacting, checking.

What takes files away or mends them belongs here too, one function a verb.
"""

from __future__ import annotations

from datetime import datetime

from lakehouse.errors import CorruptTableError, UsageError
from lakehouse.maintenance.compact import compact as put_together
from lakehouse.maintenance.compact_plan import CompactPlan
from lakehouse.maintenance.freshness import Freshness, freshness
from lakehouse.maintenance.verify import VerifyReport, unreadable
from lakehouse.maintenance.verify import verify as check
from lakehouse.merge.tombstones import APP_ID as TOMBSTONES
from lakehouse.protection.gate import judge
from lakehouse.timetravel.damage import naming_damage
from lakehouse.timetravel.restore import RestorePlan
from lakehouse.timetravel.restore import restore as go_back
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
    if version is None and timestamp is None and tag is None:
        raise UsageError("restore needs to know where to", advice="give a version, a timestamp or a tag")
    target = table.pick(version=version, timestamp=timestamp, tag=tag)
    if not dry_run:
        table.before_write()
    return go_back(
        table.storage,
        table=table.name,
        current=table.snapshot(),
        target=target,
        carried=(TOMBSTONES,),
        protection=table.protection,
        now=table.clock(),
        dry_run=dry_run,
    )


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


def verify(table: OpenTable, *, version: int | None) -> VerifyReport:
    """Does `lakehouse.table.Table.verify`."""
    try:
        snapshot = table.snapshot(version=version)
    except CorruptTableError as error:
        return unreadable(error, table=table.name)
    fresh: tuple[Freshness, ...] = ()
    if version is None:
        fresh = freshness(table.storage, snapshot, table.config.expect, now=table.clock())
    return check(table.storage, snapshot, table=table.name, fresh=fresh)
