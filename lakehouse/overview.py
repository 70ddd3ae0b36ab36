"""What there is to say of a table from outside: what `apply` would do, and how it stands."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final, Literal

from lakehouse.errors import CorruptTableError
from lakehouse.maintenance.freshness import freshness
from lakehouse.table import Table
from lakehouse.timetravel.restore import live_rows

if TYPE_CHECKING:
    from lakehouse.jobs.views import JobView
    from lakehouse.observability.alerts.verbs import TargetView
    from lakehouse.state.alert_rows import OpenRequest
    from lakehouse.state.job_rows import DaemonRow

SOON: Final = timedelta(days=3)
"""A request that is due in so short a time needs attention."""
_NAMED: Final = 3

Action = Literal["create", "wait", "none"]


@dataclass(frozen=True, slots=True)
class TablePlan:
    """What `apply` does with one table.

    Args:
        table: Its name.
        action: ``create``: it is made from the schema in the config; ``wait``: the config has no schema,
            its first merge makes it; ``none``: it is there.
        detail: A sentence for people.
    """

    table: str
    action: Action
    detail: str


@dataclass(frozen=True, slots=True)
class ApplyPlan:
    """What `apply` does with the lake.

    Args:
        lake: The lake's name.
        tables: What becomes of each table.
        dry_run: Whether it was only planned.
    """

    lake: str
    tables: tuple[TablePlan, ...]
    dry_run: bool

    @property
    def changes_nothing(self) -> bool:
        """Whether there is nothing to make."""
        return all(plan.action != "create" for plan in self.tables)


@dataclass(frozen=True, slots=True, kw_only=True)
class TableStatus:
    """How one table stands.

    Args:
        table: Its name.
        description: From the config.
        owner: From the config.
        version: Its newest version; None where it has not been made.
        changed: When that was made (UTC).
        rows: Its rows; None where its statistics do not say.
        files: Data files.
        bytes: Their size together.
        hidden_rows: Rows that deletion vectors hide.
        tags: Its tags.
        quarantined: Records that could not be merged and wait in its quarantine.
        stale: Why it is older than its config expects; empty where it is not.
        problem: Why its log can't be read; empty where it can.
    """

    table: str
    description: str
    owner: str
    version: int | None = None
    changed: datetime | None = None
    rows: int | None = None
    files: int = 0
    bytes: int = 0
    hidden_rows: int = 0
    tags: tuple[str, ...] = ()
    quarantined: int = 0
    stale: str = ""
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Attention:
    """Something that somebody should look at.

    Args:
        about: ``table``, ``job``, ``request``, ``incident``, ``alert``, ``daemon`` or ``state``.
        subject: Which; several are apart by commas.
        text: A sentence for people. Never who asked for anything.
        unreadable: Whether it is about a table or state database that can't be read.
    """

    about: Literal["table", "job", "request", "incident", "alert", "daemon", "state"]
    subject: str
    text: str
    unreadable: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class LakeStatus:
    """How the lake stands.

    Args:
        lake: Its name.
        root: Where it lies.
        tables: How each table stands.
        now: When that was seen (UTC).
        state: The state database, without a password; empty where the lake has none yet.
        state_bytes: Its size.
        state_problem: Why it can't be read; empty where it can.
        jobs: How each job stands.
        late: The jobs that should have been begun, each with the moment that was missed.
        requests: What was asked and is not done, that which is due first at the front.
        holds: How many holds are active.
        incidents: The incidents that are not resolved.
        daemons: Those that run the jobs, and those that were lost within a day.
        targets: Who hears of what is wrong, and whether they can be reached.
    """

    lake: str
    root: str
    tables: tuple[TableStatus, ...]
    now: datetime
    state: str = ""
    state_bytes: int = 0
    state_problem: str = ""
    jobs: tuple[JobView, ...] = ()
    late: Mapping[str, datetime]
    requests: tuple[OpenRequest, ...] = ()
    holds: int = 0
    incidents: tuple[str, ...] = ()
    daemons: tuple[DaemonRow, ...] = ()
    targets: tuple[TargetView, ...] = ()

    @property
    def overdue(self) -> tuple[OpenRequest, ...]:
        """What was asked and should be done."""
        return tuple(each for each in self.requests if each.due < self.now)

    @property
    def attention(self) -> tuple[Attention, ...]:
        """What somebody should look at, the most pressing first."""
        return tuple(_attention(self))


def plan_table(table: Table) -> TablePlan:
    """Says what `apply` would do with a table."""
    if table.exists():
        return TablePlan(table.name, "none", f"is at version {table.snapshot().version}")
    columns = table.config.column_schema
    if columns:
        return TablePlan(
            table.name, "create", f"is made with {len(columns)} column{'s' if len(columns) > 1 else ''}"
        )
    return TablePlan(table.name, "wait", "has no schema in the config; its first merge makes it")


def table_status(table: Table, *, now: datetime) -> TableStatus:
    """Says how a table stands; one that is damaged does not keep the others from being shown.

    Args:
        table: The table.
        now: The time.
    """
    config = table.config
    unmade = TableStatus(table=table.name, description=config.description, owner=config.owner)
    try:
        if table.opened.copy_of is None:
            unmade = replace(unmade, quarantined=table.quarantine.count())
        if not table.exists():
            return unmade
    except CorruptTableError as error:
        return replace(unmade, problem=error.message)
    snapshot = table.snapshot()
    files = snapshot.files.values()
    old = [each for each in freshness(table.storage, snapshot, config.expect, now=now) if not each.ok]
    return TableStatus(
        table=table.name,
        description=config.description,
        owner=config.owner,
        version=snapshot.version,
        changed=datetime.fromtimestamp(snapshot.timestamp_ms / 1000, tz=UTC),
        rows=live_rows(snapshot),
        files=len(files),
        bytes=sum(add.size for add in files),
        hidden_rows=sum(add.deletion_vector.cardinality for add in files if add.deletion_vector),
        tags=tuple(tag.name for tag in table.tags()),
        quarantined=unmade.quarantined,
        stale="; ".join(each.detail for each in old),
    )


def _attention(status: LakeStatus) -> Iterator[Attention]:
    if status.state_problem:
        yield Attention("state", status.state, f"the state database: {status.state_problem}", unreadable=True)
    for table in status.tables:
        if table.problem:
            told = f"table {table.table} can't be read: {table.problem}"
            yield Attention("table", table.table, told, unreadable=True)
    yield from _asked(status)
    for job in status.jobs:
        if job.last is not None and job.last.status == "failed":
            told = f"job {job.name} failed: {job.last.reason} ({job.last.id})"
            yield Attention("job", job.name, told)
        elif job.name in status.late:
            at = f"{status.late[job.name]:%Y-%m-%d %H:%M}Z"
            yield Attention("job", job.name, f"job {job.name} was not begun: it was due {at}")
    yield from _seen(status)


def _seen(status: LakeStatus) -> Iterator[Attention]:
    if status.incidents:
        names = _named(status.incidents)
        many = f"{len(status.incidents)} incident{'s are' if len(status.incidents) > 1 else ' is'} open"
        yield Attention("incident", names, f"{many}: {names}")
    for daemon in status.daemons:
        if not daemon.alive:
            seen = f"{daemon.seen:%Y-%m-%d %H:%M}Z"
            yield Attention("daemon", daemon.host, f"the daemon on {daemon.host} was last heard of at {seen}")
    for table in status.tables:
        if table.stale:
            yield Attention("table", table.table, f"table {table.table} is old: {table.stale}")
    for target in status.targets:
        if target.failing:
            yield Attention("alert", target.name, f"alerts can't be sent to {target.name}: {target.failing}")


def _asked(status: LakeStatus) -> Iterator[Attention]:
    late = status.overdue
    soon = [each for each in status.requests if status.now <= each.due < status.now + SOON]
    for found, what in ((late, "overdue"), (soon, f"due within {SOON.days} days")):
        if found:
            many = f"{len(found)} request{'s are' if len(found) > 1 else ' is'} {what}"
            names = _named([each.id for each in found])
            yield Attention("request", names, f"{many}: {names}")


def _named(names: Sequence[str]) -> str:
    return ", ".join([*names[:_NAMED], *(["…"] if len(names) > _NAMED else [])])
