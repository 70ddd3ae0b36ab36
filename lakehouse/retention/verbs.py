"""``lake.retention``: plans, applies, lists archives and brings them back, for all tables of a lake."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from lakehouse.config.models import Config, RetentionRule
from lakehouse.delta.snapshot import Snapshot
from lakehouse.errors import LakehouseError, RefusedError, UsageError
from lakehouse.merge.after import mode_of
from lakehouse.merge.target import Clock, Mode, utc_now
from lakehouse.pii.keys.ring import KeyRing, LateRing
from lakehouse.protection import Protection
from lakehouse.records import NoRecords, Records
from lakehouse.retention.apply import apply_table, refuse_braked
from lakehouse.retention.archive import (
    ArchiveEntry,
    Archiver,
    clear_leftovers,
    list_archives,
    settle_archives,
)
from lakehouse.retention.bring_back import BroughtBack, bring_back
from lakehouse.retention.places import ArchivePlaces
from lakehouse.retention.plan import RetentionPlan, TableRetention
from lakehouse.retention.planning import plan_table
from lakehouse.retention.records import KIND as RETENTION
from lakehouse.retention.records import keep_plan, records_of
from lakehouse.retention.results import RetentionResult, TableResult, first_error
from lakehouse.retention.target import RetentionTarget
from lakehouse.state.rows import ActionRecord
from lakehouse.storage import Storage
from lakehouse.table import Table
from lakehouse.timetravel.reading import explaining


class Retention:
    """The rules for rows of a lake. Reached as `Lakehouse.retention`; can be used from many threads.

    Args:
        config: The lake's config.
        lake: The lake's root.
        table: Gives a table by its name.
        protection: The gate: what is held of a table now.
        records: Where it is kept what was done.
        ring: Opens the keys of the lake; None where there are none.
        clock: Gives the time.
        before_write: Called before anything is written.
    """

    def __init__(
        self,
        *,
        config: Config,
        lake: Storage,
        table: Callable[[str], Table],
        protection: Callable[[str], Protection] = Protection,
        records: Records | None = None,
        ring: Callable[[], KeyRing] | None = None,
        clock: Clock = utc_now,
        before_write: Callable[[], None] = lambda: None,
    ) -> None:
        self._config = config
        self._lake = lake
        self._table = table
        self._protection = protection
        self._records = records or NoRecords()
        self._ring = None if ring is None else LateRing(ring)
        self._clock = clock
        self._before_write = before_write
        self._places = ArchivePlaces(config=config, lake=lake)

    def plan(
        self,
        *,
        tables: Sequence[str] | None = None,
        now: datetime | None = None,
        max_fraction: float | None = None,
        allow_empty: bool = False,
    ) -> RetentionPlan:
        """Works out which rows are past their time. Nothing is written.

        Args:
            tables: Names of tables; None means all that have rules for rows.
            now: The moment that periods are counted back from (timezone-aware); None means the clock's.
            max_fraction: The share of a table that may go, in place of the rules' own.
            allow_empty: Whether tables may end up without rows.

        Returns:
            By table and rule the rows, files and bytes that would go, what holds keep back, and what stands
            in the way.

        Raises:
            TableNotFoundError: The config has no such table.
            UsageError: A moment without a timezone, or a share that is none.
            UnsupportedFeatureError: A table needs a feature that is not known here.
        """
        moment = self._moment(now)
        if max_fraction is not None and not 0 < max_fraction <= 1:
            raise UsageError("max_fraction is a share above 0 and up to 1", advice="as 0.8")
        plan = RetentionPlan(now=moment, max_fraction=max_fraction, allow_empty=allow_empty)
        found = tuple(self._plan_one(name, plan) for name in self._chosen(tables))
        return replace(plan, tables=found)

    def apply(
        self,
        plan: RetentionPlan | None = None,
        *,
        tables: Sequence[str] | None = None,
        now: datetime | None = None,
        max_fraction: float | None = None,
        allow_empty: bool = False,
        dry_run: bool = False,
        strict: bool = True,
        exact: bool = True,
    ) -> RetentionResult:
        """Carries the rules out: one commit a table.

        Args:
            plan: A plan that was looked at. Exactly that is done; a table that changed in a way that touches
                its part of the plan is left as it is, with a `ConflictError`. None plans and applies in one
                step, and goes on from what other writers commit meanwhile.
            tables: As for `plan`; with a plan, only these of its tables.
            now: As for `plan`; not with a plan, which has its own.
            max_fraction: As for `plan`; not with a plan.
            allow_empty: As for `plan`; not with a plan.
            dry_run: Only plans.
            strict: Whether to raise the first error, once all other tables are done. Without it, errors are
                only in the result.
            exact: With a plan: without it, the plan is made again, with its moment and limits, where other
                writers changed what it takes.

        Returns:
            What was done with each table.

        Raises:
            RefusedError: A brake stands in the way.
            ConflictError: Other writers changed what the plan takes.
            CommitUnknownError: A commit's answer was lost and could not be looked up.
        """
        if plan is not None and (now is not None or max_fraction is not None or allow_empty):
            raise UsageError(
                "a plan has its own moment and limits", advice="leave now, max_fraction, allow_empty out"
            )
        exact = exact and plan is not None
        if plan is None:
            plan = self.plan(tables=tables, now=now, max_fraction=max_fraction, allow_empty=allow_empty)
        elif tables is not None:
            plan = plan.only(tables)
        if dry_run:
            return RetentionResult(plan=plan, dry_run=True)
        kept = None
        if not plan.changes_nothing:
            self._before_write()
            kept = keep_plan(plan, self._records, now=self._clock())
        done = tuple(self._apply_one(each, plan, exact=exact, kept=kept) for each in plan.tables)
        result = RetentionResult(plan=plan, tables=done)
        if strict and result.errors:
            raise first_error(result)
        return result

    def history(self, table: str | None = None, *, limit: int | None = None) -> list[ActionRecord]:
        """What was done to tables by retention and vacuum, the latest first; the state database remembers.

        Args:
            table: Only to this table.
            limit: At most so many entries.

        Returns:
            For each rule and run what was done, when, on whose order, to how many rows, files and bytes.

        Raises:
            TableNotFoundError: The config has no such table.
            StorageError: The state database can't be read.
        """
        name = None if table is None else self._table(table).name
        return self._records.list(table=name, kinds=(RETENTION, "vacuum", "mask"), limit=limit)

    def archives(self, table: str | None = None, *, place: str | None = None) -> list[ArchiveEntry]:
        """The archives of a table, or of all, the oldest first.

        Those of a run that was interrupted are finished or discarded, as the table's log tells.

        Args:
            table: The table; None means all of the config.
            place: Where they are, as in a rule's `to`; None means wherever the table's rules archive to.
        """
        names = self._config.tables if table is None else (self._table(table).name,)
        found = [entry for name in names for entry in self._archives(name, place, settle=True)]
        return sorted(found, key=lambda entry: entry.manifest.created)

    def _archives(self, table: str, place: str | None, *, settle: bool) -> list[ArchiveEntry]:
        owner = self._table(table)
        found: list[ArchiveEntry] = []
        for folder in self._places.of_table(table, place):
            if settle and owner.exists():
                settle_archives(folder, owner.snapshot(), table=table, storage=owner.storage)
            found += list_archives(folder, table=table)
        return sorted(found, key=lambda entry: entry.manifest.created)

    def restore_archive(
        self,
        table: str,
        *,
        archive: str | None = None,
        since: Any = None,
        until: Any = None,
        place: str | None = None,
        dry_run: bool = False,
    ) -> BroughtBack:
        """Brings archived rows back through a merge; rows that the table has newer stay as they are.

        The archives stay. The next run of the rules takes the rows out again, unless the rules change. Rows
        of people who were erased stay away; ``counts`` has them as ``suppressed``.

        Args:
            table: The table.
            archive: Only this archive, by its id or the beginning of it; None means all.
            since: Only rows whose date (in the rule's column) is not before this: a date, a time, a number,
                or ISO 8601.
            until: Only rows whose date lies before this.
            place: Where the archives are; None means wherever the table's rules archive to.
            dry_run: Counts what would happen, and writes nothing: what an interrupted run left pending is
                neither finished nor counted.

        Returns:
            The archives that were used, and what became of their rows.

        Raises:
            NotFoundError: There is no such archive.
            UsageError: A bound does not fit the column, or nothing lies between the two.
            CorruptTableError: A file of an archive is gone, or is not what its manifest says.
            RefusedError: The table has no key, or keeps every version of a row.
        """
        if not dry_run:
            self._before_write()
        archives = self._archives(table, place, settle=not dry_run)
        entries = [entry for entry in archives if entry.state == "complete"]
        owner = self._table(table)
        return bring_back(
            owner.opened.target(),
            owner.snapshot(),
            entries,
            open_archive=self._places.open,
            archive=archive,
            since=since,
            until=until,
            dry_run=dry_run,
        )

    def _moment(self, now: datetime | None) -> datetime:
        moment = self._clock() if now is None else now
        if not isinstance(moment, datetime):
            raise UsageError("now is no datetime", advice="as datetime.now(UTC)")
        if moment.tzinfo is None:
            raise UsageError("now needs a timezone", advice="as datetime.now(UTC)")
        return moment.astimezone(UTC)

    def _chosen(self, tables: Sequence[str] | None) -> list[str]:
        if isinstance(tables, str):
            raise UsageError("tables is a list of names", advice=f"write [{tables!r}]")
        if tables is not None:
            return [self._table(name).name for name in dict.fromkeys(tables)]
        return [name for name in self._config.tables if self._rules(name)]

    def _rules(self, name: str) -> tuple[RetentionRule, ...]:
        return tuple(rule for rule in self._config.retention_of(name) if rule.kind == "rows")

    def _plan_one(self, name: str, plan: RetentionPlan, snapshot: Snapshot | None = None) -> TableRetention:
        table = self._table(name)
        if snapshot is None and table.exists():
            snapshot = table.snapshot()
        known = [snapshot] if snapshot is not None else []
        with explaining(table.storage, snapshots=known, table=name):
            return plan_table(
                self._ruled(table, snapshot),
                snapshot,
                protection=self._protection(name),
                now=plan.now,
                max_fraction=plan.max_fraction,
                allow_empty=plan.allow_empty,
            )

    def _apply_one(
        self, shown: TableRetention, plan: RetentionPlan, *, exact: bool, kept: str | None
    ) -> TableResult:
        name = shown.table
        if shown.version is None or (shown.changes_nothing and not shown.brakes):
            return TableResult(table=name, status="nothing", plan=shown)
        table = self._table(name)
        try:
            refuse_braked(shown)
            self._tend(name, table)
            newest = table.snapshot()
            with explaining(table.storage, snapshots=[newest], table=name):
                result = apply_table(
                    self._ruled(table, newest),
                    shown,
                    newest=newest,
                    replan=lambda snapshot: self._plan_one(name, plan, snapshot),
                    protection=lambda: self._protection(name),
                    archiver=self._archiver,
                    clock=self._clock,
                    exact=exact,
                )
        except LakehouseError as error:
            status = "refused" if isinstance(error, RefusedError) else "failed"
            return TableResult(table=name, status=status, plan=shown, error=error)  # type: ignore[arg-type]
        try:
            self._records.add(records_of(result, plan=kept, at=self._clock()))
        except LakehouseError as error:
            # The rows are gone all the same; the table's log says so too.
            return replace(result, error=error)
        return result

    def _tend(self, name: str, table: Table) -> None:
        """Sees to what earlier runs left in the archives."""
        for folder in self._places.of_table(name):
            settle_archives(folder, table.snapshot(), table=name, storage=table.storage)
            clear_leftovers(folder, now=self._clock())

    def _ruled(self, table: Table, snapshot: Snapshot | None) -> RetentionTarget:
        def mode(version: Snapshot) -> Mode:
            return mode_of(table.opened.target(), version)

        rules = self._rules(table.name)
        if snapshot is not None:
            rules = tuple(rule for rule in rules if self._concerns(rule, table.name, snapshot))
        return RetentionTarget(
            name=table.name,
            storage=table.storage,
            config=table.config,
            pii=self._config.pii,
            rules=rules,
            mode=mode,
            check_archive=lambda rule: self._places.check(rule, table=table.name),
            ring=self._ring,
        )

    def _concerns(self, rule: RetentionRule, table: str, snapshot: Snapshot) -> bool:
        """Whether a default is meant for a table: it is where the table has the columns."""
        if rule not in self._config.retention or rule in self._config.tables[table].retention:
            return True
        masks = rule.action != "anonymize" or rule.columns or self._config.tables[table].pii
        return rule.column in snapshot.schema and bool(masks)

    @property
    def _archiver(self) -> Archiver:
        return Archiver(lake=self._config.name, place=self._places.place)
