"""The lake of one config file: opens it, hands out its tables, and answers for all of them together."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

import polars as pl

from lakehouse.config import Config, load_config
from lakehouse.config.nearest import nearest
from lakehouse.config.references.tables import name_problem
from lakehouse.control import Control
from lakehouse.copies import CopyEntry, find_copy, list_copies
from lakehouse.errors import LakehouseError, TableNotFoundError
from lakehouse.holds import Holds
from lakehouse.merge.quarantine import CONFIG as QUARANTINE_CONFIG
from lakehouse.merge.result import QUARANTINE
from lakehouse.merge.target import utc_now
from lakehouse.overview import ApplyPlan, LakeStatus, TablePlan, plan_table, table_status
from lakehouse.pii.mask.copy_shape import derived_config
from lakehouse.pii.shred.reading import ShreddedCells
from lakehouse.protection import Protection
from lakehouse.protection.given import text_of
from lakehouse.querying import run_query
from lakehouse.records import StateRecords
from lakehouse.request_parts import RequestParts
from lakehouse.storage import Storage, open_storage, probe
from lakehouse.table import Table
from lakehouse.table_parts import TableParts

if TYPE_CHECKING:
    from lakehouse.jobs.observing import RunObserver
    from lakehouse.jobs.verbs import Jobs
    from lakehouse.observability.alerts import Alerts
    from lakehouse.observability.incidents.verbs import Incidents
    from lakehouse.pii.keys.ring import KeyRing
    from lakehouse.pii.keys.verbs import Keys
    from lakehouse.pii.shred.verbs import SubjectKeys
    from lakehouse.pii.verbs import Pii
    from lakehouse.requests.verbs import Requests
    from lakehouse.retention.verbs import Retention
    from lakehouse.state.database import State

_TOGETHER: Final = 8
"""So many tables are looked at at once: most of the time goes into waiting for a store."""


class Lakehouse:
    """A lake: all tables of one config file. Open it with `Lakehouse.open`; can be used from many threads.

    Args:
        config: The checked config.
    """

    def __init__(self, config: Config) -> None:
        self.config = config
        self._storage = open_storage(config.storage.root, options=config.storage.plain_options())
        self._tables: dict[str, Table] = {}
        self._lock = threading.Lock()
        self._probed = False
        self._control = Control(config.state.get_secret_value(), lake=self._storage)
        self._records = StateRecords(self._control)
        self._holds = Holds(config, control=self._control, table=self.table)
        self._keys: Keys | None = None
        self._parts = TableParts(config, control=self._control, ring=self._ring)

    @classmethod
    def open(cls, source: str | Path | Mapping[str, Any]) -> Self:
        """Opens the lake of a config. Nothing is made or reached yet.

        Args:
            source: The config file, or its content as a mapping.

        Raises:
            ConfigError: The config has problems; all of them are listed.
            UsageError: The storage's options do not fit.
        """
        return cls(load_config(source))

    def __reduce__(self) -> tuple[type[Self], tuple[Config]]:
        # Another process opens its own connections.
        return type(self), (self.config,)

    def __repr__(self) -> str:
        return f"Lakehouse({self.config.name!r}, {self._storage.url!r})"

    @property
    def storage(self) -> Storage:
        """The lake's root."""
        return self._storage

    @property
    def tables(self) -> tuple[str, ...]:
        """The names of the tables, in the order of the config."""
        return tuple(self.config.tables)

    @property
    def copies(self) -> tuple[CopyEntry, ...]:
        """The masked copies of tables, by name; `Lakehouse.table` opens them too."""
        return list_copies(self._storage)

    @property
    def holds(self) -> Holds:
        """The legal holds: place, list, release."""
        return self._holds

    @property
    def keys(self) -> Keys:
        """The keys that mask, sign and shred: create, list, rotate."""
        with self._lock:
            if self._keys is None:
                from lakehouse.pii.keys.verbs import Keys

                # One for all: it remembers what it has unwrapped.
                self._keys = Keys(self.config, control=self._control, records=self._records)
            return self._keys

    @cached_property
    def subject_keys(self) -> SubjectKeys:
        """The keys of single people, for crypto-shredding: count, destroy, wrap anew."""
        from lakehouse.pii.shred.verbs import SubjectKeys

        return SubjectKeys(self.config, keys=self._parts.person_keys(), records=self._records)

    def table(self, name: str) -> Table:
        """A table of the config, made or not; or a masked copy or the quarantine of one.

        Args:
            name: Its name; that of a quarantine is the table's and ``__quarantine``.

        Raises:
            TableNotFoundError: The config has no such table; the advice names the nearest.
        """
        text_of(name, "a table's name")
        base = name.removesuffix(QUARANTINE)
        of = base if base != name and base in self.config.tables else None
        section = self._parts.section(name) if of is None else QUARANTINE_CONFIG
        if section is None and (entry := self._copy_entry(name)) is not None:
            return self._copy(name, entry.source)
        if section is None:
            near = nearest(name, self.tables)
            known = f"its tables are: {', '.join(self.tables)}" if self.tables else "it names no tables yet"
            raise TableNotFoundError(
                f"lake {self.config.name} has no table {name}",
                advice=f"did you mean {near}?" if near else known,
            )
        inside = of is None and name in self.config.tables
        with self._lock:
            if name not in self._tables:
                self._tables[name] = Table(
                    name=name,
                    config=section,
                    storage=self._storage.child(name),
                    lake=self._storage,
                    masks=self._parts.at_merge(name) if inside else None,
                    suppression=self._parts.suppression(name) if of is None else None,
                    seal=self._parts.seal(name) if inside else None,
                    cells=ShreddedCells(name, self._parts.person_keys) if inside else None,
                    views=partial(self._parts.view, of or name, quarantine=of is not None),
                    before_write=self._probe,
                    records=self._records,
                    protection=partial(self._protection, of or name, quarantine=of is not None),
                    quarantine_of=of,
                )
            return self._tables[name]

    @property
    def retention(self) -> Retention:
        """The rules for rows: what is past its time, carrying that out, archives."""
        from lakehouse.retention.verbs import Retention

        return Retention(
            config=self.config,
            lake=self._storage,
            table=self.table,
            protection=partial(self._protection, quarantine=False),
            records=self._records,
            ring=self._ring,
            before_write=self._probe,
        )

    @property
    def requests(self) -> Requests:
        """What people ask for: to be erased, and to see what is known of them."""
        return self._request_parts().verbs()

    @property
    def jobs(self) -> Jobs:
        """The work of the config: list, run, history, pause, resume, backfill."""
        from lakehouse.jobs.verbs import Jobs

        return Jobs(self, control=self._control, observers=self._observers, afterwards=self._pass_on)

    @property
    def incidents(self) -> Incidents:
        """What went out of control, and the charts behind it."""
        from lakehouse.observability.incidents.verbs import Incidents

        return Incidents(self.config, control=self._control)

    @property
    def alerts(self) -> Alerts:
        """Who hears of what is wrong: list, test, pass on."""
        from lakehouse.observability.alerts import Alerts

        return Alerts(self.config, control=self._control)

    @property
    def pii(self) -> Pii:
        """Personal data: found, masked, turned back, weighed."""
        from lakehouse.pii.verbs import Pii

        return Pii(
            config=self.config,
            lake=self._storage,
            table=self.table,
            copy=self._copy,
            control=self._control,
            ring=self._ring,
            finder=self._parts.finder,
            records=self._records,
        )

    def apply(self, *, dry_run: bool = False) -> ApplyPlan:
        """Makes the tables that the config describes and that are not there yet.

        Args:
            dry_run: Only says what would happen.

        Returns:
            What was (or would be) done with each table.

        Raises:
            UsageError: The ``subjects`` do not fit the tables, those that are there and those that would be
                made, or forget masked copies; all that is wrong is told, and nothing was made.
        """
        self._request_parts().ensure_subjects_fit()
        plans: list[TablePlan] = []
        for name in self.tables:
            table = self.table(name)
            plan = plan_table(table)
            if plan.action == "create" and not dry_run:
                self._probe()
                table.create()
            plans.append(plan)
        return ApplyPlan(lake=self.config.name, tables=tuple(plans), dry_run=dry_run)

    def status(self) -> LakeStatus:
        """The whole lake at a glance: tables, jobs, requests, holds, alerts, and what needs attention.

        A state database that can't be read keeps nothing of the tables from being shown.
        """
        now = utc_now()
        names = [*self.tables, *(each.name for each in self.copies if each.name not in self.config.tables)]
        with ThreadPoolExecutor(_TOGETHER, thread_name_prefix="status") as pool:
            found = tuple(pool.map(lambda name: table_status(self.table(name), now=now), names))
        bare = LakeStatus(lake=self.config.name, root=self._storage.url, tables=found, now=now, late={})
        try:
            if not self._control.begun():
                return replace(bare, jobs=tuple(self.jobs.list()) if self.config.jobs else ())
            return self._with_state(bare)
        except LakehouseError as error:
            return replace(bare, state_problem=error.message)

    def _with_state(self, status: LakeStatus) -> LakeStatus:
        from lakehouse.observability.alerts.looking import late_jobs

        state = self._control.existing()
        if state is None:
            return replace(status, jobs=tuple(self.jobs.list()))
        return replace(
            status,
            state=state.shown,
            state_bytes=state.totals.size(),
            jobs=tuple(self.jobs.list()),
            late=late_jobs(self.config, state, now=status.now),
            requests=tuple(state.following.open_requests()),
            holds=sum(each.active(status.now) for each in state.holds.standing()),
            incidents=tuple(each.id for each in self.incidents.list(limit=None)),
            daemons=tuple(self.jobs.daemons()),
            targets=tuple(self.alerts.list()),
        )

    def sql(self, query: str, *, role: str | None = None) -> pl.DataFrame:
        """Answers a SQL query over the newest versions of the tables.

        Args:
            query: A SELECT; tables go by their names in the config, quarantines by that and
                ``__quarantine``, masked copies by theirs. Nothing else is carried out.
            role: Answers somebody in this role of the config: over its tables and rows only, with masks in
                place of personal data, which conditions, joins and sorting then see too.

        Returns:
            The answer.

        Raises:
            NotFoundError: There is no such role.
            RefusedError: The role may not read a table that the query names.
            UsageError: The query is no SELECT, can't be read, or names a column that is not there.
            TableNotFoundError: It names a table that is not in the config or has not been made.
        """
        return run_query(query, tables=self.tables, copies=lambda: self.copies, table=self.table, role=role)

    def metrics(self) -> bytes:
        """What there is to tell of the lake, in the text format of Prometheus, from its state database.

        Raises:
            StorageError: The state database can't be reached.
            UsageError: prometheus-client is not installed.
        """
        from lakehouse.observability.metrics import exposition

        now = utc_now()
        return exposition(self.config, self._control.made(now=now), now=now)

    def _pass_on(self) -> None:
        if self.config.alerts:
            self.alerts.pass_on()

    def _request_parts(self) -> RequestParts:
        return RequestParts(
            config=self.config,
            lake=self._storage,
            control=self._control,
            records=self._records,
            table=self.table,
            copies=lambda: self.pii.copies,
            protection=partial(self._protection, quarantine=False),
            ring=self._ring,
            finder=self._parts.finder,
            keys=lambda: self.subject_keys,
        )

    def _ring(self) -> KeyRing:
        return self.keys

    def _observers(self, state: State) -> tuple[RunObserver, ...]:
        """Who hears of the runs that this process carries out."""
        from lakehouse.observability.incidents.observer import ChartObserver

        charts = ChartObserver(self, state)
        if self.config.lineage is None:
            return (charts,)
        from lakehouse.observability.lineage import lineage_of

        return (charts, *lineage_of(self, state))

    def _copy_entry(self, name: str) -> CopyEntry | None:
        # Only names that a table can have are asked for: others would lead elsewhere in the store.
        return find_copy(self._storage, name) if name_problem(name) is None else None

    def _copy(self, name: str, source: str) -> Table:
        """The table that is, or is to be, a masked copy."""
        config = derived_config(source, self.config.tables.get(source))
        with self._lock:
            known = self._tables.get(name)
            if known is None or known.config != config or known.opened.copy_of != source:
                known = self._tables[name] = Table(
                    name=name,
                    config=config,
                    storage=self._storage.child(name),
                    lake=self._storage,
                    before_write=self._probe,
                    records=self._records,
                    protection=partial(self._protection, name, quarantine=False),
                    views=partial(self._parts.view, source, quarantine=False),
                    copy_of=source,
                )
            return known

    def _protection(self, table: str, *, quarantine: bool) -> Protection:
        """What the holds mean for a table or its quarantine; asked by verbs that take something away."""
        found = self._holds.protection(table)
        # Which rejected records a condition would hit can't be told: they were rejected for what they hold.
        return found.of_everything() if quarantine else found

    def _probe(self) -> None:
        """Refuses, once per lake, a store on which two writers could both make the same version."""
        with self._lock:
            if not self._probed:
                probe(self._storage)
                self._probed = True
